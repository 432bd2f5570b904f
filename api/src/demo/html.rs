//! The contact sheet: one file that opens offline, pictures embedded.

use std::collections::HashMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::client::Client;
use super::count;
use super::gallery::{Gallery, Photo};

/// Height that no picture exceeds.
const TALLEST_REM: f64 = 24.0;

const STYLE: &str = "
  body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem; background: #16181d; color: #e8e8ea; }
  main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); gap: 1.5rem; align-items: start; }
  figure { margin: 0; background: #23262e; border-radius: 8px; overflow: hidden; }
  .frame { display: flex; justify-content: center; align-items: center; background: #101216; }
  .picture { position: relative; } .picture img { display: block; width: 100%; height: auto; }
  .failed { padding: 2rem 1rem; color: #ffb4a8; text-align: center; }
  .face { position: absolute; border: 3px solid; border-radius: 4px; box-sizing: border-box; }
  .face b { position: absolute; left: -3px; top: 100%; color: #111; font-size: 11px; padding: 0 4px; border-radius: 0 0 4px 4px; white-space: nowrap; }
  figcaption { padding: .6rem .8rem; } .labels { color: #a9adb8; font-size: 13px; }
  .people span { display: inline-block; margin: 0 .6rem .6rem 0; padding: .1rem .6rem; border-radius: 1rem; color: #111; }
";

/// The page.
pub(super) async fn page(client: &Client, gallery: &Gallery) -> Result<String> {
    let mut people: HashMap<&str, (String, String)> = HashMap::new();
    let mut legend = String::new();
    for (index, person) in gallery.people.iter().enumerate() {
        let name = person
            .name
            .clone()
            .unwrap_or_else(|| format!("Person {}", index + 1));
        let colour = colour(index);
        let _ = write!(
            legend,
            "<span style=\"background:{colour}\">{} &middot; {}</span>",
            escape(&name),
            count(
                usize::try_from(person.photos).unwrap_or(0),
                "photo",
                "photos"
            )
        );
        people.insert(&person.id, (name, colour));
    }
    let mut figures = String::new();
    for photo in &gallery.photos {
        figure(client, photo, &people, &mut figures).await?;
    }
    let strangers = gallery
        .photos
        .iter()
        .flat_map(|photo| &photo.faces)
        .any(|face| face.person.is_none());
    let unknown = if strangers {
        // What `analysis::quality` asks of a face that founds a person, in words.
        "<p>A face with a ? resembles nobody who was found, and does not show enough to begin a person of its own: \
         it may look more than 45&deg; aside, up or down, be small, blurred or dark, or hardly pass for a face.</p>"
    } else {
        ""
    };
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>EventGallery demo</title>\
         <style>{STYLE}</style></head><body><h1>EventGallery demo</h1>\
         <p class=\"people\">{legend}</p>{unknown}<main>{figures}</main></body></html>\n"
    ))
}

async fn figure(
    client: &Client,
    photo: &Photo,
    people: &HashMap<&str, (String, String)>,
    out: &mut String,
) -> Result<()> {
    out.push_str("<figure><div class=\"frame\">");
    match &photo.url {
        Some(url) => picture(client, photo, url, people, out).await?,
        None => {
            let reason = photo.error.as_deref().unwrap_or("there is no picture yet");
            let _ = write!(out, "<div class=\"failed\">{}</div>", escape(reason));
        }
    }
    let labels: Vec<String> = photo
        .labels
        .iter()
        .map(|(name, confidence)| format!("{} {confidence:.0}", escape(name)))
        .collect();
    let _ = write!(
        out,
        "</div><figcaption>{} &middot; {}<div class=\"labels\">{}</div></figcaption></figure>",
        escape(&photo.filename),
        escape(&photo.status),
        labels.join(", ")
    );
    Ok(())
}

/// The picture with its faces.
async fn picture(
    client: &Client,
    photo: &Photo,
    url: &str,
    people: &HashMap<&str, (String, String)>,
    out: &mut String,
) -> Result<()> {
    let response = client
        .http()
        .get(url)
        .send()
        .await
        .context("the object store does not answer")?;
    let bytes = response
        .error_for_status()
        .context("a signed URL was refused")?
        .bytes()
        .await?;
    // A portrait is as high as its neighbours, not as wide.
    let widest = TALLEST_REM * photo.width as f64 / photo.height.max(1) as f64;
    let _ = write!(
        out,
        "<div class=\"picture\" style=\"width:min(100%,{widest:.2}rem)\"><img alt=\"{}\" width=\"{}\" height=\"{}\" src=\"data:image/jpeg;base64,{}\">",
        escape(&photo.filename),
        photo.width,
        photo.height,
        STANDARD.encode(&bytes)
    );
    for face in &photo.faces {
        let known = face.person.as_deref().and_then(|id| people.get(id));
        let (name, colour) = known.map_or(("?", "#cccccc"), |(name, colour)| {
            (name.as_str(), colour.as_str())
        });
        let [left, top, width, height] = face.region.map(|side| side * 100.0);
        let _ = write!(
            out,
            "<div class=\"face\" style=\"left:{left:.2}%;top:{top:.2}%;width:{width:.2}%;height:{height:.2}%;border-color:{colour}\"><b style=\"background:{colour}\">{}</b></div>",
            escape(name)
        );
    }
    out.push_str("</div>");
    Ok(())
}

/// Colours far apart: the golden angle around the wheel, and every second one lighter, so that two
/// whose hues come close after some turns still differ.
fn colour(index: usize) -> String {
    let lightness = if index.is_multiple_of(2) { 58 } else { 80 };
    format!(
        "hsl({:.0} 85% {lightness}%)",
        (index as f64 * 137.508) % 360.0
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
