//! Share links: who makes them, what a guest sees, and when that ends.

use harness::actor::text;
use harness::events::Events;
use harness::{Actor, Picture, Socket, TestApp, aws, pictures};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};

const LINK: &str = "shareLink { id label createdAt expiresAt revokedAt createdBy { name } } token";

/// Makes a link; its id and token.
async fn link(owner: &Actor, gallery: &str, more: Value) -> (String, String) {
    let mut input = json!({ "galleryId": gallery });
    for (name, value) in more.as_object().unwrap() {
        input[name] = value.clone();
    }
    let made = owner
        .mutate("createShareLink", "CreateShareLinkInput", input, LINK)
        .await;
    (text(&made["shareLink"]["id"]), text(&made["token"]))
}

async fn redeem(app: &TestApp, token: &str) -> Value {
    let input = json!({ "token": token });
    app.anonymous()
        .attempt(
            "redeemShareLink",
            "RedeemShareLinkInput",
            input,
            "gallery { id name viewerRole } accessToken expiresAt",
        )
        .await
}

/// Whoever holds the link with this token.
async fn guest(app: &TestApp, token: &str) -> Actor {
    let payload = redeem(app, token).await;
    let mut guest = app.anonymous();
    guest.token = Some(text(&payload["accessToken"]));
    guest
}

/// A subscription that stands.
async fn follow(guest: &Actor, gallery: &str) -> Events {
    let mut events = guest.follow(gallery, None).await;
    events.until("GalleryEventsStarted").await;
    events
}

async fn revoke(owner: &Actor, link: &str) {
    let input = json!({ "shareLinkId": link });
    let payload = owner
        .mutate(
            "revokeShareLink",
            "RevokeShareLinkInput",
            input,
            "shareLink { revokedAt }",
        )
        .await;
    assert!(payload["shareLink"]["revokedAt"].is_string());
}

#[tokio::test]
async fn a_guest_looks_at_one_gallery_and_nothing_else() {
    let app = TestApp::start().await;
    let owner = app.user("owner").await;
    let (gallery, other) = (owner.gallery("wedding").await, owner.gallery("other").await);
    let upright = pictures::jpeg(&pictures::gradient(400, 300, 9));
    let located = Picture::jpeg("located.jpg", pictures::with_exif(&upright, 1));
    let photo = owner.upload(&gallery, &[located]).await.remove(0);
    let elsewhere = owner
        .upload(&other, &[pictures::plain("b.jpg", 2)])
        .await
        .remove(0);
    app.run_jobs().await;
    let (_, token) = link(&owner, &gallery, json!({ "label": " for the family " })).await;

    let payload = redeem(&app, &token).await;
    assert_eq!(payload["gallery"]["name"], "wedding");
    assert_eq!(payload["gallery"]["viewerRole"], Value::Null);
    let guest = guest(&app, &token).await;
    let page = "query($id: ID!) { gallery(id: $id) { name photoCount coverPhoto { id }
        people(first: 5) { nodes { id } } labels { name }
        photos(first: 5) { nodes { id gallery { id } location { latitude }
          image(size: THUMBNAIL) { url } original: image(size: ORIGINAL) { url } downloadUrl
          uploadedBy { name email } } } } }";
    let seen = guest.query(page, json!({ "id": gallery })).await;
    let node = &seen["gallery"]["photos"]["nodes"][0];
    assert_eq!(text(&node["id"]), photo);
    assert_eq!(node["location"], Value::Null);
    assert_eq!(node["original"], Value::Null, "it would tell the location");
    assert_eq!(node["downloadUrl"], Value::Null);
    assert_eq!(node["uploadedBy"], Value::Null);
    if aws::analysis_works() {
        let url = text(&node["image"]["url"]);
        assert_eq!(guest.http().get(url).send().await.unwrap().status(), 200);
        let own = owner.query(page, json!({ "id": gallery })).await;
        assert!(own["gallery"]["photos"]["nodes"][0]["location"].is_object());
    }

    // Not the members, not the links, not by any id; no other gallery and nobody's account.
    let by = "query($id: ID!, $u: ID!) { gallery(id: $id) {
        photos(first: 1, filter: { uploaders: [$u] }) { nodes { id } } } }";
    let uploader = json!({ "id": gallery, "u": owner.id });
    assert_eq!(guest.error_code(by, uploader).await, "FORBIDDEN");
    for field in ["members", "shareLinks"] {
        let document = format!(
            "query($id: ID!) {{ gallery(id: $id) {{ {field}(first: 1) {{ nodes {{ createdAt }} }} }} }}"
        );
        let code = guest.error_code(&document, json!({ "id": gallery })).await;
        assert_eq!(code, "FORBIDDEN", "{field}");
    }
    let foreign = "query($g: ID!, $p: ID!) { nodes(ids: [$g, $p]) { id } }";
    let found = guest
        .query(foreign, json!({ "g": other, "p": elsewhere }))
        .await;
    assert_eq!(found["nodes"], json!([null, null]));
    let found = guest
        .query(
            "query($u: ID!) { node(id: $u) { id } }",
            json!({ "u": owner.id }),
        )
        .await;
    assert_eq!(found["node"], Value::Null);
    let code = guest
        .error_code(
            "query($id: ID!) { gallery(id: $id) { id } }",
            json!({ "id": other }),
        )
        .await;
    assert_eq!(code, "NOT_FOUND");
    let viewer = guest.query("{ viewer { id } }", json!({})).await;
    assert_eq!(viewer["viewer"], Value::Null);
    app.stop().await;
}

