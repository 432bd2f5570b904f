//! Rekognition on bad days.

use harness::pictures;

use super::*;

#[tokio::test]
async fn throttling_and_failures_are_shown_and_waited_out() {
    if !aws::analysis_works() {
        return;
    }
    let (app, gate) = gated().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let ids = ada.upload(&gallery, &[pictures::samples().remove(0)]).await;
    let faults = [
        (
            Fault::rekognition(400, "ThrottlingException"),
            "ThrottlingException",
        ),
        (
            Fault::rekognition(400, "ProvisionedThroughputExceededException"),
            "ProvisionedThroughputExceededException",
        ),
        (
            Fault::rekognition(500, "InternalServerError"),
            "InternalServerError",
        ),
        (
            Fault::rekognition(503, "ServiceUnavailable"),
            "ServiceUnavailable",
        ),
        (Fault::Reset, "ConnectionFailure"),
    ];
    for (attempt, (fault, code)) in faults.into_iter().enumerate() {
        gate.clear();
        gate.add(Rule::rekognition("DetectFaces", fault));
        app.run_jobs().await;
        let photo = app.fresh(&ada).await.photo(&ids[0], ANALYSIS).await;
        assert_eq!(photo["status"], "PROCESSING", "{photo:#}");
        let faces = step(&photo, "FACES");
        assert_eq!(faces["state"], "PENDING");
        assert_eq!(faces["attempts"], json!(attempt + 1));
        assert!(faces["retryAt"].is_string());
        assert_eq!(faces["error"]["code"], code);
        assert_eq!(faces["error"]["retryable"], true);
        // The others do not wait for it.
        assert_eq!(step(&photo, "LABELS")["state"], "DONE");
        app.clock.advance(300);
    }
    gate.clear();
    wait_out(&app).await;
    let photo = app.fresh(&ada).await.photo(&ids[0], ANALYSIS).await;
    assert_eq!(photo["status"], "READY", "{photo:#}");
    assert_eq!(step(&photo, "FACES")["attempts"], json!(6));
    app.stop().await;
}

#[tokio::test]
async fn what_never_works_fails_at_once_and_by_its_name() {
    if !aws::analysis_works() {
        return;
    }
    let (app, gate) = gated().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    for (n, code) in [
        (0, "InvalidImageFormatException"),
        (1, "ImageTooLargeException"),
    ] {
        gate.clear();
        gate.add(Rule::rekognition(
            "DetectFaces",
            Fault::rekognition(400, code),
        ));
        let before = gate.faults();
        let picture = pictures::plain(&format!("{n}.jpg"), n);
        let ids = ada.upload(&gallery, &[picture]).await;
        app.run_jobs().await;
        let photo = ada.photo(&ids[0], ANALYSIS).await;
        let faces = step(&photo, "FACES");
        assert_eq!(photo["status"], "PARTIAL", "{photo:#}");
        assert_eq!(
            (&faces["state"], &faces["attempts"]),
            (&json!("FAILED"), &json!(1))
        );
        assert_eq!(faces["error"]["code"], code);
        assert_eq!(faces["error"]["retryable"], false);
        assert!(faces["retryAt"].is_null());
        assert_eq!(step(&photo, "LABELS")["state"], "DONE");
        assert_eq!(gate.faults(), before + 1, "it is not even asked again");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_third_of_all_calls_throttled_leaves_every_photo_ready() {
    if !aws::analysis_works() {
        return;
    }
    let (app, gate) = gated().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    gate.add(Rule::rekognition("", Fault::rekognition(400, "ThrottlingException")).share(0.3));
    let mut pictures: Vec<_> = (0..10)
        .map(|n| pictures::plain(&format!("{n}.jpg"), n))
        .collect();
    pictures.extend(pictures::samples().into_iter().take(2));
    let ids = ada.upload(&gallery, &pictures).await;
    let mut ready = 0;
    for _ in 0..20 {
        app.run_jobs().await;
        let ada = app.fresh(&ada).await;
        ready = 0;
        for id in &ids {
            ready += usize::from(ada.photo(id, "status").await["status"] == "READY");
        }
        if ready == ids.len() {
            break;
        }
        app.clock.advance(120);
    }
    assert_eq!(ready, ids.len(), "{:?}", gate.injected());
    assert!(gate.faults() > 3, "{:?}", gate.injected());
    app.stop().await;
}
