//! GraphQL over WebSocket, frame by frame: every close code and rule of graphql-transport-ws.

mod ends;
mod messages;

use std::time::Duration;

use harness::{Actor, Socket, TestApp};
use serde_json::json;

/// Follows a gallery.
const FOLLOW: &str =
    "subscription($g: ID!, $after: String) { galleryEvents(galleryId: $g, after: $after)
  { __typename cursor ... on PhotoChanged { photo { id status } } } }";

/// An app with somebody who owns a gallery.
async fn gallery() -> (TestApp, Actor, String) {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("Wedding").await;
    (app, ada, gallery)
}

/// Begins to follow a gallery under this id.
async fn follow(socket: &mut Socket, id: &str, gallery: &str) {
    socket.subscribe(id, FOLLOW, json!({ "g": gallery })).await;
    let started = socket.receive().await;
    let event = &started["payload"]["data"]["galleryEvents"];
    assert_eq!(
        (&started["type"], &started["id"]),
        (&json!("next"), &json!(id))
    );
    assert_eq!(event["__typename"], "GalleryEventsStarted", "{started:#}");
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..1000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not so after 10 s");
}
