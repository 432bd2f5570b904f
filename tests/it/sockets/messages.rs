//! What is said on a socket, and what is not.

use harness::socket::SUBPROTOCOL;
use harness::{Socket, TestApp, pictures};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{FOLLOW, follow, gallery, until};

#[tokio::test]
async fn the_subprotocol_is_asked_for_by_name() {
    let app = TestApp::start().await;
    for offered in [
        None,
        Some("graphql-ws"),
        Some("soap, graphql-transport-ws-2"),
    ] {
        let headers: Vec<_> = offered
            .iter()
            .map(|offered| ("sec-websocket-protocol", *offered))
            .collect();
        let refused = Socket::try_open(&app.url, &headers).await;
        assert_eq!(refused.err(), Some(400), "{offered:?}");
    }
    let offered = format!("graphql-ws, {SUBPROTOCOL}");
    let socket = Socket::try_open(&app.url, &[("sec-websocket-protocol", &offered)]).await;
    assert_eq!(
        socket
            .unwrap_or_else(|status| panic!("{status}"))
            .subprotocol,
        SUBPROTOCOL
    );
    app.stop().await;
}

#[tokio::test]
async fn a_socket_is_initialised_once_and_before_anything_runs() {
    let app = TestApp::start().await;
    let mut socket = Socket::open(&app.url).await;
    socket.subscribe("1", "{ __typename }", json!({})).await;
    assert_eq!(socket.closed().await, (4401, "Unauthorized".into()));

    let mut socket = Socket::initialised(&app.url, None).await;
    socket.send(json!({ "type": "connection_init" })).await;
    let expected = (4429, "Too many initialisation requests".to_owned());
    assert_eq!(socket.closed().await, expected);
    app.stop().await;
}

#[tokio::test]
async fn what_the_protocol_does_not_know_closes_the_socket() {
    let app = TestApp::start().await;
    let long = json!({ "type": "x".repeat(5000) }).to_string();
    for text in [
        "",
        "{",
        "[]",
        r#"{"id":"1"}"#,
        r#"{"type":"start","id":"1","payload":{"query":"{ __typename }"}}"#,
        r#"{"type":"connection_ack"}"#,
        r#"{"type":"connection_init","payload":"token"}"#,
        r#"{"type":"ping","payload":1}"#,
        r#"{"type":"subscribe","id":"1"}"#,
        r#"{"type":"subscribe","id":"","payload":{"query":"{ __typename }"}}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":["{ __typename }"]}}"#,
        r#"{"type":"complete","id":1}"#,
        &long,
    ] {
        let mut socket = Socket::initialised(&app.url, None).await;
        socket.send_text(text).await;
        let (code, reason) = socket.closed().await;
        assert_eq!(code, 4400, "{text}");
        assert!(
            reason.starts_with("Invalid message") && reason.len() <= 123,
            "{reason}"
        );
    }
    let mut socket = Socket::initialised(&app.url, None).await;
    let binary = Message::Binary(br#"{"type":"ping"}"#.as_slice().into());
    futures::SinkExt::send(&mut socket.stream, binary)
        .await
        .unwrap();
    assert_eq!(socket.closed().await.0, 4400);
    app.stop().await;
}

#[tokio::test]
async fn pings_are_answered_and_pongs_are_not() {
    let app = TestApp::start().await;
    let mut socket = Socket::open(&app.url).await;
    let payload = json!({ "at": [1, 2], "who": null });
    socket
        .send(json!({ "type": "ping", "payload": payload }))
        .await;
    assert_eq!(
        socket.receive().await,
        json!({ "type": "pong", "payload": payload })
    );
    socket.send(json!({ "type": "pong" })).await;
    socket.send(json!({ "type": "pong", "payload": {} })).await;
    socket.is_quiet().await;
    app.stop().await;
}

#[tokio::test]
async fn queries_and_mutations_have_one_answer() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut socket = Socket::initialised(&app.url, ada.token.as_deref()).await;
    let create = "mutation Other { __typename } mutation Make($input: CreateGalleryInput!)
      { createGallery(input: $input) { gallery { name } userErrors { code } } }";
    let payload = json!({ "query": create, "operationName": "Make", "extensions": null,
        "variables": { "input": { "name": "Marathon" } } });
    socket
        .send(json!({ "type": "subscribe", "id": "m", "payload": payload }))
        .await;
    let data = json!({ "createGallery": { "gallery": { "name": "Marathon" }, "userErrors": [] } });
    let next = json!({ "type": "next", "id": "m", "payload": { "data": data } });
    assert_eq!(socket.receive().await, next);
    assert_eq!(
        socket.receive().await,
        json!({ "type": "complete", "id": "m" })
    );

    // The id is free again; an error of a field is part of the answer.
    let document = "{ viewer { id } photo(id: \"unknown\") { id } }";
    socket.subscribe("m", document, json!({})).await;
    let next = socket.receive().await;
    assert_eq!(next["type"], "next", "{next:#}");
    let errors = &next["payload"]["errors"];
    assert!(errors[0]["extensions"]["code"].is_string(), "{next:#}");
    assert_eq!(errors[0]["path"], json!(["photo"]));
    assert_eq!(
        socket.receive().await,
        json!({ "type": "complete", "id": "m" })
    );
    app.stop().await;
}

