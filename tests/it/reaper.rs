//! What clients leave behind.

use harness::actor::text;
use harness::pictures;
use harness::{TestApp, aws};
use serde_json::json;

/// The URL's life, and the reaper's patience, and a minute.
const LONG_ENOUGH: i64 = 900 + 900 + 60;

#[tokio::test]
async fn an_upload_that_never_came_is_removed_and_one_that_came_is_confirmed() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let pictures = [
        pictures::plain("never.jpg", 1),
        pictures::plain("vanished.jpg", 2),
    ];
    let files: Vec<_> = pictures.iter().map(harness::Picture::file).collect();
    let results = ada.request(&gallery, &files).await;
    assert_eq!(
        ada.put(&results[1]["target"], &pictures[1].bytes).await.0,
        200
    );
    app.run_jobs().await;
    let (never, vanished) = (
        text(&results[0]["photo"]["id"]),
        text(&results[1]["photo"]["id"]),
    );
    let ada = app.fresh(&ada).await;
    assert_eq!(
        ada.photo(&never, "status").await["status"],
        "AWAITING_UPLOAD",
        "not before its time"
    );

    for _ in 0..4 {
        app.clock.advance(LONG_ENOUGH);
        app.run_jobs().await;
    }
    let ada = app.fresh(&ada).await;
    let document = "query($id: ID!) { photo(id: $id) { id } }";
    assert_eq!(
        ada.error_code(document, json!({ "id": never })).await,
        "NOT_FOUND"
    );
    // The client was gone between PUT and confirm: nothing is lost.
    let status = text(&ada.photo(&vanished, "status").await["status"]);
    assert_ne!(status, "AWAITING_UPLOAD");
    let objects = app.objects().await;
    assert!(!objects.is_empty());
    assert_eq!(
        objects
            .iter()
            .filter(|key| key.contains("original"))
            .count(),
        1
    );
    app.stop().await;
}

#[tokio::test]
async fn a_cancelled_upload_leaves_nothing_even_if_it_comes_late() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let picture = pictures::plain("late.jpg", 1);
    let result = ada.request(&gallery, &[picture.file()]).await.remove(0);
    let input = json!({ "photoIds": [result["photo"]["id"]] });
    ada.mutate(
        "cancelPhotoUploads",
        "CancelPhotoUploadsInput",
        input,
        "results { photoId }",
    )
    .await;
    app.run_jobs().await;
    // The URL cannot be revoked: the bytes may still arrive.
    assert_eq!(ada.put(&result["target"], &picture.bytes).await.0, 200);
    for _ in 0..4 {
        app.clock.advance(LONG_ENOUGH);
        app.run_jobs().await;
    }
    assert_eq!(app.objects().await, Vec::<String>::new());
    app.stop().await;
}

#[tokio::test]
async fn multipart_uploads_that_nobody_completes_are_aborted_after_a_day() {
    let app = TestApp::start().await;
    let client = aws::client(&app.s3);
    for key in [
        "galleries/a/original.jpg",
        "galleries/a/original.jpg",
        "others/b",
    ] {
        let started = client
            .create_multipart_upload()
            .bucket(&app.bucket)
            .key(key)
            .send()
            .await
            .unwrap();
        client
            .upload_part()
            .bucket(&app.bucket)
            .key(key)
            .upload_id(started.upload_id().unwrap())
            .part_number(1)
            .body(vec![7; 64].into())
            .send()
            .await
            .unwrap();
    }
    let incomplete = async || {
        let listing = client
            .list_multipart_uploads()
            .bucket(&app.bucket)
            .send()
            .await
            .unwrap();
        let uploads = listing.uploads.unwrap_or_default();
        let mut keys: Vec<String> = uploads
            .into_iter()
            .filter_map(|upload| upload.key)
            .collect();
        keys.sort();
        keys
    };
    app.run_jobs().await;
    assert_eq!(
        incomplete().await.len(),
        3,
        "somebody may be busy with them"
    );
    app.clock.advance(25 * 3600);
    app.run_jobs().await;
    assert_eq!(incomplete().await, ["others/b"]);
    app.stop().await;
}
