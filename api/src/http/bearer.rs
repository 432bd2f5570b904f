//! Who a bearer token speaks for, on every transport.

use axum::response::Response;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::accept::Media;
use super::graphql;
use crate::auth::Access;
use crate::auth::service::AuthService;
use crate::error::{Error, UNAVAILABLE_SECONDS};
use crate::graphql::problem::Problem;

/// Out of the headers of a request; anonymous without `Authorization`.
pub(super) async fn from_headers(
    auth: &AuthService,
    headers: &HeaderMap,
) -> Result<Access, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(Access::ANONYMOUS),
        (Some(value), None) => from_text(auth, value.to_str().ok()).await,
        // A proxy on the way may have gone by the other one.
        (Some(_), Some(_)) => Err(Problem::unauthenticated()),
    }
}

/// Out of the text of an `Authorization`.
pub(super) async fn from_text(auth: &AuthService, text: Option<&str>) -> Result<Access, Problem> {
    let (scheme, token) = text
        .and_then(|text| text.trim().split_once(' '))
        .ok_or_else(Problem::unauthenticated)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::unauthenticated());
    }
    auth.access_of(token.trim()).await.map_err(problem)
}

fn problem(error: Error) -> Problem {
    match error {
        Error::Unavailable { what, source } => {
            // Whoever could not be reached has said so once; this comes with every request.
            tracing::debug!("a token cannot be verified: {source:#}");
            Problem::unavailable(
                format!("{what} does not answer; try again later"),
                UNAVAILABLE_SECONDS,
            )
        }
        Error::Internal(source) => {
            tracing::error!(code = "INTERNAL", "a token cannot be verified: {source:#}");
            Problem::internal()
        }
        _ => Problem::unauthenticated(),
    }
}

/// The answer to a request whose token does not say who asks.
pub(super) fn refuse(media: Media, problem: Problem) -> Response {
    match problem.code {
        "UNAVAILABLE" => graphql::refuse(StatusCode::SERVICE_UNAVAILABLE, media, problem),
        "INTERNAL" => graphql::refuse(StatusCode::INTERNAL_SERVER_ERROR, media, problem),
        _ => {
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            let mut refused = graphql::refuse(StatusCode::UNAUTHORIZED, media, problem);
            refused.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            refused
        }
    }
}