#[tokio::test]
async fn a_request_error_is_an_error_and_nothing_follows_it() {
    let (app, ada, gallery) = gallery().await;
    let eve = app.user("eve").await;
    let mut socket = Socket::initialised(&app.url, eve.token.as_deref()).await;
    let follow = |more: &str| format!("subscription {{ {more} }}");
    let bomb: String = (0..31)
        .map(|i| format!("fragment F{i} on Query {{ ...F{} ...F{} }} ", i + 1, i + 1))
        .collect();
    let bomb = format!("{{ ...F0 }} {bomb} fragment F31 on Query {{ __typename }}");
    let two = follow(
        r#"a: galleryEvents(galleryId: "x") { cursor } b: galleryEvents(galleryId: "x") { cursor }"#,
    );
    let page = |inner: &str| format!("photos(first: 100) {{ nodes {{ {inner} }} }}");
    let fields = page(&format!("faces {{ person {{ {} }} }}", page("id filename")));
    let dear = follow(&format!(
        "galleryEvents(galleryId: \"x\") {{ ... on GalleryChanged {{ gallery {{ {fields} }} }} }}"
    ));
    for (document, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ unknown }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "query($id: ID!) { photo(id: $id) { id } }",
            "BAD_USER_INPUT",
        ),
        (&bomb, "QUERY_TOO_COMPLEX"),
        ("", "BAD_REQUEST"),
        (&two, "GRAPHQL_VALIDATION_FAILED"),
        (&dear, "QUERY_TOO_COMPLEX"),
        (&follow("__typename"), "GRAPHQL_VALIDATION_FAILED"),
        (&follow("unknown { cursor }"), "GRAPHQL_VALIDATION_FAILED"),
        (
            &follow("galleryEvents { cursor }"),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        // Somebody else's gallery is no gallery.
        (
            &follow(&format!(
                "galleryEvents(galleryId: \"{gallery}\") {{ cursor }}"
            )),
            "NOT_FOUND",
        ),
        (
            &follow("galleryEvents(galleryId: \"nonsense\") { cursor }"),
            "BAD_USER_INPUT",
        ),
    ] {
        // Always the same id: an error frees it.
        socket.subscribe("1", document, json!({})).await;
        let error = socket.receive().await;
        assert_eq!(
            (&error["type"], &error["id"]),
            (&json!("error"), &json!("1")),
            "{error:#}"
        );
        let shown = &document[..document.len().min(80)];
        assert_eq!(
            error["payload"][0]["extensions"]["code"], code,
            "{shown}\n{error:#}"
        );
        assert!(error["payload"][0]["message"].is_string());
    }
    socket.is_quiet().await;
    drop(ada);
    app.stop().await;
}

#[tokio::test]
async fn a_token_that_is_none_is_refused() {
    let (app, ada, gallery) = gallery().await;
    let token = ada.token.clone().unwrap();
    for payload in [
        json!({ "Authorization": "Bearer nonsense" }),
        json!({ "authorization": token }),
        json!({ "authorization": ["Bearer", token] }),
        json!({ "AUTHORIZATION": format!("Basic {token}") }),
        json!({ "Authorization": format!("Bearer {}", ada.refresh_token.as_ref().unwrap()) }),
    ] {
        let mut socket = Socket::open(&app.url).await;
        let init = json!({ "type": "connection_init", "payload": payload });
        socket.send(init).await;
        let (code, reason) = socket.closed().await;
        assert_eq!(code, 4403, "{payload}");
        assert!(reason.starts_with("Forbidden"), "{reason}");
    }
    // In any spelling, and in the header for those who can set one.
    let protocol = ("sec-websocket-protocol", SUBPROTOCOL);
    let bearer = format!("bearer {token}");
    let mut socket = Socket::open(&app.url).await;
    let payload = json!({ "aUTHORIZATION": bearer, "other": 1 });
    socket
        .send(json!({ "type": "connection_init", "payload": payload }))
        .await;
    socket.receive().await;
    follow(&mut socket, "1", &gallery).await;
    let header = ("authorization", bearer.as_str());
    let mut socket = Socket::try_open(&app.url, &[protocol, header])
        .await
        .unwrap_or_else(|s| panic!("{s}"));
    socket.send(json!({ "type": "connection_init" })).await;
    socket.receive().await;
    follow(&mut socket, "1", &gallery).await;
    let wrong = [protocol, ("authorization", "Bearer nonsense")];
    assert_eq!(Socket::try_open(&app.url, &wrong).await.err(), Some(401));

    // Without any, as over HTTP: what needs nobody works.
    let mut socket = Socket::initialised(&app.url, None).await;
    let variables = json!({ "g": gallery });
    socket.subscribe("1", FOLLOW, variables).await;
    let error = socket.receive().await;
    assert_eq!(error["payload"][0]["extensions"]["code"], "UNAUTHENTICATED");
    socket.subscribe("2", "{ __typename }", json!({})).await;
    assert_eq!(
        socket.receive().await["payload"]["data"]["__typename"],
        "Query"
    );
    app.stop().await;
}

