//! From the confirmed upload to READY.

use harness::pictures::{self, Picture};
use harness::{TestApp, aws, bombs};
use serde_json::{Value, json};

const EVERYTHING: &str = "status width height takenAt camera location { latitude longitude } thumbhash
  analysis { step state attempts error { code } } image(size: PREVIEW) { url width height }
  thumbnail: image(size: THUMBNAIL) { width height } faces { confidence boundingBox { left top width height } person { id } }
  labels { name confidence }";

#[tokio::test]
async fn a_photo_of_people_becomes_ready_with_faces_people_and_labels() {
    if !aws::analysis_works() {
        return;
    }
    for matcher in ["COLLECTION", "COMPARE"] {
        let app = TestApp::start().await;
        let ada = app.user("ada").await;
        let gallery = ada
            .gallery_with(json!({ "name": "g", "faceMatcher": matcher }))
            .await;
        let ids = ada.upload(&gallery, &pictures::samples()[..2]).await;
        app.run_jobs().await;
        for id in &ids {
            let photo = ada.photo(id, EVERYTHING).await;
            assert_eq!(photo["status"], "READY", "{matcher} {photo:#}");
            let faces = photo["faces"].as_array().unwrap();
            assert!(!faces.is_empty());
            for face in faces {
                let side = |name: &str| face["boundingBox"][name].as_f64().unwrap();
                assert!(side("left") >= 0.0 && side("left") + side("width") <= 1.001);
            }
            assert!(
                photo["labels"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|label| label["name"] == "Person")
            );
            // The signed URL opens without credentials, and it is the preview.
            let answer = ada
                .http()
                .get(photo["image"]["url"].as_str().unwrap())
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), 200);
            let picture = image::load_from_memory(&answer.bytes().await.unwrap()).unwrap();
            assert_eq!(json!(picture.width()), photo["image"]["width"]);
        }
        // Everything once more changes nothing.
        let input = json!({ "photoIds": ids, "steps": ["RENDITIONS", "LABELS"] });
        let selection = "results { photo { status } userErrors { code } }";
        let before = ada
            .photo(
                &ids[0],
                "labels { name confidence } faces { id person { id } }",
            )
            .await;
        ada.mutate(
            "retryPhotoAnalysis",
            "RetryPhotoAnalysisInput",
            input,
            selection,
        )
        .await;
        app.run_jobs().await;
        assert_eq!(
            ada.photo(
                &ids[0],
                "labels { name confidence } faces { id person { id } }"
            )
            .await,
            before
        );
        app.stop().await;
    }
}

#[tokio::test]
async fn an_original_that_may_tell_a_place_stays_with_editors() {
    if !aws::analysis_works() {
        return;
    }
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let gallery = ada.gallery("g").await;
    ada.admit(&gallery, &bob, "VIEWER").await;
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<rdf:Description exif:GPSLatitude=\"48,12.5N\"/>";
    let told = pictures::jpeg(&pictures::gradient(400, 300, 1));
    let length = u16::try_from(xmp.len() + 2).unwrap().to_be_bytes();
    let told = [&told[..2], &[0xff, 0xe1], &length, xmp, &told[2..]].concat();
    let files = [
        Picture::jpeg("xmp.jpg", told),
        // Refused as EXIF, whatever it holds.
        Picture::jpeg("bomb.jpg", bombs::exif_jpeg()),
        pictures::plain("plain.jpg", 2),
    ];
    let ids = ada.upload(&gallery, &files).await;
    app.run_jobs().await;
    let selection = "status location { latitude } downloadUrl image(size: ORIGINAL) { url }";
    for (id, shown) in ids.iter().zip([false, false, true]) {
        let photo = bob.photo(id, selection).await;
        assert_eq!(photo["status"], "READY");
        assert!(photo["location"].is_null());
        assert_eq!(photo["image"].is_object(), shown, "{photo:#}");
        assert_eq!(photo["downloadUrl"].is_string(), shown, "{photo:#}");
        let own = ada.photo(id, selection).await;
        assert!(own["image"].is_object() && own["downloadUrl"].is_string());
    }
    app.stop().await;
}

