//! GraphQL over server-sent events, in the mode of distinct connections: an answer is an event
//! `next`, the end of all answers an event `complete`.
//!
//! What is wrong with the document comes as `next`, too, as the protocol wants it: a browser's
//! `EventSource` shows no page the body of a refused request.

use std::convert::Infallible;

use async_graphql::parser::types::OperationType;
use axum::body::{Body, Bytes};
use axum::response::Response;
use entity::Timestamp;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use serde::Serialize;

use super::accept::Media;
use super::live::Place;
use super::{Errors, Shared};
use crate::auth::{Access, ClientAddress};
use crate::clock::Clock;
use crate::graphql::execute::{Answer, Prepared};
use crate::graphql::problem::{self, Problem};

/// Silence after which a comment shows that the connection lives: proxies close one that is silent
/// for a minute, some after 15 seconds.
const KEEP_ALIVE_SECONDS: i64 = 12;
/// A comment. The first one sends the headers on their way: some browsers wait for a body.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");
/// With an empty line of data, without which browsers drop an event.
const COMPLETE: Bytes = Bytes::from_static(b"event: complete\ndata:\n\n");

/// Streams the answers of a document, or why it does not run.
pub(super) fn respond(
    shared: &Shared,
    prepared: Result<Prepared, Problem>,
    access: Access,
    address: Option<ClientAddress>,
    place: Place,
) -> Response {
    let mut lasts = false;
    let answers = match prepared {
        Ok(prepared) => {
            lasts = prepared.operation == OperationType::Subscription;
            shared.executor.stream(prepared, access.viewer, address)
        }
        Err(problem) => {
            let refused = Answer::Refused(vec![problem::error(problem)]);
            stream::once(std::future::ready(refused)).boxed()
        }
    };
    let events = Events {
        answers,
        until: access.until,
        clock: shared.clock.clone(),
        place,
        lasts,
        next: Next::Headers,
    };
    let mut response = Response::new(Body::from_stream(stream::unfold(events, Events::next)));
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static(Media::Events.content_type());
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // nginx holds answers back until a buffer is full.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    headers.insert(unbuffered, HeaderValue::from_static("no"));
    response
}

/// What comes next on a stream.
enum Next {
    Headers,
    Answer,
    Complete,
    End,
}

struct Events {
    answers: BoxStream<'static, Answer>,
    /// When the access token ends.
    until: Option<Timestamp>,
    clock: Clock,
    place: Place,
    /// A query or mutation that began is let finish, as over plain HTTP.
    lasts: bool,
    next: Next,
}

impl Events {
    /// Called when the client has taken the last one: nothing piles up.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let bytes = match self.next {
            Next::Headers => {
                self.next = Next::Answer;
                COMMENT
            }
            Next::Answer => self.answer().await?,
            Next::Complete => self.complete(),
            Next::End => return None,
        };
        Some((Ok(bytes), self))
    }

    fn complete(&mut self) -> Bytes {
        self.next = Next::End;
        COMPLETE
    }

    /// None to end without `complete`, so that the client connects again: to another process.
    async fn answer(&mut self) -> Option<Bytes> {
        let silence = self.clock.now().plus_seconds(KEEP_ALIVE_SECONDS);
        let until = self
            .until
            .filter(|_| self.lasts)
            .unwrap_or(Timestamp(i64::MAX));
        tokio::select! {
            answer = self.answers.next() => Some(match answer {
                Some(answer) => next(answer),
                None => self.complete(),
            }),
            () = self.clock.reach(until) => {
                self.next = Next::Complete;
                Some(next(Answer::Refused(vec![problem::error(Problem::unauthenticated())])))
            }
            () = self.place.stopping(), if self.lasts => None,
            () = self.clock.reach(silence) => Some(COMMENT),
        }
    }
}

fn next(answer: Answer) -> Bytes {
    match answer {
        Answer::Executed(response) => event(&response),
        Answer::Refused(errors) => event(&Errors { errors }),
        Answer::TimedOut(error) => event(&Errors {
            errors: vec![error],
        }),
    }
}

/// JSON as we write it has no line break, which would end an event's data.
fn event(answer: &impl Serialize) -> Bytes {
    let mut bytes = Vec::from(*b"event: next\ndata: ");
    if let Err(error) = serde_json::to_writer(&mut bytes, answer) {
        tracing::error!(%error, "an answer cannot be written as JSON");
        return Bytes::new();
    }
    bytes.extend(b"\n\n");
    bytes.into()
}
