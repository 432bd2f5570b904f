//! GraphQL over server-sent events, as they come over the wire.

use std::time::Duration;

use harness::{Actor, TestApp, pictures};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const FOLLOW: &str =
    "subscription($g: ID!, $after: String) { galleryEvents(galleryId: $g, after: $after)
  { __typename cursor ... on PhotoChanged { photo { id status } } } }";
const EVENTS: &str = "text/event-stream";

async fn post(actor: &Actor, url: &str, accept: &str, body: &Value) -> reqwest::Response {
    let request = actor.http().post(format!("{url}/graphql")).json(body);
    let request = match &actor.token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    request.header("accept", accept).send().await.unwrap()
}

/// Begins to follow a gallery; the stream, and the cursor at which it begins.
async fn follow(
    actor: &Actor,
    url: &str,
    gallery: &str,
    after: Option<&str>,
) -> (EventStream, String) {
    let body = json!({ "query": FOLLOW, "variables": { "g": gallery, "after": after } });
    let mut stream = EventStream::of(post(actor, url, EVENTS, &body).await);
    assert_eq!(
        stream.block().await,
        Some(Event::Comment),
        "headers are not held back"
    );
    let started = stream.next().await;
    let event = &started["data"]["galleryEvents"];
    assert_eq!(event["__typename"], "GalleryEventsStarted", "{started:#}");
    (stream, event["cursor"].as_str().unwrap().to_owned())
}

async fn code(response: reqwest::Response, status: u16) -> Value {
    assert_eq!(response.status(), status);
    let mut answer: Value = response.json().await.unwrap();
    answer["errors"][0]["extensions"]["code"].take()
}

#[tokio::test]
async fn a_query_and_a_mutation_are_one_event() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let body = json!({ "query": "mutation($input: CreateGalleryInput!) { createGallery(input: $input) { gallery { name } } }",
        "variables": { "input": { "name": "Marathon" } } });
    let response = post(&ada, &app.url, EVENTS, &body).await;
    assert_eq!(response.headers()["cache-control"], "no-cache");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let mut stream = EventStream::of(response);
    let data = json!({ "createGallery": { "gallery": { "name": "Marathon" } } });
    assert_eq!(
        stream.event().await,
        Some(Event::Next(json!({ "data": data })))
    );
    assert_eq!(stream.event().await, Some(Event::Complete));
    assert_eq!(stream.event().await, None);

    let get = |query: &str| {
        ada.http()
            .get(format!("{}/graphql?query={query}", app.url))
            .header("accept", EVENTS)
            .header("accept-encoding", "gzip")
            .bearer_auth(ada.token.as_ref().unwrap())
            .send()
    };
    let response =
        get("%7B__schema%7Btypes%7Bname%20description%20fields%7Bname%20description%7D%7D%7D%7D")
            .await
            .unwrap();
    assert!(
        !response.headers().contains_key("content-encoding"),
        "compression would hold events back"
    );
    let mut stream = EventStream::of(response);
    let types = &stream.next().await["data"]["__schema"]["types"];
    assert!(types.as_array().is_some_and(|types| types.len() > 50));
    assert_eq!(stream.event().await, Some(Event::Complete));

    let response = get("mutation%7B__typename%7D").await.unwrap();
    assert_eq!(response.headers()["allow"], "POST");
    assert_eq!(code(response, 405).await, "BAD_REQUEST");
    app.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_the_document_comes_as_an_event() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let eve = app.user("eve").await;
    let foreign =
        format!("subscription {{ galleryEvents(galleryId: \"{gallery}\") {{ cursor }} }}");
    for (query, expected) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ unknown }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "query($id: ID!) { photo(id: $id) { id } }",
            "BAD_USER_INPUT",
        ),
        (foreign.as_str(), "NOT_FOUND"),
    ] {
        let body = json!({ "query": query });
        let mut stream = EventStream::of(post(&eve, &app.url, EVENTS, &body).await);
        let next = stream.next().await;
        assert_eq!(
            next["errors"][0]["extensions"]["code"], expected,
            "{next:#}"
        );
        assert!(next.get("data").is_none(), "{next:#}");
        assert_eq!(stream.event().await, Some(Event::Complete));
        assert_eq!(stream.event().await, None);
    }
    // What is wrong with the request is an answer of HTTP.
    let mut nobody = app.anonymous();
    nobody.token = Some("nonsense".into());
    let body = json!({ "query": foreign });
    assert_eq!(
        code(post(&nobody, &app.url, EVENTS, &body).await, 401).await,
        "UNAUTHENTICATED"
    );
    let response = post(&ada, &app.url, EVENTS, &json!({ "variables": {} })).await;
    assert_eq!(code(response, 400).await, "BAD_REQUEST");
    nobody.token = None;
    let mut stream = EventStream::of(post(&nobody, &app.url, EVENTS, &body).await);
    assert_eq!(
        stream.next().await["errors"][0]["extensions"]["code"],
        "UNAUTHENTICATED"
    );
    app.stop().await;
}

