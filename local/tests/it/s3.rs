//! The S3 endpoint from outside, where a client library does not look: faults, counters,
//! restarts, clients that vanish. What a client library sees is checked by boto3
//! (`tests/clients/boto3_s3.py`).

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use local::{Credentials, Fault, FaultRule, Faults, LocalAws, LocalConfig, LocalError};
use reqwest::{Method, Response, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::signer::{ACCESS_KEY, Presigner, SECRET_KEY};

pub(crate) fn config(folder: &Path) -> LocalConfig {
    LocalConfig::new(
        folder,
        Credentials {
            access_key_id: ACCESS_KEY.to_owned(),
            secret_access_key: SECRET_KEY.to_owned(),
        },
    )
}

/// Somebody with the key pair.
pub(crate) struct Client {
    endpoint: String,
    http: reqwest::Client,
}

impl Client {
    pub(crate) fn new(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            http: reqwest::Client::new(),
        }
    }

    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> reqwest::Result<Response> {
        let url = Presigner::now(&self.endpoint).url(method.as_str(), path, headers);
        let mut request = self.http.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        self.try_send(method, path, headers, body.to_vec())
            .await
            .unwrap()
    }

    async fn put(&self, path: &str, body: &[u8]) -> StatusCode {
        self.send(Method::PUT, path, &[], body).await.status()
    }

    pub(crate) async fn get(&self, path: &str) -> Option<Vec<u8>> {
        let answer = self.send(Method::GET, path, &[], b"").await;
        match answer.status() {
            StatusCode::OK => Some(answer.bytes().await.unwrap().to_vec()),
            StatusCode::NOT_FOUND => None,
            other => panic!("{other} for {path}"),
        }
    }
}

async fn start(folder: &Path) -> (LocalAws, Client) {
    let server = LocalAws::start(config(folder)).await.unwrap();
    let client = Client::new(server.endpoint());
    assert_eq!(client.put("/bucket", b"").await, StatusCode::OK);
    (server, client)
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn an_upload_is_bound_to_what_was_signed() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client) = start(folder.path()).await;
    let body = b"photo".repeat(1000);
    let (length, sum) = (
        body.len().to_string(),
        STANDARD.encode(Sha256::digest(&body)),
    );
    let headers = [
        ("content-length", length.as_str()),
        ("content-type", "image/jpeg"),
        ("if-none-match", "*"),
        ("x-amz-checksum-sha256", sum.as_str()),
    ];
    let put = |headers: Vec<(&'static str, String)>, body: Vec<u8>| {
        let signed = Presigner::now(server.endpoint()).url(
            "PUT",
            "/bucket/up",
            &[
                ("content-length", length.as_str()),
                ("content-type", "image/jpeg"),
                ("if-none-match", "*"),
                ("x-amz-checksum-sha256", sum.as_str()),
            ],
        );
        let mut request = client.http.put(signed).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        async move { request.send().await.unwrap().status() }
    };
    let with = |name: &str, value: &str| -> Vec<(&'static str, String)> {
        [
            "content-length",
            "content-type",
            "if-none-match",
            "x-amz-checksum-sha256",
        ]
        .into_iter()
        .zip(headers.map(|(_, value)| value.to_owned()))
        .map(|(header, original)| {
            let changed = if header == name {
                value.to_owned()
            } else {
                original
            };
            (header, changed)
        })
        .collect()
    };
    let longer = [body.as_slice(), b"!"].concat();
    let longer_length = longer.len().to_string();
    for (headers, body, expected) in [
        (with("content-length", &longer_length), longer, 403),
        (with("content-type", "text/html"), body.clone(), 403),
        (with("", ""), b"PHOTO".repeat(1000), 400),
        (with("", ""), body.clone(), 200),
        (with("", ""), body.clone(), 412),
    ] {
        assert_eq!(put(headers, body).await.as_u16(), expected);
    }
    let mut smuggled = with("", "");
    smuggled.push(("x-amz-copy-source", "/bucket/other".to_owned()));
    assert_eq!(put(smuggled, body.clone()).await, StatusCode::FORBIDDEN);
    assert_eq!(client.get("/bucket/up").await.unwrap(), body);
    server.shutdown().await;
}

