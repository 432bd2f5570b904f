//! One span and one log line a request. Neither holds a header, a body or a query string: tokens,
//! e-mail addresses and signed URLs stay out of the log.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use http::header::{
    CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use tracing::Instrument as _;

use super::Shared;
use crate::telemetry;

/// Header that carries the id of a request, in both directions.
pub(super) const REQUEST_ID: &str = "x-request-id";
/// Longest id that is taken over from a client.
const MAX_ID_BYTES: usize = 64;
/// Of answers that are for programs.
const NO_CONTENT: &str = "default-src 'none'; frame-ancestors 'none'";

/// Gives each request an id and a span.
pub(super) async fn trace(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let id = match request.headers().get(REQUEST_ID) {
        Some(id) if is_id(id.as_bytes()) => id.clone(),
        _ => new_id(&shared),
    };
    // The route, not the path: a path of no route of ours is text of a stranger.
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("none", MatchedPath::as_str);
    // Of the highest level, so that no filter leaves lines without their request.
    let span = tracing::error_span!(
        "request",
        request_id = id.to_str().unwrap_or_default(),
        method = %request.method(),
        route,
        status = tracing::field::Empty,
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
    );
    telemetry::continue_trace(&span, request.headers());
    let is_probe = route.starts_with("/health/");
    let began = std::time::Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status().as_u16();
    span.record("status", status);
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    let microseconds = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    span.in_scope(|| {
        if is_probe {
            tracing::debug!(status, microseconds, "answered");
        } else {
            tracing::info!(status, microseconds, "answered");
        }
    });
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // GraphiQL has one of its own; an answer that a browser is led to show may do nothing.
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(NO_CONTENT));
    response
}

/// Whether an id can go into a log line as it is.
fn is_id(id: &[u8]) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

fn new_id(shared: &Shared) -> HeaderValue {
    let id = shared.clock.new_token().to_string();
    HeaderValue::try_from(id).unwrap_or_else(|_| HeaderValue::from_static("-"))
}
