//! `/graphql`: GraphQL over HTTP, as strict as the draft specification and its audits want it.
//!
//! Only POST with `application/json` can write, so no other site's form or image can; a GET can
//! only read. A GET that asks for an upgrade goes to [`super::socket`]; who accepts
//! `text/event-stream` gets [`super::events`].

use std::net::SocketAddr;
use std::sync::Arc;

use async_graphql::Value;
use async_graphql::parser::types::OperationType;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, VARY};
use http::header::{HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use serde::Serialize;

use super::accept::{self, Media};
use super::bodies::Received;
use super::{Errors, Shared, bearer, events, parameters, retry, socket};
use crate::auth::ClientAddress;
use crate::error::UNAVAILABLE_SECONDS;
use crate::graphql::documents::MAX_QUERY_BYTES;
use crate::graphql::execute::{Answer, Parameters};
use crate::graphql::problem::{self, Problem};
use crate::graphql::signature::Signature;

/// Every method of `/graphql`.
pub(super) async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if socket::is_asked_for(&request) {
        return socket::upgrade(shared, request).await;
    }
    let accept = joined(request.headers(), &ACCEPT);
    let mut response = match accept::negotiate(accept.as_deref()) {
        Some(Media::Html) => match (&shared.graphiql, request.method()) {
            (Some(graphiql), &Method::GET) => graphiql.page(),
            _ => not_acceptable(),
        },
        Some(media) => {
            let events = accept::takes_events(accept.as_deref());
            run(&shared, request, media, events).await
        }
        None => not_acceptable(),
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("accept"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn run(shared: &Shared, request: Request, media: Media, events: bool) -> Response {
    let refused = |problem: &Problem| {
        shared.executor.refused(&Signature::unknown(), problem.code);
    };
    let address = address(&request);
    // Before anything is refused: where a body is left unread the connection is closed, and a client
    // that still sends it may see that and not the answer.
    let (parts, body) = request.into_parts();
    let received = shared
        .bodies
        .receive(body, address.map(|from| from.0))
        .await;
    // The place is held until it is answered.
    let Received {
        bytes,
        place: _place,
    } = match received {
        Ok(received) => received,
        Err((status, problem)) => {
            refused(&problem);
            return hung_up(refuse(status, media, problem));
        }
    };
    let access = match bearer::from_headers(&shared.auth, &parts.headers).await {
        Ok(access) => access,
        Err(problem) => {
            refused(&problem);
            return bearer::refuse(media, problem);
        }
    };
    let parameters = match read(&parts, &bytes) {
        Ok(parameters) => parameters,
        Err((status, problem)) => {
            refused(&problem);
            return refuse(status, media, problem);
        }
    };
    drop(bytes);
    let prepared = shared.executor.prepare(parameters);
    if let Ok(prepared) = &prepared
        && parts.method == Method::GET
        && prepared.operation == OperationType::Mutation
    {
        let problem = Problem::bad_request("GET can only run queries and subscriptions: use POST");
        shared.executor.refused(&prepared.signature, problem.code);
        let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, media, problem);
        let allow = HeaderValue::from_static("POST");
        response.headers_mut().insert(ALLOW, allow);
        return response;
    }
    let subscribes = prepared
        .as_ref()
        .is_ok_and(|prepared| prepared.operation == OperationType::Subscription);
    if media == Media::Events || (events && subscribes) {
        return match shared.live.enter(address.map(|from| from.0)) {
            Some(place) => events::respond(shared, prepared, access, address, place),
            None => full(),
        };
    }
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(problem) => {
            let status = match problem.code {
                "BAD_REQUEST" | "QUERY_NOT_TRUSTED" | "QUERY_TOO_COMPLEX" => {
                    StatusCode::BAD_REQUEST
                }
                _ => document_status(media),
            };
            return refuse(status, media, problem);
        }
    };
    if subscribes {
        let problem = Problem::bad_request(
            "a subscription has many answers: send `Accept: text/event-stream`, or use a WebSocket \
             with the subprotocol graphql-transport-ws",
        );
        shared.executor.refused(&prepared.signature, problem.code);
        return refuse(StatusCode::BAD_REQUEST, media, problem);
    }
    match shared
        .executor
        .execute(prepared, access.viewer, address)
        .await
    {
        Answer::Executed(response) => {
            let wait = retry::after(&response.data, &response.errors);
            retry::tell(answer(StatusCode::OK, media, &response), wait)
        }
        Answer::Refused(errors) => answer(document_status(media), media, &Errors { errors }),
        Answer::TimedOut(error) => {
            let errors = vec![error];
            let wait = retry::after(&Value::Null, &errors);
            let response = answer(StatusCode::GATEWAY_TIMEOUT, media, &Errors { errors });
            retry::tell(response, wait)
        }
    }
}

/// Where a request comes from.
pub(super) fn address(request: &Request) -> Option<ClientAddress> {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some(ClientAddress(info.0.ip()))
}

/// Status for a document that cannot run. Clients of `application/json` take everything but 200
/// for something that is no GraphQL answer.
fn document_status(media: Media) -> StatusCode {
    match media {
        Media::GraphqlResponse => StatusCode::BAD_REQUEST,
        Media::Json | Media::Html | Media::Events => StatusCode::OK,
    }
}

fn read(parts: &Parts, body: &Bytes) -> Result<Parameters, (StatusCode, Problem)> {
    let bad = |problem| (StatusCode::BAD_REQUEST, problem);
    let parameters = match parts.method {
        Method::GET => parameters::from_uri(&parts.uri).map_err(bad)?,
        Method::POST => {
            let content_type = joined(&parts.headers, &CONTENT_TYPE);
            if !accept::is_json(content_type.as_deref()) {
                let problem = Problem::bad_request("the body must be application/json in UTF-8");
                return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, problem));
            }
            parameters::from_json(body).map_err(bad)?
        }
        _ => {
            let problem = Problem::bad_request("use POST or GET");
            return Err((StatusCode::METHOD_NOT_ALLOWED, problem));
        }
    };
    if parameters.query.len() > MAX_QUERY_BYTES {
        let problem =
            Problem::bad_request(format!("`query` has more than {MAX_QUERY_BYTES} bytes"));
        return Err((StatusCode::PAYLOAD_TOO_LARGE, problem));
    }
    Ok(parameters)
}