#[tokio::test]
async fn a_guest_sees_no_photo_before_its_upload_is_confirmed() {
    let app = TestApp::start().await;
    let owner = app.user("owner").await;
    let gallery = owner.gallery("wedding").await;
    let picture = pictures::plain("a name that tells.jpg", 1);
    let requested = owner.request(&gallery, &[picture.file()]).await;
    let photo = text(&requested[0]["photo"]["id"]);
    let (_, token) = link(&owner, &gallery, json!({})).await;
    let guest = guest(&app, &token).await;
    let document = "query($g: ID!, $p: ID!) {
        gallery(id: $g) {
          waiting: photos(first: 5, filter: { status: [AWAITING_UPLOAD] }) { nodes { filename } }
          named: photos(first: 5, filter: { status: [AWAITING_UPLOAD, READY], text: \"tells\" }) {
            nodes { filename } } }
        node(id: $p) { ... on Photo { filename } }
        nodes(ids: [$p]) { ... on Photo { filename } } }";
    let variables = json!({ "g": gallery, "p": photo });
    let found = json!({ "filename": "a name that tells.jpg" });
    let seen = owner.query(document, variables.clone()).await;
    let all = json!({
        "gallery": { "waiting": { "nodes": [found] }, "named": { "nodes": [found] } },
        "node": found, "nodes": [found],
    });
    assert_eq!(seen, all);
    let none = json!({
        "gallery": { "waiting": { "nodes": [] }, "named": { "nodes": [] } },
        "node": null, "nodes": [null],
    });
    assert_eq!(guest.query(document, variables).await, none);
    let one = "query($p: ID!) { photo(id: $p) { filename } }";
    assert_eq!(
        guest.error_code(one, json!({ "p": photo })).await,
        "NOT_FOUND"
    );
    // Nor is told of its end.
    let mut events = follow(&guest, &gallery).await;
    let input = json!({ "photoIds": [photo] });
    let deleted = "results { deletedPhotoId }";
    owner
        .mutate("deletePhotos", "DeletePhotosInput", input, deleted)
        .await;
    let input = json!({ "galleryId": gallery, "name": "another" });
    let renamed = "gallery { id }";
    owner
        .mutate("updateGallery", "UpdateGalleryInput", input, renamed)
        .await;
    let told = events.until("GalleryChanged").await;
    assert_eq!(told.len(), 1, "{told:?}");
    app.stop().await;
}