#[tokio::test]
async fn exif_is_applied_kept_and_shown_to_those_who_may_see_it() {
    if !aws::analysis_works() {
        return;
    }
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let gallery = ada.gallery("g").await;
    ada.admit(&gallery, &bob, "VIEWER").await;
    let upright = pictures::jpeg(&pictures::gradient(400, 300, 9));
    let picture = Picture::jpeg("portrait.jpg", pictures::with_exif(&upright, 6));
    let ids = ada.upload(&gallery, &[picture]).await;
    app.run_jobs().await;
    let photo = ada.photo(&ids[0], EVERYTHING).await;
    assert_eq!(photo["status"], "READY", "{photo:#}");
    assert_eq!(
        (&photo["width"], &photo["height"]),
        (&json!(300), &json!(400)),
        "turned upright"
    );
    assert_eq!(photo["thumbnail"], json!({ "width": 240, "height": 320 }));
    assert_eq!(photo["takenAt"], "2026-06-20T14:30:00+00:00");
    assert_eq!(photo["camera"], "Canon");
    let latitude = photo["location"]["latitude"].as_f64().unwrap();
    assert!((latitude - 48.2083).abs() < 0.001, "{latitude}");
    let bytes = ada
        .http()
        .get(photo["image"]["url"].as_str().unwrap())
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert!(
        !bytes.windows(4).any(|w| w == b"Exif"),
        "renditions carry no EXIF"
    );

    let guest = bob.photo(&ids[0], "location { latitude } downloadUrl original: image(size: ORIGINAL) { url } image { url }").await;
    assert!(guest["location"].is_null());
    // The file would tell what the field does not.
    assert!(guest["original"].is_null() && guest["downloadUrl"].is_null());
    assert!(guest["image"]["url"].is_string());
    let own = ada.photo(&ids[0], "downloadUrl").await;
    let answer = ada
        .http()
        .get(own["downloadUrl"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    let disposition = answer.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(disposition.contains("portrait.jpg"), "{disposition}");
    app.stop().await;
}

#[tokio::test]
async fn throttling_and_outages_are_waited_out() {
    if !aws::analysis_works() {
        return;
    }
    use local::{Fault, FaultRule};
    // Stand-ins of its own: faults would hit other tests too.
    let app = TestApp::with(&[("S3_BUCKET", "")]).await;
    let stand_ins = app.app().local().expect("own stand-ins");
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let ids = ada.upload(&gallery, &[pictures::samples().remove(0)]).await;
    // More failures than the SDK retries by itself.
    stand_ins.faults().add(FaultRule::next(
        "rekognition:DetectLabels",
        Fault::InternalError,
        6,
    ));
    app.run_jobs().await;
    let step = |photo: &Value, name: &str| {
        photo["analysis"]
            .as_array()
            .unwrap()
            .iter()
            .find(|step| step["step"] == name)
            .unwrap()
            .clone()
    };
    let photo = ada
        .photo(
            &ids[0],
            "status analysis { step state attempts retryAt error { code retryable } }",
        )
        .await;
    let labels = step(&photo, "LABELS");
    assert_eq!(
        (&photo["status"], &labels["state"]),
        (&json!("PROCESSING"), &json!("PENDING")),
        "{photo:#}"
    );
    assert_eq!(labels["error"]["retryable"], true);
    assert!(labels["retryAt"].is_string());
    stand_ins.faults().clear();
    for _ in 0..5 {
        app.clock.advance(120);
        app.run_jobs().await;
    }
    assert_eq!(ada.photo(&ids[0], "status").await["status"], "READY");
    app.stop().await;
}

#[tokio::test]
async fn a_gallery_without_face_analysis_asks_for_no_faces() {
    if !aws::analysis_works() {
        return;
    }
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada
        .gallery_with(json!({ "name": "g", "faceAnalysis": false }))
        .await;
    let ids = ada.upload(&gallery, &[pictures::samples().remove(0)]).await;
    app.run_jobs().await;
    let photo = ada.photo(&ids[0], EVERYTHING).await;
    assert_eq!(photo["status"], "READY");
    assert_eq!(photo["faces"], json!([]));
    let states: Vec<_> = photo["analysis"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["state"].clone())
        .collect();
    assert_eq!(states, ["DONE", "SKIPPED", "DONE", "SKIPPED"]);
    app.stop().await;
}

#[tokio::test]
async fn a_photo_is_ready_while_others_still_wait_for_their_analysis() {
    if !aws::analysis_works() {
        return;
    }
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let ids = ada.upload(&gallery, &pictures::samples()[..3]).await;
    let statuses = async || {
        let mut statuses = Vec::new();
        for id in &ids {
            statuses.push(ada.photo(id, "status").await["status"].clone());
        }
        statuses
    };
    while !statuses().await.contains(&json!("READY")) {
        assert!(app.app().worker().run_one().await.unwrap(), "idle");
    }
    let waiting = statuses().await;
    let waiting = waiting.iter().filter(|status| **status == "PROCESSING");
    assert_eq!(waiting.count(), 2, "grouping waited for the whole backlog");
    app.run_jobs().await;
    assert_eq!(statuses().await, ["READY", "READY", "READY"]);
    app.stop().await;
}
