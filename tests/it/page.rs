//! Pages of photos: filters, order, and how many statements they take.

use entity::analysis_step::Step;
use entity::document::{FaceDetail, LabelDetail};
use entity::{FaceId, PersonId, PhotoId, face, person, photo, photo_label};
use eventgallery::photo::document;
use harness::actor::text;
use harness::{Actor, TestApp, pictures};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
};
use serde_json::{Value, json};

const PAGE: &str = "query($id: ID!, $first: Int!, $after: String, $filter: PhotoFilter, $orderBy: PhotoOrder) {
  gallery(id: $id) { photos(first: $first, after: $after, filter: $filter, orderBy: $orderBy) {
    pageInfo { hasNextPage endCursor }
    nodes { id filename status uploadedBy { name } thumb: image(size: THUMBNAIL) { url } image { url expiresAt } original: image(size: ORIGINAL) { url }
      labels { name confidence instances { confidence } } faces { id boundingBox { left } person { id name faceCount } }
      analysis { step state } } } } }";

/// A gallery of `count` photos, each with three faces of ten people and two labels, as the
/// analysis would have left them.
async fn filled(app: &TestApp, ada: &Actor, count: u8) -> (String, Vec<PersonId>) {
    let gallery = ada.gallery("page").await;
    let photos: Vec<_> = (0..count)
        .map(|i| pictures::plain(&format!("photo {i}.jpg"), i))
        .collect();
    ada.upload(&gallery, &photos).await;
    let db = app.db();
    let rows = photo::Entity::find()
        .order_by_asc(photo::Column::Id)
        .all(db.read())
        .await
        .unwrap();
    let gallery_id = rows[0].gallery_id;
    let now = app.clock.now();
    let txn = db.begin().await.unwrap();
    let people: Vec<PersonId> = (0..10).map(|_| app.clock.new_id()).collect();
    for (index, id) in people.iter().enumerate() {
        let row = person::ActiveModel {
            id: Set(*id),
            gallery_id: Set(gallery_id),
            name: Set(Some(format!("Person {index}"))),
            hidden: Set(false),
            cover_face_id: Set(None),
            face_count: Set(1),
            photo_count: Set(1),
            sheet_id: Set(None),
            sheet_cell: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
        };
        person::Entity::insert(row)
            .exec_without_returning(&*txn)
            .await
            .unwrap();
    }
    let mut ids: Vec<PhotoId> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        ids.push(row.id);
        for ordinal in 0..3usize {
            let face = face::ActiveModel {
                id: Set(app.clock.new_id::<FaceId>()),
                gallery_id: Set(gallery_id),
                photo_id: Set(row.id),
                ordinal: Set(ordinal as i32),
                detail: Set(FaceDetail::default()),
                quality: Set(50.0),
                can_found: Set(true),
                grouping: Set(face::Grouping::Assigned),
                person_id: Set(Some(people[(index + ordinal) % people.len()])),
                assigned_by: Set(Some("matcher".into())),
                similarity: Set(Some(99.0)),
                collection_face_id: Set(None),
                created_at: Set(now),
            };
            face::Entity::insert(face)
                .exec_without_returning(&*txn)
                .await
                .unwrap();
        }
        for name in ["Person", if index % 2 == 0 { "Dog" } else { "Cat" }] {
            let label = photo_label::ActiveModel {
                photo_id: Set(row.id),
                name: Set(name.into()),
                gallery_id: Set(gallery_id),
                confidence: Set(90.0),
                detail: Set(LabelDetail::default()),
            };
            photo_label::Entity::insert(label)
                .exec_without_returning(&*txn)
                .await
                .unwrap();
        }
        let change = photo::ActiveModel {
            id: Set(row.id),
            width: Set(Some(320)),
            height: Set(Some(240)),
            preview_width: Set(Some(320)),
            preview_height: Set(Some(240)),
            thumbnail_width: Set(Some(320)),
            thumbnail_height: Set(Some(240)),
            // Five photos share each second, so that pages end within ties.
            taken_at: Set(row.created_at.plus_seconds(index as i64 / 5)),
            taken_at_known: Set(true),
            ..Default::default()
        };
        photo::Entity::update(change).exec(&*txn).await.unwrap();
    }
    entity::analysis_step::Entity::update_many()
        .col_expr(entity::analysis_step::Column::State, "done".into())
        .filter(entity::analysis_step::Column::Step.is_in([
            Step::Renditions,
            Step::Faces,
            Step::Labels,
            Step::Grouping,
        ]))
        .exec(&*txn)
        .await
        .unwrap();
    document::rebuild(&txn, &ids, now).await.unwrap();
    txn.commit().await.unwrap();
    (gallery, people)
}

async fn page(ada: &Actor, gallery: &str, first: usize, filter: Value, order: &str) -> Vec<Value> {
    let mut nodes = Vec::new();
    let mut after = Value::Null;
    loop {
        let variables = json!({ "id": gallery, "first": first, "after": after, "filter": filter, "orderBy": order });
        let mut data = ada.query(PAGE, variables).await;
        let mut page = data["gallery"]["photos"].take();
        nodes.extend(page["nodes"].as_array().unwrap().clone());
        if page["pageInfo"]["hasNextPage"] == false {
            return nodes;
        }
        after = page["pageInfo"]["endCursor"].take();
    }
}

