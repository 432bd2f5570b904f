//! Clients that do not give up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use entity::GalleryId;
use eventgallery::clock::Clock;
use eventgallery::db::Db;
use eventgallery::event::cursor;
use eventgallery::graphql::id;
use harness::Actor;
use harness::actor::text;
use harness::failover::{Failover, Patience};
use harness::pictures::{self, Picture};
use serde_json::{Value, json};

use super::world::World;
use super::{PHOTOS, check};

/// Photos of one request.
const BATCH: usize = 3;

/// Small pictures, each with bytes of its own; one in ten shows people.
pub(super) fn pictures() -> Vec<Picture> {
    let samples: Vec<image::RgbImage> = pictures::samples()
        .iter()
        .map(|sample| {
            let picture = image::load_from_memory(&sample.bytes).unwrap();
            picture.thumbnail(480, 480).into_rgb8()
        })
        .collect();
    (0..PHOTOS)
        .map(|number| {
            let mut picture = match number % 10 {
                0 => samples[number / 10 % samples.len()].clone(),
                _ => pictures::gradient(96, 96, (number % 256) as u8),
            };
            // Not even two of the same sample are the same file.
            let shade = image::Rgb([(number % 256) as u8, (number / 256) as u8 * 90, 128]);
            for x in 0..8 {
                for y in 0..8 {
                    picture.put_pixel(x, y, shade);
                }
            }
            Picture::jpeg(&format!("{number}.jpg"), pictures::jpeg(&picture))
        })
        .collect()
}

/// One client's part.
pub(super) struct Uploads {
    client: Failover,
    gallery: String,
    /// Photos that were confirmed.
    pub(super) confirmed: Vec<String>,
    /// Tries that were made again.
    pub(super) retries: u64,
}

const REQUEST: &str = "mutation($input: RequestPhotoUploadsInput!) { requestPhotoUploads(input: $input) {
  results { photo { id } duplicateOf { id } target { url headers { name value } } userErrors { code } } userErrors { code } } }";
const CONFIRM: &str =
    "mutation($input: ConfirmPhotoUploadsInput!) { confirmPhotoUploads(input: $input) {
  results { photoId userErrors { code } } userErrors { code } } }";

impl Uploads {
    pub(super) fn new(ada: &Actor, world: &World, gallery: &str, number: usize) -> Self {
        Self {
            client: Failover::new(ada, &world.urls, number, Patience::Whatever),
            gallery: gallery.to_owned(),
            confirmed: Vec::new(),
            retries: 0,
        }
    }

    pub(super) async fn run(mut self, pictures: Vec<Picture>) -> Self {
        for batch in pictures.chunks(BATCH) {
            self.upload(batch).await;
        }
        self.retries += self.client.journey.retried;
        self
    }

    async fn upload(&mut self, batch: &[Picture]) {
        let files: Vec<Value> = batch.iter().map(Picture::file).collect();
        // The same call again gives the same photos.
        let key = Clock::system().new_token().to_string();
        let input = json!({ "galleryId": self.gallery, "idempotencyKey": key, "files": files });
        let payload =
            self.ask(REQUEST, json!({ "input": input })).await["requestPhotoUploads"].take();
        let results = payload["results"].as_array().unwrap().clone();
        assert_eq!(results.len(), batch.len(), "{payload:#}");
        let mut photos = Vec::new();
        for (result, picture) in results.iter().zip(batch) {
            assert!(result["duplicateOf"].is_null(), "{payload:#}");
            assert_eq!(result["userErrors"], json!([]), "{payload:#}");
            self.put(&result["target"], picture).await;
            photos.push(text(&result["photo"]["id"]));
        }
        let input = json!({ "input": { "photoIds": photos } });
        let payload = self.ask(CONFIRM, input).await["confirmPhotoUploads"].take();
        for result in payload["results"].as_array().unwrap() {
            assert_eq!(result["userErrors"], json!([]), "{payload:#}");
        }
        self.confirmed.extend(photos);
    }