#[tokio::test]
async fn an_id_is_one_operations_until_it_ends() {
    let (app, ada, gallery) = gallery().await;
    let mut socket = Socket::initialised(&app.url, ada.token.as_deref()).await;
    follow(&mut socket, "1", &gallery).await;
    follow(&mut socket, "2", &gallery).await;
    socket.send(json!({ "type": "complete", "id": "1" })).await;
    socket
        .send(json!({ "type": "complete", "id": "unknown" }))
        .await;
    // Stopped: only the other one hears of this.
    ada.upload(&gallery, &[pictures::plain("a.jpg", 1)]).await;
    let event = socket.receive().await;
    assert_eq!(event["id"], "2");
    assert_eq!(
        event["payload"]["data"]["galleryEvents"]["__typename"],
        "PhotoChanged"
    );
    socket.is_quiet().await;
    until("the other one is let go", async || {
        app.app().services().event.followers() == 1
    })
    .await;
    follow(&mut socket, "1", &gallery).await;
    socket.subscribe("1", FOLLOW, json!({ "g": gallery })).await;
    let expected = (4409, "Subscriber for 1 already exists".to_owned());
    assert_eq!(socket.closed().await, expected);
    until("nobody follows any more", async || {
        app.app().services().event.followers() == 0
    })
    .await;
    app.stop().await;
}

#[tokio::test]
async fn a_long_id_does_not_break_the_close_frame() {
    let (app, ada, gallery) = gallery().await;
    let mut socket = Socket::initialised(&app.url, ada.token.as_deref()).await;
    let id = "ü".repeat(128);
    follow(&mut socket, &id, &gallery).await;
    socket.subscribe(&id, FOLLOW, json!({ "g": gallery })).await;
    let (code, reason) = socket.closed().await;
    assert_eq!(code, 4409);
    assert!(
        reason.len() <= 123 && reason.ends_with("already exists"),
        "{reason}"
    );
    app.stop().await;
}

#[tokio::test]
async fn a_subscription_may_be_written_with_fragments() {
    let (app, ada, gallery) = gallery().await;
    let mut socket = Socket::initialised(&app.url, ada.token.as_deref()).await;
    let document = "subscription S($g: ID!) { ...Root ... on Subscription { e: galleryEvents(galleryId: $g) { cursor } } }
      fragment Root on Subscription { e: galleryEvents(galleryId: $g) { ...Event } }
      fragment Event on GalleryEvent { __typename }";
    socket
        .subscribe("1", document, json!({ "g": gallery }))
        .await;
    let next = socket.receive().await;
    let event = &next["payload"]["data"]["e"];
    assert_eq!(event["__typename"], "GalleryEventsStarted", "{next:#}");
    assert!(event["cursor"].is_string(), "{next:#}");
    // One stream, not one for each way to write it.
    socket.is_quiet().await;
    app.stop().await;
}

#[tokio::test]
async fn the_end_of_the_events_completes_the_subscription() {
    let (app, ada, gallery) = gallery().await;
    let mut socket = Socket::initialised(&app.url, ada.token.as_deref()).await;
    follow(&mut socket, "1", &gallery).await;
    let input = json!({ "galleryId": gallery });
    ada.mutate("deleteGallery", "DeleteGalleryInput", input, "__typename")
        .await;
    let next = socket.receive().await;
    assert_eq!(
        next["payload"]["data"]["galleryEvents"]["__typename"], "GalleryDeleted",
        "{next:#}"
    );
    assert_eq!(
        socket.receive().await,
        json!({ "type": "complete", "id": "1" })
    );
    app.stop().await;
}
