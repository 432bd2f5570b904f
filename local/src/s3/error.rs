//! S3 errors that s3s has no name for.

use std::borrow::Cow;

use http::StatusCode;
use s3s::{S3Error, S3ErrorCode};

/// An error with a code of S3's that is not in s3s's list.
pub(super) fn custom(
    code: &'static str,
    status: StatusCode,
    message: impl Into<Cow<'static, str>>,
) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}

/// Something of ours failed. It is told in the log here: what s3s says of it is not shown.
pub(super) fn internal<E>(error: E) -> S3Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    let cause: &dyn std::error::Error = &error;
    tracing::error!(cause, "the local S3 failed");
    S3Error::internal_error(error)
}

/// The disk is full. S3 itself has no such answer; clients try again after any 5xx.
pub(super) fn full() -> S3Error {
    tracing::error!("the disk of the local S3 is full");
    custom(
        "InsufficientStorage",
        StatusCode::INSUFFICIENT_STORAGE,
        "The disk of the local object store is full. Nothing was stored.",
    )
}
