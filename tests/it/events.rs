//! `galleryEvents`: what happens in a gallery, each thing once, in its order, on any replica.

use std::collections::BTreeMap;

use harness::{TestApp, aws, pictures};
use serde_json::{Value, json};

fn types(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["__typename"].as_str().unwrap())
        .collect()
}

async fn rename(actor: &harness::Actor, gallery: &str, name: &str) {
    let input = json!({ "galleryId": gallery, "name": name });
    actor
        .mutate(
            "updateGallery",
            "UpdateGalleryInput",
            input,
            "gallery { id }",
        )
        .await;
}

#[tokio::test]
async fn a_photo_is_followed_from_its_confirmation_until_it_is_ready() {
    if !aws::analysis_works() {
        return;
    }
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let mut events = ada.follow(&gallery, None).await;
    events.until("GalleryEventsStarted").await;

    let ids = ada.upload(&gallery, &pictures::samples()[..1]).await;
    app.run_jobs().await;
    let seen = events
        .until_some(|event| event["photo"]["status"] == "READY")
        .await;
    let photo = json!(ids[0]);
    let about_it = |event: &&Value| event["photoId"] == photo;
    // Confirmed, rendered, faces, labels, grouped: whatever comes in one transaction is one event.
    assert!(seen.iter().filter(about_it).count() >= 4, "{seen:#?}");
    let person = seen
        .iter()
        .find(|event| event["__typename"] == "PersonChanged");
    assert_eq!(person.expect("a person")["person"]["photoCount"], 1);
    app.stop().await;
}

#[tokio::test]
async fn a_subscriber_goes_on_at_another_replica_without_a_gap_or_a_double() {
    let app = TestApp::start().await;
    let other = app.replica().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("n0").await;
    let mut elsewhere = ada.clone();
    elsewhere.move_to(&other.url);

    let mut events = ada.follow(&gallery, None).await;
    events.until("GalleryEventsStarted").await;
    rename(&ada, &gallery, "n1").await;
    let first = events.until("GalleryChanged").await;
    assert_eq!(first.len(), 1);
    let cursor = events.cursor.clone().unwrap();
    drop(events);
    // What happens while nobody listens, on both replicas.
    rename(&elsewhere, &gallery, "n2").await;
    rename(&ada, &gallery, "n3").await;

    let mut events = elsewhere.follow(&gallery, Some(&cursor)).await;
    let started = events.next().await.unwrap();
    assert_eq!(started["__typename"], "GalleryEventsStarted");
    assert_eq!(started["cursor"], json!(cursor));
    let missed = [events.next().await.unwrap(), events.next().await.unwrap()];
    assert_eq!(types(&missed), ["GalleryChanged", "GalleryChanged"]);
    // And what the other replica writes from now on.
    rename(&ada, &gallery, "n4").await;
    let live = events.next().await.unwrap();
    assert_eq!(live["gallery"]["name"], "n4");

    // The replica dies; the subscriber goes on at the first one.
    let cursor = events.cursor.clone().unwrap();
    other.stop().await;
    rename(&ada, &gallery, "n5").await;
    let mut events = ada.follow(&gallery, Some(&cursor)).await;
    events.until("GalleryEventsStarted").await;
    assert_eq!(events.next().await.unwrap()["gallery"]["name"], "n5");
    app.stop().await;
}

