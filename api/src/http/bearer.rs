//! Who a bearer token speaks for, on every transport.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::auth::Access;
use crate::auth::service::AuthService;
use crate::graphql::problem::Problem;

/// Out of the headers of a request; anonymous without `Authorization`.
pub(super) fn from_headers(auth: &AuthService, headers: &HeaderMap) -> Result<Access, Problem> {
    match headers.get(AUTHORIZATION) {
        None => Ok(Access::ANONYMOUS),
        Some(value) => from_text(auth, value.to_str().ok()),
    }
}

/// Out of the text of an `Authorization`.
pub(super) fn from_text(auth: &AuthService, text: Option<&str>) -> Result<Access, Problem> {
    let (scheme, token) = text
        .and_then(|text| text.trim().split_once(' '))
        .ok_or_else(Problem::unauthenticated)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::unauthenticated());
    }
    auth.access_of(token.trim())
        .map_err(|_| Problem::unauthenticated())
}