    async fn ask(&mut self, document: &str, variables: Value) -> Value {
        let answer = self.client.ask(document, &variables).await;
        answer.unwrap_or_else(|failure| panic!("an answer that no client can help: {failure}"))
    }

    /// Sends until the object stands: that it does already, from a try that seemed to fail, is as good.
    async fn put(&mut self, target: &Value, picture: &Picture) {
        loop {
            let http = self.client.actor().http();
            let mut put = http.put(text(&target["url"])).body(picture.bytes.clone());
            for header in target["headers"].as_array().unwrap() {
                put = put.header(text(&header["name"]), text(&header["value"]));
            }
            match put.send().await.map(|answer| answer.status().as_u16()) {
                Ok(200 | 412) => return,
                Ok(503) | Err(_) => self.retries += 1,
                Ok(status) => panic!("{status} for a PUT"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// What somebody saw who followed the gallery all the time.
#[derive(Default)]
pub(super) struct Seen {
    /// Numbers of the events, as they came, each with that of its subscription.
    pub(super) seqs: Vec<(u64, i64)>,
    /// Photos of `PhotoChanged`, with the status that came last.
    pub(super) photos: std::collections::HashMap<String, String>,
    /// Subscriptions that it took.
    pub(super) connections: u64,
}

/// Follows a gallery from its first event, at whichever replica answers.
pub(super) struct Follower {
    actor: Actor,
    urls: Vec<String>,
    gallery: String,
}

impl Follower {
    pub(super) fn new(ada: &Actor, urls: &[String], gallery: &str) -> Self {
        Self {
            actor: ada.clone(),
            urls: urls.to_vec(),
            gallery: gallery.to_owned(),
        }
    }

    /// Runs until nothing is to come and it has seen the last event.
    pub(super) async fn run(mut self, db: Db, over: Arc<AtomicBool>) -> Seen {
        let gallery = gallery_id(&self.gallery);
        let mut seen = Seen::default();
        let mut after = cursor::encode(gallery, 0);
        loop {
            self.actor
                .move_to(&self.urls[seen.connections as usize % self.urls.len()]);
            self.actor.reconnect();
            seen.connections += 1;
            let Some(mut events) = self.actor.try_follow(&self.gallery, &after).await else {
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            };
            loop {
                let next = tokio::time::timeout(Duration::from_secs(2), events.next_answer()).await;
                let answer = match next {
                    Ok(Some(answer)) => answer,
                    // The process is gone, or this stream has ended.
                    Ok(None) => break,
                    Err(_) if over.load(Ordering::SeqCst) => {
                        let seq = cursor::decode(gallery, &after).unwrap();
                        if seq >= check::last_event(&db, &self.gallery).await {
                            return seen;
                        }
                        continue;
                    }
                    Err(_) => continue,
                };
                if !answer["errors"].is_null() {
                    let code = &answer["errors"][0]["extensions"]["code"];
                    assert_eq!(code, "UNAVAILABLE", "{answer:#}");
                    break;
                }
                let event = &answer["data"]["galleryEvents"];
                if event["__typename"] == "GalleryEventsStarted" {
                    assert_eq!(event["cursor"], *after, "it begins where it was asked to");
                    continue;
                }
                after = text(&event["cursor"]);
                let seq = cursor::decode(gallery, &after).unwrap();
                seen.seqs.push((seen.connections, seq));
                if event["__typename"] == "PhotoChanged" {
                    let status = event["photo"]["status"].as_str().unwrap_or_default();
                    let photo = text(&event["photoId"]);
                    seen.photos.insert(photo, status.to_owned());
                }
            }
        }
    }
}

/// The id behind a global id.
pub(super) fn gallery_id(global: &str) -> GalleryId {
    let (_, id) = id::split(&global.into()).expect("a global id");
    id.into()
}
