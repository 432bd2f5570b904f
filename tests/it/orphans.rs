//! Objects that nothing refers to.

use futures::channel::mpsc;
use harness::actor::text;
use harness::{TestApp, aws, pictures};
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use serde_json::{Value, json};

use crate::observability::exposition::Operations;

/// The URL's life, what an upload may take longer, and a minute.
const LONG_ENOUGH: i64 = 900 + 900 + 60;
const DAY: i64 = 24 * 3600;

/// A PUT that has begun, and waits for the rest of its bytes.
struct SlowPut {
    rest: mpsc::UnboundedSender<Result<Vec<u8>, std::io::Error>>,
    answer: tokio::task::JoinHandle<reqwest::Response>,
}

impl SlowPut {
    fn begin(target: &Value, length: usize, first: &[u8]) -> Self {
        let (rest, body) = mpsc::unbounded();
        rest.unbounded_send(Ok(first.to_vec())).unwrap();
        let mut request = reqwest::Client::new()
            .put(text(&target["url"]))
            .header("content-length", length)
            .body(reqwest::Body::wrap_stream(body));
        for header in target["headers"].as_array().unwrap() {
            request = request.header(text(&header["name"]), text(&header["value"]));
        }
        let answer = tokio::spawn(async move { request.send().await.unwrap() });
        Self { rest, answer }
    }

    async fn end(self, bytes: &[u8]) -> u16 {
        self.rest.unbounded_send(Ok(bytes.to_vec())).unwrap();
        drop(self.rest);
        self.answer.await.unwrap().status().as_u16()
    }
}

async fn rows(app: &TestApp) -> u64 {
    let photos = entity::photo::Entity::find();
    photos.count(app.db().read()).await.unwrap()
}

#[tokio::test]
async fn a_put_that_ends_after_its_photo_leaves_nothing_for_good() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let picture = pictures::plain("late.jpg", 1);
    let (first, rest) = picture.bytes.split_at(100);
    let mut puts = Vec::new();
    for name in ["deletePhotos", "cancelPhotoUploads"] {
        let result = ada.request(&gallery, &[picture.file()]).await.remove(0);
        puts.push(SlowPut::begin(
            &result["target"],
            picture.bytes.len(),
            first,
        ));
        let input = match name {
            "deletePhotos" => "DeletePhotosInput",
            _ => "CancelPhotoUploadsInput",
        };
        let ids = json!({ "photoIds": [result["photo"]["id"]] });
        ada.mutate(name, input, ids, "results { photoId }").await;
    }
    app.run_jobs().await;
    // One ends late, but soon: its row is still there.
    app.clock.advance(900 + 60);
    app.run_jobs().await;
    assert_eq!(rows(&app).await, 2);
    assert_eq!(puts.remove(0).end(rest).await, 200);
    assert_eq!(app.objects().await.len(), 1);
    app.clock.advance(LONG_ENOUGH);
    app.run_jobs().await;
    assert_eq!(rows(&app).await, 0);
    assert_eq!(app.objects().await, Vec::<String>::new());

    // The other one when nothing knows of it any more.
    assert_eq!(puts.remove(0).end(rest).await, 200);
    app.run_jobs().await;
    assert_eq!(app.objects().await.len(), 1, "somebody may be busy with it");
    app.clock.advance(2 * DAY);
    app.run_jobs().await;
    assert_eq!(app.objects().await, Vec::<String>::new());
    let counted = Operations::of(&app).await.scrape().await;
    let orphaned = r#"eventgallery_uploads_reaped_total{outcome="orphaned"}"#;
    assert_eq!(counted.value(orphaned), 1.0);
    app.stop().await;
}

#[tokio::test]
async fn only_objects_of_photos_in_known_galleries_are_orphans() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    ada.upload(&gallery, &[pictures::plain("a.jpg", 1)]).await;
    app.run_jobs().await;
    let standing = app.objects().await;
    assert_eq!(standing.len(), 3, "original, preview, thumbnail");
    let gallery = standing[0].split('/').nth(1).unwrap().to_owned();
    let unknown = app.clock.new_token();
    let others = [
        format!("galleries/{unknown}/photos/{unknown}/original.jpg"),
        format!("galleries/{gallery}/photos/{unknown}"),
        format!("galleries/{gallery}/photos/{unknown}/a/b"),
        format!("galleries/{gallery}/photos/of-somebody/original.jpg"),
        format!("galleries/{gallery}/sheets/{unknown}/1.jpg"),
        format!("elsewhere/galleries/{gallery}/photos/{unknown}/original.jpg"),
    ];
    let orphan = format!("galleries/{gallery}/photos/{unknown}/original.jpg");
    for key in others.iter().chain([&orphan]) {
        let put = aws::client(&app.s3).put_object().bucket(&app.bucket);
        put.key(key).body(vec![1].into()).send().await.unwrap();
    }
    let mut all = standing;
    all.extend(others);
    all.sort();
    for _ in 0..2 {
        app.clock.advance(2 * DAY);
        app.run_jobs().await;
        assert_eq!(app.objects().await, all);
    }
    app.stop().await;
}
