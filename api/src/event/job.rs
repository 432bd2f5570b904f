//! The sweep that forgets old events.

use std::time::Duration;

use async_trait::async_trait;

use super::outbox;
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Result;
use crate::job::{Handler, JobError, Lease, NewJob, Outcome, queue};

/// Kind of the job; there is one for all galleries.
pub const SWEEP_EVENTS: &str = "sweep_events";
const SUBJECT: &str = "all";
const EVERY: Duration = Duration::from_secs(10 * 60);
const BATCH: u64 = 1_000;
/// Batches of one run: a lease is not held for ever, and other jobs get their turn.
const BATCHES_PER_RUN: usize = 10;

/// Forgets events that are older than they are kept for.
#[derive(Debug)]
pub struct SweepEvents {
    /// Database.
    pub db: Db,
    /// Clock.
    pub clock: Clock,
    /// How long events are kept.
    pub retention_seconds: u32,
}

/// Asks for the job; call it whenever a process starts. It keeps itself alive.
///
/// # Errors
/// The database's.
pub async fn schedule(db: &Db, clock: &Clock) -> Result<()> {
    let transaction = db.begin().await?;
    let job = NewJob {
        kind: SWEEP_EVENTS,
        subject: SUBJECT.to_owned(),
        priority: -20,
        delay: Duration::ZERO,
    };
    queue::enqueue(&*transaction, clock, job).await?;
    Ok(transaction.commit().await?)
}

#[async_trait]
impl Handler for SweepEvents {
    fn kind(&self) -> &'static str {
        SWEEP_EVENTS
    }

    async fn run(&self, lease: &Lease) -> Result<Outcome, JobError> {
        let before = self
            .clock
            .now()
            .plus_seconds(-i64::from(self.retention_seconds));
        for _ in 0..BATCHES_PER_RUN {
            let transaction = self.db.begin().await?;
            let forgotten = outbox::forget_before(&*transaction, before, BATCH).await?;
            queue::extend(&*transaction, lease, lease.until(self.clock.now())).await?;
            transaction.commit().await?;
            if (forgotten as u64) < BATCH {
                return Ok(Outcome::Again(EVERY));
            }
        }
        Ok(Outcome::Again(Duration::from_secs(1)))
    }

    async fn given_up(&self, _lease: &Lease, error: &str) -> Result<(), JobError> {
        tracing::error!(error, "old events are kept until the next start");
        Ok(())
    }
}
