//! GraphQL over WebSocket, frame by frame: every close code and rule of graphql-transport-ws.

use std::time::Duration;

use harness::socket::SUBPROTOCOL;
use harness::{Actor, Socket, TestApp, pictures};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

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
async fn a_socket_that_is_not_initialised_in_time_is_closed() {
    let app = TestApp::start().await;
    let mut socket = Socket::open(&app.url).await;
    app.clock.advance(2);
    // Before the acknowledgement, too.
    socket.is_quiet().await;
    app.clock.advance(1);
    let expected = (4408, "Connection initialisation timeout".to_owned());
    assert_eq!(socket.closed().await, expected);

    let mut socket = Socket::initialised(&app.url, None).await;
    app.clock.advance(4);
    socket.is_quiet().await;
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
    let long = format!("{{ __typename }} #{}", "x".repeat(200_000));
    let two = follow(
        r#"a: galleryEvents(galleryId: "x") { cursor } b: galleryEvents(galleryId: "x") { cursor }"#,
    );
    let fields = "{ cursor ".to_owned()
        + &"... on PhotoChanged { photo { faces { person { id } } } } ".repeat(900)
        + "}";
    let dear = follow(&format!("galleryEvents(galleryId: \"x\") {fields}"));
    for (document, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ unknown }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "query($id: ID!) { photo(id: $id) { id } }",
            "BAD_USER_INPUT",
        ),
        (&bomb, "QUERY_TOO_COMPLEX"),
        (&long, "BAD_REQUEST"),
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
            "NOT_FOUND",
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
async fn a_socket_ends_with_its_token() {
    let (app, ada, gallery) = gallery().await;
    let mut socket = Socket::initialised(&app.url, ada.token.as_deref()).await;
    follow(&mut socket, "1", &gallery).await;
    // The life of an access token, and the seconds that clocks may differ by.
    app.clock.advance(904);
    socket.is_quiet().await;
    app.clock.advance(1);
    let (code, reason) = socket.closed().await;
    assert_eq!(code, 4403);
    assert!(reason.contains("access token"), "{reason}");
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
async fn a_socket_runs_so_many_operations_and_no_more() {
    let (app, ada, gallery) = gallery().await;
    let mut socket = Socket::initialised(&app.url, ada.token.as_deref()).await;
    for id in 0..100 {
        follow(&mut socket, &id.to_string(), &gallery).await;
    }
    socket
        .subscribe("one more", FOLLOW, json!({ "g": gallery }))
        .await;
    let error = socket.receive().await;
    assert_eq!(
        (&error["type"], &error["id"]),
        (&json!("error"), &json!("one more"))
    );
    assert_eq!(error["payload"][0]["extensions"]["code"], "BAD_REQUEST");
    socket.send(json!({ "type": "complete", "id": "7" })).await;
    follow(&mut socket, "one more", &gallery).await;
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

#[tokio::test]
async fn a_message_that_is_too_long_closes_the_socket() {
    let app = TestApp::start().await;
    let mut socket = Socket::initialised(&app.url, None).await;
    let ping = |length| json!({ "type": "ping", "payload": { "x": "x".repeat(length) } });
    socket.send(ping(1_000_000)).await;
    assert_eq!(socket.receive().await["type"], "pong");
    socket.send(ping(1_100_000)).await;
    assert_eq!(socket.closed().await.0, 1009);
    app.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_makes_us_keep_little() {
    let app = TestApp::start().await;
    let socket = Socket::initialised(&app.url, None).await;
    let (mut sink, mut stream) = futures::StreamExt::split(socket.stream);
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&sent);
    const PINGS: usize = 300;
    let writer = tokio::spawn(async move {
        let ping = json!({ "type": "ping", "payload": { "x": "x".repeat(500_000) } }).to_string();
        for _ in 0..PINGS {
            let message = Message::Text(ping.as_str().into());
            futures::SinkExt::send(&mut sink, message).await.unwrap();
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    });
    // 150 MB want to come; it stands still when the sockets' buffers and ours are full.
    let mut before = usize::MAX;
    until("it stands still", async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = sent.load(std::sync::atomic::Ordering::SeqCst);
        std::mem::replace(&mut before, now) == now
    })
    .await;
    assert!(
        before < 100,
        "{before} of {PINGS} messages were taken without an answer being read"
    );
    let mut pongs = 0;
    while pongs < PINGS {
        match futures::StreamExt::next(&mut stream).await {
            Some(Ok(Message::Text(_))) => pongs += 1,
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    writer.await.unwrap();
    app.stop().await;
}

#[tokio::test]
async fn a_client_that_is_gone_is_let_go() {
    let app = TestApp::start().await;
    let mut alive = Socket::initialised(&app.url, None).await;
    let silent = Socket::initialised(&app.url, None).await;
    assert_eq!(app.app().live().count(), 2);
    for _ in 0..2 {
        app.clock.advance(12);
        // Reading a ping answers it.
        match alive.frame().await {
            Some(Ok(Message::Ping(_))) => alive.is_quiet().await,
            other => panic!("no ping: {other:?}"),
        }
    }
    until("the silent one is let go", async || {
        app.app().live().count() == 1
    })
    .await;
    drop(silent);
    drop(alive);
    until("all are gone", async || app.app().live().count() == 0).await;
    app.stop().await;
}

#[tokio::test]
async fn a_closed_socket_stops_what_runs_on_it() {
    let (app, ada, gallery) = gallery().await;
    let mut socket = Socket::initialised(&app.url, ada.token.as_deref()).await;
    follow(&mut socket, "1", &gallery).await;
    futures::SinkExt::close(&mut socket.stream).await.unwrap();
    // The server answers the close frame and nothing else.
    while let Some(frame) = socket.frame().await {
        match frame {
            Ok(Message::Close(_)) | Err(_) => {}
            Ok(other) => panic!("{other:?}"),
        }
    }
    until("nobody follows any more", async || {
        app.app().services().event.followers() == 0 && app.app().live().count() == 0
    })
    .await;
    app.stop().await;
}

#[tokio::test]
async fn at_the_end_of_the_process_clients_are_sent_elsewhere() {
    let (app, ada, gallery) = gallery().await;
    let stop = CancellationToken::new();
    let (url, served) = app.serve_until(stop.clone()).await;
    let mut following = Socket::initialised(&url, ada.token.as_deref()).await;
    follow(&mut following, "1", &gallery).await;
    let idle = Socket::open(&url).await;
    stop.cancel();
    assert_eq!(following.closed().await, (1001, "Going away".into()));
    assert_eq!(idle.closed().await, (1001, "Going away".into()));
    served.await.unwrap().unwrap();
    // The other replica goes on from there.
    let mut socket = Socket::initialised(&app.url, ada.token.as_deref()).await;
    follow(&mut socket, "1", &gallery).await;
    app.stop().await;
}

#[tokio::test]
async fn a_reconnect_to_another_replica_misses_nothing() {
    let (app, ada, gallery) = gallery().await;
    let stop = CancellationToken::new();
    let (url, served) = app.serve_until(stop.clone()).await;
    let mut socket = Socket::initialised(&url, ada.token.as_deref()).await;
    socket.subscribe("1", FOLLOW, json!({ "g": gallery })).await;
    let cursor = |message: Value| message["payload"]["data"]["galleryEvents"]["cursor"].clone();
    let after = cursor(socket.receive().await);
    stop.cancel();
    assert_eq!(socket.closed().await.0, 1001);
    served.await.unwrap().unwrap();
    let ids = ada
        .upload(
            &gallery,
            &[pictures::plain("a.jpg", 1), pictures::plain("b.jpg", 2)],
        )
        .await;
    let mut socket = Socket::initialised(&app.url, ada.token.as_deref()).await;
    let variables = json!({ "g": gallery, "after": after });
    socket.subscribe("1", FOLLOW, variables).await;
    assert_eq!(
        cursor(socket.receive().await),
        after,
        "it goes on from there"
    );
    let mut heard = Vec::new();
    while heard.len() < ids.len() {
        let event = socket.receive().await["payload"]["data"]["galleryEvents"].take();
        assert_eq!(event["__typename"], "PhotoChanged");
        heard.push(event["photo"]["id"].clone());
    }
    heard.sort_by_key(ToString::to_string);
    let mut ids: Vec<Value> = ids.into_iter().map(Value::from).collect();
    ids.sort_by_key(ToString::to_string);
    assert_eq!(heard, ids);
    app.stop().await;
}
