//! Errors as the services know them. `graphql::error` decides what of them a client sees.

use std::fmt::Display;

/// What a service can answer instead of a value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody is signed in, or the token is not valid.
    #[error("sign in first")]
    Unauthenticated,
    /// The viewer may see this but not do that.
    #[error("not allowed")]
    Forbidden,
    /// It is not there, or the viewer may not know that it is.
    #[error("not found")]
    NotFound,
    /// Too many requests.
    #[error("too many requests; try again in {retry_after_seconds} s")]
    RateLimited {
        /// Seconds to wait.
        retry_after_seconds: u64,
    },
    /// An argument that no form of this request could carry, such as a forged cursor.
    #[error("{0}")]
    BadUserInput(String),
    /// The events after this cursor are no longer kept.
    #[error(
        "events after this cursor are no longer kept: load the gallery anew, then subscribe without `after`"
    )]
    CursorTooOld,
    /// Something that we need does not answer; trying again later can help.
    #[error("{what} does not answer; try again later")]
    Unavailable {
        /// What does not answer, for people.
        what: &'static str,
        /// Why, for the log.
        #[source]
        source: anyhow::Error,
    },
    /// Expected outcomes that the caller can act on; they end up in `userErrors`.
    #[error("{}", .0.first().map_or("invalid input", |e| e.message.as_str()))]
    User(Vec<UserError>),
    /// Anything else. Clients see an id, the log sees the chain.
    #[error("internal error")]
    Internal(#[source] anyhow::Error),
}

/// How long clients are asked to wait for what does not answer: a restart or a failover is seldom
/// over sooner, and nobody waits much longer than it takes.
pub const UNAVAILABLE_SECONDS: u64 = 5;

/// Shorthand for service results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An internal error with words for the log.
    pub fn internal(message: impl Display) -> Self {
        Self::Internal(anyhow::anyhow!("{message}"))
    }

    /// Seconds after which the same request may work, where waiting helps.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::RateLimited {
                retry_after_seconds,
            } => Some(*retry_after_seconds),
            Self::Unavailable { .. } => Some(UNAVAILABLE_SECONDS),
            _ => None,
        }
    }

    /// Too many attempts: seconds to wait.
    #[must_use]
    pub fn rate_limited(retry_after_seconds: u64) -> Self {
        Self::RateLimited {
            retry_after_seconds,
        }
    }

    /// One expected outcome.
    pub fn user(code: UserErrorCode, field: &[&str], message: impl Into<String>) -> Self {
        Self::User(vec![UserError::new(code, field, message)])
    }

    /// Splits expected outcomes off: `Ok(Err(errors))` goes to `userErrors`, `Err` to the top level.
    pub fn split<T>(result: Result<T>) -> Result<std::result::Result<T, Vec<UserError>>> {
        match result {
            Ok(value) => Ok(Ok(value)),
            Err(Self::User(errors)) => Ok(Err(errors)),
            Err(other) => Err(other),
        }
    }
}

impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        match crate::db::Failure::of(&error) {
            Some(_) => Self::Unavailable {
                what: "the database",
                source: error.into(),
            },
            None => Self::Internal(error.into()),
        }
    }
}

/// An outcome that the caller can act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserError {
    /// What it is.
    pub code: UserErrorCode,
    /// Path to the input field that it is about, for example `["input", "files", "0", "byteSize"]`.
    pub field: Vec<String>,
    /// For people.
    pub message: String,
}

impl UserError {
    /// A new one.
    pub fn new(code: UserErrorCode, field: &[&str], message: impl Into<String>) -> Self {
        Self {
            code,
            field: field.iter().map(ToString::to_string).collect(),
            message: message.into(),
        }
    }
}

/// Codes of expected outcomes. Clients may switch over them: they are never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
