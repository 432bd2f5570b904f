//! A database server that goes away and comes back.

use std::time::Duration;

use harness::line::Line;
use harness::pictures;
use tokio_util::sync::CancellationToken;

use super::*;

/// Longest time for any answer.
const BOUND: Duration = Duration::from_secs(30);

/// An application behind a line, with a gate before Rekognition.
async fn lined() -> Option<(TestApp, Line, Gate)> {
    let gate = Gate::before(&aws::rekognition().url).await;
    let started = TestApp::behind_a_line(&[("REKOGNITION_ENDPOINT", &gate.url)]).await;
    let Some((app, line)) = started else {
        println!("skipped: SQLite has no connection to lose; set TEST_DATABASE_URL");
        return None;
    };
    Some((app, line, gate))
}

/// While the database is away everything is answered in time, and says so.
async fn assert_answers(app: &TestApp, ada: &Actor, photo: &str) {
    let read = "query($id: ID!) { photo(id: $id) { status } }";
    let bounded = async {
        let confirm = json!({ "input": { "photoIds": [photo] } });
        tokio::join!(
            assert_unavailable(ada, read, json!({ "id": photo })),
            assert_unavailable(ada, CONFIRM, confirm),
        );
        assert_eq!(app.get("/health/live").await.0, 200);
        let (status, body) = app.get("/health/ready").await;
        assert_eq!(status, 503, "{body}");
        assert!(body.contains("database"), "{body}");
    };
    tokio::time::timeout(BOUND, bounded)
        .await
        .expect("answers in time");
}

#[tokio::test]
async fn without_a_database_answers_come_in_time_and_it_all_works_by_itself_afterwards() {
    let Some((app, line, _)) = lined().await else {
        return;
    };
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let ids = ada.upload(&gallery, &[pictures::plain("a.jpg", 1)]).await;
    assert_eq!(app.get("/health/ready").await.0, 200);
    line.close().await;
    assert_answers(&app, &ada, &ids[0]).await;
    // Workers look for jobs meanwhile, and bear not to find the queue.
    let stop = CancellationToken::new();
    let (worker, token) = (app.app().worker().clone(), stop.clone());
    let worker = tokio::spawn(async move { worker.run(token).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    line.open().await;
    // Nobody is restarted.
    wait_for(async || app.get("/health/ready").await.0 == 200).await;
    assert!(ada.photo(&ids[0], "status").await["status"].is_string());
    if aws::analysis_works() {
        wait_for(async || ada.photo(&ids[0], "status").await["status"] == "READY").await;
    }
    stop.cancel();
    worker.await.unwrap();
    app.stop().await;
}

#[tokio::test]
async fn a_result_that_cannot_be_written_is_made_again_and_once() {
    if !aws::analysis_works() {
        return;
    }
    let Some((app, line, gate)) = lined().await else {
        return;
    };
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let sample = pictures::samples().remove(0);
    let calm = ada.upload(&gallery, std::slice::from_ref(&sample)).await;
    app.run_jobs().await;
    let expected = ada.photo(&calm[0], "faces { id }").await;
    let expected = expected["faces"].as_array().unwrap().len();
    assert!(expected > 0);

    let other = ada.gallery("other").await;
    let ids = ada.upload(&other, &[sample]).await;
    // The line goes while Rekognition looks at the picture.
    gate.add(Rule::rekognition("DetectFaces", Fault::Delay(Duration::from_secs(3))).times(1));
    let worker = app.app().worker().clone();
    let run = tokio::spawn(async move { worker.run_one().await });
    wait_for(async || gate.faults() == 1).await;
    line.close().await;
    // Not settled, only said so: a worker does not fall over for it.
    run.await.unwrap().unwrap();
    line.open().await;
    wait_for(async || app.get("/health/ready").await.0 == 200).await;
    let photo = ada.photo(&ids[0], ANALYSIS).await;
    assert_eq!(photo["status"], "PROCESSING", "{photo:#}");
    assert_eq!(step(&photo, "RENDITIONS")["state"], "DONE");
    assert_eq!(step(&photo, "FACES")["state"], "PENDING");
    // Its lease runs out; nobody has to do anything.
    app.clock.advance(61);
    app.run_jobs().await;
    let photo = ada
        .photo(&ids[0], "status faces { id person { id } }")
        .await;
    assert_eq!(photo["status"], "READY", "{photo:#}");
    assert_eq!(photo["faces"].as_array().unwrap().len(), expected);
    let count = "query($id: ID!) { gallery(id: $id) { photoCount } }";
    let count = ada.query(count, json!({ "id": other })).await;
    assert_eq!(count["gallery"]["photoCount"], 1);
    assert_eq!(jobs(&app).await, Vec::<String>::new());
    app.stop().await;
}

#[tokio::test]
async fn a_network_that_swallows_everything_ends_requests_in_time_as_well() {
    let Some((app, line, _)) = lined().await else {
        return;
    };
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    line.hold();
    let document = "query($id: ID!) { gallery(id: $id) { name } }";
    let answer = ada.post(document, json!({ "id": gallery }));
    let response = tokio::time::timeout(BOUND + Duration::from_secs(5), answer)
        .await
        .expect("an answer in time")
        .unwrap();
    assert!(response.headers().contains_key("retry-after"));
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE");
    assert_eq!(app.get("/health/ready").await.0, 503);
    line.open().await;
    wait_for(async || app.get("/health/ready").await.0 == 200).await;
    let name = ada.query(document, json!({ "id": gallery })).await;
    assert_eq!(name["gallery"]["name"], "g");
    app.stop().await;
}

/// Polls until it holds.
async fn wait_for(condition: impl AsyncFn() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting)
        .await
        .expect("it comes about");
}

/// Kinds of the jobs that are left, but for those that stand for ever.
async fn jobs(app: &TestApp) -> Vec<String> {
    use sea_orm::EntityTrait as _;
    let jobs = entity::job::Entity::find().all(app.db().read()).await;
    let kinds = jobs.unwrap().into_iter().map(|job| job.kind);
    kinds
        .filter(|kind| !kind.starts_with("sweep_") && kind != "reap_uploads")
        .collect()
}
