//! Asks for presigned PUTs, sends the bytes straight to the store, confirms.

use anyhow::{Context as _, Result, bail};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Picture;
use super::client::Client;

/// Files one request asks for.
const BATCH: usize = 50;
/// PUTs at a time.
const PARALLEL: usize = 4;

const REQUEST: &str = "mutation($input: RequestPhotoUploadsInput!) {
  requestPhotoUploads(input: $input) {
    results { clientRef photo { id } duplicateOf { id } userErrors { message }
      target { method url headers { name value } } }
    userErrors { message } } }";

const CONFIRM: &str = "mutation($input: ConfirmPhotoUploadsInput!) {
  confirmPhotoUploads(input: $input) {
    results { photoId photo { id status } userErrors { message } }
    userErrors { message } } }";

/// Uploads the pictures and gives the ids of the photos that they became.
pub(super) async fn upload(
    client: &Client,
    gallery: &str,
    pictures: &[Picture],
    bar: &ProgressBar,
) -> Result<Vec<String>> {
    let mut photos = Vec::new();
    for batch in pictures.chunks(BATCH) {
        let files: Vec<Value> = batch
            .iter()
            .enumerate()
            .map(|(index, picture)| {
                json!({
                    "clientRef": index.to_string(),
                    "filename": picture.name,
                    "contentType": picture.content_type,
                    "byteSize": picture.bytes.len(),
                    "sha256": hex::encode(Sha256::digest(&picture.bytes)),
                })
            })
            .collect();
        let input = json!({ "galleryId": gallery, "files": files });
        let answer = client.mutate(REQUEST, input, "requestPhotoUploads").await?;
        let results = answer["results"].as_array().context("no results")?;
        let sent: Vec<Option<String>> = stream::iter(results.iter().zip(batch))
            .map(|(result, picture)| put(client, result, picture, bar))
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        let ids: Vec<String> = sent.into_iter().flatten().collect();
        if ids.is_empty() {
            continue;
        }
        let answer = client
            .mutate(CONFIRM, json!({ "photoIds": ids }), "confirmPhotoUploads")
            .await?;
        for result in answer["results"].as_array().context("no results")? {
            if let Some(error) = result["userErrors"].get(0) {
                bail!("{}", error["message"].as_str().unwrap_or("not confirmed"));
            }
        }
        photos.extend(ids);
    }
    Ok(photos)
}

async fn put(
    client: &Client,
    result: &Value,
    picture: &Picture,
    bar: &ProgressBar,
) -> Result<Option<String>> {
    bar.inc(1);
    if !result["duplicateOf"].is_null() {
        say(
            bar,
            &format!("{}: the same picture is there already", picture.name),
        );
        return Ok(None);
    }
    if let Some(error) = result["userErrors"].get(0) {
        let reason = error["message"].as_str().unwrap_or("refused");
        say(bar, &format!("{}: {reason}", picture.name));
        return Ok(None);
    }
    let target = &result["target"];
    let url = target["url"].as_str().context("no upload URL")?;
    let mut request = client.http().put(url).body(picture.bytes.clone());
    for header in target["headers"].as_array().into_iter().flatten() {
        if let (Some(name), Some(value)) = (header["name"].as_str(), header["value"].as_str()) {
            request = request.header(name, value);
        }
    }
    let response = request
        .send()
        .await
        .context("the object store does not answer")?;
    if !response.status().is_success() {
        bail!(
            "{}: the store answered {}: {}",
            picture.name,
            response.status(),
            response.text().await?
        );
    }
    Ok(Some(
        result["photo"]["id"]
            .as_str()
            .context("no photo id")?
            .to_owned(),
    ))
}

/// The bar's own lines are lost where standard error is no terminal.
#[expect(
    clippy::print_stderr,
    reason = "nobody should look for a photo that was not uploaded"
)]
fn say(bar: &ProgressBar, line: &str) {
    bar.suspend(|| eprintln!("{line}"));
}
