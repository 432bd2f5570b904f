//! One request over each transport, for what must hold on all of them.

use serde_json::{Value, json};

use crate::actor::Actor;
use crate::socket::Socket;

/// Accepts one answer.
const ANSWER: &str = "application/graphql-response+json";
/// Accepts events.
const EVENTS: &str = "text/event-stream";

/// A way to the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `POST /graphql`
    Post,
    /// `GET /graphql`
    Get,
    /// Server-sent events.
    Events,
    /// graphql-transport-ws.
    Socket,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Post, Self::Get, Self::Events, Self::Socket];
}

/// What came back first.
#[derive(Debug)]
pub struct Answered {
    /// Of HTTP; none on a socket.
    pub status: Option<u16>,
    /// An answer of GraphQL, written alike for all transports.
    pub body: Value,
    /// Bytes of it.
    pub bytes: usize,
}

impl Answered {
    /// `extensions.code` of the first error, or nothing.
    #[must_use]
    pub fn code(&self) -> &str {
        let code = self.body["errors"][0]["extensions"]["code"].as_str();
        code.unwrap_or_default()
    }
}

impl Actor {
    /// Sends these parameters (`query`, `variables`, `extensions`, …); the first answer.
    pub async fn ask(&self, transport: Transport, parameters: &Value) -> Answered {
        match transport {
            Transport::Post => {
                let request = self.http().post(self.endpoint()).header("accept", ANSWER);
                self.answered(request.json(parameters)).await
            }
            Transport::Get => {
                let url = format!("{}?{}", self.endpoint(), query_string(parameters));
                let request = self.http().get(url).header("accept", ANSWER);
                self.answered(request).await
            }
            Transport::Events => {
                let request = self.http().post(self.endpoint()).header("accept", EVENTS);
                self.answered(request.json(parameters)).await
            }
            Transport::Socket => {
                let url = self.endpoint().trim_end_matches("/graphql");
                let mut socket = Socket::initialised(url, self.token.as_deref()).await;
                let message = json!({ "type": "subscribe", "id": "1", "payload": parameters });
                socket.send(message).await;
                let mut answer = socket.receive().await;
                let payload = answer["payload"].take();
                let bytes = payload.to_string().len();
                let body = match answer["type"].as_str() {
                    Some("next") => payload,
                    Some("error") => json!({ "errors": payload }),
                    _ => panic!("{answer:#}"),
                };
                Answered {
                    status: None,
                    body,
                    bytes,
                }
            }
        }
    }

    async fn answered(&self, request: reqwest::RequestBuilder) -> Answered {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let mut response = request.send().await.expect("an answer");
        let status = Some(response.status().as_u16());
        let content_type = response.headers().get("content-type");
        let streams = content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/event"));
        let mut bytes = Vec::new();
        // Of a stream up to the end of its first event.
        let is_whole = |text: &[u8]| {
            streams
                && text
                    .strip_prefix(b":\n\n")
                    .unwrap_or(text)
                    .ends_with(b"\n\n")
        };
        while !is_whole(&bytes) {
            match response.chunk().await.expect("a chunk") {
                Some(chunk) => bytes.extend(chunk),
                None => break,
            }
        }
        let text = std::str::from_utf8(&bytes).expect("UTF-8");
        let data = text.lines().find_map(|line| line.strip_prefix("data: "));
        let text = if streams { data.expect("data") } else { text };
        Answered {
            status,
            body: serde_json::from_str(text).unwrap_or_else(|_| panic!("no JSON: {text}")),
            bytes: text.len(),
        }
    }
}

fn query_string(parameters: &Value) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters.as_object().expect("an object") {
        match value {
            Value::String(text) => query.append_pair(name, text),
            other => query.append_pair(name, &other.to_string()),
        };
    }
    query.finish()
}