/// An answer to a request that was not read to its end: the connection goes with it.
fn hung_up(mut response: Response) -> Response {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

/// For one connection too many.
pub(super) fn full() -> Response {
    let problem = Problem::unavailable(
        "too many open connections; try again soon",
        UNAVAILABLE_SECONDS,
    );
    refuse(StatusCode::SERVICE_UNAVAILABLE, Media::Json, problem)
}

/// An answer to what was not executed, which tells for how long to wait where that helps.
pub(super) fn refuse(status: StatusCode, media: Media, problem: Problem) -> Response {
    let wait = problem.retry_after_seconds;
    let errors = vec![problem::error(problem)];
    let mut response = answer(status, media, &Errors { errors });
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let allow = HeaderValue::from_static("GET, POST");
        response.headers_mut().insert(ALLOW, allow);
    }
    retry::tell(response, wait)
}

fn not_acceptable() -> Response {
    let problem = Problem::bad_request(
        "answers are application/graphql-response+json, application/json or text/event-stream, \
         in UTF-8",
    );
    refuse(StatusCode::NOT_ACCEPTABLE, Media::Json, problem)
}

fn answer(status: StatusCode, media: Media, body: &impl Serialize) -> Response {
    // What is refused before a stream begins is a plain answer.
    let media = match media {
        Media::Events => Media::Json,
        other => other,
    };
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = status;
            let content_type = HeaderValue::from_static(media.content_type());
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            response
        }
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// All lines of a header as one; none where one is no text.
fn joined(headers: &HeaderMap, name: &http::HeaderName) -> Option<String> {
    let lines: Result<Vec<&str>, _> = headers
        .get_all(name)
        .iter()
        .map(HeaderValue::to_str)
        .collect();
    lines
        .ok()
        .filter(|lines| !lines.is_empty())
        .map(|lines| lines.join(","))
}
