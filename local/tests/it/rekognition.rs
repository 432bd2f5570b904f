//! The Rekognition endpoint from outside: signed requests over HTTP, real photos, restarts.
//!
//! What every operation answers is checked by boto3 (`tests/clients/boto3_rekognition.py`); here
//! is what a client library does not see.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use local::{Credentials, Fault, FaultRule, LocalAws, LocalConfig, clock};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const REGION: &str = "us-east-1";

/// A server on a folder of its own, and somebody who may call it.
struct Fixture {
    folder: tempfile::TempDir,
    server: LocalAws,
    http: reqwest::Client,
}

impl Fixture {
    async fn start() -> Self {
        Self::on(tempfile::tempdir().expect("a folder")).await
    }

    async fn on(folder: tempfile::TempDir) -> Self {
        let server = LocalAws::start(LocalConfig::new(folder.path(), credentials()))
            .await
            .expect("the server starts");
        Self {
            folder,
            server,
            http: reqwest::Client::new(),
        }
    }

    /// Stops the server and starts another on the same folder.
    async fn restart(self) -> Self {
        self.server.shutdown().await;
        Self::on(self.folder).await
    }

    async fn call(&self, operation: &str, body: Value) -> Answer {
        self.send(operation, body.to_string().into_bytes()).await
    }

    async fn send(&self, operation: &str, body: Vec<u8>) -> Answer {
        let target = format!("RekognitionService.{operation}");
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target.as_str()),
        ];
        Answer::read(
            self.signed("rekognition", "POST", "/", &headers, body)
                .await,
        )
        .await
    }

    /// Puts an object into the server's S3.
    async fn put(&self, path: &str, body: Vec<u8>) {
        let hash = hex::encode(Sha256::digest(&body));
        let headers = [("x-amz-content-sha256", hash.as_str())];
        let response = self.signed("s3", "PUT", path, &headers, body).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }

    async fn signed(
        &self,
        service: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> reqwest::Response {
        let time = clock::now_utc().format("%Y%m%dT%H%M%SZ").to_string();
        let host = self.server.address().to_string();
        let mut signed: Vec<(&str, &str)> = vec![("host", &host), ("x-amz-date", &time)];
        signed.extend(headers);
        signed.sort_unstable();
        let authorization = authorize(service, method, path, &signed, &time, &body);
        let url = format!("{}{path}", self.server.endpoint());
        let mut request = self
            .http
            .request(method.parse().expect("a method"), url)
            .body(body);
        for (name, value) in signed.iter().filter(|(name, _)| *name != "host") {
            request = request.header(*name, *value);
        }
        request
            .header("authorization", authorization)
            .send()
            .await
            .expect("an answer")
    }
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    error_header: Option<String>,
    body: Value,
}

impl Answer {
    async fn read(response: reqwest::Response) -> Self {
        let header = |name| {
            let value = response.headers().get(name)?;
            Some(value.to_str().expect("text").to_owned())
        };
        assert_eq!(
            header("content-type").as_deref(),
            Some("application/x-amz-json-1.1")
        );
        assert!(header("x-amzn-requestid").is_some());
        Self {
            status: response.status(),
            error_header: header("x-amzn-errortype"),
            body: response.json().await.expect("JSON"),
        }
    }

    fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        self.body
    }

    /// The exception's name, which body and header must agree on.
    fn error(&self) -> (u16, &str) {
        let name = self.body["__type"].as_str().unwrap_or_default();
        assert_eq!(self.error_header.as_deref(), Some(name), "{}", self.body);
        assert!(self.body["Message"].is_string(), "{}", self.body);
        (self.status.as_u16(), name)
    }
}

fn credentials() -> Credentials {
    Credentials {
        access_key_id: "AKIAREKOGNITIONTEST0".to_owned(),
        secret_access_key: "a secret that nobody else knows".to_owned(),
    }
}

/// The `Authorization` header: written from the specification, not with the code under test.
fn authorize(
    service: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    time: &str,
    body: &[u8],
) -> String {
    let Credentials {
        access_key_id,
        secret_access_key,
    } = credentials();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let hash = hex::encode(Sha256::digest(body));
    let canonical = format!("{method}\n{path}\n\n{lines}\n{names}\n{hash}");
    let scope = format!("{}/{REGION}/{service}/aws4_request", &time[..8]);
    let digest = hex::encode(Sha256::digest(canonical));
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
    let hmac = |key: &[u8], data: &str| -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
        mac.update(data.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let mut key = format!("AWS4{secret_access_key}").into_bytes();
    for part in scope.split('/') {
        key = hmac(&key, part);
    }
    let signature = hex::encode(hmac(&key, &to_sign));
    format!(
        "AWS4-HMAC-SHA256 Credential={access_key_id}/{scope}, SignedHeaders={names}, \
         Signature={signature}"
    )
}

/// A demo photo as the `Image` of a request.
fn photo(name: &str) -> Value {
    json!({ "Bytes": STANDARD.encode(photo_bytes(name)) })
}

fn photo_bytes(name: &str) -> &'static [u8] {
    let mut photos = assets::samples::PHOTOS.iter();
    let photo = photos.find(|photo| photo.name == name);
    photo.expect("a demo photo").bytes
}

