//! Putting jobs in and taking them out.

use entity::Timestamp;
use sea_orm::ConnectionTrait;

use super::{JobError, Lease, NewJob};
use crate::clock::Clock;
use crate::error::Result;

/// Asks for a job within the caller's transaction. One that stands already is raised by a
/// generation, made due at the earlier of both times unless leased, and dug up if buried.
///
/// # Errors
/// The database's.
pub async fn enqueue(
    _connection: &impl ConnectionTrait,
    _clock: &Clock,
    _job: NewJob,
) -> Result<()> {
    todo!()
}

/// Finishes the lease within the transaction that holds the job's result: deletes the job, or puts
/// it back where a later generation was asked for meanwhile.
///
/// # Errors
/// [`JobError::LeaseLost`] where somebody else holds the job: roll back.
pub async fn finish(
    _connection: &impl ConnectionTrait,
    _lease: &Lease,
    _now: Timestamp,
) -> Result<(), JobError> {
    todo!()
}

/// Proves within a transaction that the lease still holds and extends it, for jobs that commit
/// several times.
///
/// # Errors
/// [`JobError::LeaseLost`].
pub async fn extend(
    _connection: &impl ConnectionTrait,
    _lease: &Lease,
    _until: Timestamp,
) -> Result<(), JobError> {
    todo!()
}
