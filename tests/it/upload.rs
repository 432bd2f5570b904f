//! The upload contract: what the store refuses, and what each confirmation answers.

use harness::actor::text;
use harness::meter::Meter;
use harness::pictures::{self, Picture};
use harness::{Actor, TestApp, aws};
use serde_json::json;

#[tokio::test]
async fn the_bytes_go_to_the_store_and_not_through_the_api() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let picture = pictures::plain("a.jpg", 1);
    let before = aws::stand_ins().stats().operation("s3:PutObject");
    let ids = ada.upload(&gallery, std::slice::from_ref(&picture)).await;
    let after = aws::stand_ins().stats().operation("s3:PutObject");
    if aws::analysis_works() {
        // Other tests upload too: at least this one's bytes arrived at the store …
        assert!(after.bytes_in - before.bytes_in >= picture.bytes.len() as u64);
    }
    // … and the API's own door takes no bodies of that kind at all.
    let response = ada
        .http()
        .put(format!("{}/graphql", app.url))
        .header("content-type", "image/jpeg")
        .body(picture.bytes.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 405);
    let photo = ada.photo(&ids[0], "status byteSize").await;
    assert_eq!(
        photo,
        json!({ "status": "PROCESSING", "byteSize": picture.bytes.len() })
    );
    assert_eq!(app.objects().await.len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn no_image_bytes_pass_through_the_api() {
    let app = TestApp::start().await;
    let meter = Meter::before(&app.url).await;
    let ada = Actor::at(&meter.url, "ada").await;
    let gallery = ada.gallery("g").await;
    // Noise, so that it does not compress: well over a megabyte.
    let mut state = 1u32;
    let noise = image::RgbImage::from_fn(1024, 768, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        image::Rgb([(state >> 24) as u8, (state >> 16) as u8, (state >> 8) as u8])
    });
    let picture = Picture {
        name: "noise.png".into(),
        content_type: "image/png",
        bytes: pictures::png(&noise),
    };
    assert!(picture.bytes.len() > 1 << 20);
    let ids = ada.upload(&gallery, std::slice::from_ref(&picture)).await;
    if aws::analysis_works() {
        app.run_jobs().await;
        let photo = ada
            .photo(
                &ids[0],
                "status image { url } original: image(size: ORIGINAL) { url }",
            )
            .await;
        for url in [&photo["image"]["url"], &photo["original"]["url"]] {
            let answer = ada.http().get(text(url)).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            assert!(answer.bytes().await.unwrap().len() > 100 << 10);
        }
    }
    // Everything that the API saw of it, HTTP headers and signed URLs included.
    assert!(meter.bytes() < 20_000, "{} bytes", meter.bytes());
    app.stop().await;
}

#[tokio::test]
async fn the_store_refuses_anything_but_the_announced_bytes() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let picture = pictures::plain("a.jpg", 1);
    let result = ada.request(&gallery, &[picture.file()]).await.remove(0);
    let target = &result["target"];
    let id = text(&result["photo"]["id"]);

    let mut longer = picture.bytes.clone();
    longer.push(0);
    assert_eq!(ada.put(target, &longer).await.0, 403, "another length");
    assert_eq!(
        ada.put(target, &picture.bytes[1..]).await.0,
        403,
        "a shorter file"
    );
    assert_eq!(
        ada.put_with(target, &picture.bytes, &[("content-type", "image/png")])
            .await
            .0,
        403,
        "another type"
    );
    let mut other = picture.bytes.clone();
    other[100] ^= 1;
    assert_eq!(
        ada.put(target, &other).await.0,
        400,
        "other bytes of the same length"
    );
    let mut tampered = target.clone();
    tampered["url"] = json!(text(&target["url"]).replace("original.jpg", "original.png"));
    assert_eq!(
        ada.put(&tampered, &picture.bytes).await.0,
        403,
        "another key"
    );
    let copy = [("x-amz-copy-source", format!("/{}/x", app.bucket))];
    let copy: Vec<(&str, &str)> = copy
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_eq!(
        ada.put_with(target, &picture.bytes, &copy).await.0,
        403,
        "an unsigned x-amz- header"
    );
    assert_eq!(app.objects().await, Vec::<String>::new());
    assert_eq!(
        ada.confirm(std::slice::from_ref(&id)).await[0]["userErrors"][0]["code"],
        "NOT_UPLOADED_YET"
    );

    assert_eq!(ada.put(target, &picture.bytes).await.0, 200);
    assert_eq!(
        ada.put(target, &picture.bytes).await.0,
        412,
        "a second time"
    );
    let confirmed = ada.confirm(std::slice::from_ref(&id)).await.remove(0);
    assert_eq!(
        confirmed["photo"],
        json!({ "id": id, "status": "PROCESSING" })
    );
    assert_eq!(
        ada.confirm(&[id]).await.remove(0),
        confirmed,
        "a second confirmation answers the same"
    );
    app.stop().await;
}

