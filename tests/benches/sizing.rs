//! What one photo, one page and one subscriber cost, in CPU time and memory of the processes that a
//! deployment runs: numbers for `docs/operations/sizing.md`.
//!
//! ```sh
//! cargo build --release --workspace
//! cargo bench --workspace --bench sizing            # SQLite, or the server of TEST_DATABASE_URL
//! ```
//!
//! Everything goes through the public door. S3 and Rekognition are a process of their own, so that the
//! worker's share is what it would be with AWS. CPU time, not wall time: machines are shared.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement prints, and a broken premise ends it"
)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::actor::{Actor, text};
use harness::aws::{self, Endpoint};
use harness::database::TestDatabase;
use harness::pictures::{self, Picture};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde_json::{Value, json};

const PHOTOS: usize = 120;
const LARGE: usize = 8;
const PAGES: usize = 200;
const FOLLOWERS: usize = 300;
const EVENTS: usize = 20;
const BUCKET: &str = "sizing";

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = TestDatabase::create(folder.path()).await;
    println!(
        "{} on {} cores, database: {}\n",
        std::env::consts::ARCH,
        std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        database.url.split(':').next().unwrap_or_default(),
    );
    let mut local = Process::start(folder.path(), &["local", "--port", "0", "--json"], &[]);
    let line: Value = serde_json::from_str(&local.line()).expect("JSON");
    let store = Endpoint {
        url: text(&line["endpoints"]["s3"]),
        access_key_id: text(&line["accessKeyId"]),
        secret_access_key: text(&line["secretAccessKey"]),
    };
    let bucket = aws::client(&store).create_bucket().bucket(BUCKET).send();
    bucket.await.expect("a bucket");
    let rekognition = text(&line["endpoints"]["rekognition"]);
    let environment = [
        ("DATABASE_URI", database.url.as_str()),
        ("S3_BUCKET", BUCKET),
        ("S3_ENDPOINT", &store.url),
        ("S3_PATH_STYLE", "true"),
        ("S3_KEY", &store.access_key_id),
        ("S3_SECRET", &store.secret_access_key),
        ("REKOGNITION_ENDPOINT", &rekognition),
        ("REKOGNITION_MATCHER", "collection"),
        ("REKOGNITION_SIMILARITY_THRESHOLD", "86"),
        ("REKOGNITION_FACES_PER_SECOND", "1000"),
        ("REKOGNITION_LABELS_PER_SECOND", "1000"),
        ("JWT_SECRET", "only the sizing's own, of 32 bytes"),
        ("ACCESS_TOKEN_SECONDS", "86400"),
        ("EVENTGALLERY_LISTEN", "127.0.0.1:0"),
    ];
    let mut api = Process::start(folder.path(), &["serve", "--no-worker"], &environment);
    let url = text(&json!(api.line().split_whitespace().last()));
    let url = url.trim_end_matches("/graphql");
    let worker = Process::start(folder.path(), &["worker"], &environment);

    let ada = Actor::at(url, "ada").await;
    let gallery = ada.gallery("sizing").await;
    let mut table = Table::default();

    let samples = pictures::samples();
    let photos: Vec<Picture> = (0..PHOTOS)
        .map(|n| numbered(&samples[n % samples.len()], n))
        .collect();
    let before = (api.cpu(), worker.cpu());
    ada.upload(&gallery, &photos).await;
    table.row(
        "request and confirm a photo",
        "API",
        (api.cpu() - before.0) / PHOTOS as f64,
    );
    until_ready(&ada, &gallery, PHOTOS).await;
    table.row(
        "analyse a photo of 2.7 MP with faces",
        "worker",
        (worker.cpu() - before.1) / PHOTOS as f64,
    );
    let bytes_before = size(&database).await;

    // As many photos again: what grouping costs more in a gallery that has faces shows here.
    let again: Vec<Picture> = (0..PHOTOS)
        .map(|n| numbered(&samples[n % samples.len()], PHOTOS + n))
        .collect();
    let before = worker.cpu();
    ada.upload(&gallery, &again).await;
    until_ready(&ada, &gallery, 2 * PHOTOS).await;
    table.row(
        &format!("the same, when the gallery has {PHOTOS} already"),
        "worker",
        (worker.cpu() - before) / PHOTOS as f64,
    );
    let stored = size(&database).await.saturating_sub(bytes_before);
    let faces = faces(&ada, &gallery).await;

    let large: Vec<Picture> = (0..LARGE)
        .map(|n| {
            let picture = pictures::gradient(4_000, 3_000, n as u8);
            Picture::jpeg(&format!("large-{n}.jpg"), pictures::jpeg(&picture))
        })
        .collect();
    let before = worker.cpu();
    ada.upload(&gallery, &large).await;
    until_ready(&ada, &gallery, 2 * PHOTOS + LARGE).await;
    table.row(
        "analyse a photo of 12 MP without faces",
        "worker",
        (worker.cpu() - before) / LARGE as f64,
    );

    let (cpu, bytes) = pages(&ada, &gallery, &api).await;
    let what = format!(
        "a page of 100 photos, faces, people, labels, URLs ({} kB)",
        bytes / 1024
    );
    table.row(&what, "API", cpu / PAGES as f64);

    let (cpu, memory) = followers(&ada, &gallery, &api).await;
    table.row(
        "an event at a subscriber",
        "API",
        cpu / (FOLLOWERS * EVENTS) as f64,
    );
    println!("{}", table.0);
    println!(
        "a subscriber: {} kB of memory at the API",
        memory / 1024 / FOLLOWERS as u64
    );
    println!(
        "a photo with {:.1} faces: {:.1} kB of the database",
        faces as f64 / (2 * PHOTOS) as f64,
        stored as f64 / 1024.0 / PHOTOS as f64
    );
    for (name, process) in [("API", &api), ("worker", &worker), ("local", &local)] {
        println!(
            "peak memory of {name}: {} MB",
            process.memory("VmHWM:") >> 20
        );
    }
    drop((api, worker, local));
    database.drop().await;
}

