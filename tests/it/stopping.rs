//! SIGTERM: replicas are replaced one by one, and nobody notices.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use entity::job;
use eventgallery::clock::Clock;
use eventgallery::db::Db;
use harness::actor::text;
use harness::database::TestDatabase;
use harness::failover::{Failover, Journey, Patience};
use harness::gate::{Fault, Gate, Rule};
use harness::pictures::{self, Picture};
use harness::process::{Process, free_port};
use harness::{Actor, app, aws};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;

/// What a process is given to stop.
const SHUTDOWN_SECONDS: u64 = 6;

/// Database, bucket and settings that several processes share.
struct Site {
    folder: TempDir,
    database: TestDatabase,
    environment: HashMap<String, String>,
}

impl Site {
    async fn new(more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = TestDatabase::create(folder.path()).await;
        let bucket = aws::bucket(&aws::s3()).await;
        let mut environment = app::settings(folder.path(), &database.url, &bucket);
        let own = [
            ("JWT_SECRET", "a secret that all replicas of this test know"),
            ("SHUTDOWN_SECONDS", &SHUTDOWN_SECONDS.to_string()),
        ];
        for (name, value) in own.iter().chain(more) {
            environment.insert((*name).to_owned(), (*value).to_owned());
        }
        Self {
            folder,
            database,
            environment,
        }
    }

    /// A replica at this port, ready.
    fn serve(&self, port: u16) -> Process {
        let mut environment = self.environment.clone();
        environment.insert("EVENTGALLERY_LISTEN".into(), format!("127.0.0.1:{port}"));
        let name = format!("serve-{port}");
        let mut process = Process::start(self.folder.path(), &name, &["serve"], &environment);
        process.first_line();
        process
    }
}

/// Waits for the end of a process that was told to stop: in time, and with nothing to complain of.
async fn assert_ends(process: &mut Process) {
    let began = Instant::now();
    let status = process
        .ended(Duration::from_secs(SHUTDOWN_SECONDS + 2))
        .await
        .unwrap_or_else(|| panic!("it still runs\n{}", process.log()));
    assert_eq!(status.code(), Some(0), "{}", process.log());
    println!("ended after {:.1} s", began.elapsed().as_secs_f32());
}

/// Reads, and uploads now and then, until it is told to stop.
async fn load(mut client: Failover, gallery: String, number: u8, over: Arc<AtomicBool>) -> Journey {
    let page = "query($id: ID!) { gallery(id: $id) { name photos(first: 20) { nodes { id status image { url } } } } }";
    let request =
        "mutation($input: RequestPhotoUploadsInput!) { requestPhotoUploads(input: $input) {
      results { photo { id } target { url headers { name value } } userErrors { code } } } }";
    let confirm =
        "mutation($input: ConfirmPhotoUploadsInput!) { confirmPhotoUploads(input: $input) {
      results { photo { status } userErrors { code } } } }";
    let mut round = 0u32;
    while !over.load(Ordering::SeqCst) {
        round += 1;
        if round % 20 == 1 && round < 100 {
            let picture = pictures::gradient(120, 90, number);
            let picture = Picture::jpeg(&format!("{number}-{round}.jpg"), pictures::png(&picture));
            let picture = Picture {
                content_type: "image/png",
                ..picture
            };
            let input = json!({ "input": { "galleryId": gallery, "files": [picture.file()] } });
            let payload = client
                .ask(request, &input)
                .await
                .expect("no failed request");
            let result = &payload["requestPhotoUploads"]["results"][0];
            if !result["target"].is_null() {
                let (status, body) = client.actor().put(&result["target"], &picture.bytes).await;
                assert!(status == 200 || status == 412, "{body}");
                let input = json!({ "input": { "photoIds": [result["photo"]["id"]] } });
                let payload = client
                    .ask(confirm, &input)
                    .await
                    .expect("no failed request");
                let result = &payload["confirmPhotoUploads"]["results"][0];
                assert_eq!(result["userErrors"], json!([]));
            }
        }
        let page = client.ask(page, &json!({ "id": gallery })).await;
        let page = page.unwrap_or_else(|failure| panic!("a failed request: {failure}"));
        assert_eq!(page["gallery"]["name"], "stopping");
    }
    client.journey
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_are_replaced_under_load_without_one_failed_request() {
    let site = Site::new(&[]).await;
    let ports = [free_port(), free_port()];
    let urls = ports.map(|port| format!("http://127.0.0.1:{port}"));
    let mut replicas = ports.map(|port| site.serve(port));
    let ada = Actor::at(&urls[0], "ada").await;
    let gallery = ada.gallery("stopping").await;
    let over = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for number in 0..8 {
        let client = Failover::new(&ada, &urls, number.into(), Patience::NewConnections);
        clients.spawn(load(client, gallery.clone(), number, Arc::clone(&over)));
    }
    for round in 0..4 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let replica = &mut replicas[round % 2];
        replica.terminate();
        assert_ends(replica).await;
        *replica = site.serve(ports[round % 2]);
        // Fails here where a client has failed, not only at the end.
        if let Some(ended) = clients.try_join_next() {
            panic!("a client gave up: {ended:?}");
        }
    }
    over.store(true, Ordering::SeqCst);
    let journeys = clients.join_all().await;
    let sum = |of: fn(&Journey) -> u64| journeys.iter().map(of).sum::<u64>();
    let (answered, retried, told) = (
        sum(|journey| journey.answered),
        sum(|journey| journey.retried),
        sum(|journey| journey.told),
    );
    println!("{answered} answered, {retried} tried again, {told} sent elsewhere, 0 failed");
    assert!(answered > 100);
    assert!(
        told >= 8,
        "every client was told to go elsewhere at some time"
    );
    drop(replicas);
    site.database.drop().await;
}