#[tokio::test]
async fn a_page_of_100_photos_takes_at_most_6_statements() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let (gallery, _) = filled(&app, &ada, 100).await;
    let before = app.db().statements();
    let nodes = page(&ada, &gallery, 100, Value::Null, "TAKEN_AT_DESC").await;
    let statements = app.db().statements() - before;
    assert_eq!(nodes.len(), 100);
    for node in &nodes {
        assert_eq!(node["faces"].as_array().unwrap().len(), 3);
        assert!(node["faces"][0]["person"]["name"].is_string());
        assert_eq!(node["labels"].as_array().unwrap().len(), 2);
        assert!(node["thumb"]["url"].is_string() && node["original"]["url"].is_string());
        assert_eq!(node["uploadedBy"]["name"], "ada");
    }
    assert!(statements <= 6, "{statements} statements");
    app.stop().await;
}

#[tokio::test]
async fn every_order_gives_every_photo_once_through_ties() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let (gallery, _) = filled(&app, &ada, 23).await;
    for (order, other) in [
        ("TAKEN_AT_DESC", "TAKEN_AT_ASC"),
        ("CREATED_AT_DESC", "CREATED_AT_ASC"),
    ] {
        let ids = |nodes: Vec<Value>| {
            nodes
                .iter()
                .map(|node| text(&node["id"]))
                .collect::<Vec<_>>()
        };
        let descending = ids(page(&ada, &gallery, 4, Value::Null, order).await);
        let mut ascending = ids(page(&ada, &gallery, 3, Value::Null, other).await);
        ascending.reverse();
        assert_eq!(descending, ascending, "{order}");
        let mut unique = descending.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), 23);
    }
    app.stop().await;
}

#[tokio::test]
async fn filters_hold_together() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let (gallery, people) = filled(&app, &ada, 20).await;
    let id = |person: PersonId| eventgallery::graphql::id::encode(person).to_string();
    let count = async |filter: Value| {
        page(&ada, &gallery, 100, filter, "TAKEN_AT_DESC")
            .await
            .len()
    };
    assert_eq!(count(json!({ "people": [id(people[0])] })).await, 6);
    assert_eq!(
        count(json!({ "people": [id(people[0]), id(people[1])] })).await,
        4,
        "both in one photo"
    );
    assert_eq!(
        count(json!({ "people": [id(people[0]), id(people[5])] })).await,
        0
    );
    assert_eq!(count(json!({ "labels": ["Dog"] })).await, 10);
    assert_eq!(
        count(json!({ "labels": ["dog"] })).await,
        0,
        "labels are exact"
    );
    assert_eq!(count(json!({ "labels": ["Dog", "Cat"] })).await, 0);
    assert_eq!(
        count(json!({ "text": "PHOTO 1" })).await,
        11,
        "photo 1 and 10 to 19, in any case"
    );
    assert_eq!(count(json!({ "text": "do" })).await, 10, "a label");
    assert_eq!(
        count(json!({ "text": "person 3" })).await,
        6,
        "a person's name"
    );
    assert_eq!(
        count(json!({ "text": "%" })).await,
        0,
        "% stands for itself"
    );
    assert_eq!(count(json!({ "status": ["READY"] })).await, 20);
    assert_eq!(
        count(json!({ "status": ["FAILED", "PROCESSING"] })).await,
        0
    );
    assert_eq!(count(json!({ "uploaders": [ada.id] })).await, 20);
    assert_eq!(
        count(json!({ "takenBetween": { "before": "2020-01-01T00:00:00Z" } })).await,
        0
    );
    assert_eq!(
        count(json!({ "takenBetween": { "from": "2020-01-01T00:00:00Z" }, "labels": ["Cat"] }))
            .await,
        10
    );
    app.stop().await;
}

#[tokio::test]
async fn every_size_of_a_picture_can_be_fetched() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let bytes = pictures::jpeg(&pictures::gradient(2400, 1200, 1));
    let picture = harness::Picture::jpeg("wide.jpg", bytes.clone());
    let ids = ada.upload(&gallery, &[picture]).await;
    app.run_jobs().await;
    let selection = "thumbnail: image(size: THUMBNAIL) { url width height }
      preview: image(size: PREVIEW) { url width height }
      original: image(size: ORIGINAL) { url width height }
      downloadUrl";
    let photo = ada.photo(&ids[0], selection).await;
    for (name, width, height) in [
        ("thumbnail", 320, 160),
        ("preview", 2048, 1024),
        ("original", 2400, 1200),
    ] {
        let image = &photo[name];
        assert_eq!(image["width"], width, "{name}");
        assert_eq!(image["height"], height, "{name}");
        let fetched = fetch(&ada, &text(&image["url"])).await;
        let decoded = image::load_from_memory(&fetched).unwrap();
        assert_eq!(
            (decoded.width(), decoded.height()),
            (width, height),
            "{name}"
        );
    }
    assert_eq!(fetch(&ada, &text(&photo["downloadUrl"])).await, bytes);
    app.stop().await;
}

async fn fetch(actor: &Actor, url: &str) -> Vec<u8> {
    let response = actor.http().get(url).send().await.unwrap();
    assert_eq!(response.status(), 200, "{url}");
    response.bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn signed_urls_stay_the_same_within_their_window() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let (gallery, _) = filled(&app, &ada, 2).await;
    let urls = async || {
        let nodes = page(&ada, &gallery, 10, Value::Null, "TAKEN_AT_DESC").await;
        nodes
            .iter()
            .map(|node| text(&node["image"]["url"]))
            .collect::<Vec<_>>()
    };
    let first = urls().await;
    app.clock.advance(1);
    let second = urls().await;
    app.clock.advance(600);
    let third = urls().await;
    // The window may end between two of them, not between all three.
    assert!(first == second || second == third);
    app.stop().await;
}
