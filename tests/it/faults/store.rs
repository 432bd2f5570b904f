//! S3 on bad days.

use std::time::Duration;

use harness::actor::text;
use harness::pictures::{self, Picture};

use super::*;

/// Failures that the SDK's own retries do not outlast.
const LONG: u64 = 3;

/// Requests an upload and sends its bytes; the photo's id.
async fn sent(ada: &Actor, gallery: &str, picture: &Picture) -> String {
    let result = ada.request(gallery, &[picture.file()]).await.remove(0);
    assert_eq!(ada.put(&result["target"], &picture.bytes).await.0, 200);
    text(&result["photo"]["id"])
}

#[tokio::test]
async fn a_store_that_does_not_answer_confirms_nothing_and_says_when_to_ask_again() {
    let (app, gate) = gated().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let id = sent(&ada, &gallery, &pictures::plain("a.jpg", 1)).await;
    let input = json!({ "input": { "photoIds": [id] } });
    for fault in [
        Fault::s3(503, "SlowDown"),
        Fault::s3(500, "InternalError"),
        Fault::Reset,
        Fault::Hang,
    ] {
        gate.add(Rule::s3("HEAD", "original", fault));
        // Long before the 30 s after which any request ends.
        let answer = assert_unavailable(&ada, CONFIRM, input.clone());
        tokio::time::timeout(Duration::from_secs(20), answer)
            .await
            .expect("an answer in time");
        gate.clear();
        assert_eq!(ada.photo(&id, "status").await["status"], "AWAITING_UPLOAD");
    }
    // Each was tried again by the SDK, within its time.
    assert!(gate.faults() > 3 * LONG, "{:?}", gate.injected());
    // Slow is not away.
    gate.add(Rule::s3("HEAD", "original", Fault::Delay(Duration::from_secs(2))).times(1));
    assert_eq!(
        ada.confirm(std::slice::from_ref(&id)).await[0]["userErrors"],
        json!([])
    );
    if aws::analysis_works() {
        wait_out(&app).await;
        let ada = app.fresh(&ada).await;
        assert_eq!(ada.photo(&id, "status").await["status"], "READY");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_store_that_is_away_ends_a_large_confirmation_at_its_first_look() {
    let (app, gate) = gated().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let files: Vec<Value> = (0..60)
        .map(|n| pictures::plain(&format!("{n}.jpg"), n).file())
        .collect();
    let ids: Vec<String> = ada
        .request(&gallery, &files)
        .await
        .iter()
        .map(|result| text(&result["photo"]["id"]))
        .collect();
    gate.add(Rule::s3("HEAD", "", Fault::Hang));
    let input = json!({ "input": { "photoIds": ids } });
    let answer = assert_unavailable(&ada, CONFIRM, input);
    tokio::time::timeout(Duration::from_secs(20), answer)
        .await
        .expect("sixty looks, eight at a time, would take longer than a request may");
    app.stop().await;
}

#[tokio::test]
async fn a_put_that_seemed_to_fail_but_landed_is_confirmed() {
    let gate = Gate::before(&aws::s3().url).await;
    let app = TestApp::with(&[("S3_PUBLIC_ENDPOINT", &gate.url)]).await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let picture = pictures::plain("a.jpg", 1);
    let result = ada.request(&gallery, &[picture.file()]).await.remove(0);
    gate.add(Rule::s3("PUT", "original", Fault::ResetAfter).times(1));
    let target = &result["target"];
    let mut put = ada
        .http()
        .put(text(&target["url"]))
        .body(picture.bytes.clone());
    for header in target["headers"].as_array().unwrap() {
        put = put.header(text(&header["name"]), text(&header["value"]));
    }
    put.send().await.expect_err("the connection ended");
    assert_eq!(gate.faults(), 1);
    // A client that tries the PUT again is told that the object stands; both then confirm.
    assert_eq!(ada.put(target, &picture.bytes).await.0, 412);
    let id = text(&result["photo"]["id"]);
    assert_eq!(ada.confirm(&[id]).await[0]["userErrors"], json!([]));
    app.stop().await;
}

#[tokio::test]
async fn an_analysis_outlives_every_fault_of_the_store() {
    if !aws::analysis_works() {
        return;
    }
    let (app, gate) = gated().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let ids = ada.upload(&gallery, &[pictures::samples().remove(0)]).await;
    let faults = [
        ("GET", "original", Fault::s3(503, "SlowDown")),
        ("GET", "original", Fault::CutAnswer),
        ("GET", "original", Fault::Reset),
        ("PUT", "preview", Fault::s3(500, "InternalError")),
        ("PUT", "thumbnail", Fault::Reset),
        ("PUT", "thumbnail", Fault::ResetAfter),
    ];
    for (attempt, (method, part, fault)) in faults.into_iter().enumerate() {
        gate.clear();
        gate.add(Rule::s3(method, part, fault));
        app.run_jobs().await;
        let photo = app.fresh(&ada).await.photo(&ids[0], ANALYSIS).await;
        let renditions = step(&photo, "RENDITIONS");
        assert_eq!(photo["status"], "PROCESSING");
        assert_eq!(renditions["state"], "PENDING", "{photo:#}");
        assert_eq!(renditions["attempts"], json!(attempt + 1));
        assert!(renditions["retryAt"].is_string());
        assert_eq!(renditions["error"]["code"], "STORAGE_UNAVAILABLE");
        assert_eq!(renditions["error"]["retryable"], true);
        app.clock.advance(300);
    }
    gate.clear();
    wait_out(&app).await;
    let photo = app.fresh(&ada).await.photo(&ids[0], ANALYSIS).await;
    assert_eq!(photo["status"], "READY", "{photo:#}");
    assert!(step(&photo, "RENDITIONS")["error"].is_null());
    let names: Vec<String> = app
        .objects()
        .await
        .iter()
        .map(|key| key.rsplit('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["original.jpg", "preview.jpg", "thumbnail.jpg"]);
    app.stop().await;
}

#[tokio::test]
async fn a_deletion_goes_on_until_nothing_is_left() {
    let (app, gate) = gated().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let ids = ada.upload(&gallery, &[pictures::plain("a.jpg", 1)]).await;
    let input = json!({ "photoIds": ids });
    ada.mutate(
        "deletePhotos",
        "DeletePhotosInput",
        input,
        "results { photoId }",
    )
    .await;
    // Past the end of the presigned PUT, until which the row stays anyway.
    app.clock.advance(1_000);
    for (method, part, fault) in [
        ("GET", "list-type=2", Fault::s3(503, "SlowDown")),
        ("POST", "delete", Fault::Reset),
        ("POST", "delete", Fault::ResetAfter),
        ("GET", "list-type=2", Fault::CutAnswer),
    ] {
        gate.clear();
        gate.add(Rule::s3(method, part, fault));
        app.run_jobs().await;
        assert_eq!(rows(&app).await, 1, "while objects may stand the row stays");
        app.clock.advance(700);
    }
    gate.clear();
    app.run_jobs().await;
    assert_eq!(app.objects().await, Vec::<String>::new());
    assert_eq!(rows(&app).await, 0);
    app.stop().await;
}

#[tokio::test]
async fn the_reaper_removes_nothing_that_it_could_not_look_at() {
    let (app, gate) = gated().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    sent(&ada, &gallery, &pictures::plain("vanished.jpg", 1)).await;
    let never: Vec<Value> = (2..30)
        .map(|n| pictures::plain(&format!("{n}.jpg"), n).file())
        .collect();
    ada.request(&gallery, &never).await;
    app.clock.advance(900 + 900 + 60);
    gate.add(Rule::s3("HEAD", "", Fault::s3(503, "SlowDown")));
    app.run_jobs().await;
    assert_eq!(rows(&app).await, 29);
    assert_eq!(app.objects().await.len(), 1);
    // Not one look for each of them: the store is away.
    assert!(gate.faults() < 29 * LONG, "{:?}", gate.injected());
    gate.clear();
    for _ in 0..4 {
        app.clock.advance(900 + 900 + 60);
        app.run_jobs().await;
    }
    assert_eq!(rows(&app).await, 1, "the one whose bytes stand");
    let originals = app.objects().await;
    assert!(originals.iter().any(|key| key.ends_with("original.jpg")));
    app.stop().await;
}

/// Photos that the database knows, deleted ones included.
async fn rows(app: &TestApp) -> u64 {
    use sea_orm::{EntityTrait as _, PaginatorTrait as _};
    entity::photo::Entity::find()
        .count(app.db().read())
        .await
        .unwrap()
}