#[tokio::test]
async fn an_expired_url_is_refused_and_asked_for_again() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let picture = pictures::plain("a.jpg", 1);
    // Signed an hour ago, good for a quarter of one.
    app.clock.advance(-3600);
    let mut early = ada.clone();
    let input = json!({ "email": ada.email, "password": ada.password });
    let session = early
        .mutate("signIn", "SignInInput", input, "accessToken")
        .await;
    early.token = Some(text(&session["accessToken"]));
    let result = early.request(&gallery, &[picture.file()]).await.remove(0);
    let id = text(&result["photo"]["id"]);
    app.clock.advance(3600);
    assert_eq!(ada.put(&result["target"], &picture.bytes).await.0, 403);
    assert_eq!(
        ada.confirm(std::slice::from_ref(&id)).await[0]["userErrors"][0]["code"],
        "UPLOAD_EXPIRED"
    );

    let again = ada.request(&gallery, &[picture.file()]).await.remove(0);
    assert_eq!(
        text(&again["photo"]["id"]),
        id,
        "the same photo, with a new URL"
    );
    assert_eq!(ada.put(&again["target"], &picture.bytes).await.0, 200);
    assert_eq!(ada.confirm(&[id]).await[0]["photo"]["status"], "PROCESSING");
    app.stop().await;
}

#[tokio::test]
async fn equal_files_are_one_photo() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let gallery = ada.gallery("g").await;
    ada.admit(&gallery, &bob, "CONTRIBUTOR").await;
    let picture = pictures::plain("a.jpg", 1);
    let ids = ada.upload(&gallery, std::slice::from_ref(&picture)).await;
    let copy = Picture {
        name: "copy.jpg".into(),
        ..picture
    };
    let result = bob
        .request(&gallery, &[copy.file(), pictures::plain("b.jpg", 2).file()])
        .await;
    assert_eq!(result[0]["duplicateOf"]["id"], json!(ids[0]));
    assert!(result[0]["target"].is_null() && result[0]["photo"].is_null());
    assert!(result[1]["target"].is_object());
    let twice = pictures::plain("c.jpg", 3).file();
    let result = bob.request(&gallery, &[twice.clone(), twice]).await;
    assert_eq!(
        result[1]["duplicateOf"]["id"], result[0]["photo"]["id"],
        "within one call"
    );
    app.stop().await;
}

#[tokio::test]
async fn an_idempotency_key_gives_the_same_photos() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let (a, b) = (
        pictures::plain("a.jpg", 1).file(),
        pictures::plain("b.jpg", 2).file(),
    );
    let input = json!({ "galleryId": gallery, "idempotencyKey": "once", "files": [a] });
    let first = ada.request_with(input.clone()).await;
    let second = ada.request_with(input).await;
    assert_eq!(
        first["results"][0]["photo"]["id"],
        second["results"][0]["photo"]["id"]
    );
    let other = json!({ "galleryId": gallery, "idempotencyKey": "once", "files": [b] });
    assert_eq!(
        ada.request_with(other).await["userErrors"][0]["code"],
        "IDEMPOTENCY_KEY_REUSED"
    );
    app.stop().await;
}

