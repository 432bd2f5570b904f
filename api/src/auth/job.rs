//! The sweep that deletes refresh tokens whose time is over.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::service::AuthService;
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Result;
use crate::job::{Handler, JobError, Lease, NewJob, Outcome, queue};

/// Kind of the job; there is one for all accounts.
pub const SWEEP_TOKENS: &str = "sweep_tokens";
const SUBJECT: &str = "all";
const EVERY: Duration = Duration::from_secs(24 * 3_600);
const BATCH: u64 = 1_000;
/// Batches of one run: a lease is not held for ever, and other jobs get their turn.
const BATCHES_PER_RUN: usize = 10;

/// Deletes refresh tokens that have ended. Until then used ones stay: they show a theft.
#[derive(Debug)]
pub struct SweepTokens {
    /// Accounts and sessions.
    pub auth: Arc<AuthService>,
}

/// Asks for the job; call it whenever a process starts. It keeps itself alive.
///
/// # Errors
/// The database's.
pub async fn schedule(db: &Db, clock: &Clock) -> Result<()> {
    let transaction = db.begin().await?;
    let job = NewJob {
        kind: SWEEP_TOKENS,
        subject: SUBJECT.to_owned(),
        priority: -20,
        delay: Duration::ZERO,
    };
    queue::enqueue(&*transaction, clock, job).await?;
    Ok(transaction.commit().await?)
}

#[async_trait]
impl Handler for SweepTokens {
    fn kind(&self) -> &'static str {
        SWEEP_TOKENS
    }

    async fn run(&self, _lease: &Lease) -> Result<Outcome, JobError> {
        for _ in 0..BATCHES_PER_RUN {
            if self.auth.purge_expired(BATCH).await? < BATCH {
                return Ok(Outcome::Again(EVERY));
            }
        }
        Ok(Outcome::Again(Duration::from_secs(1)))
    }

    async fn given_up(&self, _lease: &Lease, error: &str) -> Result<(), JobError> {
        tracing::error!(error, "ended refresh tokens are kept until the next start");
        Ok(())
    }
}
