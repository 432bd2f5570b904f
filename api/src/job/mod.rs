//! The queue and its worker.
//!
//! A job names a kind and a subject (an id); at most one job stands per pair. Asking again for one
//! that stands raises its generation, and a worker that finishes an older generation puts the job
//! back instead of deleting it: no wake-up is lost, and two workers never run one subject at once.
//! What a job did is written in the transaction that also finishes its lease: a worker that lost
//! its lease writes nothing.

use std::time::Duration;

use async_trait::async_trait;
use entity::{JobId, Timestamp};
use sea_orm::DbErr;
use uuid::Uuid;

use crate::error::Error;

pub mod census;
pub mod queue;
pub mod worker;

#[cfg(test)]
pub(crate) mod tests;

pub use worker::WakeUp;

/// A request for a job.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Which handler.
    pub kind: &'static str,
    /// About what, usually an id.
    pub subject: String,
    /// Larger runs earlier among the jobs that are due.
    pub priority: i32,
    /// Not before this much time has passed.
    pub delay: Duration,
}

/// A job in the hands of a worker.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The job.
    pub id: JobId,
    /// Proof of holding it.
    pub token: Uuid,
    /// Generation that was claimed.
    pub generation: i32,
    /// Which handler.
    pub kind: String,
    /// About what.
    pub subject: String,
    /// Where the run before [left off](queue::remember).
    pub place: Option<String>,
    /// Attempts, this one counted.
    pub attempts: i32,
    /// Attempts allowed.
    pub max_attempts: i32,
    /// How long the job is held without a sign of life.
    pub seconds: i64,
}

impl Lease {
    /// Whether the attempts were spent before this claim: nothing is left but to give up. So a job
    /// that kills its worker ends too.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.attempts > self.max_attempts
    }

    /// Where the lease ends when it is extended at `now`.
    #[must_use]
    pub fn until(&self, now: Timestamp) -> Timestamp {
        now.plus_seconds(self.seconds)
    }
}

/// How a run ended, if not in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is left to do; the worker finishes the lease.
    Done,
    /// The handler finished its lease itself (`queue::finish`), in the transaction of its result.
    Finished,
    /// Not yet: run again after this long, without counting this attempt.
    Again(Duration),
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// May work later: tried again after `after`, or a back-off that doubles with each attempt.
    #[error("{error:#}")]
    Retry {
        /// Why.
        error: anyhow::Error,
        /// When; none: the back-off decides.
        after: Option<Duration>,
    },
    /// Never works: buried at once.
    #[error("{0:#}")]
    Fail(anyhow::Error),
    /// Another worker has the job: what was done is rolled back.
    #[error("the lease was lost")]
    LeaseLost,
}

impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        Self::Retry {
            error: error.into(),
            after: None,
        }
    }
}

impl From<DbErr> for JobError {
    fn from(error: DbErr) -> Self {
        Self::Retry {
            error: error.into(),
            after: None,
        }
    }
}

impl JobError {
    /// What a service answers that does within a request what jobs do too.
    #[must_use]
    pub fn into_error(self) -> Error {
        let error = match self {
            Self::Retry { error, .. } | Self::Fail(error) => error,
            Self::LeaseLost => return Error::internal("the lease was lost"),
        };
        error
            .downcast::<Error>()
            .or_else(|error| error.downcast::<DbErr>().map(Error::from))
            .unwrap_or_else(Error::Internal)
    }
}

/// Runs the jobs of one kind. Running a job twice must change nothing.
#[async_trait]
pub trait Handler: Send + Sync {
    /// The kind.
    fn kind(&self) -> &'static str;

    /// Looks at the subject, does what is still missing, records it.
    async fn run(&self, lease: &Lease) -> Result<Outcome, JobError>;

    /// Called when the job is given up (attempts spent, or [`JobError::Fail`]), before it is buried:
    /// records the failure where users see it.
    async fn given_up(&self, lease: &Lease, error: &str) -> Result<(), JobError>;
}