#[tokio::test]
async fn the_token_is_told_once_and_kept_as_a_hash() {
    let app = TestApp::start().await;
    let owner = app.user("owner").await;
    let gallery = owner.gallery("wedding").await;
    let (id, token) = link(&owner, &gallery, json!({ "label": "one" })).await;
    let (second, _) = link(&owner, &gallery, json!({})).await;
    let rows = entity::share_link::Entity::find()
        .all(app.db().read())
        .await
        .unwrap();
    assert!(rows.iter().all(|row| row.token_hash != token));
    assert!(rows.iter().any(|row| row.token_hash.len() == 64));
    let list =
        "query($id: ID!, $after: String) { gallery(id: $id) { shareLinks(first: 1, after: $after)
        { nodes { id label createdBy { id } } pageInfo { hasNextPage endCursor } } } }";
    let page = owner.query(list, json!({ "id": gallery })).await;
    let links = &page["gallery"]["shareLinks"];
    assert_eq!(text(&links["nodes"][0]["id"]), second, "newest first");
    assert_eq!(links["pageInfo"]["hasNextPage"], true);
    let after = &links["pageInfo"]["endCursor"];
    let page = owner
        .query(list, json!({ "id": gallery, "after": after }))
        .await;
    let links = &page["gallery"]["shareLinks"];
    assert_eq!(text(&links["nodes"][0]["id"]), id);
    assert_eq!(links["nodes"][0]["label"], "one");
    assert_eq!(text(&links["nodes"][0]["createdBy"]["id"]), owner.id);
    assert_eq!(links["pageInfo"]["hasNextPage"], false);
    app.stop().await;
}

#[tokio::test]
async fn a_link_that_is_revoked_closes_at_once_what_its_guests_have_open() {
    let app = TestApp::start().await;
    let owner = app.user("owner").await;
    let gallery = owner.gallery("wedding").await;
    let (one, token) = link(&owner, &gallery, json!({})).await;
    let (_, other) = link(&owner, &gallery, json!({})).await;
    let (first, second) = (guest(&app, &token).await, guest(&app, &other).await);
    let mut closed = follow(&first, &gallery).await;
    let mut open = follow(&second, &gallery).await;
    let mut socket = Socket::initialised(&app.url, first.token.as_deref()).await;
    let document = "subscription($g: ID!) { galleryEvents(galleryId: $g) { __typename } }";
    socket
        .subscribe("1", document, json!({ "g": gallery }))
        .await;
    assert_eq!(socket.receive().await["type"], "next");

    revoke(&owner, &one).await;
    assert_eq!(closed.error_code().await, "NOT_FOUND");
    let ended = socket.receive().await;
    let error = &ended["payload"]["errors"][0]["extensions"]["code"];
    assert_eq!(*error, "NOT_FOUND", "{ended:#}");
    open.until("GalleryChanged").await;
    let document = "query($id: ID!) { gallery(id: $id) { id } }";
    let code = first.error_code(document, json!({ "id": gallery })).await;
    assert_eq!(code, "NOT_FOUND");
    second.query(document, json!({ "id": gallery })).await;
    let payload = redeem(&app, &token).await;
    assert_eq!(payload["userErrors"][0]["code"], "INVALID_SHARE_TOKEN");
    assert_eq!(payload["accessToken"], Value::Null);
    // Once more is the same as once.
    revoke(&owner, &one).await;
    app.stop().await;
}

#[tokio::test]
async fn a_link_ends_with_its_time_and_takes_its_tokens_along() {
    let app = TestApp::start().await;
    let owner = app.user("owner").await;
    let gallery = owner.gallery("wedding").await;
    let end = app.clock.now().plus_seconds(60).to_utc();
    let (_, token) = link(&owner, &gallery, json!({ "expiresAt": end })).await;
    let guest = guest(&app, &token).await;
    let mut events = follow(&guest, &gallery).await;
    let document = "query($id: ID!) { gallery(id: $id) { id } }";
    guest.query(document, json!({ "id": gallery })).await;
    app.clock.advance(60);
    assert_eq!(events.error_code().await, "UNAUTHENTICATED");
    let code = guest.error_code(document, json!({ "id": gallery })).await;
    assert_eq!(code, "UNAUTHENTICATED");
    let payload = redeem(&app, &token).await;
    assert_eq!(payload["userErrors"][0]["code"], "INVALID_SHARE_TOKEN");

    // Without an end an access token lives as any other, and the link gives the next one.
    let (_, token) = link(&owner, &gallery, json!({})).await;
    let guest = self::guest(&app, &token).await;
    app.clock.advance(900);
    let code = guest.error_code(document, json!({ "id": gallery })).await;
    assert_eq!(code, "UNAUTHENTICATED");
    let guest = self::guest(&app, &token).await;
    guest.query(document, json!({ "id": gallery })).await;
    app.stop().await;
}

