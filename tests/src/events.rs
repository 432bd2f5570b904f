//! `galleryEvents` as a client of GraphQL over SSE follows it.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::actor::{Actor, text};

/// What the tests look at of each event.
const SELECTION: &str = "__typename cursor
  ... on PhotoChanged { photoId photo { id status } }
  ... on PhotoDeleted { photoId }
  ... on PersonChanged { personId person { id photoCount } }
  ... on PersonDeleted { personId }
  ... on GalleryChanged { gallery { id name } }
  ... on GalleryDeleted { galleryId }";

/// A subscription.
#[derive(Debug)]
pub struct Events {
    response: reqwest::Response,
    text: String,
    frames: VecDeque<(String, String)>,
    /// Cursor of the last event that arrived.
    pub cursor: Option<String>,
}

impl Actor {
    /// Follows a gallery, with the tests' usual selection.
    pub async fn follow(&self, gallery: &str, after: Option<&str>) -> Events {
        self.follow_with(gallery, after, SELECTION).await
    }

    /// Follows a gallery with a selection of the caller's.
    pub async fn follow_with(&self, gallery: &str, after: Option<&str>, selection: &str) -> Events {
        let document = format!(
            "subscription($id: ID!, $after: String) {{ galleryEvents(galleryId: $id, after: $after) {{ {selection} }} }}"
        );
        let variables = json!({ "id": gallery, "after": after });
        let response = self.subscribe(&document, variables).await;
        assert_eq!(response.status(), 200, "{response:?}");
        Events {
            cursor: after.map(str::to_owned),
            ..Events::of(response)
        }
    }

    /// Follows a gallery at a server that may be down: none then, and none where it refuses.
    pub async fn try_follow(&self, gallery: &str, after: &str) -> Option<Events> {
        let document = format!(
            "subscription($id: ID!, $after: String) {{ galleryEvents(galleryId: $id, after: $after) {{ {SELECTION} }} }}"
        );
        let variables = json!({ "id": gallery, "after": after });
        let response = self.try_subscribe(&document, variables).await.ok()?;
        let content_type = response.headers().get("content-type");
        content_type
            .is_some_and(|value| value.as_bytes().starts_with(b"text/event"))
            .then(|| Events::of(response))
    }

    /// The first result of a subscription, or the answer of a request that was refused before it.
    pub async fn first_event(&self, document: &str, variables: Value) -> Value {
        let mut events = match self.try_events(document, variables).await {
            Ok(events) => events,
            Err(answer) => return answer,
        };
        events.next_answer().await.expect("a result")
    }

    /// The events of a subscription, or the answer of a request that was refused before any.
    ///
    /// # Errors
    /// That answer.
    pub async fn try_events(&self, document: &str, variables: Value) -> Result<Events, Value> {
        let response = self.subscribe(document, variables).await;
        let content_type = response.headers().get("content-type");
        if content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/event")) {
            return Ok(Events::of(response));
        }
        Err(response.json().await.expect("JSON"))
    }

    /// Sends a document as GraphQL over SSE does.
    pub async fn subscribe(&self, document: &str, variables: Value) -> reqwest::Response {
        let answer = self.try_subscribe(document, variables).await;
        answer.expect("an answer")
    }

    async fn try_subscribe(
        &self,
        document: &str,
        variables: Value,
    ) -> reqwest::Result<reqwest::Response> {
        let body = json!({ "query": document, "variables": variables });
        let mut request = self
            .http()
            .post(self.endpoint())
            .header("accept", "text/event-stream")
            .json(&body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request.send().await
    }
}

impl Events {
    fn of(response: reqwest::Response) -> Self {
        Self {
            response,
            text: String::new(),
            frames: VecDeque::new(),
            cursor: None,
        }
    }

    /// The next event; none at the end of the stream.
    pub async fn next(&mut self) -> Option<Value> {
        let mut answer = self.next_answer().await?;
        assert!(answer["errors"].is_null(), "{answer:#}");
        let event = answer["data"]["galleryEvents"].take();
        self.cursor = Some(text(&event["cursor"]));
        Some(event)
    }

    /// The next result, which must be an error: its code. The stream ends after it.
    pub async fn error_code(&mut self) -> String {
        let answer = self.next_answer().await.expect("a result");
        let code = text(&answer["errors"][0]["extensions"]["code"]);
        let more = self.next_answer().await;
        assert!(more.is_none(), "{more:?} after {answer:#}");
        code
    }

    /// Events until one of this type, that one included.
    pub async fn until(&mut self, type_name: &str) -> Vec<Value> {
        self.until_some(|event| event["__typename"] == type_name)
            .await
    }

    /// Events until one that `ends`, that one included.
    pub async fn until_some(&mut self, ends: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.next().await;
            let event = event.unwrap_or_else(|| panic!("ended after {events:#?}"));
            let end = ends(&event);
            events.push(event);
            if end {
                return events;
            }
        }
    }

    /// The next result, an error or not; none at the end of the stream.
    pub async fn next_answer(&mut self) -> Option<Value> {
        loop {
            match self.frames.pop_front() {
                Some((event, data)) if event == "next" => {
                    return Some(serde_json::from_str(&data).expect("JSON"));
                }
                Some((event, _)) if event == "complete" => return None,
                Some((event, data)) => panic!("unexpected frame {event}: {data}"),
                None => self.read().await?,
            }
        }
    }

    /// Reads on until there is a frame; none where the server hangs up.
    async fn read(&mut self) -> Option<()> {
        while self.frames.is_empty() {
            let chunk = self.response.chunk().await.ok().flatten()?;
            self.text.push_str(std::str::from_utf8(&chunk).ok()?);
            while let Some((frame, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = frame.lines().find_map(|line| line.strip_prefix(name));
                    line.map(|value| value.trim_start().to_owned())
                };
                // What has no event is a comment that keeps the connection alive.
                if let Some(event) = field("event:") {
                    let data = field("data:").unwrap_or_default();
                    self.frames.push_back((event, data));
                }
                self.text = rest.to_owned();
            }
        }
        Some(())
    }
}
