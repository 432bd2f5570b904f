//! One set of stand-ins for the whole test process: loading the networks takes a moment.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::mpsc;

use local::{LocalAws, LocalConfig};

/// Where S3 and Rekognition answer, and with which key.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Base URL.
    pub url: String,
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
}

/// The stand-ins of this process, started at the first call.
pub fn stand_ins() -> &'static LocalAws {
    &running().0
}

fn running() -> &'static (LocalAws, String, String) {
    static STAND_INS: OnceLock<(LocalAws, String, String)> = OnceLock::new();
    STAND_INS.get_or_init(|| {
        let (send, receive) = mpsc::channel();
        // A runtime of its own: each test's runtime ends with the test.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async move {
                let folder = folder_of_this_process();
                let credentials = local::load_or_create_credentials(&folder).expect("credentials");
                let key = (
                    credentials.access_key_id.clone(),
                    credentials.secret_access_key.clone(),
                );
                let server = LocalAws::start(LocalConfig::new(&folder, credentials)).await;
                let server = server.expect("the stand-ins start");
                assert!(send.send((server, key.0, key.1)).is_ok(), "somebody waits");
                std::future::pending::<()>().await;
            });
        });
        receive.recv().expect("the stand-ins")
    })
}

/// Nothing runs at the end of a test process, so each one removes what ended ones left.
fn folder_of_this_process() -> PathBuf {
    let parent = std::env::temp_dir().join("eventgallery-tests");
    let own = parent.join(std::process::id().to_string());
    for entry in std::fs::read_dir(&parent).into_iter().flatten().flatten() {
        // Where there is no /proc, nobody knows who still runs.
        let runs = Path::new("/proc").join(entry.file_name()).exists();
        if entry.path() == own || (Path::new("/proc/self").exists() && !runs) {
            // Another process may be at it as well.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    std::fs::create_dir_all(&own).expect("a folder");
    own
}

/// Rekognition, always the stand-in.
#[must_use]
pub fn rekognition() -> Endpoint {
    let (server, id, secret) = running();
    Endpoint {
        url: server.endpoint().to_owned(),
        access_key_id: id.clone(),
        secret_access_key: secret.clone(),
    }
}

/// S3: the stand-in, or the server that the environment names.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "tests/run says which server to test against"
)]
pub fn s3() -> Endpoint {
    match std::env::var("TEST_S3_ENDPOINT") {
        Ok(url) => Endpoint {
            url,
            access_key_id: std::env::var("TEST_S3_KEY").expect("TEST_S3_KEY"),
            secret_access_key: std::env::var("TEST_S3_SECRET").expect("TEST_S3_SECRET"),
        },
        Err(_) => rekognition(),
    }
}

/// Whether S3 is the stand-in, so that Rekognition can read its objects.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "tests/run says which server to test against"
)]
pub fn analysis_works() -> bool {
    std::env::var("TEST_S3_ENDPOINT").is_err()
}

/// Makes a bucket that nobody else uses.
pub async fn bucket(endpoint: &Endpoint) -> String {
    let token = eventgallery::clock::Clock::system().new_token();
    let bucket = format!("test-{}", token.simple());
    let create = client(endpoint).create_bucket().bucket(&bucket);
    create.send().await.expect("a bucket");
    bucket
}

/// Keys of a bucket, sorted.
pub async fn keys(endpoint: &Endpoint, bucket: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let list = client(endpoint).list_objects_v2().bucket(bucket);
    let mut pages = list.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.expect("a listing");
        keys.extend(
            page.contents()
                .iter()
                .filter_map(|object| object.key().map(str::to_owned)),
        );
    }
    keys.sort();
    keys
}

/// An SDK client of the store.
#[must_use]
pub fn client(endpoint: &Endpoint) -> aws_sdk_s3::Client {
    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    let key = Credentials::new(
        &endpoint.access_key_id,
        &endpoint.secret_access_key,
        None,
        None,
        "test",
    );
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(&endpoint.url)
        .force_path_style(true)
        .credentials_provider(key)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}
