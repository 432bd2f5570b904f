//! What a start says that cannot come to its end: one line with the way out, no secret.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use harness::process::Process;

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
            said.starts_with("eventgallery: configuration: s3.bucket (S3_BUCKET, BUCKET_NAME) is missing"),
            "{arguments:?}: {said}"
        );
        assert!(said.contains("`eventgallery serve`"), "{said}");
        assert!(
            !folder.path().join("data").exists(),
            "nothing was made before"
        );
    }
}
