//! What a start says that cannot come to its end: one line with the way out, no secret.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use harness::process::{Process, free_port};

/// Longest time that a process takes to see that it cannot start.
const SOON: Duration = Duration::from_secs(60);

/// `eventgallery` in this folder, with its data there.
fn start(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Process {
    let data = folder.join("data").display().to_string();
    let mut all: HashMap<String, String> = [("DATA_DIR", data.as_str())]
        .iter()
        .chain(environment)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    all.entry("EVENTGALLERY_LISTEN".to_owned())
        .or_insert_with(|| "127.0.0.1:0".to_owned());
    Process::start(folder, "start", arguments, &all)
}

/// The last line of a process that must end by itself, with a failure.
async fn last_words(mut process: Process) -> String {
    let status = process.ended(SOON).await;
    let log = process.log();
    assert!(status.is_some_and(|status| !status.success()), "{log}");
    log.lines().last().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn api_and_worker_apart_need_a_bucket() {
    for (arguments, environment) in [
        (&["serve", "--no-worker"][..], &[][..]),
        (&["serve"][..], &[("WORKER_ENABLED", "false")][..]),
        (&["worker"][..], &[][..]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let said = last_words(start(folder.path(), arguments, environment)).await;
        assert!(
            said.starts_with(
                "eventgallery: configuration: s3.bucket (S3_BUCKET, BUCKET_NAME) is missing"
            ),
            "{arguments:?}: {said}"
        );
        assert!(said.contains("`eventgallery serve`"), "{said}");
        assert!(
            !folder.path().join("data").exists(),
            "nothing was made before"
        );
    }
}

#[tokio::test]
async fn a_database_that_refuses_is_told_at_once_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}/photos", free_port());
    let uri = format!("mysql://u:hunter2@{address}");
    let mut process = start(folder.path(), &["serve"], &[("DATABASE_URI", &uri)]);
    let told = async {
        while !process.log().contains("no connection to the database yet") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // The pool gives up after 30 s.
    let told = tokio::time::timeout(Duration::from_secs(20), told).await;
    let log = process.log();
    assert!(told.is_ok(), "{log}");
    let line = log.lines().find(|line| line.contains("no connection"));
    let line = line.unwrap_or_default();
    assert!(
        line.contains("Connection refused") && line.contains(&address),
        "{line}"
    );
    assert!(!log.contains("hunter2"), "{log}");
    assert!(!process.has_ended(), "it goes on trying");
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_told_with_the_reason() {
    let free = format!("127.0.0.1:{}", free_port());
    let hint = "percent-encoded? @ : / ? # % are %40";
    for scheme in ["mysql", "postgres"] {
        let said = unreachable(&format!("{scheme}://u:hunter2@{free}/photos")).await;
        assert!(said.contains(&format!("{free}/photos")), "{said}");
        assert!(!said.contains(hint), "{said}");
    }
    // The password is 1/hunter2: the driver goes to port 1 of the user.
    let said = unreachable("mysql://127.0.0.1:1/hunter2@db.example.com/photos").await;
    assert!(said.contains(hint), "{said}");
}

/// What is said of a database that nobody answers for.
async fn unreachable(uri: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let environment = [
        ("DATABASE_URI", uri),
        ("DATABASE_MIGRATE", "false"),
        ("DATABASE_ACQUIRE_SECONDS", "2"),
    ];
    let process = start(folder.path(), &["serve"], &environment);
    let said = last_words(process).await;
    assert!(
        said.contains("Connection refused") && !said.contains("timed out"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
    said
}
