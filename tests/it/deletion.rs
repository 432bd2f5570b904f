//! Deleting photos and galleries takes everything along.

use harness::{TestApp, aws, pictures};
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use serde_json::json;

#[tokio::test]
async fn a_deleted_photo_takes_its_objects_faces_and_people() {
    if !aws::analysis_works() {
        return;
    }
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let gallery = ada.gallery("g").await;
    ada.admit(&gallery, &bob, "CONTRIBUTOR").await;
    let ids = ada.upload(&gallery, &pictures::samples()[..2]).await;
    app.run_jobs().await;
    let people = "query($id: ID!) { gallery(id: $id) { photoCount people(first: 50) { nodes { faceCount } } } }";
    let before = ada.query(people, json!({ "id": gallery })).await;
    assert!(
        !before["gallery"]["people"]["nodes"]
            .as_array()
            .unwrap()
            .is_empty()
    );

    let selection = "results { photoId deletedPhotoId userErrors { code } }";
    let input = json!({ "photoIds": ids });
    let refused = bob
        .mutate(
            "deletePhotos",
            "DeletePhotosInput",
            input.clone(),
            selection,
        )
        .await;
    assert_eq!(refused["results"][0]["userErrors"][0]["code"], "FORBIDDEN");
    let deleted = ada
        .mutate(
            "deletePhotos",
            "DeletePhotosInput",
            input.clone(),
            selection,
        )
        .await;
    assert_eq!(deleted["results"][1]["deletedPhotoId"], json!(ids[1]));
    let again = ada
        .mutate("deletePhotos", "DeletePhotosInput", input, selection)
        .await;
    assert_eq!(
        again["results"][0]["userErrors"][0]["code"], "NOT_FOUND",
        "gone at once"
    );

    app.run_jobs().await;
    assert_eq!(app.objects().await, Vec::<String>::new());
    let after = ada.query(people, json!({ "id": gallery })).await;
    assert_eq!(
        after["gallery"],
        json!({ "photoCount": 0, "people": { "nodes": [] } })
    );
    app.clock.advance(3600);
    app.run_jobs().await;
    assert_eq!(
        entity::photo::Entity::find()
            .count(app.db().read())
            .await
            .unwrap(),
        0,
        "the row goes last"
    );
    app.stop().await;
}

#[tokio::test]
async fn a_deleted_gallery_is_gone_for_everybody_and_leaves_nothing() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let ids = ada.upload(&gallery, &[pictures::plain("a.jpg", 1)]).await;
    app.run_jobs().await;
    assert_eq!(app.objects().await.len(), 3, "original, preview, thumbnail");
    let input = json!({ "galleryId": gallery });
    ada.mutate(
        "deleteGallery",
        "DeleteGalleryInput",
        input,
        "deletedGalleryId",
    )
    .await;
    let document = "query($id: ID!) { photo(id: $id) { id } }";
    assert_eq!(
        ada.error_code(document, json!({ "id": ids[0] })).await,
        "NOT_FOUND"
    );
    app.run_jobs().await;
    // A day after the URL's end: what came late goes, too.
    app.clock.advance(26 * 3600);
    app.run_jobs().await;
    assert_eq!(app.objects().await, Vec::<String>::new());
    assert_eq!(
        entity::gallery::Entity::find()
            .count(app.db().read())
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        entity::photo::Entity::find()
            .count(app.db().read())
            .await
            .unwrap(),
        0
    );
    app.stop().await;
}
