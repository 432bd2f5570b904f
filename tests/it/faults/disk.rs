//! Disks without room.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use harness::aws::Endpoint;
use harness::database::is_server;
use harness::disk::SmallDisk;
use harness::pictures;
use local::{LocalAws, LocalConfig};
use sea_orm::{ConnectionTrait as _, DbBackend, EntityTrait as _, PaginatorTrait as _, Statement};

use super::*;

#[tokio::test]
async fn a_full_disk_refuses_an_object_whole_and_takes_it_once_there_is_room() {
    let Some(disk) = SmallDisk::mount(16) else {
        return;
    };
    let credentials = local::load_or_create_credentials(disk.path()).unwrap();
    let (id, secret) = (
        credentials.access_key_id.clone(),
        credentials.secret_access_key.clone(),
    );
    let server = LocalAws::start(LocalConfig::new(disk.path(), credentials))
        .await
        .unwrap();
    let client = aws::client(&Endpoint {
        url: server.endpoint().to_owned(),
        access_key_id: id,
        secret_access_key: secret,
    });
    let put = async |key: &str, bytes: usize| {
        let body = ByteStream::from(vec![b'x'; bytes]);
        let put = client.put_object().bucket("disk").key(key).body(body);
        put.send().await
    };
    client.create_bucket().bucket("disk").send().await.unwrap();
    put("before", 100_000).await.unwrap();
    let used = disk.used();

    // Larger than the disk: it breaks off in the middle of the body.
    let refused = put("large", 20 << 20).await.unwrap_err();
    let status = refused.raw_response().unwrap().status().as_u16();
    assert_eq!((status, refused.code()), (507, Some("InsufficientStorage")));
    assert_eq!(disk.used(), used, "its bytes are gone");

    // Not even room for a row of the index.
    let ballast = disk.fill();
    let mut refused = 0;
    for n in 0..200 {
        match put(&format!("small {n}"), 10).await {
            Ok(_) => continue,
            Err(error) => assert_eq!(error.code(), Some("InsufficientStorage"), "{error:?}"),
        }
        refused += 1;
    }
    assert!(refused > 0);
    // What stood is still read.
    let read = client
        .get_object()
        .bucket("disk")
        .key("before")
        .send()
        .await
        .unwrap();
    assert_eq!(
        read.body.collect().await.unwrap().into_bytes().len(),
        100_000
    );

    std::fs::remove_file(ballast).unwrap();
    put("after", 1 << 20).await.unwrap();
    let listed = client
        .list_objects_v2()
        .bucket("disk")
        .send()
        .await
        .unwrap();
    for object in listed.contents() {
        let key = object.key().unwrap();
        assert_ne!(key, "large");
        let read = client
            .get_object()
            .bucket("disk")
            .key(key)
            .send()
            .await
            .unwrap();
        let bytes = read.body.collect().await.unwrap().into_bytes();
        assert_eq!(bytes.len() as i64, object.size().unwrap(), "{key} is whole");
    }
    assert_eq!(listed.contents().len(), 2 + 200 - refused);
    server.shutdown().await;
}

#[tokio::test]
async fn sqlite_on_a_full_disk_answers_and_is_sound_afterwards() {
    if is_server() {
        return;
    }
    let Some(disk) = SmallDisk::mount(24) else {
        return;
    };
    let data = disk.path().display().to_string();
    let url = format!("sqlite://{data}/app.db?mode=rwc");
    let app = TestApp::with(&[("DATABASE_URI", &url)]).await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let ids = ada.upload(&gallery, &[pictures::plain("a.jpg", 1)]).await;
    let ballast = disk.fill();
    let create =
        "mutation($input: CreateGalleryInput!) { createGallery(input: $input) { gallery { id } } }";
    let (mut made, mut refused) = (1, 0);
    while refused < 3 {
        let input = json!({ "input": { "name": "x".repeat(200) } });
        let (_, answer) = ada.send(create, input).await;
        if answer["errors"].is_null() {
            made += 1;
            assert!(made < 5_000, "the disk is not full");
        } else {
            assert_eq!(
                answer["errors"][0]["extensions"]["code"], "UNAVAILABLE",
                "{answer:#}"
            );
            refused += 1;
        }
    }
    // Reading goes on.
    assert_eq!(ada.photo(&ids[0], "status").await["status"], "PROCESSING");
    // Jobs fail and stay; nothing falls over.
    let _ = app.app().worker().run_until_idle().await;
    std::fs::remove_file(ballast).unwrap();
    app.clock.advance(700);
    wait_out(&app).await;
    let ada = app.fresh(&ada).await;
    if aws::analysis_works() {
        let photo = ada.photo(&ids[0], ANALYSIS).await;
        assert_eq!(photo["status"], "READY", "{photo:#}");
    }
    let check = Statement::from_string(DbBackend::Sqlite, "PRAGMA integrity_check");
    let row = app.db().read().query_one_raw(check).await.unwrap().unwrap();
    assert_eq!(row.try_get_by_index::<String>(0).unwrap(), "ok");
    assert_eq!(
        galleries(&app).await,
        made,
        "what was answered is what stands"
    );
    app.stop().await;
}

/// The same without a disk of its own: SQLite is told that it may not grow.
#[tokio::test]
async fn what_sqlite_accepts_after_it_was_full_is_really_written() {
    if is_server() {
        return;
    }
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let full = app.db().begin().await.unwrap();
    full.execute_unprepared("PRAGMA max_page_count = 1")
        .await
        .unwrap();
    full.commit().await.unwrap();
    let create =
        "mutation($input: CreateGalleryInput!) { createGallery(input: $input) { gallery { id } } }";
    let input = json!({ "input": { "name": "g", "description": "x".repeat(1_000) } });
    loop {
        let (_, answer) = ada.send(create, input.clone()).await;
        if !answer["errors"].is_null() {
            assert_eq!(
                answer["errors"][0]["extensions"]["code"], "UNAVAILABLE",
                "{answer:#}"
            );
            break;
        }
    }
    // Whoever rolls back next must not take the writer along.
    drop(app.db().begin().await.unwrap());
    // Room again.
    let roomy = app.db().begin().await.unwrap();
    roomy
        .execute_unprepared("PRAGMA max_page_count = 1000000")
        .await
        .unwrap();
    roomy.commit().await.unwrap();
    let before = galleries(&app).await;
    for n in 1..=3 {
        drop(app.db().begin().await.unwrap());
        ada.gallery("afterwards").await;
        assert_eq!(galleries(&app).await, before + n);
    }
    // Not only for as long as the process lives.
    let app = app.restart().await;
    assert_eq!(galleries(&app).await, before + 3);
    app.stop().await;
}

async fn galleries(app: &TestApp) -> u64 {
    let count = entity::gallery::Entity::find().count(app.db().read());
    count.await.unwrap()
}
