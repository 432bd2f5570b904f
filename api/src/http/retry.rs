//! `Retry-After`: for HTTP clients and proxies, which do not read `extensions`.

use async_graphql::{ServerError, Value};
use axum::response::Response;
use http::HeaderValue;
use http::header::RETRY_AFTER;

use crate::graphql::error::RETRY_AFTER_SECONDS;

/// Seconds to wait where nothing of an answer is of use and all of it may work later. What is
/// there besides the errors was worth asking for: no header then.
pub(super) fn after(data: &Value, errors: &[ServerError]) -> Option<u64> {
    let empty = match data {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(|value| *value == Value::Null),
        _ => false,
    };
    if !empty {
        return None;
    }
    let waits: Option<Vec<u64>> = errors.iter().map(seconds).collect();
    waits?.into_iter().max()
}

fn seconds(error: &ServerError) -> Option<u64> {
    match error.extensions.as_ref()?.get(RETRY_AFTER_SECONDS)? {
        Value::Number(number) => number.as_u64(),
        _ => None,
    }
}

/// The answer with its header.
pub(super) fn tell(mut response: Response, seconds: Option<u64>) -> Response {
    if let Some(seconds) = seconds {
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::graphql::error::GraphError;

    fn error(error: Error) -> ServerError {
        let error: async_graphql::Error = GraphError::from(error).into();
        error.into_server_error(async_graphql::Pos::default())
    }

    fn unavailable() -> ServerError {
        error(Error::Unavailable {
            what: "the database",
            source: anyhow::anyhow!("no"),
        })
    }

    #[test]
    fn the_longest_wait_of_an_answer_that_is_all_error() {
        let limited = error(Error::RateLimited {
            retry_after_seconds: 40,
        });
        let nothing = async_graphql::value!({ "a": null, "b": null });
        assert_eq!(after(&Value::Null, &[unavailable()]), Some(5));
        assert_eq!(after(&nothing, &[unavailable(), limited]), Some(40));
    }

    #[test]
    fn no_wait_where_something_came_or_waiting_does_not_help() {
        let some = async_graphql::value!({ "a": 1, "b": null });
        assert_eq!(after(&some, &[unavailable()]), None);
        let errors = [unavailable(), error(Error::NotFound)];
        assert_eq!(after(&Value::Null, &errors), None);
        assert_eq!(after(&Value::Null, &[]), None);
    }
}
