//! Every root field against every kind of actor: a new field without an entry fails here.

use std::collections::BTreeMap;

use async_graphql_parser::types::{TypeKind, TypeSystemDefinition};
use harness::actor::text;
use harness::{TestApp, pictures};
use serde_json::{Value, json};

/// Field, document, variables.
type Case = (&'static str, String, Value);

fn mutation(field: &'static str, input_type: &str, input: Value, selection: &str) -> Case {
    let document = format!(
        "mutation($input: {input_type}!) {{ {field}(input: $input) {{ {selection} userErrors {{ code }} }} }}"
    );
    (field, document, json!({ "input": input }))
}

fn query(field: &'static str, arguments: &str, selection: &str, id: &str) -> Case {
    let document = format!("query($id: ID!) {{ {field}({arguments}) {selection} }}");
    (field, document, json!({ "id": id }))
}

/// One call of every root field, about `gallery`, `photo` and `person`.
fn cases(gallery: &str, photo: &str, person: &str, email: &str, user: &str) -> Vec<Case> {
    let file = pictures::plain("new.jpg", 77).file();
    vec![
        query("node", "id: $id", "{ id }", photo),
        query("nodes", "ids: [$id]", "{ id }", gallery),
        ("viewer", "{ viewer { id } }".into(), json!({})),
        query("gallery", "id: $id", "{ id }", gallery),
        (
            "galleries",
            "{ galleries(first: 5) { nodes { id } } }".into(),
            json!({}),
        ),
        query("photo", "id: $id", "{ id }", photo),
        query("person", "id: $id", "{ id }", person),
        (
            "galleryEvents",
            "subscription($id: ID!) { galleryEvents(galleryId: $id) { cursor } }".into(),
            json!({ "id": gallery }),
        ),
        mutation(
            "register",
            "RegisterInput",
            json!({ "email": "x", "name": "x", "password": "x" }),
            "",
        ),
        mutation(
            "signIn",
            "SignInInput",
            json!({ "email": "x@example.com", "password": "xxxxxxxx" }),
            "",
        ),
        mutation(
            "refreshTokens",
            "RefreshTokensInput",
            json!({ "refreshToken": "x" }),
            "",
        ),
        mutation(
            "signOut",
            "SignOutInput",
            json!({ "refreshToken": "x" }),
            "",
        ),
        mutation(
            "createGallery",
            "CreateGalleryInput",
            json!({ "name": "own" }),
            "gallery { id }",
        ),
        mutation(
            "updateGallery",
            "UpdateGalleryInput",
            json!({ "galleryId": gallery, "name": "n" }),
            "gallery { id }",
        ),
        mutation(
            "setGalleryMember",
            "SetGalleryMemberInput",
            json!({ "galleryId": gallery, "email": email, "role": "VIEWER" }),
            "member { role }",
        ),
        mutation(
            "removeGalleryMember",
            "RemoveGalleryMemberInput",
            json!({ "galleryId": gallery, "userId": user }),
            "gallery { id }",
        ),
        mutation(
            "requestPhotoUploads",
            "RequestPhotoUploadsInput",
            json!({ "galleryId": gallery, "files": [file] }),
            "results { userErrors { code } }",
        ),
        mutation(
            "confirmPhotoUploads",
            "ConfirmPhotoUploadsInput",
            json!({ "photoIds": [photo] }),
            "results { userErrors { code } }",
        ),
        mutation(
            "cancelPhotoUploads",
            "CancelPhotoUploadsInput",
            json!({ "photoIds": [photo] }),
            "results { userErrors { code } }",
        ),
        mutation(
            "retryPhotoAnalysis",
            "RetryPhotoAnalysisInput",
            json!({ "photoIds": [photo], "steps": ["LABELS"] }),
            "results { userErrors { code } }",
        ),
        mutation(
            "updatePerson",
            "UpdatePersonInput",
            json!({ "personId": person, "hidden": false }),
            "person { id }",
        ),
        mutation(
            "mergePeople",
            "MergePeopleInput",
            json!({ "intoPersonId": person, "fromPersonIds": [] }),
            "person { id }",
        ),
        mutation(
            "deletePhotos",
            "DeletePhotosInput",
            json!({ "photoIds": [photo] }),
            "results { userErrors { code } }",
        ),
        mutation(
            "deleteGallery",
            "DeleteGalleryInput",
            json!({ "galleryId": gallery }),
            "deletedGalleryId",
        ),
    ]
}

/// `OK`, the code of the top-level error, or the code of the first user error.
fn outcome(field: &str, answer: &Value) -> String {
    if let Some(code) = answer["errors"][0]["extensions"]["code"].as_str() {
        return code.to_owned();
    }
    let payload = &answer["data"][field];
    if payload.is_null() || *payload == json!([null]) {
        return "null".into();
    }
    let first = payload["userErrors"][0]["code"].as_str();
    let item = payload["results"][0]["userErrors"][0]["code"].as_str();
    first.or(item).unwrap_or("OK").to_owned()
}

#[tokio::test]
async fn every_root_field_against_every_actor() {
    let app = TestApp::start().await;
    let owner = app.user("owner").await;
    let outsider = app.user("outsider").await;
    let mut matrix: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let actors = [
        "anonymous",
        "expired",
        "stranger",
        "viewer",
        "contributor",
        "editor",
        "owner",
    ];
    for (column, kind) in actors.iter().enumerate() {
        // Each actor gets a gallery of their own to act on, so that one's deletion is not another's loss.
        let gallery = owner.gallery("matrix").await;
        let photo = owner
            .upload(&gallery, &[pictures::plain("a.jpg", column as u8)])
            .await
            .remove(0);
        let person = person_of(&app, &gallery).await;
        let actor = match *kind {
            "anonymous" => app.anonymous(),
            "expired" => {
                let mut actor = app.user("expired").await;
                actor.token = actor.token.map(|token| format!("{token}x"));
                actor
            }
            "owner" => owner.clone(),
            role => {
                let actor = app.user(role).await;
                if role != "stranger" {
                    owner.admit(&gallery, &actor, &role.to_uppercase()).await;
                }
                actor
            }
        };
        for (field, document, variables) in
            cases(&gallery, &photo, &person, &outsider.email, &outsider.id)
        {
            let answer = if document.starts_with("subscription") {
                actor.first_event(&document, variables).await
            } else {
                actor.send(&document, variables).await.1
            };
            let outcome = outcome(field, &answer);
            assert_ne!(outcome, "INTERNAL", "{field} as {kind}: {answer:#}");
            matrix.entry(field).or_default().push(outcome);
        }
    }
    let mut table = format!(
        "{:<20} {}\n",
        "field",
        actors.map(|a| format!("{a:<22}")).join("")
    );
    for (field, row) in &matrix {
        let row: String = row.iter().map(|cell| format!("{cell:<22}")).collect();
        table.push_str(format!("{field:<20} {row}").trim_end());
        table.push('\n');
    }
    let roots = root_fields();
    let missing: Vec<&String> = roots
        .iter()
        .filter(|root| !matrix.contains_key(root.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "no entry in the access matrix: {missing:?}"
    );
    compare(&table);
    app.stop().await;
}

/// Compares with the committed matrix, which a person can read; `UPDATE_SNAPSHOTS=1` writes it.
#[expect(clippy::disallowed_methods, reason = "asked for on the command line")]
fn compare(table: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("it/access_matrix.txt");
    if std::env::var("UPDATE_SNAPSHOTS").is_ok() {
        std::fs::write(&file, table).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        expected == table,
        "the access matrix changed (UPDATE_SNAPSHOTS=1 writes it):\n{table}"
    );
}

fn root_fields() -> Vec<String> {
    let document =
        async_graphql_parser::parse_schema(eventgallery::graphql::schema::sdl()).unwrap();
    let mut fields = Vec::new();
    for definition in document.definitions {
        let TypeSystemDefinition::Type(ty) = definition else {
            continue;
        };
        if let TypeKind::Object(object) = ty.node.kind
            && ["Query", "Mutation", "Subscription"].contains(&ty.node.name.node.as_str())
        {
            fields.extend(
                object
                    .fields
                    .iter()
                    .map(|field| field.node.name.node.to_string()),
            );
        }
    }
    fields
}

/// A person in the gallery, as the grouping would have left it.
async fn person_of(app: &TestApp, gallery: &str) -> String {
    use entity::person;
    use eventgallery::graphql::id;
    use sea_orm::{ActiveValue::Set, EntityTrait as _};
    let person: entity::PersonId = app.clock.new_id();
    let now = app.clock.now();
    let row = person::ActiveModel {
        id: Set(person),
        gallery_id: Set(id::decode(&gallery.into()).unwrap()),
        name: Set(None),
        hidden: Set(false),
        cover_face_id: Set(None),
        face_count: Set(0),
        photo_count: Set(0),
        sheet_id: Set(None),
        sheet_cell: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let txn = app.db().begin().await.unwrap();
    person::Entity::insert(row)
        .exec_without_returning(&*txn)
        .await
        .unwrap();
    txn.commit().await.unwrap();
    text(&json!(id::encode(person).to_string()))
}
