//! Why a request is refused before anything of it is executed, as clients see it.

use async_graphql::{ErrorExtensionValues, ServerError};
pub use wire::problem::{Problem, clip};

use super::cost;
use super::error::RETRY_AFTER_SECONDS;

/// The error of an answer.
#[must_use]
pub fn error(problem: Problem) -> ServerError {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", problem.code);
    if let Some(seconds) = problem.retry_after_seconds {
        extensions.set(RETRY_AFTER_SECONDS, seconds);
    }
    if let Some(found) = &problem.cost {
        extensions.set(cost::KEY, cost::told(found));
    }
    let mut error = ServerError::new(problem.message, None);
    error.locations = problem.locations;
    error.extensions = Some(extensions);
    error
}
