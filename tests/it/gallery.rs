//! Galleries and members.

use harness::TestApp;
use harness::actor::text;
use serde_json::json;

#[tokio::test]
async fn a_gallery_is_made_changed_listed_and_survives_a_restart() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let id = ada
        .gallery_with(json!({ "name": "Hochzeit 💍", "eventDate": "2026-06-20" }))
        .await;
    let input = json!({ "galleryId": id, "description": "Am See", "eventDate": null });
    let changed = ada
        .mutate(
            "updateGallery",
            "UpdateGalleryInput",
            input,
            "gallery { name description eventDate }",
        )
        .await;
    assert_eq!(
        changed["gallery"],
        json!({ "name": "Hochzeit 💍", "description": "Am See", "eventDate": null })
    );

    let app = app.restart().await;
    let mut again = app.anonymous();
    again.token = ada.token.clone();
    let list = again
        .query(
            "{ galleries(first: 10) { nodes { id name viewerRole photoCount } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        list["galleries"]["nodes"],
        json!([{ "id": id, "name": "Hochzeit 💍", "viewerRole": "OWNER", "photoCount": 0 }])
    );
    app.stop().await;
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let input = json!({ "name": " ", "description": "x".repeat(6000), "eventDate": "2026-13-01" });
    let payload = ada
        .attempt(
            "createGallery",
            "CreateGalleryInput",
            input,
            "gallery { id }",
        )
        .await;
    let fields: Vec<_> = payload["userErrors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["field"][1].clone())
        .collect();
    assert_eq!(
        fields,
        [json!("name"), json!("description"), json!("eventDate")]
    );
    app.stop().await;
}

#[tokio::test]
async fn pages_go_on_where_they_ended() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut made = Vec::new();
    for index in 0..7 {
        made.push(ada.gallery(&format!("g{index}")).await);
    }
    made.reverse();
    let mut seen = Vec::new();
    let mut after = json!(null);
    loop {
        let document = "query($after: String) { galleries(first: 3, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }";
        let page = ada.query(document, json!({ "after": after })).await;
        seen.extend(
            page["galleries"]["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|node| text(&node["id"])),
        );
        if page["galleries"]["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["galleries"]["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(seen, made);
    app.stop().await;
}

#[tokio::test]
async fn roles_are_given_changed_and_taken_and_an_owner_stays() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let id = ada.gallery("g").await;
    assert_eq!(
        bob.error_code(
            "query($id: ID!) { gallery(id: $id) { id } }",
            json!({ "id": id })
        )
        .await,
        "NOT_FOUND"
    );

    ada.admit(&id, &bob, "VIEWER").await;
    let seen = bob
        .query(
            "query($id: ID!) { gallery(id: $id) { viewerRole } }",
            json!({ "id": id }),
        )
        .await;
    assert_eq!(seen["gallery"]["viewerRole"], "VIEWER");
    let input = json!({ "galleryId": id, "name": "mine" });
    let document =
        "mutation($input: UpdateGalleryInput!) { updateGallery(input: $input) { gallery { id } } }";
    assert_eq!(
        bob.error_code(document, json!({ "input": input })).await,
        "FORBIDDEN"
    );

    let input = json!({ "galleryId": id, "email": ada.email, "role": "VIEWER" });
    let payload = ada
        .attempt(
            "setGalleryMember",
            "SetGalleryMemberInput",
            input,
            "member { role }",
        )
        .await;
    assert_eq!(payload["userErrors"][0]["code"], "LAST_OWNER");
    let input = json!({ "galleryId": id, "email": "nobody@example.com", "role": "VIEWER" });
    let payload = ada
        .attempt(
            "setGalleryMember",
            "SetGalleryMemberInput",
            input,
            "member { role }",
        )
        .await;
    assert_eq!(payload["userErrors"][0]["code"], "NOT_FOUND");

    let members = "query($id: ID!) { gallery(id: $id) { members(first: 10) { nodes { role user { name email } } } } }";
    let list = bob.query(members, json!({ "id": id })).await;
    // Somebody else's e-mail address is not shown.
    assert_eq!(
        list["gallery"]["members"]["nodes"],
        json!([
            { "role": "OWNER", "user": { "name": "ada", "email": null } },
            { "role": "VIEWER", "user": { "name": "bob", "email": bob.email } }
        ])
    );
    let input = json!({ "galleryId": id, "userId": bob.id });
    bob.mutate(
        "removeGalleryMember",
        "RemoveGalleryMemberInput",
        input,
        "gallery { id }",
    )
    .await;
    assert_eq!(
        bob.error_code(
            "query($id: ID!) { gallery(id: $id) { id } }",
            json!({ "id": id })
        )
        .await,
        "NOT_FOUND"
    );
    app.stop().await;
}