#[tokio::test]
async fn many_writers_make_one_history_that_every_follower_sees_alike() {
    const WRITERS: usize = 24;
    let app = TestApp::start().await;
    let other = app.replica().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let mut elsewhere = ada.clone();
    elsewhere.move_to(&other.url);
    let mut here = ada.follow(&gallery, None).await;
    let mut there = elsewhere.follow(&gallery, None).await;
    here.until("GalleryEventsStarted").await;
    there.until("GalleryEventsStarted").await;

    let pictures: Vec<_> = (0..WRITERS)
        .map(|n| pictures::plain(&format!("{n}.jpg"), n as u8))
        .collect();
    let files: Vec<Value> = pictures.iter().map(harness::Picture::file).collect();
    let requested = ada.request(&gallery, &files).await;
    let mut ids = Vec::new();
    for (result, picture) in requested.iter().zip(&pictures) {
        let (status, body) = ada.put(&result["target"], &picture.bytes).await;
        assert_eq!(status, 200, "{body}");
        ids.push(result["photo"]["id"].as_str().unwrap().to_owned());
    }
    // All at once, half of them at each replica, each confirmed twice: one event a photo.
    let confirmations = ids.iter().enumerate().flat_map(|(n, id)| {
        let actors = if n % 2 == 0 {
            [&ada, &elsewhere]
        } else {
            [&elsewhere, &ada]
        };
        actors.map(|actor| async move { actor.confirm(std::slice::from_ref(id)).await })
    });
    for results in futures::future::join_all(confirmations).await {
        assert_eq!(results[0]["userErrors"], json!([]), "{results:#?}");
    }
    rename(&ada, &gallery, "the end").await;

    let (here, there) = (
        here.until("GalleryChanged").await,
        there.until("GalleryChanged").await,
    );
    let cursors = |events: &[Value]| -> Vec<Value> {
        events.iter().map(|event| event["cursor"].clone()).collect()
    };
    assert_eq!(cursors(&here), cursors(&there));
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for event in &here[..here.len() - 1] {
        *count
            .entry(event["photoId"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    assert_eq!(count.len(), WRITERS);
    assert!(count.values().all(|n| *n == 1), "{count:#?}");
    other.stop().await;
    app.stop().await;
}

#[tokio::test]
async fn only_members_follow_and_only_as_long_as_they_are_members() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let gallery = ada.gallery("g").await;
    assert_eq!(
        bob.follow(&gallery, None).await.error_code().await,
        "NOT_FOUND"
    );
    let anonymous = app.anonymous();
    assert_eq!(
        anonymous.follow(&gallery, None).await.error_code().await,
        "UNAUTHENTICATED"
    );

    ada.admit(&gallery, &bob, "VIEWER").await;
    let mut events = bob.follow(&gallery, None).await;
    events.until("GalleryEventsStarted").await;
    let input = json!({ "galleryId": gallery, "userId": bob.id });
    ada.mutate(
        "removeGalleryMember",
        "RemoveGalleryMemberInput",
        input,
        "gallery { id }",
    )
    .await;
    assert_eq!(events.error_code().await, "NOT_FOUND");
    app.stop().await;
}

#[tokio::test]
async fn deletions_are_told_and_the_gallerys_own_ends_the_stream() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let ids = ada.upload(&gallery, &[pictures::plain("a.jpg", 1)]).await;
    let mut events = ada.follow(&gallery, None).await;
    events.until("GalleryEventsStarted").await;
    let input = json!({ "photoIds": ids });
    ada.mutate(
        "deletePhotos",
        "DeletePhotosInput",
        input,
        "results { deletedPhotoId }",
    )
    .await;
    let deleted = events.next().await.unwrap();
    assert_eq!(deleted["__typename"], "PhotoDeleted");
    assert_eq!(deleted["photoId"], json!(ids[0]));

    let input = json!({ "galleryId": gallery });
    ada.mutate(
        "deleteGallery",
        "DeleteGalleryInput",
        input,
        "deletedGalleryId",
    )
    .await;
    let gone = events.next().await.unwrap();
    assert_eq!(gone["__typename"], "GalleryDeleted");
    assert_eq!(gone["galleryId"], json!(gallery));
    assert_eq!(events.next().await, None);
    assert_eq!(
        ada.follow(&gallery, None).await.error_code().await,
        "NOT_FOUND"
    );
    app.stop().await;
}

#[tokio::test]
async fn cursors_that_lead_nowhere_are_named() {
    let app = TestApp::with(&[
        ("EVENT_RETENTION_SECONDS", "3600"),
        ("ACCESS_TOKEN_SECONDS", "86400"),
    ])
    .await;
    let ada = app.user("ada").await;
    let (gallery, another) = (ada.gallery("g").await, ada.gallery("h").await);
    let mut events = ada.follow(&gallery, None).await;
    events.until("GalleryEventsStarted").await;
    let beginning = events.cursor.clone().unwrap();
    rename(&ada, &gallery, "old").await;
    let old = events.until("GalleryChanged").await.remove(0)["cursor"].clone();
    let old = old.as_str().unwrap();
    drop(events);

    for wrong in ["", "x", "%%%", &"A".repeat(5_000), &beginning[..8]] {
        let code = ada.follow(&gallery, Some(wrong)).await.error_code().await;
        assert_eq!(code, "BAD_USER_INPUT", "{wrong}");
    }
    let foreign = ada
        .follow(&another, Some(&beginning))
        .await
        .error_code()
        .await;
    assert_eq!(foreign, "BAD_USER_INPUT");

    // Past the retention the sweep forgets the first event.
    app.clock.advance(2 * 3600);
    app.run_jobs().await;
    let code = ada
        .follow(&gallery, Some(&beginning))
        .await
        .error_code()
        .await;
    assert_eq!(code, "CURSOR_TOO_OLD");
    // Whoever had seen all of them misses nothing.
    let mut events = ada.follow(&gallery, Some(old)).await;
    events.until("GalleryEventsStarted").await;
    rename(&ada, &gallery, "new").await;
    assert_eq!(events.next().await.unwrap()["gallery"]["name"], "new");
    app.stop().await;
}

#[tokio::test]
async fn image_urls_of_a_long_subscription_are_never_stale() {
    if !aws::analysis_works() {
        return;
    }
    let app = TestApp::with(&[("S3_GET_URL_SECONDS", "120")]).await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let selection = "__typename cursor ... on PhotoChanged { photoId photo { status image(size: THUMBNAIL) { expiresAt } } }";
    let mut events = ada.follow_with(&gallery, None, selection).await;
    for n in 0..3 {
        let ids = ada
            .upload(&gallery, &[pictures::plain(&format!("{n}.jpg"), n)])
            .await;
        app.run_jobs().await;
        // Of this photo: of the one before there may be events that were on their way.
        let ready = events
            .until_some(|event| {
                event["photoId"] == json!(ids[0]) && event["photo"]["status"] == "READY"
            })
            .await;
        let expires = ready.last().unwrap()["photo"]["image"]["expiresAt"]
            .as_str()
            .unwrap()
            .to_owned();
        let now = app.clock.now().plus_seconds(59).to_utc();
        let expires: chrono::DateTime<chrono::Utc> = expires.parse().unwrap();
        assert!(expires >= now, "{expires} at {now}");
        app.clock.advance(200);
    }
    app.stop().await;
}