#[tokio::test]
async fn a_subscription_wants_a_transport_that_lasts() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let body = json!({ "query": FOLLOW, "variables": { "g": gallery } });
    for accept in [
        "application/json",
        "application/graphql-response+json",
        "*/*",
    ] {
        let response = post(&ada, &app.url, accept, &body).await;
        assert_eq!(response.status(), 400, "{accept}");
        let answer: Value = response.json().await.unwrap();
        let message = answer["errors"][0]["message"].as_str().unwrap();
        for named in [EVENTS, "graphql-transport-ws"] {
            assert!(message.contains(named), "{message}");
        }
    }
    // Who takes both gets an answer for what has one, and events for what has many.
    let both =
        "application/graphql-response+json, application/json, text/event-stream, multipart/mixed";
    let mut stream = EventStream::of(post(&ada, &app.url, both, &body).await);
    assert_eq!(
        stream.next().await["data"]["galleryEvents"]["__typename"],
        "GalleryEventsStarted"
    );
    let query = json!({ "query": "{ __typename }" });
    let response = post(&ada, &app.url, both, &query).await;
    let content_type = "application/graphql-response+json; charset=utf-8";
    assert_eq!(response.headers()["content-type"], content_type);
    app.stop().await;
}

#[tokio::test]
async fn events_arrive_as_they_happen_and_a_reconnect_misses_nothing() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let (mut stream, _) = follow(&ada, &app.url, &gallery, None).await;
    let ids = ada.upload(&gallery, &[pictures::plain("a.jpg", 1)]).await;
    let event = stream.next().await["data"]["galleryEvents"].take();
    assert_eq!(
        event["photo"],
        json!({ "id": ids[0], "status": "PROCESSING" })
    );
    let cursor = event["cursor"].as_str().unwrap().to_owned();
    drop(stream);
    app.run_jobs().await;
    let (mut stream, start) = follow(&ada, &app.url, &gallery, Some(&cursor)).await;
    assert_eq!(start, cursor);
    loop {
        let event = stream.next().await["data"]["galleryEvents"].take();
        if event["photo"]["status"] == "READY" {
            assert_eq!(event["photo"]["id"], ids[0].as_str());
            break;
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn silence_is_broken_and_the_token_ends_the_stream() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let (mut stream, _) = follow(&ada, &app.url, &gallery, None).await;
    app.clock.advance(12);
    assert_eq!(stream.block().await, Some(Event::Comment));
    app.clock.advance(900 + 5 - 12);
    let end = stream.next().await;
    assert_eq!(end["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    assert_eq!(stream.event().await, Some(Event::Complete));
    assert_eq!(stream.event().await, None);
    app.stop().await;
}

#[tokio::test]
async fn at_the_end_of_the_process_a_stream_ends_without_complete() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let gallery = ada.gallery("g").await;
    let stop = CancellationToken::new();
    let (url, served) = app.serve_until(stop.clone()).await;
    let (mut stream, cursor) = follow(&ada, &url, &gallery, None).await;
    stop.cancel();
    assert_eq!(
        stream.event().await,
        None,
        "so that the client connects again"
    );
    served.await.unwrap().unwrap();
    let (_, start) = follow(&ada, &app.url, &gallery, Some(&cursor)).await;
    assert_eq!(start, cursor);
    app.stop().await;
}

/// Longest wait for an event that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// One block of an event stream.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    /// `event: next` with its data.
    Next(Value),
    /// `event: complete`.
    Complete,
    /// A comment, which keeps the connection alive.
    Comment,
}

/// An open event stream.
#[derive(Debug)]
struct EventStream {
    response: reqwest::Response,
    buffer: Vec<u8>,
}

impl EventStream {
    /// Reads an answer that is an event stream.
    fn of(response: reqwest::Response) -> Self {
        assert_eq!(response.status(), 200);
        let content_type = &response.headers()["content-type"];
        assert_eq!(content_type, "text/event-stream; charset=utf-8");
        Self {
            response,
            buffer: Vec::new(),
        }
    }

    /// The next block; none at the end.
    async fn block(&mut self) -> Option<Event> {
        loop {
            let end = self.buffer.windows(2).position(|pair| pair == b"\n\n");
            if let Some(end) = end {
                let rest = self.buffer.split_off(end + 2);
                let block = std::mem::replace(&mut self.buffer, rest);
                return Some(parse(std::str::from_utf8(&block[..end]).expect("UTF-8")));
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk())
                .await
                .expect("an event in time");
            match chunk {
                Ok(Some(chunk)) => self.buffer.extend(chunk),
                Ok(None) => {
                    assert!(self.buffer.is_empty(), "an event is cut off");
                    return None;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The next event; comments are left out.
    async fn event(&mut self) -> Option<Event> {
        loop {
            match self.block().await {
                Some(Event::Comment) => {}
                other => return other,
            }
        }
    }

    /// The data of the next event, which must be `next`.
    async fn next(&mut self) -> Value {
        match self.event().await {
            Some(Event::Next(data)) => data,
            other => panic!("no `next`: {other:?}"),
        }
    }
}

fn parse(block: &str) -> Event {
    let (mut event, mut data) = ("", None);
    for line in block.lines() {
        match line.split_once(':').expect("a field") {
            ("", _) => return Event::Comment,
            ("event", name) => event = name.trim_start(),
            ("data", text) => data = Some(text.trim_start()),
            other => panic!("unknown field: {other:?}"),
        }
    }
    match (event, data) {
        ("next", Some(data)) => Event::Next(serde_json::from_str(data).expect("JSON")),
        // Without data a browser would not hear of it.
        ("complete", Some("")) => Event::Complete,
        other => panic!("unknown event: {other:?}"),
    }
}
