//! Everything in the schema against every kind of actor: what is new and without an entry fails here.
//!
//! `access_matrix.txt` is what people read. Four parts: root fields; fields of the types that have
//! rights of their own; objects by their global id; and the types that are mere values, with their
//! fields, which whoever sees the field that leads there sees.

mod cases;
mod fields;
mod schema;
mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use harness::TestApp;
use serde_json::{Value, json};

use cases::{Subjects, cases};
use fields::DOORS;
use schema::Types;
use world::{ACTORS, World};

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
async fn everything_against_every_actor() {
    let types = Types::read();
    types.check_pages();
    let app = TestApp::start().await;
    let owner = app.user("owner").await;
    let outsider = app.user("outsider").await;
    let mut roots: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut actors = Vec::new();
    for (column, kind) in ACTORS.iter().enumerate() {
        // Each actor gets a gallery of their own to act on, so that one's deletion is not another's loss.
        let world = Box::pin(World::of(&app, &owner, column as u8)).await;
        let actor = Box::pin(world.actor(&app, &owner, kind)).await;
        let subjects = Subjects {
            gallery: world.gallery,
            photo: world.photo,
            person: world.person,
            link: world.link,
            email: outsider.email.clone(),
            user: outsider.id.clone(),
        };
        for (field, document, variables) in cases(&subjects) {
            let unasked = types.unasked(field, &document);
            assert!(unasked.is_empty(), "{field} is not asked for {unasked:?}");
            let answer = if document.starts_with("subscription") {
                actor.first_event(&document, variables).await
            } else {
                actor.send(&document, variables).await.1
            };
            let outcome = outcome(field, &answer);
            let is_sound = !["INTERNAL", "GRAPHQL_VALIDATION_FAILED"].contains(&outcome.as_str());
            assert!(is_sound, "{field} as {kind}: {answer:#}");
            roots.entry(field).or_default().push(outcome);
        }
        actors.push(actor);
    }
    let missing: Vec<String> = types
        .roots()
        .into_iter()
        .filter(|root| !roots.contains_key(root.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "no entry in the access matrix: {missing:?}"
    );
    // Boxed, here and within: what waits for what is deep, and the compiler counts it.
    let fields = Box::pin(fields::rows(&app, &owner, &types, &actors)).await;
    let (nodes, fields): (Vec<_>, Vec<_>) = fields
        .into_iter()
        .partition(|(name, _)| name.starts_with("node of "));

    let mut text = String::new();
    let owned = |(name, row): (&str, Vec<String>)| (name.to_owned(), row);
    table(
        &mut text,
        "root field",
        roots.into_iter().map(owned).collect(),
    );
    table(&mut text, "field", fields);
    table(&mut text, "object", nodes);
    text.push_str("values\n");
    let doors: Vec<&str> = DOORS.iter().map(|door| door.ty).collect();
    for (name, fields) in types.values(&doors) {
        let _ = writeln!(text, "{name:<28} {fields}");
    }
    compare(&text);
    app.stop().await;
}

fn table(text: &mut String, what: &str, rows: Vec<(String, Vec<String>)>) {
    let columns = ACTORS.map(str::to_owned).to_vec();
    for (name, row) in std::iter::once((what.to_owned(), columns)).chain(rows) {
        assert!(
            !row.iter().any(|cell| cell == "INTERNAL"),
            "{name}: {row:?}"
        );
        let row: String = row.iter().map(|cell| format!("{cell:<22}")).collect();
        text.push_str(format!("{name:<28} {row}").trim_end());
        text.push('\n');
    }
    text.push('\n');
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
