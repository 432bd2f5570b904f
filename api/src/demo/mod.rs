//! `eventgallery demo`: a folder of photos through the public API, from the presigned PUT to people
//! and labels, and a contact sheet that opens offline.

mod client;
mod folder;
mod gallery;
mod html;
mod table;
mod upload;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use client::Client;

/// A picture to upload.
struct Picture {
    name: String,
    content_type: &'static str,
    bytes: Vec<u8>,
}

/// What the demo is asked to do.
#[derive(Clone, Debug)]
pub struct Demo {
    /// Base URL of a running server.
    pub server: String,
    /// Whether that server ends with the demo.
    pub own_server: bool,
    /// Base URL where people find a server with the same data afterwards.
    pub shown_at: String,
    /// Folder of photos; none: the sample pictures that arrive with the models.
    pub folder: Option<PathBuf>,
    /// Where the contact sheet goes.
    pub output: PathBuf,
    /// How long to wait for the analysis.
    pub timeout: Duration,
    /// Makes the demo's account a new one each time.
    pub nonce: String,
}

impl Demo {
    /// What would otherwise be found out after the analysis.
    ///
    /// # Errors
    /// The folder or the file that is not as it must be.
    pub fn check(&self) -> Result<()> {
        if let Some(folder) = &self.folder {
            folder::check(folder)?;
        }
        let into = match self.output.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        if !into.is_dir() {
            bail!("--output: there is no folder {}", into.display());
        }
        if self.output.is_dir() {
            bail!(
                "--output: {} is a folder; give a file",
                self.output.display()
            );
        }
        Ok(())
    }
}

/// Runs the demo.
///
/// # Errors
/// The first thing that went wrong, in words.
#[expect(
    clippy::print_stdout,
    reason = "a command's result goes to standard output"
)]
pub async fn run(demo: &Demo) -> Result<()> {
    let pictures = match &demo.folder {
        Some(folder) => folder::pictures(folder)?,
        None => folder::samples(),
    };
    let mut client = Client::new(&demo.server);
    let email = format!("demo-{}@example.com", demo.nonce);
    client
        .register(&email, "Demo", &format!("demo-{}-password", demo.nonce))
        .await?;
    let gallery = client
        .mutate(
            "mutation($input: CreateGalleryInput!) { createGallery(input: $input) { gallery { id } userErrors { message } } }",
            json!({ "name": "EventGallery demo" }),
            "createGallery",
        )
        .await?;
    let id = gallery["gallery"]["id"]
        .as_str()
        .context("no gallery id")?
        .to_owned();

    let bar = progress(pictures.len() as u64, "uploading");
    let photos = upload::upload(&client, &id, &pictures, &bar).await?;
    bar.finish_and_clear();

    let bar = progress(photos.len() as u64, "analysing");
    wait(&client, &id, photos.len(), demo.timeout, &bar).await?;
    bar.finish_and_clear();

    let result = gallery::load(&client, &id).await?;
    println!("{}", table::people(&result));
    println!("{}", table::labels(&result));
    for photo in result.photos.iter().filter(|photo| photo.status != "READY") {
        println!(
            "{}: {} {}",
            photo.filename,
            photo.status,
            photo.error.as_deref().unwrap_or("")
        );
    }
    std::fs::write(&demo.output, html::page(&client, &result).await?)
        .with_context(|| format!("cannot write {}", demo.output.display()))?;
    println!(
        "{}, {}, {}. Contact sheet: {}",
        count(result.photos.len(), "photo", "photos"),
        count(result.people.len(), "person", "people"),
        count(result.labels.len(), "label", "labels"),
        demo.output.display()
    );
    println!(
        "They stay: sign in as {email} with the password demo-{}-password in GraphiQL at {}/graphql{}.",
        demo.nonce,
        demo.shown_at,
        if demo.own_server {
            " after `cargo run`"
        } else {
            ""
        }
    );
    Ok(())
}

/// `1 photo`, `2 photos`
fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn progress(length: u64, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:10} [{bar:40}] {pos}/{len} photos, {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    ProgressBar::new(length)
        .with_style(style)
        .with_message(what)
}

/// Waits until no photo is under way.
async fn wait(
    client: &Client,
    gallery: &str,
    photos: usize,
    timeout: Duration,
    bar: &ProgressBar,
) -> Result<()> {
    let deadline = tokio::time::Instant::now() + timeout;
    loop {
        let open = gallery::under_way(client, gallery).await?;
        bar.set_position(photos.saturating_sub(open) as u64);
        if open == 0 {
            return Ok(());
        }
        if tokio::time::Instant::now() > deadline {
            bail!(
                "{} still under way after {} s; --timeout waits longer",
                count(open, "photo is", "photos are"),
                timeout.as_secs()
            );
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
