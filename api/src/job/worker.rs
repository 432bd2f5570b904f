//! The worker: claims jobs, runs their handlers, keeps their leases alive, settles them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, RwLock};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{Handler, JobError, Lease, Outcome, queue};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::metrics::{Metrics, RunOutcome};

/// How often an idle worker looks for jobs that other processes put in.
const POLL: Duration = Duration::from_millis(500);

/// Longest wait for a claim.
const PATIENCE: Duration = Duration::from_secs(20);

/// Claims after the attempts are spent before the job is buried even though its handler never
/// managed to record that it was given up.
const FAREWELLS: i32 = 3;

/// Wakes the workers of this process up. Poke it after the commit of a transaction that enqueued:
/// without it the job waits for the next poll. Cheap to clone and to poke.
#[derive(Clone, Debug, Default)]
pub struct WakeUp(Arc<Notify>);

impl WakeUp {
    /// Makes a waiting worker look for jobs now.
    pub fn poke(&self) {
        self.0.notify_one();
    }
}

/// How a [`Worker`] works.
#[derive(Clone, Copy, Debug)]
pub struct WorkerSettings {
    /// Jobs at a time, at least 1.
    pub concurrency: usize,
    /// Seconds a job is held without a sign of life.
    pub lease_seconds: u32,
    /// Attempts before a job is given up.
    pub max_attempts: u32,
    /// How long running jobs may go on after the shutdown began.
    pub grace: Duration,
}

/// Runs jobs. Any number of workers in any number of processes may share a database.
#[derive(Clone)]
pub struct Worker(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Clock,
    handlers: Vec<Arc<dyn Handler>>,
    kinds: Vec<&'static str>,
    wake_up: WakeUp,
    settings: WorkerSettings,
    metrics: Metrics,
    /// Held for reading by every job that runs; for writing by one that a worker died with before,
    /// so that, should it happen again, no other job is suspected.
    company: Arc<RwLock<()>>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("kinds", &self.0.kinds)
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}

/// What came of one claimed job.
enum Ending {
    /// The handler came back, or panicked.
    Ran(Result<Outcome, JobError>),
    /// Another worker may have the job: nothing of it is ours to settle.
    Lost,
    /// Stopped by the shutdown.
    Stopped,
}