/// The same picture in a file of its own: a JPEG comment after the start of the image.
fn numbered(picture: &Picture, n: usize) -> Picture {
    let (start, rest) = picture.bytes.split_at(2);
    let comment = format!("{n:08}");
    let mut bytes = start.to_vec();
    bytes.extend([0xff, 0xfe, 0, comment.len() as u8 + 2]);
    bytes.extend(comment.as_bytes());
    bytes.extend(rest);
    Picture::jpeg(&format!("{n}.jpg"), bytes)
}

async fn until_ready(ada: &Actor, gallery: &str, photos: usize) {
    let document = "query($id: ID!) { gallery(id: $id) { photoCount
      open: photos(first: 1, filter: { status: [PROCESSING] }) { nodes { id } } } }";
    let end = Instant::now() + Duration::from_secs(900);
    loop {
        let data = ada.query(document, json!({ "id": gallery })).await;
        let gallery = &data["gallery"];
        if gallery["photoCount"] == photos && gallery["open"]["nodes"] == json!([]) {
            return;
        }
        assert!(Instant::now() < end, "{data:#}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Bytes that the database takes, indexes included; of MariaDB its own estimate.
async fn size(database: &TestDatabase) -> u64 {
    let connection = database.connect().await;
    let backend = connection.get_database_backend();
    let query = match backend {
        DbBackend::Sqlite => {
            "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        }
        DbBackend::Postgres => "SELECT pg_database_size(current_database())",
        _ => {
            "SELECT CAST(SUM(data_length + index_length) AS SIGNED)
             FROM information_schema.tables WHERE table_schema = DATABASE()"
        }
    };
    let row = connection
        .query_one_raw(Statement::from_string(backend, query))
        .await;
    let row = row.expect("an answer").expect("a row");
    let bytes: i64 = row.try_get_by_index(0).expect("a size");
    connection.close().await.expect("closed");
    u64::try_from(bytes).expect("a size")
}

async fn faces(ada: &Actor, gallery: &str) -> usize {
    let document = "query($id: ID!, $after: String) { gallery(id: $id) {
      photos(first: 100, after: $after) {
        nodes { faces { id } } pageInfo { endCursor hasNextPage } } } }";
    let (mut count, mut after) = (0, Value::Null);
    loop {
        let data = ada
            .query(document, json!({ "id": gallery, "after": after }))
            .await;
        let photos = &data["gallery"]["photos"];
        for photo in photos["nodes"].as_array().expect("photos") {
            count += photo["faces"].as_array().expect("faces").len();
        }
        if photos["pageInfo"]["hasNextPage"] == false {
            return count;
        }
        after = photos["pageInfo"]["endCursor"].clone();
    }
}

async fn pages(ada: &Actor, gallery: &str, api: &Process) -> (f64, usize) {
    let document = "query($id: ID!) { gallery(id: $id) { photos(first: 100) { nodes {
      id filename status width height takenAt thumbhash
      thumbnail: image(size: THUMBNAIL) { url } preview: image(size: PREVIEW) { url } downloadUrl
      faces { id boundingBox { left top width height } person { id name } }
      labels { name confidence } } pageInfo { endCursor hasNextPage } } } }";
    let variables = json!({ "id": gallery });
    let bytes = ada
        .query(document, variables.clone())
        .await
        .to_string()
        .len();
    let before = api.cpu();
    for _ in 0..PAGES {
        ada.query(document, variables.clone()).await;
    }
    (api.cpu() - before, bytes)
}

