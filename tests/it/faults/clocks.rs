//! Machines whose clocks differ.

use std::time::Duration;

use eventgallery::clock::Clock;
use harness::database::is_server;
use harness::pictures;

use super::*;

/// Runs one job here while a replica with another clock looks for jobs, and answers whether the
/// replica took one.
async fn is_taken_over(app: &TestApp, here: Clock, there: Clock, gate: &Gate) -> bool {
    let (slow, quick) = (app.replica_with(here).await, app.replica_with(there).await);
    // Jobs of the reaper and the like are not what this is about.
    quick.app.worker().run_until_idle().await.unwrap();
    let ada = app.user("ada").await;
    let gallery = ada.gallery("clocks").await;
    let ids = ada.upload(&gallery, &[pictures::samples().remove(0)]).await;
    let delay = Fault::Delay(Duration::from_secs(3));
    gate.add(Rule::rekognition("DetectFaces", delay).times(1));
    let worker = slow.app.worker().clone();
    let first = tokio::spawn(async move { worker.run_one().await });
    while gate.faults() == 0 {
        assert!(!first.is_finished(), "by its own clock the job is not due");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let taken = quick.app.worker().run_one().await.unwrap();
    assert!(first.await.unwrap().unwrap());
    // Whoever did it: it is done once.
    slow.app.worker().run_until_idle().await.unwrap();
    quick.app.worker().run_until_idle().await.unwrap();
    let photo = ada
        .photo(
            &ids[0],
            "status faces { id person { id faceCount photoCount } }",
        )
        .await;
    assert_eq!(photo["status"], "READY", "{photo:#}");
    let faces = photo["faces"].as_array().unwrap();
    assert!(!faces.is_empty());
    for face in faces {
        let person = &face["person"];
        assert_eq!(
            (&person["faceCount"], &person["photoCount"]),
            (&json!(1), &json!(1))
        );
    }
    let people =
        "query($id: ID!) { gallery(id: $id) { photoCount people(first: 50) { nodes { id } } } }";
    let people = ada.query(people, json!({ "id": gallery })).await;
    assert_eq!(people["gallery"]["photoCount"], 1);
    let found = people["gallery"]["people"]["nodes"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(
        found,
        faces.len(),
        "everybody on the sample stands there once"
    );
    assert_eq!(app.objects().await.len(), 3);
    slow.stop().await;
    quick.stop().await;
    taken
}

#[tokio::test]
async fn a_clock_that_is_ahead_takes_no_job_out_of_anybodys_hands() {
    if !aws::analysis_works() {
        return;
    }
    if !is_server() {
        println!("skipped: SQLite is used by one machine; set TEST_DATABASE_URL");
        return;
    }
    let (app, gate) = gated().await;
    let off = |seconds: i64| Clock::system().ahead(seconds * 1_000_000);
    // Four minutes apart, with leases of one.
    assert!(!is_taken_over(&app, off(-120), off(120), &gate).await);
    app.stop().await;
}

#[tokio::test]
async fn a_job_that_is_taken_over_while_it_runs_is_done_once() {
    if !aws::analysis_works() {
        return;
    }
    let (app, gate) = gated().await;
    // Clocks of tests follow no server: what a lease that ran out unnoticed would do.
    let (slow, quick) = (app.clock.clone(), Clock::manual());
    quick.advance(240);
    assert!(
        is_taken_over(&app, slow, quick, &gate).await,
        "the lease has run out"
    );
    app.stop().await;
}

#[tokio::test]
async fn a_wrong_clock_is_waited_out_and_not_taken_for_a_wrong_key() {
    if !aws::analysis_works() {
        return;
    }
    let (app, gate) = gated().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let ids = ada.upload(&gallery, &[pictures::samples().remove(0)]).await;
    // As S3 and Rekognition refuse what was signed half an hour ago. To a HEAD S3 says no more
    // than its time.
    let date = "Sun, 22 Nov 2026 08:00:00 GMT".to_owned();
    let skewed = |body: &str| {
        let date = vec![("date", date.clone())];
        Fault::Answer(403, "application/xml", date, body.to_owned())
    };
    let body = "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request \
                time and the current time is too large.</Message></Error>";
    gate.add(Rule::s3("GET", "x-id=GetObject", skewed(body)).times(1));
    app.run_jobs().await;
    let photo = ada.photo(&ids[0], ANALYSIS).await;
    assert_eq!(
        step(&photo, "RENDITIONS")["error"]["retryable"],
        true,
        "{photo:#}"
    );
    app.clock.advance(10);
    let expired = "Signature expired: 20261122T080000Z is now earlier than 20261122T082500Z";
    let body = format!(r#"{{"__type":"InvalidSignatureException","message":"{expired}"}}"#);
    let expired = Fault::Answer(400, "application/x-amz-json-1.1", Vec::new(), body);
    gate.add(Rule::rekognition("DetectFaces", expired).times(1));
    app.run_jobs().await;
    let photo = ada.photo(&ids[0], ANALYSIS).await;
    let faces = step(&photo, "FACES");
    assert_eq!(faces["state"], "PENDING", "{photo:#}");
    assert_eq!(faces["error"]["code"], "InvalidSignatureException");
    app.clock.advance(60);
    app.run_jobs().await;
    assert_eq!(ada.photo(&ids[0], "status").await["status"], "READY");

    let picture = pictures::plain("a.jpg", 1);
    let result = ada.request(&gallery, &[picture.file()]).await.remove(0);
    assert_eq!(ada.put(&result["target"], &picture.bytes).await.0, 200);
    gate.add(Rule::s3("HEAD", "original", skewed("")).times(1));
    let input = json!({ "input": { "photoIds": [result["photo"]["id"]] } });
    assert_unavailable(&ada, CONFIRM, input).await;
    app.stop().await;
}
