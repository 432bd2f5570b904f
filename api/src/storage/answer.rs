//! S3's errors in our own terms.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use chrono::DateTime;

use super::StorageError;
use crate::clock::Clock;

/// Error codes after which trying again can help (Amazon S3 API reference, "Error responses").
pub(super) fn is_transient(code: &str) -> bool {
    matches!(
        code,
        "InternalError"
            | "OperationAborted"
            | "RequestTimeout"
            | "ServiceUnavailable"
            | "SlowDown"
            | "Throttling"
            | "ThrottlingException"
            | "TooManyRequestsException"
            | "ConditionalRequestConflict"
            // Clocks are set right again.
            | "RequestTimeTooSkewed"
    )
}

/// What became of a call that was not answered with success.
pub(super) fn classify<E>(operation: &'static str, error: SdkError<E>) -> StorageError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let (status, code, skew) = match &error {
        SdkError::ServiceError(context) => {
            let code = context.err().code().map(str::to_owned);
            let skew = skew(context.raw(), code.as_deref());
            (context.raw().status().as_u16(), code, skew)
        }
        SdkError::ConstructionFailure(_) => (400, None, None),
        // Time-outs, no connection, an answer that ends early.
        _ => (503, None, None),
    };
    let code = code.as_deref();
    // HEAD has no body and so no code: there a missing bucket looks like a missing object.
    if code == Some("NoSuchKey") || (status == 404 && code != Some("NoSuchBucket")) {
        return StorageError::NotFound;
    }
    let error = anyhow::Error::new(error).context(operation);
    if let Some(seconds) = skew {
        return StorageError::Unavailable(error.context(format!(
            "this machine's clock is {} s {} the object store's, which refuses our signatures for \
             it: set it right (NTP)",
            seconds.unsigned_abs(),
            if seconds > 0 { "ahead of" } else { "behind" },
        )));
    }
    let transient = status == 429 || status >= 500 || code.is_some_and(is_transient);
    if transient {
        StorageError::Unavailable(error)
    } else {
        StorageError::Refused(error)
    }
}

/// Seconds by which signatures may differ from S3's time ("RequestTimeTooSkewed": 15 minutes), less
/// a minute for what the answer's own way took.
const SKEW_SECONDS: i64 = 14 * 60;

/// How far this machine's clock is ahead of the store's where that is why it refuses us. The answer
/// to a HEAD says no more than 403: there the difference alone must tell.
fn skew(answer: &HttpResponse, code: Option<&str>) -> Option<i64> {
    if answer.status().as_u16() != 403 {
        return None;
    }
    let date = DateTime::parse_from_rfc2822(answer.headers().get("date")?).ok()?;
    let ahead = Clock::system().now().0 / 1_000_000 - date.timestamp();
    match code {
        Some("RequestTimeTooSkewed") => Some(ahead),
        None if ahead.abs() >= SKEW_SECONDS => Some(ahead),
        _ => None,
    }
}
