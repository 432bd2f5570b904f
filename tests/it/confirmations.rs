//! Many hands on one gallery: no deadlock reaches a client.

use std::collections::HashSet;

use entity::{GalleryId, analysis_step, gallery, job};
use eventgallery::db::{self, Failure};
use harness::actor::text;
use harness::{Actor, Picture, TestApp, database, pictures};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _, TransactionTrait as _,
};
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const PHOTOS: usize = 500;
/// Of these, so many are confirmed by a second client at the same time.
const DOUBLED: usize = 100;

/// An application with the default number of connections. On a busy machine many hundred requests
/// may wait long for one, which is not what is shown here.
async fn start() -> TestApp {
    TestApp::with(&[
        ("DATABASE_MAX_CONNECTIONS", "16"),
        ("DATABASE_ACQUIRE_SECONDS", "60"),
    ])
    .await
}

/// Pictures of a few hundred bytes, no two alike.
fn small(count: usize) -> Vec<Picture> {
    (0..count)
        .map(|n| {
            let (width, seed) = (16 + (n / 256) as u32, (n % 256) as u8);
            let picture = pictures::gradient(width, 16, seed);
            Picture::jpeg(&format!("{n}.jpg"), pictures::jpeg(&picture))
        })
        .collect()
}

/// Announces and sends; the photos' ids.
async fn sent(actor: &Actor, gallery: &str, pictures: &[Picture]) -> Vec<String> {
    let mut ids = Vec::new();
    for batch in pictures.chunks(100) {
        let files: Vec<Value> = batch.iter().map(Picture::file).collect();
        let results = actor.request(gallery, &files).await;
        for (results, batch) in results.chunks(10).zip(batch.chunks(10)) {
            let mut puts = JoinSet::new();
            for (result, picture) in results.iter().zip(batch) {
                ids.push(text(&result["photo"]["id"]));
                let (actor, target) = (actor.clone(), result["target"].clone());
                let bytes = picture.bytes.clone();
                puts.spawn(async move { actor.put(&target, &bytes).await });
            }
            for (status, body) in puts.join_all().await {
                assert_eq!(status, 200, "{body}");
            }
        }
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_confirmations_at_once() {
    let app = start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let gallery = ada.gallery("finish line").await;
    ada.admit(&gallery, &bob, "EDITOR").await;
    let pictures = small(PHOTOS);
    assert_eq!(
        pictures
            .iter()
            .map(|p| &p.bytes)
            .collect::<HashSet<_>>()
            .len(),
        PHOTOS
    );
    let ids = sent(&ada, &gallery, &pictures).await;

    let mut calls = JoinSet::new();
    for (index, id) in ids.iter().enumerate() {
        for actor in [Some(&ada), (index < DOUBLED).then_some(&bob)] {
            let Some(actor) = actor.cloned() else {
                continue;
            };
            let id = id.clone();
            calls.spawn(async move { (id.clone(), confirm(&actor, &id).await) });
        }
    }
    let answers = calls.join_all().await;
    assert_eq!(answers.len(), PHOTOS + DOUBLED);
    for (id, results) in answers {
        let photo = json!({ "id": id, "status": "PROCESSING" });
        let expected = json!([{ "photoId": id, "photo": photo, "userErrors": [] }]);
        assert_eq!(results, expected);
    }

    let jobs: Vec<job::Model> = job::Entity::find()
        .filter(job::Column::Kind.eq("analyse"))
        .all(app.db().read())
        .await
        .unwrap();
    let subjects: HashSet<&str> = jobs.iter().map(|job| job.subject.as_str()).collect();
    assert_eq!((jobs.len(), subjects.len()), (PHOTOS, PHOTOS));
    // Whoever came second changed nothing.
    assert!(jobs.iter().all(|job| job.generation == 1));
    let steps = analysis_step::Entity::find().count(app.db().read()).await;
    assert_eq!(steps.unwrap(), 4 * PHOTOS as u64);
    app.stop().await;
}

/// The answer's `data`. Called again only where the machine is so busy that the request passed its own
/// time: every other error ends the test.
async fn confirm(actor: &Actor, photo: &str) -> Value {
    let document =
        "mutation($input: ConfirmPhotoUploadsInput!) { confirmPhotoUploads(input: $input) {
      results { photoId photo { id status } userErrors { code } } } }";
    loop {
        let input = json!({ "input": { "photoIds": [photo] } });
        let (_, mut answer) = actor.send(document, input).await;
        if answer["errors"].is_null() {
            return answer["data"]["confirmPhotoUploads"]["results"].take();
        }
        let message = text(&answer["errors"][0]["message"]);
        assert!(message.contains("took too long"), "{answer:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_write_at_once() {
    const BATCH: usize = 12;
    let app = start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let gallery = ada.gallery("finish line").await;
    ada.admit(&gallery, &bob, "EDITOR").await;
    let pictures = small(8 * BATCH);
    let ids = sent(&ada, &gallery, &pictures).await;
    let files: Vec<Value> = pictures.iter().map(Picture::file).collect();

    let mut calls = JoinSet::new();
    for (index, batch) in ids.chunks(BATCH).enumerate() {
        for (actor, turned) in [(&ada, false), (&bob, true)] {
            let mut photos = batch.to_vec();
            // The same photos as the next batch's, in another order.
            photos.extend_from_slice(&ids[(index + 1) % 8 * BATCH..][..BATCH]);
            if turned {
                photos.reverse();
            }
            for write in ["confirm", "delete", "retry", "cancel"] {
                let (actor, photos) = (actor.clone(), photos.clone());
                calls.spawn(async move { self::write(&actor, write, &photos).await });
            }
            let (actor, gallery) = (actor.clone(), gallery.clone());
            let files = files[index * BATCH..][..BATCH].to_vec();
            calls.spawn(async move {
                actor.request(&gallery, &files).await;
                let input = json!({ "galleryId": gallery, "description": files[0]["sha256"] });
                actor
                    .mutate(
                        "updateGallery",
                        "UpdateGalleryInput",
                        input,
                        "gallery { id }",
                    )
                    .await;
            });
        }
    }
    // Each of them looked at its answer: none has an error at the top.
    assert_eq!(calls.join_all().await.len(), 80);
    app.stop().await;
}

/// MySQL ends the whole transaction at a deadlock, the savepoint included. What reaches whoever tries
/// again must still be the deadlock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_within_a_savepoint_is_told_as_one() {
    // SQLite has one writer, and no deadlocks.
    if !database::is_server() {
        return;
    }
    let app = start().await;
    let ada = app.user("ada").await;
    for name in ["first", "second"] {
        ada.gallery(name).await;
    }
    let galleries = gallery::Entity::find().all(app.db().read()).await.unwrap();
    let [first, second] = [&galleries[0], &galleries[1]].map(|row| row.id);
    let both_hold_one = Barrier::new(2);
    let crosswise = async |one: GalleryId, other: GalleryId| {
        let transaction = app.db().begin().await.unwrap();
        touch(&*transaction, one).await.unwrap();
        both_hold_one.wait().await;
        let savepoint = transaction.begin().await.unwrap();
        let written = touch(&savepoint, other).await;
        let ended = db::unless_taken(savepoint, written).await;
        ended.map(|written| assert!(written.is_some()))
    };
    let ended = tokio::join!(crosswise(first, second), crosswise(second, first));
    let errors: Vec<DbErr> = [ended.0, ended.1]
        .into_iter()
        .filter_map(Result::err)
        .collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(
        Failure::of(&errors[0]),
        Some(Failure::Conflict),
        "{errors:?}"
    );
    app.stop().await;
}

async fn touch(connection: &impl ConnectionTrait, id: GalleryId) -> Result<(), DbErr> {
    gallery::Entity::update_many()
        .col_expr(gallery::Column::Description, Expr::value("touched"))
        .filter(gallery::Column::Id.eq(id))
        .exec(connection)
        .await?;
    Ok(())
}

async fn write(actor: &Actor, write: &str, photos: &[String]) {
    let (field, kind) = match write {
        "confirm" => ("confirmPhotoUploads", "ConfirmPhotoUploadsInput"),
        "delete" => ("deletePhotos", "DeletePhotosInput"),
        "cancel" => ("cancelPhotoUploads", "CancelPhotoUploadsInput"),
        _ => {
            let input = json!({ "photoIds": photos, "steps": ["RENDITIONS", "GROUPING"] });
            let results = "results { userErrors { code } }";
            actor
                .attempt(
                    "retryPhotoAnalysis",
                    "RetryPhotoAnalysisInput",
                    input,
                    results,
                )
                .await;
            return;
        }
    };
    let input = json!({ "photoIds": photos });
    let payload = actor
        .attempt(field, kind, input, "results { userErrors { code } }")
        .await;
    assert_eq!(
        payload["results"].as_array().map(Vec::len),
        Some(photos.len())
    );
}