#[tokio::test]
async fn jobs_that_cannot_end_in_time_are_released_and_hanging_clients_hold_nobody() {
    if !aws::analysis_works() {
        return;
    }
    let gate = Gate::before(&aws::rekognition().url).await;
    let site = Site::new(&[("REKOGNITION_ENDPOINT", &gate.url)]).await;
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let mut server = site.serve(port);
    let ada = Actor::at(&url, "ada").await;
    let gallery = ada.gallery("g").await;
    gate.add(Rule::rekognition("DetectFaces", Fault::Hang));
    let ids = ada.upload(&gallery, &[pictures::samples().remove(0)]).await;
    while gate.faults() == 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // One that never says what it wants, one that stops in the middle of its question, one that
    // stays connected, and one that follows a gallery.
    let address = format!("127.0.0.1:{port}");
    let silent = tokio::net::TcpStream::connect(&address).await.unwrap();
    let mut broken = tokio::net::TcpStream::connect(&address).await.unwrap();
    broken
        .write_all(b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{")
        .await
        .unwrap();
    let mut events = ada.follow(&gallery, None).await;

    server.terminate();
    while reqwest::get(format!("{url}/health/live")).await.is_ok() {
        let ready = reqwest::get(format!("{url}/health/ready")).await;
        if let Ok(ready) = ready {
            let told = ready.headers().get("connection").cloned();
            if ready.status() == 503 {
                let body = ready.text().await.unwrap();
                assert!(body.contains("stopping"), "{body}");
                assert_eq!(told.unwrap(), "close");
                break;
            }
        }
    }
    assert_ends(&mut server).await;
    // The subscription ended, too, and not with an error.
    while events.next().await.is_some() {}
    drop((silent, broken));

    let db = Db::connect(&site.database.url, 2).await.unwrap();
    let jobs = job::Entity::find()
        .filter(job::Column::Subject.is_not_in(["all", "requests"]))
        .all(db.read())
        .await
        .unwrap();
    let job = jobs.iter().find(|job| job.kind == "analyse").unwrap();
    assert_eq!((job.lease_token, job.attempts), (None, 0), "{job:?}");
    assert!(job.available_at <= Clock::system().now().plus_seconds(2));
    db.close().await.unwrap();

    // The next process goes on with it at once.
    gate.clear();
    let server = site.serve(port);
    let mut ada = ada;
    ada.reconnect();
    let ready = async {
        while text(&ada.photo(&ids[0], "status").await["status"]) != "READY" {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ready)
        .await
        .expect("the photo becomes ready");
    drop(server);
    site.database.drop().await;
}