#[tokio::test]
async fn a_presigned_url_ends_when_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client) = start(folder.path()).await;
    client.put("/bucket/a", b"a").await;
    let signed = |age: i64, expires: u64| {
        Presigner {
            at: local::clock::now_utc() - chrono::TimeDelta::seconds(age),
            expires,
            ..Presigner::now(server.endpoint())
        }
        .url("GET", "/bucket/a", &[])
    };
    for (age, expires, status, text) in [
        (100, 200, 200, "a"),
        (100, 99, 403, "Request has expired"),
        (0, 604_800, 200, "a"),
        (0, 604_801, 400, "less than a week"),
        (-1800, 3600, 403, "RequestTimeTooSkewed"),
    ] {
        let answer = client.http.get(signed(age, expires)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{age} {expires}");
        let body = answer.text().await.unwrap();
        assert!(body.contains(text), "{body}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn objects_outlive_the_server_and_one_server_owns_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client) = start(folder.path()).await;
    assert_eq!(client.put("/bucket/kept", b"kept").await, StatusCode::OK);
    let second = LocalAws::start(config(folder.path())).await;
    assert!(matches!(second, Err(LocalError::InUse(_))), "{second:?}");
    server.shutdown().await;
    // What a crash would have left.
    let folder_of_s3 = folder.path().join("s3");
    std::fs::write(folder_of_s3.join("tmp/half"), b"half").unwrap();
    std::fs::write(folder_of_s3.join("blobs/ab/abandoned"), b"x").unwrap();
    let (server, client) = start(folder.path()).await;
    assert_eq!(client.get("/bucket/kept").await.unwrap(), b"kept");
    assert!(files(&folder_of_s3.join("tmp")).is_empty());
    assert_eq!(files(&folder_of_s3.join("blobs")).len(), 1);
    server.shutdown().await;
}

#[tokio::test]
async fn replaced_and_deleted_objects_free_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client) = start(folder.path()).await;
    let blobs = || files(&folder.path().join("s3/blobs")).len();
    for turn in 0..3_u8 {
        client.put("/bucket/a", &[turn; 100]).await;
        assert_eq!(blobs(), 1);
    }
    let copied = [("x-amz-copy-source", "/bucket/a")];
    let answer = client.send(Method::PUT, "/bucket/b", &copied, b"").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(blobs(), 2);
    for path in ["/bucket/a", "/bucket/b"] {
        client.send(Method::DELETE, path, &[], b"").await;
    }
    assert_eq!(blobs(), 0);
    server.shutdown().await;
}

#[tokio::test]
async fn a_client_that_vanishes_mid_upload_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client) = start(folder.path()).await;
    client.put("/bucket/a", b"old").await;
    let url = Presigner::now(server.endpoint()).url("PUT", "/bucket/a", &[]);
    let (host, target) = url.trim_start_matches("http://").split_once('/').unwrap();
    let mut socket = TcpStream::connect(host).await.unwrap();
    let head = format!("PUT /{target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 5000000\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&[7; 3_000_000]).await.unwrap();
    let temporary = folder.path().join("s3/tmp");
    let appeared = until(|| !files(&temporary).is_empty()).await;
    assert!(appeared, "the upload is underway");
    drop(socket);
    assert!(
        until(|| files(&temporary).is_empty()).await,
        "it was cleaned up"
    );
    assert_eq!(client.get("/bucket/a").await.unwrap(), b"old");
    assert_eq!(files(&folder.path().join("s3/blobs")).len(), 1);
    server.shutdown().await;
}

/// Yields to the server until `condition` holds, for ten seconds at most.
async fn until(condition: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() > Duration::from_secs(10) {
            return false;
        }
        tokio::task::yield_now().await;
    }
    true
}

#[tokio::test]
async fn a_reader_keeps_the_object_that_it_began_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client) = start(folder.path()).await;
    // Larger than what socket buffers and read-ahead hold.
    let old = vec![1; 32 << 20];
    client.put("/bucket/a", &old).await;
    let mut reading = client.send(Method::GET, "/bucket/a", &[], b"").await;
    let mut seen = reading.chunk().await.unwrap().unwrap().to_vec();
    assert_eq!(client.put("/bucket/a", b"new").await, StatusCode::OK);
    client.send(Method::DELETE, "/bucket/a", &[], b"").await;
    while let Some(chunk) = reading.chunk().await.unwrap() {
        seen.extend_from_slice(&chunk);
    }
    assert!(seen == old, "{} bytes of another object", seen.len());
    drop(reading);
    let blobs = folder.path().join("s3/blobs");
    assert!(
        until(|| files(&blobs).is_empty()).await,
        "the file went after"
    );
    server.shutdown().await;
}