async fn followers(ada: &Actor, gallery: &str, api: &Process) -> (f64, u64) {
    let memory = api.memory("VmRSS:");
    let mut followers = Vec::new();
    for _ in 0..FOLLOWERS {
        let mut events = ada.follow(gallery, None).await;
        events.next().await.expect("the beginning");
        followers.push(events);
    }
    let memory = api.memory("VmRSS:").saturating_sub(memory);
    let before = api.cpu();
    for n in 0..EVENTS {
        let input = json!({ "galleryId": gallery, "name": format!("n{n}") });
        ada.mutate(
            "updateGallery",
            "UpdateGalleryInput",
            input,
            "gallery { id }",
        )
        .await;
    }
    for events in &mut followers {
        for _ in 0..EVENTS {
            events.next().await.expect("an event");
        }
    }
    (api.cpu() - before, memory)
}

#[derive(Default)]
struct Table(String);

impl Table {
    fn row(&mut self, what: &str, process: &str, cpu_seconds: f64) {
        if self.0.is_empty() {
            self.0 = "| what | process | CPU |\n| --- | --- | --- |\n".to_owned();
        }
        let milliseconds = cpu_seconds * 1000.0;
        self.0 += &format!("| {what} | {process} | {milliseconds:.2} ms |\n");
    }
}

/// A process of the program under measurement; killed when dropped.
struct Process {
    child: Child,
    output: Option<BufReader<std::process::ChildStdout>>,
}

impl Process {
    fn start(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(binary())
            .args(arguments)
            .current_dir(folder)
            .env("DATA_DIR", folder.join("data"))
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("it starts");
        let output = child.stdout.take().map(BufReader::new);
        Self { child, output }
    }

    /// The next line that it prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        let output = self.output.as_mut().expect("its output");
        output.read_line(&mut line).expect("a line");
        line
    }

    /// CPU seconds so far: utime and stime of `/proc/PID/stat`, in ticks of 10 ms.
    fn cpu(&self) -> f64 {
        let stat = self.proc("stat");
        let (_, fields) = stat.rsplit_once(") ").expect("the name in parentheses");
        let fields: Vec<f64> = fields
            .split_whitespace()
            .map(|field| field.parse().unwrap_or_default())
            .collect();
        (fields[11] + fields[12]) / 100.0
    }

    /// A field of `/proc/PID/status` in bytes.
    fn memory(&self, field: &str) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.expect("a size") * 1024
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("/proc")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program beside this one.
fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("this program's file");
    let file = own
        .ancestors()
        .nth(2)
        .expect("a folder")
        .join("eventgallery");
    assert!(
        file.exists(),
        "run `cargo build --release --workspace` first"
    );
    file
}