impl Worker {
    /// A worker for the kinds of these handlers.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        handlers: Vec<Arc<dyn Handler>>,
        wake_up: WakeUp,
        settings: WorkerSettings,
    ) -> Self {
        let metrics = Metrics::new();
        Self::measured(db, clock, handlers, wake_up, settings, metrics)
    }

    /// A worker whose runs count in `metrics`.
    #[must_use]
    pub fn measured(
        db: Db,
        clock: Clock,
        handlers: Vec<Arc<dyn Handler>>,
        wake_up: WakeUp,
        settings: WorkerSettings,
        metrics: Metrics,
    ) -> Self {
        let kinds = handlers.iter().map(|handler| handler.kind()).collect();
        Self(Arc::new(Inner {
            db,
            clock,
            handlers,
            kinds,
            wake_up,
            settings,
            metrics,
            company: Arc::default(),
        }))
    }

    /// The kinds of jobs that it runs.
    #[must_use]
    pub fn kinds(&self) -> &[&'static str] {
        &self.0.kinds
    }

    /// Works until `shutdown` is cancelled; then claims no more, lets running jobs go on for the
    /// grace period, stops the rest and gives their leases back.
    pub async fn run(&self, shutdown: CancellationToken) {
        let concurrency = self.0.settings.concurrency;
        tracing::info!(concurrency, "the worker starts");
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        let mut alone: Option<AbortHandle> = None;
        while !shutdown.is_cancelled() {
            while running.len() < self.0.settings.concurrency.max(1)
                && alone.as_ref().is_none_or(AbortHandle::is_finished)
                && !shutdown.is_cancelled()
            {
                match self.claim().await {
                    // The signal came while this was claimed.
                    Ok(Some(lease)) if shutdown.is_cancelled() => {
                        if let Err(error) = self.release(&lease).await {
                            tracing::warn!(kind = lease.kind, %error, "not given back");
                        }
                    }
                    Ok(Some(lease)) => {
                        let suspect = lease.crashes > 0;
                        let (worker, stop) = (self.clone(), stop.clone());
                        let task = running.spawn(async move { worker.work(lease, stop).await });
                        alone = suspect.then_some(task);
                    }
                    Ok(None) => break,
                    Err(error) => {
                        tracing::warn!(error = %Chain(&error), "jobs cannot be claimed");
                        break;
                    }
                }
            }
            // A poke while all hands are busy stays stored and is found at the next round.
            tokio::select! {
                () = shutdown.cancelled() => {}
                Some(_) = running.join_next(), if !running.is_empty() => {}
                () = self.0.wake_up.0.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        let all = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(self.0.settings.grace, all)
            .await
            .is_err()
        {
            tracing::warn!(
                jobs = running.len(),
                "the grace period is over: jobs are given back"
            );
            stop.cancel();
            while running.join_next().await.is_some() {}
        }
        tracing::info!("the worker has stopped");
    }

    /// Runs every job that is due by the clock, one after another, until none is. Answers how many
    /// runs there were.
    ///
    /// # Errors
    /// The database's.
    pub async fn run_until_idle(&self) -> Result<usize> {
        let mut runs = 0;
        while self.run_one().await? {
            runs += 1;
        }
        Ok(runs)
    }

    /// Runs the next job that is due by the clock, if there is one; answers whether there was.
    ///
    /// # Errors
    /// The database's.
    pub async fn run_one(&self) -> Result<bool> {
        let Some(lease) = self.claim().await? else {
            return Ok(false);
        };
        self.work(lease, CancellationToken::new()).await;
        Ok(true)
    }

    async fn claim(&self) -> Result<Option<Lease>> {
        let Inner {
            db,
            clock,
            kinds,
            settings,
            ..
        } = &*self.0;
        let max_attempts = i32::try_from(settings.max_attempts).unwrap_or(i32::MAX);
        let lease_seconds = i64::from(settings.lease_seconds);
        let claim = queue::claim(db, clock, kinds, lease_seconds, max_attempts);
        in_time(PATIENCE, claim).await
    }

    /// Runs a job within its span: every line that it logs carries whose it is.
    async fn work(&self, lease: Lease, stop: CancellationToken) {
        // Of the highest level, so that no filter leaves lines without their job.
        let span = tracing::error_span!(
            "job",
            job_id = %lease.id,
            kind = lease.kind,
            subject = lease.subject,
            attempt = lease.attempts,
        );
        self.work_in_span(lease, stop).instrument(span).await;
    }

    async fn work_in_span(&self, lease: Lease, stop: CancellationToken) {
        let began = Instant::now();
        let handler = self
            .0
            .handlers
            .iter()
            .find(|handler| handler.kind() == lease.kind);
        // Only kinds with a handler are claimed.
        let Some(handler) = handler.map(Arc::clone) else {
            return;
        };
        let ending = if lease.is_spent() {
            Ending::Ran(Err(JobError::Fail(anyhow::anyhow!(
                "its last attempt never came back"
            ))))
        } else {
            let (handler, lease) = (Arc::clone(&handler), lease.clone());
            let job = lease.clone();
            let company = Arc::clone(&self.0.company);
            let run = async move {
                if job.crashes > 0 {
                    let _alone = company.write().await;
                    handler.run(&job).await
                } else {
                    let _together = company.read().await;
                    handler.run(&job).await
                }
            };
            let task = tokio::spawn(run.in_current_span());
            self.watch(task, &lease, &stop).await
        };
        let settled = match ending {
            Ending::Ran(result) => self.settle(&*handler, &lease, result).await,
            Ending::Stopped => self.release(&lease).await,
            Ending::Lost => Err(JobError::LeaseLost),
        };
        let outcome = match settled {
            Ok(outcome) => outcome,
            Err(JobError::LeaseLost) => {
                tracing::warn!(kind = lease.kind, subject = lease.subject, "lease lost");
                RunOutcome::Lost
            }
            // The lease runs out and the job comes back.
            Err(error) => {
                tracing::error!(kind = lease.kind, subject = lease.subject, %error, "not settled");
                RunOutcome::Lost
            }
        };
        let metrics = &self.0.metrics;
        metrics.job_run(handler.kind(), outcome, began.elapsed());
    }

    /// Waits for the handler, extending the lease meanwhile; stops the handler where the lease is
    /// lost or the worker must stop.
    async fn watch(
        &self,
        mut task: JoinHandle<Result<Outcome, JobError>>,
        lease: &Lease,
        stop: &CancellationToken,
    ) -> Ending {
        let third = Duration::from_secs(u64::from(self.0.settings.lease_seconds)) / 3;
        let mut beat = tokio::time::interval_at(Instant::now() + third, third);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut alive = Instant::now();
        loop {
            tokio::select! {
                biased;
                result = &mut task => return Ending::Ran(result.unwrap_or_else(|error| {
                    // A panic must not take the worker down, nor repeat for ever: it counts as a
                    // failed attempt.
                    Err(retry(anyhow::anyhow!("the handler panicked: {error}")))
                })),
                () = stop.cancelled() => {
                    task.abort();
                    // Until it is really gone it could still commit.
                    return match task.await {
                        Ok(result) => Ending::Ran(result),
                        Err(_) => Ending::Stopped,
                    };
                }
                // A database that neither answers nor refuses must not keep us from noticing that the
                // lease has run out.
                _ = beat.tick() => match in_time(third, self.extend(lease)).await {
                    Ok(()) => alive = Instant::now(),
                    // The handler may just have finished its lease itself.
                    Err(JobError::LeaseLost) if task.is_finished() => {}
                    Err(JobError::LeaseLost) => {
                        task.abort();
                        return match task.await {
                            Ok(result) => Ending::Ran(result),
                            Err(_) => Ending::Lost,
                        };
                    }
                    Err(error) => {
                        tracing::warn!(kind = lease.kind, %error, "no heartbeat");
                        if alive.elapsed() > third * 3 {
                            task.abort();
                            return Ending::Lost;
                        }
                    }
                },
            }
        }
    }

    async fn extend(&self, lease: &Lease) -> Result<(), JobError> {
        let transaction = self.0.db.begin().await?;
        queue::extend(&*transaction, lease, lease.until(self.0.clock.now())).await?;
        Ok(transaction.commit().await?)
    }

    async fn release(&self, lease: &Lease) -> Result<RunOutcome, JobError> {
        let transaction = self.0.db.begin().await?;
        queue::again(&*transaction, lease, self.0.clock.now()).await?;
        transaction.commit().await?;
        Ok(RunOutcome::Released)
    }

    async fn settle(
        &self,
        handler: &dyn Handler,
        lease: &Lease,
        result: Result<Outcome, JobError>,
    ) -> Result<RunOutcome, JobError> {
        let now = self.0.clock.now();
        let later = |after: Duration| entity::Timestamp(now.0 + queue::micros(after));
        let (error, after) = match result {
            Ok(Outcome::Finished) => return Ok(RunOutcome::Done),
            Ok(Outcome::Done) => {
                let transaction = self.0.db.begin().await?;
                queue::finish(&*transaction, lease, now).await?;
                transaction.commit().await?;
                return Ok(RunOutcome::Done);
            }
            Ok(Outcome::Again(after)) => {
                let transaction = self.0.db.begin().await?;
                queue::again(&*transaction, lease, later(after)).await?;
                transaction.commit().await?;
                return Ok(RunOutcome::Again);
            }
            Err(JobError::LeaseLost) => return Err(JobError::LeaseLost),
            Err(JobError::Fail(error)) => (error, None),
            Err(JobError::Retry { error, after }) => {
                let after = after
                    .unwrap_or_else(|| queue::backoff(lease.attempts, self.0.clock.random_share()));
                (
                    error,
                    (lease.attempts < lease.max_attempts).then_some(after),
                )
            }
        };
        let text = format!("{error:#}");
        tracing::warn!(
            kind = lease.kind,
            subject = lease.subject,
            attempt = lease.attempts,
            again = after.is_some(),
            error = text,
            "job failed"
        );
        if let Some(after) = after {
            let transaction = self.0.db.begin().await?;
            queue::retry(&*transaction, lease, later(after), &text).await?;
            transaction.commit().await?;
            return Ok(RunOutcome::Retry);
        }
        self.give_up(handler, lease, &text).await
    }

    async fn give_up(
        &self,
        handler: &dyn Handler,
        lease: &Lease,
        text: &str,
    ) -> Result<RunOutcome, JobError> {
        let told = if lease.attempts <= lease.max_attempts.saturating_add(FAREWELLS) {
            use futures::FutureExt as _;
            std::panic::AssertUnwindSafe(handler.given_up(lease, text))
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(retry(anyhow::anyhow!("given_up panicked"))))
        } else {
            Ok(())
        };
        let now = self.0.clock.now();
        let transaction = self.0.db.begin().await?;
        let outcome = match told {
            Ok(()) => {
                queue::bury(&*transaction, lease, now, text).await?;
                RunOutcome::GivenUp
            }
            Err(JobError::LeaseLost) => return Err(JobError::LeaseLost),
            Err(error) => {
                let after = queue::backoff(lease.attempts, self.0.clock.random_share());
                let at = entity::Timestamp(now.0 + queue::micros(after));
                queue::retry(&*transaction, lease, at, &format!("{text}; {error}")).await?;
                RunOutcome::Retry
            }
        };
        transaction.commit().await?;
        if outcome == RunOutcome::GivenUp {
            tracing::error!(
                job = %lease.id,
                kind = lease.kind,
                subject = lease.subject,
                error = text,
                "job given up and buried, unless it was asked for again meanwhile"
            );
        }
        Ok(outcome)
    }
}

/// An answer of the database, within `time`.
async fn in_time<T, E: From<Error>>(
    time: Duration,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::time::timeout(time, answer)
        .await
        .unwrap_or_else(|_| {
            Err(E::from(Error::Unavailable {
                what: "the database",
                source: anyhow::anyhow!("no answer within {} s", time.as_secs()),
            }))
        })
}

fn retry(error: anyhow::Error) -> JobError {
    JobError::Retry { error, after: None }
}

/// An error with its causes, for the log.
struct Chain<'a>(&'a Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut next: Option<&dyn std::error::Error> = Some(self.0);
        let mut separator = "";
        while let Some(error) = next {
            write!(f, "{separator}{error}")?;
            separator = ": ";
            next = error.source();
        }
        Ok(())
    }
}
