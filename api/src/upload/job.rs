//! The reaper: uploads that nobody confirmed, and calls that nobody remembers.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use entity::photo::Status;
use entity::{PhotoId, Timestamp, UploadRequestId, photo, upload_request};
use futures::StreamExt as _;
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::service::{UploadService, Verdict};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Result;
use crate::job::{Handler, JobError, Lease, NewJob, Outcome, queue};
use crate::metrics::{Metrics, ReapOutcome};
use crate::storage::ObjectKey;

/// Kind of the reaper's jobs.
pub const REAP_UPLOADS: &str = "reap_uploads";
/// Subject of the job that looks after uploads.
const UPLOADS: &str = "all";
/// Subject of the job that looks after rows of `upload_request`.
const REQUESTS: &str = "requests";
/// Subject of the job that looks for objects that nothing refers to.
const ORPHANS: &str = "orphans";
/// Subject of the job that looks after multipart uploads.
const MULTIPART: &str = "multipart";

const BATCH: u64 = 200;
/// Batches of one run: a lease is not held for ever, and other jobs get their turn.
const BATCHES_PER_RUN: usize = 5;
/// Looks of one batch that may fail before the rest is left for the next sweep.
const FAILED_LOOKS: usize = 8;
const UPLOADS_EVERY: Duration = Duration::from_secs(60);
const REQUESTS_EVERY: Duration = Duration::from_secs(6 * 3_600);
const ORPHANS_EVERY: Duration = Duration::from_secs(24 * 3_600);
const MULTIPART_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// How long a multipart upload may go on that somebody may be busy with.
const MULTIPART_SECONDS: i64 = 24 * 3_600;
/// How long an idempotency key is remembered when none of its photos is left.
const KEY_SECONDS: i64 = 7 * 24 * 3_600;

/// Where a sweep goes on: after this row, in the order of the index.
type Place = (Timestamp, PhotoId);

/// Finishes what clients left: confirms uploads whose object stands and is right (the client vanished
/// between PUT and confirm), removes the others.
#[derive(Debug)]
pub struct ReapUploads {
    service: Arc<UploadService>,
    metrics: Metrics,
}

impl ReapUploads {
    /// The handler; what it reaps counts in `metrics`.
    #[must_use]
    pub fn new(service: Arc<UploadService>, metrics: Metrics) -> Self {
        Self { service, metrics }
    }
}

/// Asks for the reaper's jobs; call it whenever a process starts. They keep themselves alive.
///
/// # Errors
/// The database's.
pub async fn schedule(db: &Db, clock: &Clock) -> Result<()> {
    let transaction = db.begin().await?;
    for subject in [UPLOADS, REQUESTS, MULTIPART, ORPHANS] {
        let job = NewJob {
            kind: REAP_UPLOADS,
            subject: subject.to_owned(),
            priority: 0,
            delay: Duration::ZERO,
        };
        queue::enqueue(&*transaction, clock, job).await?;
    }
    transaction.commit().await?;
    Ok(())
}

#[async_trait]
impl Handler for ReapUploads {
    fn kind(&self) -> &'static str {
        REAP_UPLOADS
    }

    async fn run(&self, lease: &Lease) -> Result<Outcome, JobError> {
        let (swept, every) = match lease.subject.as_str() {
            UPLOADS => (
                self.service.reap_uploads(&self.metrics).await,
                UPLOADS_EVERY,
            ),
            REQUESTS => (self.service.forget_requests().await, REQUESTS_EVERY),
            MULTIPART => (self.service.abort_multipart().await, MULTIPART_EVERY),
            ORPHANS => {
                let swept = self.service.sweep_orphans(lease, &self.metrics).await;
                (swept.map_err(JobError::into_error), ORPHANS_EVERY)
            }
            other => return Err(JobError::Fail(anyhow::anyhow!("no such subject: {other}"))),
        };
        // A failure is not counted as an attempt: a reaper that is buried after an outage of the
        // store would never come back.
        let more = swept.unwrap_or_else(|error| {
            let error = anyhow::Error::from(error);
            tracing::warn!(
                subject = lease.subject,
                "the reaper stopped early: {error:#}"
            );
            false
        });
        Ok(Outcome::Again(if more {
            Duration::from_secs(1)
        } else {
            every
        }))
    }

    async fn given_up(&self, lease: &Lease, error: &str) -> Result<(), JobError> {
        tracing::error!(
            subject = lease.subject,
            error,
            "the reaper was given up until the next start"
        );
        Ok(())
    }
}

