//! Disks without room.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use harness::aws::Endpoint;
use harness::database::is_server;
use harness::disk::SmallDisk;
use harness::pictures;
use local::{LocalAws, LocalConfig};

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
        let put = client.put_object().bucket("b").key(key).body(body);
        put.send().await
    };
    client.create_bucket().bucket("b").send().await.unwrap();
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
        .bucket("b")
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
    let listed = client.list_objects_v2().bucket("b").send().await.unwrap();
    for object in listed.contents() {
        let key = object.key().unwrap();
        assert_ne!(key, "large");
        let read = client
            .get_object()
            .bucket("b")
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
        assert_eq!(ada.photo(&ids[0], "status").await["status"], "READY");
    }
    use sea_orm::{
        ConnectionTrait as _, DbBackend, EntityTrait as _, PaginatorTrait as _, Statement,
    };
    let check = Statement::from_string(DbBackend::Sqlite, "PRAGMA integrity_check");
    let row = app.db().read().query_one_raw(check).await.unwrap().unwrap();
    assert_eq!(row.try_get_by_index::<String>(0).unwrap(), "ok");
    let galleries = entity::gallery::Entity::find().count(app.db().read()).await;
    assert_eq!(galleries.unwrap(), made, "what was answered is what stands");
    app.stop().await;
}
