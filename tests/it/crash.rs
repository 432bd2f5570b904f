//! `kill -9` at any moment: every confirmed photo ends READY or FAILED, none twice, nothing orphaned;
//! and who may take the jobs of the dead, and when.

use std::path::Path;
use std::time::Duration;

use eventgallery::analysis::job::KIND;
use eventgallery::job::{Lease, queue};
use harness::actor::text;
use harness::database::TestDatabase;
use harness::pictures::{self, Picture};
use harness::process::Server;
use harness::{Actor, TestApp};
use local::{LocalAws, LocalConfig};
use serde_json::json;

#[tokio::test]
async fn nothing_is_lost_or_doubled_by_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::create(folder.path()).await;
    let mut photos: Vec<Picture> = (0..6)
        .map(|i| pictures::plain(&format!("{i}.jpg"), i))
        .collect();
    photos.extend(pictures::samples().into_iter().take(3));
    photos.push(Picture {
        content_type: "image/png",
        ..Picture::jpeg("bomb.png", pictures::huge_png(50_000, 50_000))
    });
    photos.push(Picture::jpeg("text.jpg", b"no picture".repeat(30)));

    let mut server = Server::start(folder.path(), &database.url);
    let mut ada = Actor::at(&server.url, "ada").await;
    let gallery = ada.gallery("crash").await;
    let mut confirmed: Vec<String> = Vec::new();
    for (round, batch) in photos.chunks(2).enumerate() {
        let files: Vec<_> = batch.iter().map(Picture::file).collect();
        let results = ada.request(&gallery, &files).await;
        for (result, picture) in results.iter().zip(batch) {
            let (status, body) = ada.put(&result["target"], &picture.bytes).await;
            assert_eq!(status, 200, "{body}");
        }
        let ids: Vec<String> = results
            .iter()
            .map(|result| text(&result["photo"]["id"]))
            .collect();
        if round % 2 == 0 {
            // Killed between PUT and confirm: the client comes back and confirms.
            drop(server);
            server = Server::start(folder.path(), &database.url);
            ada.move_to(&server.url);
        }
        for answer in ada.confirm(&ids).await {
            assert_eq!(answer["userErrors"], json!([]), "{answer:#}");
        }
        confirmed.extend(ids);
        // Some way into the analysis, another bit further each time.
        tokio::time::sleep(Duration::from_millis(150 * round as u64)).await;
        drop(server);
        server = Server::start(folder.path(), &database.url);
        ada.move_to(&server.url);
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(240);
    let mut statuses = Vec::new();
    for id in &confirmed {
        loop {
            let status = text(&ada.photo(id, "status").await["status"]);
            if status != "PROCESSING" {
                statuses.push(status);
                break;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{id} is still being analysed"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    assert_eq!(
        statuses.iter().filter(|s| *s == "READY").count(),
        photos.len() - 2,
        "{statuses:?}"
    );
    assert_eq!(statuses[photos.len() - 2..], ["FAILED", "FAILED"]);
    let count = ada
        .query(
            "query($id: ID!) { gallery(id: $id) { photoCount } }",
            json!({ "id": gallery }),
        )
        .await;
    assert_eq!(
        count["gallery"]["photoCount"],
        json!(photos.len()),
        "none twice"
    );
    if let Some(bytes) = server.process.peak_memory() {
        assert!(
            bytes < 400 << 20,
            "{} MB with the models loaded",
            bytes >> 20
        );
    }
    drop(server);
    let keys = keys(&folder.path().join("data")).await;
    let of = |name: &str| keys.iter().filter(|key| key.contains(name)).count();
    assert_eq!(
        (of("/original."), of("/preview.jpg"), of("/thumbnail.jpg")),
        (11, 9, 9),
        "{keys:#?}"
    );
    assert_eq!(keys.len(), 29, "nothing else: {keys:#?}");
    database.drop().await;
}

const LEASE_SECONDS: i64 = 60;

/// Claims an analysis that is due, as a worker does that dies with it.
async fn claim(app: &TestApp) -> Option<Lease> {
    queue::claim(app.db(), &app.clock, &[KIND], LEASE_SECONDS, 12)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_locked_folder_proves_the_worker_of_before_dead() {
    // Everything in one folder, which the process locks: no bucket, no other database.
    let mut app = TestApp::with(&[("S3_BUCKET", ""), ("DATABASE_URI", "")]).await;
    let mut ada = app.user("ada").await;
    let gallery = ada.gallery("crash").await;
    let ids = ada.upload(&gallery, &[pictures::plain("a.jpg", 1)]).await;
    // The clock stands still: no lease runs out.
    for deaths in 0..3 {
        let lease = claim(&app).await.expect("it is due at once");
        assert_eq!(lease.crashes, deaths, "each death counts");
        app = app.restart().await;
        ada.move_to(&app.url);
    }
    app.run_jobs().await;
    let photo = ada.photo(&ids[0], "status failureCode").await;
    assert_eq!(
        photo,
        json!({ "status": "FAILED", "failureCode": "CRASHED" })
    );
    app.stop().await;
}

#[tokio::test]
async fn where_others_may_be_alive_a_start_waits_for_their_leases() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("crash").await;
    ada.upload(&gallery, &[pictures::plain("a.jpg", 1)]).await;
    claim(&app).await.expect("it is due");
    let app = app.restart().await;
    assert!(claim(&app).await.is_none(), "its worker may be alive");
    app.clock.advance(LEASE_SECONDS + 1);
    assert_eq!(claim(&app).await.unwrap().crashes, 1);
    app.stop().await;
}

/// Keys that the stopped server's store holds.
async fn keys(data: &Path) -> Vec<String> {
    let credentials = local::load_or_create_credentials(data).unwrap();
    let endpoint = harness::aws::Endpoint {
        url: String::new(),
        access_key_id: credentials.access_key_id.clone(),
        secret_access_key: credentials.secret_access_key.clone(),
    };
    let store = LocalAws::start(LocalConfig::new(data, credentials))
        .await
        .unwrap();
    let endpoint = harness::aws::Endpoint {
        url: store.endpoint().to_owned(),
        ..endpoint
    };
    let listing = harness::aws::client(&endpoint)
        .list_objects_v2()
        .bucket("eventgallery")
        .send()
        .await
        .unwrap();
    let keys = listing
        .contents()
        .iter()
        .filter_map(|object| object.key().map(str::to_owned))
        .collect();
    store.shutdown().await;
    keys
}
