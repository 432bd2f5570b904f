//! Uploads as a client does them.

use serde_json::{Value, json};

use crate::actor::{Actor, text};
use crate::pictures::Picture;

/// What `requestPhotoUploads` answers for one file.
const RESULT: &str = "results { clientRef photo { id status } duplicateOf { id }
  target { method url expiresAt headers { name value } } userErrors { code field message } }";

impl Actor {
    /// Asks for uploads; the results, one a file.
    pub async fn request(&self, gallery: &str, files: &[Value]) -> Vec<Value> {
        let input = json!({ "galleryId": gallery, "files": files });
        let payload = self
            .mutate(
                "requestPhotoUploads",
                "RequestPhotoUploadsInput",
                input,
                RESULT,
            )
            .await;
        payload["results"].as_array().expect("results").clone()
    }

    /// The whole payload of a request with this input.
    pub async fn request_with(&self, input: Value) -> Value {
        self.attempt(
            "requestPhotoUploads",
            "RequestPhotoUploadsInput",
            input,
            RESULT,
        )
        .await
    }

    /// Sends bytes to a presigned target; HTTP status and body.
    pub async fn put(&self, target: &Value, bytes: &[u8]) -> (u16, String) {
        self.put_with(target, bytes, &[]).await
    }

    /// As [`Actor::put`], with headers replaced or added.
    pub async fn put_with(
        &self,
        target: &Value,
        bytes: &[u8],
        headers: &[(&str, &str)],
    ) -> (u16, String) {
        let mut request = self.http().put(text(&target["url"])).body(bytes.to_vec());
        for header in target["headers"].as_array().expect("headers") {
            let name = text(&header["name"]);
            if !headers
                .iter()
                .any(|(other, _)| other.eq_ignore_ascii_case(&name))
            {
                request = request.header(name, text(&header["value"]));
            }
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("the store answers");
        (
            response.status().as_u16(),
            response.text().await.expect("a body"),
        )
    }

    /// Confirms; the results, one an id.
    pub async fn confirm(&self, photos: &[String]) -> Vec<Value> {
        let selection = "results { photoId photo { id status } userErrors { code message } }";
        let input = json!({ "photoIds": photos });
        let payload = self
            .mutate(
                "confirmPhotoUploads",
                "ConfirmPhotoUploadsInput",
                input,
                selection,
            )
            .await;
        payload["results"].as_array().expect("results").clone()
    }

    /// Request, PUT and confirm; the photos' ids.
    pub async fn upload(&self, gallery: &str, pictures: &[Picture]) -> Vec<String> {
        let mut ids = Vec::new();
        for batch in pictures.chunks(50) {
            let files: Vec<Value> = batch.iter().map(Picture::file).collect();
            let results = self.request(gallery, &files).await;
            let mut sent = Vec::new();
            for (result, picture) in results.iter().zip(batch) {
                assert_eq!(result["userErrors"], json!([]), "{result:#}");
                let (status, body) = self.put(&result["target"], &picture.bytes).await;
                assert_eq!(status, 200, "{body}");
                sent.push(text(&result["photo"]["id"]));
            }
            for result in self.confirm(&sent).await {
                assert_eq!(result["userErrors"], json!([]), "{result:#}");
            }
            ids.extend(sent);
        }
        ids
    }

    /// A photo with these fields.
    pub async fn photo(&self, id: &str, selection: &str) -> Value {
        let document = format!("query($id: ID!) {{ photo(id: $id) {{ {selection} }} }}");
        self.query(&document, json!({ "id": id })).await["photo"].take()
    }
}
