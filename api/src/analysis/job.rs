//! The job `analyse`: looks at a photo's steps and does what is missing.
//!
//! Every result is one transaction that locks the photo, writes the result, the step and the
//! document, and proves the lease. A worker that dies at any point leaves the step pending and at
//! most objects under the photo's own keys, which the next run writes anew.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use entity::analysis_step::{State, Step};
use entity::gallery::Matcher;
use entity::{PhotoId, Timestamp, analysis_step, gallery, photo};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _};
use uuid::Uuid;

use super::media::Media;
use super::step::{self, Change, Failure};
use crate::clock::Clock;
use crate::db::{Db, Transaction};
use crate::job::{Handler, JobError, Lease, Outcome, queue};
use crate::photo::document;
use crate::storage::ObjectStore;
use crate::vision::Analyser;

/// Kind of the job; its subject is a photo's id.
pub const KIND: &str = "analyse";

/// Smallest side in pixels that Rekognition takes ("Guidelines and quotas").
const MIN_SIDE: i32 = 80;

/// Workers that may die with a photo before it is taken for the cause. Nodes die too: seldom three
/// in a row with the same photo, and people may try again.
const MAX_CRASHES: i32 = 3;

/// Limits of the analysis.
#[derive(Clone, Copy, Debug)]
pub struct AnalysisSettings {
    /// Longest original in bytes.
    pub max_byte_size: u64,
    /// Labels below this confidence (0 to 100) are not kept.
    pub min_label_confidence: f32,
}

/// Runs [`KIND`].
pub struct AnalyseHandler {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) analyser: Arc<dyn Analyser>,
    pub(super) media: Media,
    pub(super) settings: AnalysisSettings,
}

impl std::fmt::Debug for AnalyseHandler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnalyseHandler")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// One run of the job.
pub(super) struct Round<'a> {
    pub(super) lease: &'a Lease,
    pub(super) photo: photo::Model,
    pub(super) face_analysis: bool,
    pub(super) matcher: Matcher,
    steps: Vec<analysis_step::Model>,
    /// When the steps that fail in this round are tried again.
    delay: Duration,
    retry_at: Timestamp,
}

impl Round<'_> {
    pub(super) fn is_pending(&self, step: Step) -> bool {
        self.steps
            .iter()
            .any(|row| row.step == step && row.state == State::Pending)
    }

    fn is_done(&self, step: Step) -> bool {
        self.steps
            .iter()
            .any(|row| row.step == step && row.state == State::Done)
    }
}

/// How a step of a round ended.
pub(super) enum Ended {
    /// Recorded: done, skipped or failed for good.
    Recorded,
    /// Recorded as to be tried again.
    Later(String),
    /// The photo is gone.
    Gone,
}

