//! `kill -9` in the middle of uploads: what was acknowledged is there, whole; nothing else is
//! left behind.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use local::LocalAws;
use reqwest::{Method, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::s3::{Client, config, files};

const FOLDER: &str = "EVENTGALLERY_CRASH_TEST_FOLDER";
const WRITERS: usize = 8;
const ROUNDS: usize = 4;
const ACKNOWLEDGED_PER_ROUND: usize = 200;

/// Not a test: the server that `acknowledged_objects_survive_kill_9` starts and kills.
#[test]
#[ignore = "the process that the crash test kills"]
fn child_server() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let server = LocalAws::start(config(&PathBuf::from(folder)))
            .await
            .unwrap();
        #[expect(clippy::print_stdout, reason = "tells the parent where it listens")]
        {
            println!("\nendpoint {}", server.endpoint());
        }
        std::future::pending::<()>().await;
    });
}

/// A server in a process of its own, and where it listens.
fn spawn(folder: &Path) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_server", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let endpoint = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.strip_prefix("endpoint ")?.to_owned()))
        .expect("the child listens");
    (child, endpoint)
}

/// A body that says which version of which key it is, and proves that it is whole.
fn body(key: &str, version: usize) -> Vec<u8> {
    let mut body = format!("{key} {version}\n").into_bytes();
    let size = (version * 7919 + key.len() * 104_729) % 300_000;
    body.resize(body.len() + size, (version % 251) as u8);
    let digest = Sha256::digest(&body);
    body.extend_from_slice(&digest);
    body
}

fn version_of(key: &str, body: &[u8]) -> usize {
    let (content, digest) = body.split_at(body.len() - 32);
    assert_eq!(Sha256::digest(content).as_slice(), digest, "{key} is torn");
    let line = content.split(|byte| *byte == b'\n').next().unwrap();
    let line = std::str::from_utf8(line).unwrap();
    let (found, version) = line.split_once(' ').unwrap();
    assert_eq!(found, key);
    version.parse().unwrap()
}

/// Overwrites its own few keys until the server is gone. Answers what was acknowledged last and
/// what was sent last, by key.
async fn write(
    client: Arc<Client>,
    writer: usize,
    first: usize,
    acknowledged: Arc<AtomicUsize>,
) -> HashMap<String, (Option<usize>, usize)> {
    let mut keys: HashMap<String, (Option<usize>, usize)> = HashMap::new();
    for version in first.. {
        let key = format!("writer-{writer}/{}", version % 12);
        let state = keys.entry(key.clone()).or_default();
        state.1 = version;
        let sent = client
            .try_send(
                Method::PUT,
                &format!("/bucket/{key}"),
                &[],
                body(&key, version),
            )
            .await;
        match sent {
            Ok(answer) if answer.status() == StatusCode::OK => {
                state.0 = Some(version);
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) => panic!("{}", answer.status()),
            Err(_) => return keys,
        }
    }
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_objects_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    // By key: the last acknowledged version, and the last that was sent.
    let mut known: HashMap<String, (Option<usize>, usize)> = HashMap::new();
    let mut first = 1;
    for _ in 0..ROUNDS {
        let (mut child, endpoint) = spawn(folder.path());
        let client = Arc::new(Client::new(&endpoint));
        let made = client
            .try_send(Method::PUT, "/bucket", &[], Vec::new())
            .await;
        assert_eq!(made.unwrap().status(), StatusCode::OK);
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                tokio::spawn(write(
                    Arc::clone(&client),
                    writer,
                    first,
                    Arc::clone(&acknowledged),
                ))
            })
            .collect();
        while acknowledged.load(Ordering::Relaxed) < ACKNOWLEDGED_PER_ROUND {
            tokio::task::yield_now().await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for writer in writers {
            for (key, (stored, sent)) in writer.await.unwrap() {
                let state = known.entry(key).or_default();
                *state = (stored.or(state.0), sent);
                first = first.max(sent + 1);
            }
        }
        first += 1;
    }

    let server = LocalAws::start(config(folder.path())).await.unwrap();
    let client = Client::new(server.endpoint());
    let mut objects = 0;
    for (key, (stored, sent)) in &known {
        let found = client.get(&format!("/bucket/{key}")).await;
        let version = found.as_deref().map(|body| version_of(key, body));
        objects += usize::from(version.is_some());
        // The last request may have been done without its answer getting through.
        assert!(
            version >= *stored && version.is_none_or(|version| version <= *sent),
            "{key}: found {version:?}, acknowledged {stored:?}, sent {sent}"
        );
    }
    assert!(
        known
            .values()
            .filter(|(stored, _)| stored.is_some())
            .count()
            >= WRITERS * 8
    );
    let store = folder.path().join("s3");
    assert!(
        files(&store.join("tmp")).is_empty(),
        "half uploads are gone"
    );
    assert_eq!(
        files(&store.join("blobs")).len(),
        objects,
        "and so is litter"
    );
    server.shutdown().await;
}