#[tokio::test]
async fn nobody_confirms_or_cancels_what_is_not_theirs() {
    let app = TestApp::start().await;
    let (ada, bob, eve) = (
        app.user("ada").await,
        app.user("bob").await,
        app.user("eve").await,
    );
    let gallery = ada.gallery("g").await;
    ada.admit(&gallery, &bob, "CONTRIBUTOR").await;
    let picture = pictures::plain("a.jpg", 1);
    let result = ada.request(&gallery, &[picture.file()]).await.remove(0);
    let id = text(&result["photo"]["id"]);
    assert_eq!(ada.put(&result["target"], &picture.bytes).await.0, 200);
    // Until it is confirmed, an upload is its uploader's and the editors' business.
    for (somebody, expected) in [(&bob, "NOT_FOUND"), (&eve, "NOT_FOUND")] {
        let confirmed = somebody.confirm(std::slice::from_ref(&id)).await.remove(0);
        assert_eq!(
            confirmed["userErrors"][0]["code"], *expected,
            "{}",
            somebody.email
        );
        assert!(confirmed["photo"].is_null());
    }
    assert_eq!(ada.photo(&id, "status").await["status"], "AWAITING_UPLOAD");
    let selection = "results { photoId userErrors { code } }";
    let cancel = |actor: harness::Actor| {
        let input = json!({ "photoIds": [id.clone()] });
        async move {
            actor
                .mutate(
                    "cancelPhotoUploads",
                    "CancelPhotoUploadsInput",
                    input,
                    selection,
                )
                .await
        }
    };
    assert_eq!(
        cancel(eve.clone()).await["results"][0]["userErrors"][0]["code"],
        "NOT_FOUND"
    );
    assert_eq!(
        cancel(ada.clone()).await["results"][0]["userErrors"],
        json!([])
    );
    assert_eq!(
        ada.confirm(std::slice::from_ref(&id)).await[0]["userErrors"][0]["code"],
        "CANCELLED"
    );
    app.stop().await;
}

#[tokio::test]
async fn twelve_confirmations_at_once_make_one_photo() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let picture = pictures::plain("a.jpg", 1);
    let result = ada.request(&gallery, &[picture.file()]).await.remove(0);
    let id = text(&result["photo"]["id"]);
    assert_eq!(ada.put(&result["target"], &picture.bytes).await.0, 200);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let (ada, id) = (ada.clone(), id.clone());
        calls.spawn(async move { ada.confirm(&[id]).await.remove(0) });
    }
    for answer in calls.join_all().await {
        assert_eq!(answer["photo"], json!({ "id": id, "status": "PROCESSING" }));
    }
    let count = ada
        .query(
            "query($id: ID!) { gallery(id: $id) { photoCount } }",
            json!({ "id": gallery }),
        )
        .await;
    assert_eq!(count["gallery"]["photoCount"], 1);
    app.stop().await;
}

#[tokio::test]
async fn what_no_signature_covers_does_not_stick_to_a_photo() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let picture = pictures::plain("a.jpg", 1);
    let result = ada.request(&gallery, &[picture.file()]).await.remove(0);
    let target = &result["target"];
    let id = text(&result["photo"]["id"]);
    for header in [
        ("content-encoding", "gzip"),
        ("content-disposition", "attachment; filename=\"setup.exe\""),
    ] {
        let (status, body) = ada.put_with(target, &picture.bytes, &[header]).await;
        assert_eq!(status, 200, "S3 takes it, too: {body}");
        let confirmed = ada.confirm(std::slice::from_ref(&id)).await;
        let code = &confirmed[0]["userErrors"][0]["code"];
        assert_eq!(code, "UPLOAD_MISMATCH", "{header:?}");
        assert_eq!(app.objects().await, Vec::<String>::new(), "{header:?}");
    }
    let (status, _) = ada.put(target, &picture.bytes).await;
    assert_eq!(status, 200, "the right one can take its place");
    let confirmed = ada.confirm(&[id]).await;
    assert_eq!(confirmed[0]["photo"]["status"], "PROCESSING");
    app.stop().await;
}
