//! A gallery that the first released version wrote is served by this one.
//!
//! `first_release.sql` is what that version left in its database: two photos with faces and people,
//! one whose upload is not confirmed yet, and one whose worker died holding the job. In it `uuid'…'`
//! is an id however the database spells it, and `{name.sha256}` is what a picture of ours has.

use entity::PhotoId;
use eventgallery::graphql::id;
use harness::actor::text;
use harness::database::TestDatabase;
use harness::{Picture, TestApp, aws, pictures};
use migration::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait as _};
use serde_json::json;
use uuid::Uuid;

const RELEASED: u32 = 5;
const GALLERY: Uuid = Uuid::from_u128(0x01a2_0ca3_5b8f_75e0_b535_c62d_a362_5e2e);
const PROCESSING: Uuid = Uuid::from_u128(0x01a2_0ca3_5b8f_75e0_b535_c63f_47ad_cd25);
const AWAITING: Uuid = Uuid::from_u128(0x01a2_0ca3_5b8f_75e0_b535_c642_dfd1_8a1a);
/// Held by the worker that died.
const LEASE: Uuid = Uuid::from_u128(0x5f0c_9a9e_8d8e_4a55_9d0e_3c1d_6f2a_7b10);
const PASSWORD: &str = "password of ada";
const REFRESH_TOKEN: &str = "Dj5rA46a7fCsbVngsPBu4_dDGM4I5eTuEe-MyMzZ3To";

#[tokio::test]
async fn what_the_first_release_wrote_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::create(folder.path()).await;
    let pictures = [
        (
            "processing",
            PROCESSING,
            pictures::plain("processing.jpg", 1),
        ),
        ("awaiting", AWAITING, pictures::plain("awaiting.jpg", 2)),
    ];
    let connection = database.connect().await;
    Migrator::up(&connection, Some(RELEASED)).await.unwrap();
    fill(&connection, &pictures).await;
    connection.close().await.unwrap();

    // Starting migrates to the newest.
    let app = TestApp::with(&[("DATABASE_URI", &database.url)]).await;
    for (_, photo, picture) in &pictures {
        put(&app, *photo, picture).await;
    }

    let mut ada = app.anonymous();
    let input = json!({ "email": "ADA@example.com", "password": PASSWORD });
    let session = ada
        .mutate("signIn", "SignInInput", input, "accessToken")
        .await;
    ada.token = Some(text(&session["accessToken"]));
    let input = json!({ "refreshToken": REFRESH_TOKEN });
    ada.mutate("refreshTokens", "RefreshTokensInput", input, "accessToken")
        .await;

    let gallery = id::encode(entity::GalleryId(GALLERY)).0;
    let page = ada.query(PAGE, json!({ "id": gallery })).await;
    let found = &page["gallery"];
    assert_eq!(found["name"], "City marathon");
    assert_eq!(found["members"]["nodes"].as_array().unwrap().len(), 2);
    let photos = found["photos"]["nodes"].as_array().unwrap();
    let ready = |photo: &&serde_json::Value| photo["status"] == "READY";
    assert_eq!(photos.iter().filter(ready).count(), 2, "{photos:#?}");
    let faces = |photo: &serde_json::Value| photo["faces"].as_array().unwrap().len();
    assert_eq!(photos.iter().map(faces).sum::<usize>(), 6);
    for photo in photos.iter().filter(ready) {
        assert!(!photo["labels"].as_array().unwrap().is_empty());
        assert!(text(&photo["image"]["url"]).contains("/thumbnail.jpg?"));
    }
    let people = found["people"]["nodes"].as_array().unwrap();
    assert_eq!(people.len(), 4);
    assert!(
        people
            .iter()
            .all(|person| person["coverFace"]["id"].is_string())
    );

    let awaiting = id::encode(PhotoId(AWAITING)).0;
    let confirmed = ada.confirm(std::slice::from_ref(&awaiting)).await;
    assert_eq!(
        confirmed[0]["photo"]["status"], "PROCESSING",
        "{confirmed:?}"
    );

    app.run_jobs().await;
    let jobs = entity::job::Entity::find()
        .all(app.db().read())
        .await
        .unwrap();
    assert!(
        jobs.iter().all(|job| job.lease_token != Some(LEASE)),
        "taken over"
    );
    if aws::analysis_works() {
        for photo in [PROCESSING, AWAITING] {
            let photo = ada.photo(&id::encode(PhotoId(photo)).0, "status").await;
            assert_eq!(photo["status"], "READY");
        }
    }
    app.stop().await;
    database.drop().await;
}

const PAGE: &str = "query($id: ID!) { gallery(id: $id) {
  name
  members(first: 10) { nodes { role user { name } } }
  people(first: 10) { nodes { coverFace { id } photoCount } }
  photos(first: 10) { nodes {
    status faces { id person { id } } labels { name } image(size: THUMBNAIL) { url } } }
} }";

async fn fill(connection: &DatabaseConnection, pictures: &[(&str, Uuid, Picture)]) {
    let backend = connection.get_database_backend();
    if backend == DbBackend::MySql {
        let standard = "SET SESSION sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')";
        connection.execute_unprepared(standard).await.unwrap();
    }
    let mut script = include_str!("first_release.sql").to_owned();
    for (name, _, picture) in pictures {
        let file = picture.file();
        for (field, value) in [
            ("sha256", text(&file["sha256"])),
            ("byte_size", file["byteSize"].to_string()),
        ] {
            script = script.replace(&format!("{{{name}.{field}}}"), &value);
        }
    }
    for statement in script.lines() {
        let mut parts = statement.split("uuid'");
        let mut sql = parts.next().unwrap().to_owned();
        for part in parts {
            let (id, rest) = part.split_once('\'').unwrap();
            let literal = match backend {
                DbBackend::Postgres => format!("'{id}'"),
                _ => format!("X'{}'", id.replace('-', "")),
            };
            sql = sql + &literal + rest;
        }
        connection.execute_unprepared(&sql).await.expect(&sql);
    }
}

async fn put(app: &TestApp, photo: Uuid, picture: &Picture) {
    aws::client(&app.s3)
        .put_object()
        .bucket(&app.bucket)
        .key(format!("galleries/{GALLERY}/photos/{photo}/original.jpg"))
        .content_type(picture.content_type)
        .body(picture.bytes.clone().into())
        .send()
        .await
        .expect("stored");
}