#[tokio::test]
async fn links_have_limits() {
    let app = TestApp::start().await;
    let owner = app.user("owner").await;
    let gallery = owner.gallery("wedding").await;
    let attempt = async |more: Value| {
        let mut input = json!({ "galleryId": gallery });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        let payload = owner
            .attempt("createShareLink", "CreateShareLinkInput", input, "token")
            .await;
        let error = &payload["userErrors"][0];
        (error["code"].clone(), error["field"][1].clone())
    };
    let past = app.clock.now().to_utc();
    assert_eq!(
        attempt(json!({ "expiresAt": past })).await,
        (json!("INVALID"), json!("expiresAt"))
    );
    for late in ["9999-12-31T23:59:60Z", "+10000-01-01T00:00:00Z"] {
        assert_eq!(
            attempt(json!({ "expiresAt": late })).await,
            (json!("INVALID"), json!("expiresAt"))
        );
    }
    for label in ["x".repeat(201), "a\nb".into(), "\u{202e}x".into()] {
        assert_eq!(
            attempt(json!({ "label": label })).await,
            (json!("INVALID"), json!("label"))
        );
    }
    let soon = app.clock.now().plus_seconds(60).to_utc();
    let mut made = Vec::new();
    for _ in 0..100 {
        made.push(link(&owner, &gallery, json!({ "expiresAt": soon })).await);
    }
    assert_eq!(attempt(json!({})).await.0, "QUOTA_EXCEEDED");
    revoke(&owner, &made[0].0).await;
    assert_eq!(attempt(json!({})).await.0, Value::Null);
    assert_eq!(attempt(json!({})).await.0, "QUOTA_EXCEEDED");
    app.clock.advance(60);
    assert_eq!(
        attempt(json!({})).await.0,
        Value::Null,
        "only those in force"
    );
    app.stop().await;
}

#[tokio::test]
async fn wrong_tokens_open_nothing_and_shut_nobody_out() {
    let app = TestApp::start().await;
    let owner = app.user("owner").await;
    let gallery = owner.gallery("wedding").await;
    let (_, token) = link(&owner, &gallery, json!({})).await;
    let wrong = [
        String::new(),
        format!("{token}x"),
        token[1..].to_owned(),
        token.to_uppercase(),
        "%".into(),
        "x".repeat(10_000),
        owner.refresh_token.clone().unwrap(),
        owner.token.clone().unwrap(),
    ];
    for token in wrong.iter().cycle().take(60) {
        let payload = redeem(&app, token).await;
        assert_eq!(payload["userErrors"][0]["code"], "INVALID_SHARE_TOKEN");
        assert_eq!(payload["gallery"], Value::Null);
    }
    // The guests of an event share an address.
    let guest = guest(&app, &token).await;
    // Nor is the link's token one for requests, or a guest's one to sign in or to go on with.
    let mut bearer = app.anonymous();
    bearer.token = Some(token);
    let code = bearer.error_code("{ viewer { id } }", json!({})).await;
    assert_eq!(code, "UNAUTHENTICATED");
    let input = json!({ "refreshToken": guest.token });
    let payload = app
        .anonymous()
        .attempt("refreshTokens", "RefreshTokensInput", input, "accessToken")
        .await;
    assert_eq!(payload["userErrors"][0]["code"], "INVALID_REFRESH_TOKEN");
    app.stop().await;
}

#[tokio::test]
async fn a_link_goes_with_its_gallery() {
    let app = TestApp::start().await;
    let owner = app.user("owner").await;
    let gallery = owner.gallery("wedding").await;
    let (_, token) = link(&owner, &gallery, json!({})).await;
    let guest = guest(&app, &token).await;
    let mut events = follow(&guest, &gallery).await;
    let input = json!({ "galleryId": gallery });
    owner
        .mutate("deleteGallery", "DeleteGalleryInput", input, "")
        .await;
    events.until("GalleryDeleted").await;
    let payload = redeem(&app, &token).await;
    assert_eq!(payload["userErrors"][0]["code"], "INVALID_SHARE_TOKEN");
    app.run_jobs().await;
    app.clock.advance(2 * 24 * 3600);
    app.run_jobs().await;
    let rows = entity::share_link::Entity::find()
        .all(app.db().read())
        .await
        .unwrap();
    assert_eq!(rows.len(), 0);
    app.stop().await;
}
