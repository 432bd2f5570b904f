//! How a socket ends, and what it may take until then.

use std::time::Duration;

use harness::{Socket, TestApp, pictures};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::{FOLLOW, follow, gallery, until};

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
async fn a_message_that_is_too_long_closes_the_socket() {
    let app = TestApp::start().await;
    let mut socket = Socket::initialised(&app.url, None).await;
    let ping = |length| json!({ "type": "ping", "payload": { "x": "x".repeat(length) } });
    socket.send(ping(65_000)).await;
    assert_eq!(socket.receive().await["type"], "pong");
    socket.send(ping(66_000)).await;
    assert_eq!(socket.closed().await.0, 1009);
    app.stop().await;
}

/// Sends a message so many times and reads nothing, until all were taken or no more is; how many were.
async fn taken(app: &TestApp, message: Message, times: usize) -> usize {
    let socket = Socket::initialised(&app.url, None).await;
    let (mut sink, _unread) = futures::StreamExt::split(socket.stream);
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&sent);
    let writer = tokio::spawn(async move {
        for _ in 0..times {
            futures::SinkExt::feed(&mut sink, message.clone())
                .await
                .unwrap();
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    });
    let mut before = usize::MAX;
    until("it stands still", async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = sent.load(std::sync::atomic::Ordering::SeqCst);
        std::mem::replace(&mut before, now) == now
    })
    .await;
    writer.abort();
    before
}

#[tokio::test]
async fn a_client_that_does_not_read_makes_us_keep_little() {
    let app = TestApp::start().await;
    // 100 MB want to come; it stands still when the sockets' buffers and ours are full.
    let ping = json!({ "type": "ping", "payload": { "x": "x".repeat(50_000) } }).to_string();
    let taken = taken(&app, Message::Text(ping.into()), 2_000).await;
    assert!(
        taken < 800,
        "{taken} messages were taken without an answer being read"
    );
    app.stop().await;
}

#[tokio::test]
async fn nor_do_pings_of_the_protocol_below() {
    let app = TestApp::start().await;
    let taken = taken(&app, Message::Ping(vec![b'x'; 125].into()), 600_000).await;
    assert!(
        taken < 400_000,
        "{taken} pings were taken without an answer being read"
    );
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
