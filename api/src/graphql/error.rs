//! The boundary between service errors and GraphQL errors.
//!
//! Resolvers answer [`GraphResult`]: through `?` only [`crate::error::Error`] passes, so that a stray
//! database error cannot reach a client with its text.

use std::sync::Arc;

use async_graphql::resolver_utils::EnumType as _;
use async_graphql::{Enum, ErrorExtensionValues, SimpleObject};

use crate::error::{Error, UserError as ServiceUserError, UserErrorCode as ServiceCode};
use crate::metrics::Metrics;

/// Key in `extensions` of an error after which waiting helps.
pub const RETRY_AFTER_SECONDS: &str = "retryAfterSeconds";

/// What a resolver answers.
pub type GraphResult<T> = Result<T, GraphError>;

/// A top-level error. Deliberately not `Display`: it only becomes text here.
#[derive(Clone, Debug)]
pub struct GraphError(Arc<Error>);

impl From<Error> for GraphError {
    fn from(error: Error) -> Self {
        Self(Arc::new(error))
    }
}

/// What a DataLoader answers: one error for all keys of its batch.
impl From<Arc<Error>> for GraphError {
    fn from(error: Arc<Error>) -> Self {
        Self(error)
    }
}

/// `extensions.code` of a top-level error.
#[must_use]
pub fn code(error: &Error) -> &'static str {
    match error {
        Error::Unauthenticated => "UNAUTHENTICATED",
        Error::Forbidden => "FORBIDDEN",
        Error::NotFound => "NOT_FOUND",
        Error::RateLimited { .. } => "RATE_LIMITED",
        Error::BadUserInput(_) | Error::User(_) => "BAD_USER_INPUT",
        Error::CursorTooOld => "CURSOR_TOO_OLD",
        Error::Unavailable { .. } => "UNAVAILABLE",
        Error::Internal(_) => "INTERNAL",
    }
}

impl From<GraphError> for async_graphql::Error {
    fn from(GraphError(error): GraphError) -> Self {
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", code(&error));
        if let Some(seconds) = error.retry_after_seconds() {
            extensions.set(RETRY_AFTER_SECONDS, seconds);
        }
        // The id joins what the client sees with the chain in the log.
        if let Error::Internal(source) | Error::Unavailable { source, .. } = &*error {
            let id = crate::clock::Clock::system().new_token().to_string();
            tracing::error!(error_id = id, code = code(&error), "{source:#}");
            extensions.set("errorId", id);
        }
        let mut answer = Self::new(error.to_string());
        answer.extensions = Some(extensions);
        answer
    }
}

/// An outcome that the caller can act on.
#[derive(Clone, Debug, SimpleObject)]
pub struct UserError {
    /// What it is; switch over this.
    pub code: UserErrorCode,
    /// Path to the input field that it is about, for example `["input", "files", "0", "byteSize"]`.
    pub field: Vec<String>,
    /// For people.
    pub message: String,
}

tokio::task_local! {
    /// Where the running request counts its expected outcomes.
    static METRICS: Metrics;
}

/// Runs a request whose expected outcomes are counted in `metrics`: they become GraphQL values in
/// one place, below, but in resolvers that have no need to know of metrics.
pub async fn counted<F: Future>(metrics: Metrics, request: F) -> F::Output {
    METRICS.scope(metrics, request).await
}

/// Names of all codes of expected outcomes.
pub fn user_codes() -> impl Iterator<Item = &'static str> {
    UserErrorCode::items().iter().map(|item| item.name)
}

impl From<ServiceUserError> for UserError {
    fn from(error: ServiceUserError) -> Self {
        let code = UserErrorCode::from(error.code);
        let item = UserErrorCode::items()
            .iter()
            .find(|item| item.value == code);
        if let Some(item) = item {
            // Outside of a request nobody counts.
            let _ = METRICS.try_with(|metrics| metrics.user_error(item.name));
        }
        Self {
            code,
            field: error.field,
            message: error.message,
        }
    }
}

/// `userErrors` of a payload.
pub fn user_errors(errors: Vec<ServiceUserError>) -> Vec<UserError> {
    errors.into_iter().map(Into::into).collect()
}

/// What an expected outcome is. Values are never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "ServiceCode")]
pub enum UserErrorCode {
    /// Empty, too long, or otherwise not of the form asked for.
    Invalid,
    /// Somebody has it already, for example an e-mail address.
    Taken,
    /// E-mail address and password do not belong together.
    WrongCredentials,
    /// The refresh token is unknown, used, expired or revoked.
    InvalidRefreshToken,
    /// Accounts are not kept here: an external issuer signs people in.
    SignInElsewhere,
    /// The token of the share link is unknown, or its link expired or revoked.
    InvalidShareToken,
    /// No such user, photo or person that the viewer can see.
    NotFound,
    /// The viewer's role does not allow it.
    Forbidden,
    /// The last owner of a gallery cannot leave or step down.
    LastOwner,
    /// The file is longer than allowed.
    FileTooLarge,
    /// The file is empty.
    FileEmpty,
    /// The declared type is none that we take.
    UnsupportedContentType,
    /// HEIC and HEIF are not decoded yet: send JPEG, PNG or WebP.
    HeicUnsupported,
    /// More files than one call may ask for.
    TooManyFiles,
    /// The gallery or the user has no room left.
    QuotaExceeded,
    /// The same idempotency key came with other files before.
    IdempotencyKeyReused,
    /// The object is not in the store yet: send it, then confirm again.
    NotUploadedYet,
    /// The object in the store is not what was announced.
    UploadMismatch,
    /// The upload's time is over; ask for a new one.
    UploadExpired,
    /// The photo was deleted or its upload cancelled.
    Cancelled,
    /// Not possible in this state, for example cancelling a confirmed upload.
    InvalidState,
}