fn length(value: &Value) -> usize {
    value.as_array().expect("a list").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_survive_a_restart() {
    let aws = Fixture::start().await;
    let event = json!({ "CollectionId": "event" });
    aws.call("CreateCollection", event.clone()).await.ok();
    let request = json!({
        "CollectionId": "event", "Image": photo("sample6.jpg"),
        "ExternalImageId": "photo-6", "QualityFilter": "NONE",
    });
    let indexed = aws.call("IndexFaces", request).await.ok();
    assert_eq!(length(&indexed["FaceRecords"]), 4);
    let listed = aws.call("ListFaces", event.clone()).await.ok();
    let described = aws.call("DescribeCollection", event.clone()).await.ok();
    let face = &indexed["FaceRecords"][1]["Face"]["FaceId"];
    let search = json!({ "CollectionId": "event", "FaceId": face, "FaceMatchThreshold": 0 });
    let found = aws.call("SearchFaces", search.clone()).await.ok();
    assert_eq!(length(&found["FaceMatches"]), 3);

    let endpoint = aws.server.endpoint().to_owned();
    let aws = aws.restart().await;
    assert_eq!(
        aws.server.endpoint(),
        endpoint,
        "URLs signed before are good"
    );
    let again = aws.call("ListFaces", event.clone()).await.ok();
    assert_eq!(again, listed);
    assert_eq!(aws.call("DescribeCollection", event).await.ok(), described);
    assert_eq!(aws.call("SearchFaces", search).await.ok(), found);
    let by_image = json!({ "CollectionId": "event", "Image": photo("sample6.jpg") });
    let matches = aws.call("SearchFacesByImage", by_image).await.ok();
    assert_eq!(
        matches["FaceMatches"][0]["Face"]["FaceId"],
        indexed["FaceRecords"][0]["Face"]["FaceId"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_faces_leave_no_trace_on_disk() {
    let aws = Fixture::start().await;
    for name in ["erased", "dropped"] {
        let collection = json!({ "CollectionId": name });
        aws.call("CreateCollection", collection.clone()).await.ok();
        let mark = format!("trace-of-{name}");
        let request = json!({
            "CollectionId": name, "Image": photo("sample3.jpg"), "ExternalImageId": mark,
        });
        let indexed = aws.call("IndexFaces", request).await.ok();
        assert!(holds(aws.folder.path(), mark.as_bytes()), "{name}");
        if name == "dropped" {
            aws.call("DeleteCollection", collection).await.ok();
        } else {
            let records = indexed["FaceRecords"].as_array().unwrap();
            let ids: Vec<&Value> = records.iter().map(|r| &r["Face"]["FaceId"]).collect();
            let request = json!({ "CollectionId": name, "FaceIds": ids });
            let deleted = aws.call("DeleteFaces", request).await.ok();
            assert_eq!(length(&deleted["DeletedFaces"]), records.len());
        }
        assert!(!holds(aws.folder.path(), mark.as_bytes()), "{name}");
    }
}

/// Whether any file under `folder` holds these bytes.
fn holds(folder: &Path, needle: &[u8]) -> bool {
    let mut entries = std::fs::read_dir(folder).expect("a folder");
    entries.any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return holds(&path, needle);
        }
        let content = std::fs::read(&path).expect("a file");
        content.windows(needle.len()).any(|window| window == needle)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_calls_neither_lose_nor_double_faces() {
    let aws = Fixture::start().await;
    let create = || aws.call("CreateCollection", json!({ "CollectionId": "busy" }));
    let made = futures::future::join_all((0..6).map(|_| create())).await;
    let created = made.iter().filter(|answer| answer.status == StatusCode::OK);
    assert_eq!(created.count(), 1);
    for answer in made.iter().filter(|answer| answer.status != StatusCode::OK) {
        assert_eq!(answer.error(), (400, "ResourceAlreadyExistsException"));
    }

    let request = json!({
        "CollectionId": "busy", "Image": photo("sample4.jpg"), "QualityFilter": "NONE",
    });
    let index = || aws.call("IndexFaces", request.clone());
    let indexed = futures::future::join_all((0..6).map(|_| index())).await;
    let mut ids: Vec<String> = Vec::new();
    for answer in indexed {
        for record in answer.ok()["FaceRecords"].as_array().unwrap() {
            ids.push(record["Face"]["FaceId"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(ids.len(), 6 * 4);
    let listed = aws
        .call("ListFaces", json!({ "CollectionId": "busy" }))
        .await
        .ok();
    let mut stored: Vec<&str> = listed["Faces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|face| face["FaceId"].as_str().unwrap())
        .collect();
    stored.sort_unstable();
    ids.sort_unstable();
    assert_eq!(stored, ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn images_in_the_bucket_are_read_and_their_absence_is_told() {
    let aws = Fixture::start().await;
    aws.put("/photos", Vec::new()).await;
    aws.put("/photos/party.jpg", photo_bytes("sample6.jpg").to_vec())
        .await;
    let image = |bucket: &str, name: &str, version: Option<&str>| {
        let object = json!({ "Bucket": bucket, "Name": name, "Version": version });
        json!({ "Image": { "S3Object": object } })
    };
    let found = aws
        .call("DetectFaces", image("photos", "party.jpg", None))
        .await
        .ok();
    let inline = json!({ "Image": photo("sample6.jpg") });
    assert_eq!(found, aws.call("DetectFaces", inline).await.ok());
    for (bucket, name, version) in [
        ("photos", "other.jpg", None),
        ("elsewhere", "party.jpg", None),
        (
            "photos",
            "party.jpg",
            Some("3sL4kqtJlcpXroDTDmJ-rmSpXd3dIbrHY"),
        ),
    ] {
        let answer = aws.call("DetectFaces", image(bucket, name, version)).await;
        assert_eq!(
            answer.error(),
            (400, "InvalidS3ObjectException"),
            "{bucket}/{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_not_understood_are_answered_by_name() {
    let aws = Fixture::start().await;
    for (operation, body, expected) in [
        ("ListCollections", "", (200, "")),
        (
            "ListCollections",
            "{\"MaxResults\": null, \"Unknown\": 1}",
            (200, ""),
        ),
        ("ListCollections", "[", (400, "SerializationException")),
        (
            "ListCollections",
            "{\"MaxResults\": \"many\"}",
            (400, "SerializationException"),
        ),
        (
            "ListCollections",
            "{\"MaxResults\": -1}",
            (400, "ValidationException"),
        ),
        ("CreateCollection", "{}", (400, "ValidationException")),
        ("DetectFaces", "{}", (400, "ValidationException")),
        (
            "DetectFaces",
            "{\"Image\": {\"Bytes\": \"***\"}}",
            (400, "SerializationException"),
        ),
        (
            "DetectFaces",
            "{\"Image\": {\"Bytes\": \"\"}}",
            (400, "ValidationException"),
        ),
        ("DetectText", "{}", (400, "UnknownOperationException")),
        ("", "{}", (400, "UnknownOperationException")),
    ] {
        let answer = aws.send(operation, body.as_bytes().to_vec()).await;
        if expected.0 == 200 {
            assert!(
                answer.ok()["CollectionIds"].is_array(),
                "{operation} {body}"
            );
        } else {
            assert_eq!(answer.error(), expected, "{operation} {body}");
        }
    }
    let huge = aws.send("DetectFaces", vec![b' '; 20 << 20]).await;
    assert_eq!(huge.error(), (400, "ImageTooLargeException"));
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_images_are_no_images() {
    let aws = Fixture::start().await;
    let mut whole = Vec::new();
    let noise = image::RgbImage::from_fn(300, 200, |x, y| {
        image::Rgb([
            (x * y % 251) as u8,
            (x * 7 % 256) as u8,
            (y * 5 % 256) as u8,
        ])
    });
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut whole, 90)
        .encode_image(&noise)
        .expect("encoded");
    let part = |percent: usize| &whole[..whole.len() * percent / 100];
    for (bytes, expected) in [
        (whole.clone(), None),
        (part(14).to_vec(), Some("InvalidImageFormatException")),
        (part(95).to_vec(), Some("InvalidImageFormatException")),
        // With an end marker where it was cut.
        (
            [part(50), &[0xff, 0xd9]].concat(),
            Some("InvalidImageFormatException"),
        ),
    ] {
        let image = json!({ "Image": { "Bytes": STANDARD.encode(&bytes) } });
        let answer = aws.call("DetectFaces", image).await;
        match expected {
            Some(code) => assert_eq!(answer.error(), (400, code), "{}", bytes.len()),
            None => assert!(answer.ok()["FaceDetails"].is_array()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn injected_faults_look_like_the_services_own() {
    let aws = Fixture::start().await;
    let list = || aws.call("ListCollections", json!({}));
    let faults = aws.server.faults();
    for (fault, expected) in [
        (Fault::Throttle, (400, "ThrottlingException")),
        (Fault::InternalError, (500, "InternalServerError")),
    ] {
        faults.add(FaultRule::next("rekognition:ListCollections", fault, 1));
        assert_eq!(list().await.error(), expected);
        list().await.ok();
    }
    let delay = Duration::from_millis(150);
    faults.add(FaultRule::next("rekognition:*", Fault::Delay(delay), 1));
    let start = Instant::now();
    list().await.ok();
    assert!(start.elapsed() >= delay);
    assert_eq!(
        aws.server
            .stats()
            .operation("rekognition:ListCollections")
            .errors,
        2
    );
}