impl AnalyseHandler {
    /// A handler.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        store: Arc<dyn ObjectStore>,
        analyser: Arc<dyn Analyser>,
        media: Media,
        settings: AnalysisSettings,
    ) -> Self {
        Self {
            db,
            clock,
            store,
            analyser,
            media,
            settings,
        }
    }

    /// `None` where nothing is to be done: the photo or its gallery is gone.
    async fn look<'a>(&self, lease: &'a Lease) -> Result<Option<Round<'a>>, JobError> {
        let id = Uuid::parse_str(&lease.subject)
            .map(PhotoId)
            .map_err(|_| JobError::Fail(anyhow::anyhow!("`{}` is no photo's id", lease.subject)))?;
        let Some(photo) = photo::Entity::find_by_id(id).one(self.db.read()).await? else {
            return Ok(None);
        };
        let gallery = gallery::Entity::find_live(photo.gallery_id)
            .one(self.db.read())
            .await?;
        let Some(gallery) = gallery.filter(|_| is_analysable(photo.status)) else {
            return Ok(None);
        };
        let steps = || {
            analysis_step::Entity::find()
                .filter(analysis_step::Column::PhotoId.eq(id))
                .all(self.db.read())
        };
        let mut rows = steps().await?;
        if rows.len() < step::STEPS.len() {
            let transaction = self.db.begin().await?;
            if lock(&transaction, id).await?.is_none() {
                return Ok(None);
            }
            step::create(&*transaction, &[id], self.clock.now()).await?;
            transaction.commit().await?;
            rows = steps().await?;
        }
        let delay = queue::backoff(lease.attempts, self.clock.random_share());
        let millis = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        Ok(Some(Round {
            lease,
            photo,
            face_analysis: gallery.face_analysis,
            matcher: gallery.matcher,
            steps: rows,
            delay,
            retry_at: self.clock.now().plus_millis(millis),
        }))
    }

    async fn analyse(&self, round: &mut Round<'_>) -> Result<Outcome, JobError> {
        if round.is_pending(Step::Renditions) {
            match self.render(round).await? {
                Ended::Recorded => {}
                Ended::Later(cause) => return Err(later(round, &cause)),
                Ended::Gone => return Ok(Outcome::Done),
            }
            // Its columns are needed below, and it may just have failed for good.
            let Some(again) = self.look(round.lease).await? else {
                return Ok(Outcome::Done);
            };
            (round.photo, round.steps) = (again.photo, again.steps);
        }
        if !round.is_done(Step::Renditions) {
            return Ok(Outcome::Done);
        }
        let (width, height) = (round.photo.preview_width, round.photo.preview_height);
        if width.min(height).is_some_and(|side| side < MIN_SIDE) {
            return self.skip_small(round).await;
        }
        let round = &*round;
        let (faces, labels) = futures::join!(
            async {
                if round.is_pending(Step::Faces) {
                    self.find_faces(round).await
                } else {
                    Ok(Ended::Recorded)
                }
            },
            async {
                if round.is_pending(Step::Labels) {
                    self.find_labels(round).await
                } else {
                    Ok(Ended::Recorded)
                }
            }
        );
        let causes: Vec<String> = [faces?, labels?]
            .into_iter()
            .filter_map(|ended| match ended {
                Ended::Later(cause) => Some(cause),
                Ended::Recorded | Ended::Gone => None,
            })
            .collect();
        if causes.is_empty() {
            Ok(Outcome::Done)
        } else {
            Err(later(round, &causes.join("; ")))
        }
    }

    async fn skip_small(&self, round: &Round<'_>) -> Result<Outcome, JobError> {
        if let Some(transaction) = self.open(round).await? {
            let now = self.clock.now();
            for step in [Step::Faces, Step::Labels, Step::Grouping] {
                if round.is_pending(step) {
                    let change = Change::Skipped(Some(Failure::too_small()));
                    step::set(&*transaction, round.photo.id, step, change, now).await?;
                }
            }
            self.close(transaction, round).await?;
        }
        Ok(Outcome::Done)
    }

    /// Records a failed step. `and_also` are steps that cannot go on without it: skipped where they
    /// are pending.
    pub(super) async fn record_failure(
        &self,
        round: &Round<'_>,
        step: Step,
        failure: Failure,
        and_also: &[Step],
    ) -> Result<Ended, JobError> {
        let Some(transaction) = self.open(round).await? else {
            return Ok(Ended::Gone);
        };
        let (id, now) = (round.photo.id, self.clock.now());
        let cause = format!("{step:?}: {}: {}", failure.code, failure.cause);
        let ended = if failure.again {
            let change = Change::Later(failure, round.retry_at);
            step::set(&*transaction, id, step, change, now).await?;
            Ended::Later(cause)
        } else {
            tracing::warn!(photo = %id, cause, "analysis step failed");
            step::set(&*transaction, id, step, Change::Failed(failure), now).await?;
            for other in and_also {
                if round.is_pending(*other) {
                    step::set(&*transaction, id, *other, Change::Skipped(None), now).await?;
                }
            }
            Ended::Recorded
        };
        self.close(transaction, round).await?;
        Ok(ended)
    }

    /// Begins the transaction of a result, with the photo locked; `None` where the photo is gone.
    pub(super) async fn open(&self, round: &Round<'_>) -> Result<Option<Transaction>, JobError> {
        let transaction = self.db.begin().await?;
        Ok(lock(&transaction, round.photo.id)
            .await?
            .map(|_| transaction))
    }

    /// Commits a result, if the lease still holds.
    pub(super) async fn close(
        &self,
        transaction: Transaction,
        round: &Round<'_>,
    ) -> Result<(), JobError> {
        let now = self.clock.now();
        document::rebuild(&transaction, &[round.photo.id], now).await?;
        queue::extend(&*transaction, round.lease, round.lease.until(now)).await?;
        Ok(transaction.commit().await?)
    }
}

/// The photo under its row lock, unless it is gone.
async fn lock(transaction: &Transaction, id: PhotoId) -> Result<Option<photo::Model>, JobError> {
    Ok(photo::Entity::find_by_id(id)
        .lock_exclusive()
        .one(&**transaction)
        .await?
        .filter(|photo| is_analysable(photo.status)))
}

fn is_analysable(status: photo::Status) -> bool {
    !matches!(
        status,
        photo::Status::AwaitingUpload | photo::Status::Deleting
    )
}

fn later(round: &Round<'_>, cause: &str) -> JobError {
    JobError::Retry {
        error: anyhow::anyhow!("{cause}"),
        after: Some(round.delay),
    }
}

#[async_trait]
impl Handler for AnalyseHandler {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn run(&self, lease: &Lease) -> Result<Outcome, JobError> {
        if lease.crashes >= MAX_CRASHES {
            return Err(JobError::Fail(anyhow::anyhow!(
                "{} workers in a row died with it",
                lease.crashes
            )));
        }
        match self.look(lease).await? {
            Some(mut round) => self.analyse(&mut round).await,
            None => Ok(Outcome::Done),
        }
    }

    async fn given_up(&self, lease: &Lease, error: &str) -> Result<(), JobError> {
        let round = match self.look(lease).await {
            Ok(Some(round)) => round,
            // Gone, or no photo's id: there is nobody to tell.
            Ok(None) | Err(JobError::Fail(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let Some(transaction) = self.open(&round).await? else {
            return Ok(());
        };
        let (id, now) = (round.photo.id, self.clock.now());
        let failure = |step| {
            if lease.crashes >= MAX_CRASHES {
                return Failure::crashed(error);
            }
            let row = round.steps.iter().find(|row| row.step == step);
            let last = row.and_then(|row| row.error_message.as_deref());
            Failure::exhausted(last, error)
        };
        if round.is_pending(Step::Renditions) {
            self.unusable(&transaction, &round, failure(Step::Renditions))
                .await?;
        } else {
            for step in [Step::Faces, Step::Labels] {
                if round.is_pending(step) {
                    let change = Change::Failed(failure(step));
                    step::set(&*transaction, id, step, change, now).await?;
                }
            }
            if round.is_pending(Step::Faces) && round.is_pending(Step::Grouping) {
                let change = Change::Skipped(None);
                step::set(&*transaction, id, Step::Grouping, change, now).await?;
            }
        }
        self.close(transaction, &round).await
    }
}
