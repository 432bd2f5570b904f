//! Clients that take connections and do not use them: everybody else is still answered.

use std::time::Duration;

use eventgallery::http::server::{self, Limits};
use harness::{Socket, TestApp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Longer than any test may take.
const NEVER: Duration = Duration::from_secs(3600);
/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

const HALF_A_HEADER: &[u8] = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: appli";
const WHOLE: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";

/// A server of the application's routes with these limits, and its address.
async fn serve(app: &TestApp, limits: Limits) -> (String, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = app.app().router().unwrap();
    let stop = CancellationToken::new();
    let serving = server::serve(listener, router, limits, stop, Duration::ZERO);
    (address, AbortOnDropHandle::new(tokio::spawn(serving)))
}

async fn connect(address: &str, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// What comes until the server closes the connection.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut text)).await;
    // One that is reset is closed, too.
    let _ = end.expect("the server closes the connection");
    String::from_utf8_lossy(&text).into_owned()
}

/// Sends a request on an open connection and reads its answer.
async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(WHOLE).await.unwrap();
    answer(stream).await
}

/// A whole request with this body.
fn post(body: &Value) -> String {
    let body = body.to_string();
    let length = body.len();
    format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// What comes next, or the first kilobyte of it.
async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = vec![0; 1024];
    let length = tokio::time::timeout(PATIENCE, stream.read(&mut answer)).await;
    let length = length.expect("an answer").unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn few_large_bodies_are_held_at_a_time() {
    let app = TestApp::start().await;
    let (address, _server) = serve(&app, Limits::new(1000)).await;
    let body = json!({ "query": "{__typename}", "variables": { "x": "x".repeat(140_000) } });
    let large = post(&body);
    let mut halves = Vec::new();
    for _ in 0..8 {
        halves.push(connect(&address, &large.as_bytes()[..100_000]).await);
    }
    let mut ninth = connect(&address, large.as_bytes()).await;
    // Small ones are answered meanwhile, and it is not.
    let mut other = connect(&address, b"").await;
    let small = post(&json!({ "query": "{__typename}" }));
    let chunked = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
        Transfer-Encoding: chunked\r\n\r\n18\r\n{\"query\":\"{__typename}\"}\r\n0\r\n\r\n";
    for request in [&small, chunked, &small] {
        other.write_all(request.as_bytes()).await.unwrap();
        assert!(answer(&mut other).await.starts_with("HTTP/1.1 200"));
    }
    assert!(ninth.try_read(&mut [0; 1]).is_err(), "nothing came");
    // Whoever goes away makes room.
    drop(halves.pop());
    assert!(answer(&mut ninth).await.starts_with("HTTP/1.1 200"));
    app.stop().await;
}

#[tokio::test]
async fn who_does_not_end_a_header_is_sent_away() {
    let app = TestApp::start().await;
    let limits = Limits {
        header: Duration::from_millis(300),
        keep_alive: NEVER,
        stalled: NEVER,
        connections: 1000,
    };
    let (address, _server) = serve(&app, limits).await;
    let mut kept = TcpStream::connect(&address).await.unwrap();
    assert!(ask(&mut kept).await.starts_with("HTTP/1.1 200"));
    let mut half = Vec::new();
    for _ in 0..50 {
        half.push(connect(&address, HALF_A_HEADER).await);
        half.push(connect(&address, b"").await);
    }
    for stream in &mut half {
        assert_eq!(until_closed(stream).await, "");
    }
    // One that has asked before may take its time.
    assert!(ask(&mut kept).await.starts_with("HTTP/1.1 200"));
    app.stop().await;
}

#[tokio::test]
async fn a_connection_without_a_next_request_ends() {
    let app = TestApp::start().await;
    let limits = Limits {
        header: Duration::from_millis(100),
        keep_alive: Duration::from_millis(300),
        stalled: NEVER,
        connections: 1000,
    };
    let (address, _server) = serve(&app, limits).await;
    let mut silent = connect(&address, WHOLE).await;
    let mut half = connect(&address, &[WHOLE, HALF_A_HEADER].concat()).await;
    for stream in [&mut silent, &mut half] {
        let answer = until_closed(stream).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    app.stop().await;
}

#[tokio::test]
async fn where_all_places_are_taken_who_asks_nothing_makes_room() {
    let app = TestApp::start().await;
    let limits = Limits {
        header: NEVER,
        keep_alive: NEVER,
        stalled: NEVER,
        connections: 8,
    };
    let (address, _server) = serve(&app, limits).await;
    let url = format!("http://{address}");
    let mut ada = app.user("ada").await;
    ada.move_to(&url);
    ada.reconnect();
    let mut socket = Socket::initialised(&url, ada.token.as_deref()).await;
    let mut events = ada.follow(&ada.gallery("g").await, None).await;
    let mut half = Vec::new();
    for _ in 0..100 {
        half.push(connect(&address, HALF_A_HEADER).await);
    }
    let mut fresh = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200"));
        fresh.push(stream);
    }
    for stream in &mut half {
        assert_eq!(until_closed(stream).await, "");
    }
    // What is in use was not touched.
    socket.is_quiet().await;
    assert!(events.next().await.is_some());
    app.stop().await;
}

#[tokio::test]
async fn who_takes_nothing_of_the_answers_is_sent_away() {
    let app = TestApp::start().await;
    let limits = Limits {
        stalled: Duration::from_millis(300),
        ..Limits::new(1000)
    };
    let (address, _server) = serve(&app, limits).await;
    // Far more than the buffers of both systems hold.
    let file = "GET /graphiql/app.js HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut greedy = connect(&address, file.repeat(100).as_bytes()).await;
    let cut = async { while greedy.write_all(file.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, cut)
        .await
        .expect("the connection ends");
    app.stop().await;
}