impl UploadService {
    /// Sweeps uploads whose time is over; `true` where more are left.
    async fn reap_uploads(&self, metrics: &Metrics) -> Result<bool> {
        let mut after = None;
        for _ in 0..BATCHES_PER_RUN {
            let now = self.clock.now();
            let batch = self.abandoned(now, after).await?;
            let full = batch.len() as u64 == BATCH;
            after = batch
                .last()
                .map(|photo| (photo.upload_expires_at, photo.id));
            self.reap_batch(batch, now, metrics).await?;
            if !full {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn abandoned(&self, now: Timestamp, after: Option<Place>) -> Result<Vec<photo::Model>> {
        let before = now.plus_seconds(-i64::from(self.limits.reap_after_seconds));
        let mut query = photo::Entity::find()
            .filter(photo::Column::Status.eq(Status::AwaitingUpload))
            .filter(photo::Column::UploadExpiresAt.lt(before));
        if let Some((time, id)) = after {
            query = query
                .filter(photo::Column::UploadExpiresAt.gte(time))
                .filter(
                    Condition::any()
                        .add(photo::Column::UploadExpiresAt.gt(time))
                        .add(photo::Column::Id.gt(id)),
                );
        }
        Ok(query
            .order_by_asc(photo::Column::UploadExpiresAt)
            .order_by_asc(photo::Column::Id)
            .limit(BATCH)
            .all(self.db.read())
            .await?)
    }

    async fn reap_batch(
        &self,
        batch: Vec<photo::Model>,
        now: Timestamp,
        metrics: &Metrics,
    ) -> Result<()> {
        let (mut standing, mut void) = (Vec::new(), Vec::new());
        let mut looks = self.inspect(batch);
        let mut failed = 0;
        while let Some((photo, verdict)) = looks.next().await {
            match verdict {
                Ok(Verdict::Matches) => standing.push(photo),
                Ok(Verdict::Absent | Verdict::Differs) => void.push(photo),
                Err(error) => {
                    let error = anyhow::Error::from(error);
                    tracing::warn!(photo = %photo.id, error = %format!("{error:#}"), "an upload was not looked at");
                    failed += 1;
                    // The store is away: the next sweep looks again.
                    if failed == FAILED_LOOKS {
                        break;
                    }
                }
            }
        }
        let admitted = self.admit(&standing, now).await?;
        let confirmed = admitted
            .values()
            .filter(|photo| photo.confirmed_at == Some(now))
            .count();
        metrics.uploads_reaped(ReapOutcome::Confirmed, confirmed);
        let removed = self.remove_void(&void, now).await?;
        metrics.uploads_reaped(ReapOutcome::Removed, removed);
        if confirmed + removed > 0 {
            tracing::info!(confirmed, removed, "abandoned uploads reaped");
        }
        Ok(())
    }

    /// Hides uploads without (right) bytes; the job that deletes photos removes objects and rows.
    /// Not here: between our look and a deletion, a renewed upload could have been confirmed.
    async fn remove_void(&self, void: &[photo::Model], now: Timestamp) -> Result<usize> {
        if void.is_empty() {
            return Ok(0);
        }
        let transaction = self.db.begin().await?;
        let rows = photo::Entity::find()
            .filter(photo::Column::Id.is_in(void.iter().map(|photo| photo.id)))
            .filter(photo::Column::Status.eq(Status::AwaitingUpload))
            .order_by_asc(photo::Column::Id)
            .lock_exclusive()
            .all(&*transaction)
            .await?;
        let mut removed = 0;
        for row in rows {
            // A renewal since wins.
            if self.quiet_from(&row) <= now {
                self.discard(&*transaction, row, now).await?;
                removed += 1;
            }
        }
        transaction.commit().await?;
        Ok(removed)
    }

    /// Aborts multipart uploads under our keys, which are none of ours; never leaves any.
    async fn abort_multipart(&self) -> Result<bool> {
        let before = self.clock.now().plus_seconds(-MULTIPART_SECONDS);
        let aborted = self.store.abort_uploads(ObjectKey::PREFIX, before).await?;
        if aborted > 0 {
            tracing::warn!(
                aborted,
                "multipart uploads that nobody of ours began were aborted"
            );
        }
        Ok(false)
    }

    /// Deletes old rows of `upload_request` that no photo needs; `true` where more are left.
    async fn forget_requests(&self) -> Result<bool> {
        let before = self.clock.now().plus_seconds(-KEY_SECONDS);
        let mut after: Option<UploadRequestId> = None;
        for _ in 0..BATCHES_PER_RUN {
            let mut query = upload_request::Entity::find()
                .select_only()
                .column(upload_request::Column::Id)
                .filter(upload_request::Column::CreatedAt.lt(before))
                .filter(upload_request::Column::Id.not_in_subquery(used_requests()));
            if let Some(id) = after {
                query = query.filter(upload_request::Column::Id.gt(id));
            }
            let ids: Vec<UploadRequestId> = query
                .order_by_asc(upload_request::Column::Id)
                .limit(BATCH)
                .into_tuple()
                .all(self.db.read())
                .await?;
            after = ids.last().copied();
            self.forget(&ids).await?;
            if (ids.len() as u64) < BATCH {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn forget(&self, ids: &[UploadRequestId]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let transaction = self.db.begin().await?;
        // Deleting a row deletes its photos with it. Under the lock none can be added, and only a
        // statement that begins under the lock sees those that were.
        upload_request::Entity::find()
            .filter(upload_request::Column::Id.is_in(ids.iter().copied()))
            .order_by_asc(upload_request::Column::Id)
            .lock_exclusive()
            .all(&*transaction)
            .await?;
        let used: HashSet<UploadRequestId> = photo::Entity::find()
            .select_only()
            .column(photo::Column::UploadRequestId)
            .filter(photo::Column::UploadRequestId.is_in(ids.iter().copied()))
            .distinct()
            .into_tuple()
            .all(&*transaction)
            .await?
            .into_iter()
            .collect();
        let unused = ids.iter().copied().filter(|id| !used.contains(id));
        upload_request::Entity::delete_many()
            .filter(upload_request::Column::Id.is_in(unused))
            .exec(&*transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

fn used_requests() -> sea_orm::sea_query::SelectStatement {
    use sea_orm::QueryTrait as _;
    photo::Entity::find()
        .select_only()
        .column(photo::Column::UploadRequestId)
        .into_query()
}