#[tokio::test]
async fn uploads_beyond_the_limit_are_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let server = LocalAws::start(LocalConfig {
        max_object_bytes: 1000,
        ..config(folder.path())
    })
    .await
    .unwrap();
    let client = Client::new(server.endpoint());
    client.put("/bucket", b"").await;
    assert_eq!(client.put("/bucket/a", &[0; 1000]).await, StatusCode::OK);
    let answer = client.send(Method::PUT, "/bucket/b", &[], &[0; 1001]).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(answer.text().await.unwrap().contains("EntityTooLarge"));
    assert!(client.get("/bucket/b").await.is_none());
    server.shutdown().await;
}

#[tokio::test]
async fn calls_and_bytes_are_counted_by_operation() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client) = start(folder.path()).await;
    client.put("/bucket/a", &[0; 70_000]).await;
    client.get("/bucket/a").await;
    client.get("/bucket/a").await;
    client.get("/bucket/missing").await;
    let stats = server.stats();
    let put = stats.operation("s3:PutObject");
    assert_eq!((put.calls, put.errors, put.bytes_in), (1, 0, 70_000));
    let get = stats.operation("s3:GetObject");
    assert_eq!((get.calls, get.errors), (3, 1));
    assert!((140_000..150_000).contains(&get.bytes_out), "{get:?}");
    assert_eq!(stats.operation("s3:DeleteObject").calls, 0);
    server.shutdown().await;
}

#[tokio::test]
async fn faults_happen_as_often_as_asked_and_then_stop() {
    let folder = tempfile::tempdir().unwrap();
    let server = LocalAws::start(LocalConfig {
        faults: Faults {
            rules: vec![FaultRule::next("s3:CreateBucket", Fault::Unavailable, 1)],
            seed: None,
        },
        ..config(folder.path())
    })
    .await
    .unwrap();
    let client = Client::new(server.endpoint());
    assert_eq!(client.put("/bucket", b"").await.as_u16(), 503);
    assert_eq!(client.put("/bucket", b"").await, StatusCode::OK);

    let faults = server.faults();
    faults.add(FaultRule::next("s3:PutObject", Fault::Throttle, 1));
    faults.add(FaultRule::next("s3:PutObject", Fault::InternalError, 1));
    for (status, code) in [(503, "SlowDown"), (500, "InternalError")] {
        let answer = client.send(Method::PUT, "/bucket/a", &[], b"a").await;
        assert_eq!(answer.status().as_u16(), status);
        assert!(answer.text().await.unwrap().contains(code));
    }
    assert!(
        client.get("/bucket/a").await.is_none(),
        "nothing was written"
    );
    assert_eq!(client.put("/bucket/a", b"a").await, StatusCode::OK);

    faults.add(FaultRule::next("s3:GetObject", Fault::ConnectionReset, 1));
    let url = Presigner::now(server.endpoint()).url("GET", "/bucket/a", &[]);
    let (host, target) = url.trim_start_matches("http://").split_once('/').unwrap();
    let mut socket = TcpStream::connect(host).await.unwrap();
    let head = format!("GET /{target} HTTP/1.1\r\nhost: {host}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let closed = socket.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "{closed:?} {answer:?}");

    let delay = Duration::from_millis(120);
    faults.add(FaultRule::next("s3:*", Fault::Delay(delay), 1));
    let begun = Instant::now();
    assert_eq!(client.get("/bucket/a").await.unwrap(), b"a");
    assert!(begun.elapsed() >= delay);
    assert!(faults.rules().is_empty());
    assert_eq!(server.stats().operation("s3:GetObject").errors, 2);
    server.shutdown().await;
}

#[tokio::test]
async fn stopping_lets_a_request_finish() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client) = start(folder.path()).await;
    let faults = server.faults();
    faults.add(FaultRule::next(
        "s3:PutObject",
        Fault::Delay(Duration::from_millis(300)),
        1,
    ));
    let putting = tokio::spawn(async move { client.put("/bucket/slow", b"slow").await });
    assert!(until(|| server.stats().operation("s3:PutObject").calls == 1).await);
    server.shutdown().await;
    assert_eq!(putting.await.unwrap(), StatusCode::OK);
    let (server, client) = start(folder.path()).await;
    assert_eq!(client.get("/bucket/slow").await.unwrap(), b"slow");
    server.shutdown().await;
}
