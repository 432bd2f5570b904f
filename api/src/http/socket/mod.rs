//! GraphQL over WebSocket: `GET /graphql` with the subprotocol graphql-transport-ws.
//!
//! No `Origin` is asked for. A browser lets any page open a socket, but sends nothing along that
//! would say who the user is: the token comes in `connection_init`, from a page that has it.

mod connection;
mod operations;
mod protocol;
mod session;

use std::sync::Arc;

use axum::extract::{FromRequestParts as _, Request, WebSocketUpgrade};
use axum::response::Response;
use http::header::UPGRADE;
use http::{Method, StatusCode};
use tracing::Instrument as _;

use super::accept::Media;
use super::{Shared, bearer, graphql};
use crate::graphql::problem::Problem;
use protocol::SUBPROTOCOL;
use session::Session;

/// Longest message in bytes. A client may keep half of one here for as long as it likes, and there are many
/// sockets; what has longer variables goes by POST, which has a limit of time.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Memory that each socket takes for reading from the start; a longer message takes more.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// Whether a request wants to become a socket.
pub(super) fn is_asked_for(request: &Request) -> bool {
    request.method() == Method::GET
        && request
            .headers()
            .get(UPGRADE)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Makes a request a socket.
pub(super) async fn upgrade(shared: Arc<Shared>, request: Request) -> Response {
    let refuse = |problem| graphql::refuse(StatusCode::BAD_REQUEST, Media::Json, problem);
    let address = graphql::address(&request);
    let (mut parts, _) = request.into_parts();
    let access = match bearer::from_headers(&shared.auth, &parts.headers).await {
        Ok(access) => access,
        Err(problem) => return bearer::refuse(Media::Json, problem),
    };
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade.protocols([SUBPROTOCOL]),
        Err(rejection) => return refuse(Problem::bad_request(rejection.body_text())),
    };
    // Refused rather than closed with 4406: a client that speaks another protocol would not
    // understand that code either.
    if upgrade.selected_protocol().is_none() {
        let problem = format!("the WebSocket subprotocol must be {SUBPROTOCOL}");
        return refuse(Problem::bad_request(problem));
    }
    let Some(place) = shared.live.enter(address.map(|from| from.0)) else {
        return graphql::full();
    };
    let clock = shared.clock.clone();
    let session = Session::new(shared, address, access);
    let span = tracing::Span::current();
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .on_upgrade(move |socket| connection::run(socket, session, clock, place).instrument(span))
}
