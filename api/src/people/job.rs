//! The job that groups a gallery's waiting faces into people.
//!
//! The queue runs one such job per gallery at a time, so no other grouper changes people
//! meanwhile. Each batch is committed on its own: an error later on loses nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use entity::analysis_step::State;
use entity::gallery::{self, Matcher};
use entity::{FaceId, GalleryId, face};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::commit::{self, StepFailure};
use super::matcher::collection::CollectionMatcher;
use super::matcher::compare::CompareMatcher;
use super::matcher::{FaceMatcher, Fence, SheetChanges, vision_error};
use super::plan::Plan;
use super::roster::{Batch, Roster};
use super::{GROUP, MatcherSettings, tally};
use crate::clock::Clock;
use crate::db::Db;
use crate::job::{Handler, JobError, Lease, Outcome, queue};
use crate::storage::ObjectStore;
use crate::vision::Analyser;

/// Unmatched faces that one run tries again at most, best first.
const RETRIED: u64 = 200;
/// Batches in a row that may decide nothing, for example because people were merged meanwhile.
const IDLE_BATCHES: u32 = 3;
/// Pause before going on after a retryable error that came after progress.
const PAUSE: Duration = Duration::from_secs(5);

/// Handler of [`GROUP`].
pub struct GroupHandler {
    db: Db,
    clock: Clock,
    store: Arc<dyn ObjectStore>,
    analyser: Arc<dyn Analyser>,
    settings: MatcherSettings,
}

impl GroupHandler {
    /// A handler; both matchers stand ready, each gallery names its own.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        store: Arc<dyn ObjectStore>,
        analyser: Arc<dyn Analyser>,
        settings: MatcherSettings,
    ) -> Self {
        Self {
            db,
            clock,
            store,
            analyser,
            settings,
        }
    }

    /// Groups every waiting face of the gallery, as long as `fence` holds.
    ///
    /// # Errors
    /// As [`Handler::run`].
    pub async fn group(&self, id: GalleryId, fence: &dyn Fence) -> Result<Outcome, JobError> {
        let found = gallery::Entity::find_live(id).one(self.db.read()).await?;
        let Some(gallery) = found else {
            return Ok(Outcome::Done);
        };
        if !gallery.face_analysis {
            self.end(id, State::Skipped, None, Some(fence)).await?;
            return Ok(Outcome::Done);
        }
        let mut run = Run {
            handler: self,
            gallery: id,
            matcher: self.matcher(&gallery),
            fence,
            decided: 0,
            founded: 0,
        };
        match run.all().await {
            // Whoever throttles us lets some calls through: that is no failed attempt.
            Err(JobError::Retry { error, after }) if run.decided > 0 => {
                tracing::info!(gallery = %id, %error, "grouping goes on later");
                Ok(Outcome::Again(after.unwrap_or(PAUSE)))
            }
            other => other,
        }
    }

    fn matcher(&self, gallery: &gallery::Model) -> Box<dyn FaceMatcher> {
        match gallery.matcher {
            Matcher::Collection => Box::new(CollectionMatcher::new(
                self.db.clone(),
                Arc::clone(&self.analyser),
                self.settings.clone(),
                gallery.id,
            )),
            Matcher::Compare => Box::new(CompareMatcher::new(
                self.db.clone(),
                self.clock.clone(),
                Arc::clone(&self.store),
                Arc::clone(&self.analyser),
                self.settings.clone(),
                gallery.id,
            )),
        }
    }

    async fn end(
        &self,
        gallery: GalleryId,
        state: State,
        failure: Option<StepFailure<'_>>,
        fence: Option<&dyn Fence>,
    ) -> Result<(), JobError> {
        let txn = self.db.begin().await?;
        commit::end_waiting(&txn, gallery, state, failure, self.clock.now()).await?;
        if let Some(fence) = fence {
            fence.hold(&txn).await?;
        }
        txn.commit().await?;
        Ok(())
    }
}

#[async_trait]
impl Handler for GroupHandler {
    fn kind(&self) -> &'static str {
        GROUP
    }

    async fn run(&self, lease: &Lease) -> Result<Outcome, JobError> {
        let fence = LeaseFence {
            lease,
            clock: &self.clock,
            seconds: self.settings.lease_seconds,
        };
        self.group(subject(lease)?, &fence).await
    }

    async fn given_up(&self, lease: &Lease, error: &str) -> Result<(), JobError> {
        let failure = StepFailure {
            code: "ATTEMPTS_EXHAUSTED",
            message: "Grouping the faces failed too often; it can be tried again.",
        };
        let gallery = subject(lease)?;
        tracing::error!(%gallery, error, "grouping given up");
        self.end(gallery, State::Failed, Some(failure), None).await
    }
}

fn subject(lease: &Lease) -> Result<GalleryId, JobError> {
    match uuid::Uuid::try_parse(&lease.subject) {
        Ok(id) => Ok(id.into()),
        Err(error) => Err(JobError::Fail(error.into())),
    }
}

/// A fence made of the job's lease.
struct LeaseFence<'a> {
    lease: &'a Lease,
    clock: &'a Clock,
    seconds: u32,
}

#[async_trait]
impl Fence for LeaseFence<'_> {
    async fn hold(&self, transaction: &DatabaseTransaction) -> Result<(), JobError> {
        let until = self.clock.now().plus_seconds(self.seconds.into());
        queue::extend(transaction, self.lease, until).await
    }
}

struct Run<'a> {
    handler: &'a GroupHandler,
    gallery: GalleryId,
    matcher: Box<dyn FaceMatcher>,
    fence: &'a dyn Fence,
    /// Faces decided so far.
    decided: usize,
    /// People founded so far.
    founded: usize,
}

impl Run<'_> {
    async fn all(&mut self) -> Result<Outcome, JobError> {
        self.begin().await?;
        let mut idle = 0;
        let mut retried = false;
        while idle < IDLE_BATCHES {
            let batch = Batch::load(self.handler.db.read(), self.gallery).await?;
            if batch.faces.is_empty() {
                if retried || self.founded == 0 || !self.matcher.retries_unmatched() {
                    return Ok(Outcome::Done);
                }
                retried = true;
                if self.wake_unmatched().await? == 0 {
                    return Ok(Outcome::Done);
                }
                continue;
            }
            match self.batch(&batch).await? {
                None => return Ok(Outcome::Done),
                Some(0) => idle += 1,
                Some(decided) => {
                    idle = 0;
                    self.decided += decided;
                }
            }
        }
        let error = anyhow::anyhow!("waiting faces stay undecided");
        Err(JobError::Retry { error, after: None })
    }

    async fn begin(&mut self) -> Result<(), JobError> {
        let mut roster = Roster::load(self.handler.db.read(), self.gallery).await?;
        let changes = self.matcher.begin(&mut roster).await?;
        if changes.is_empty() {
            return Ok(());
        }
        let txn = self.handler.db.begin().await?;
        let now = self.handler.clock.now();
        commit::write_sheets(&*txn, self.gallery, &changes, now).await?;
        self.fence.hold(&txn).await?;
        txn.commit().await?;
        self.matcher.recorded(&changes).await;
        Ok(())
    }

    /// Decides and commits one batch: how many faces were decided, `None` if the gallery is gone.
    async fn batch(&mut self, batch: &Batch) -> Result<Option<usize>, JobError> {
        let (db, clock) = (&self.handler.db, &self.handler.clock);
        let roster = Roster::load(db.read(), self.gallery).await?;
        let decided = self.matcher.decide(&roster, batch, self.fence).await?;
        let joined: Vec<_> = decided.joined().collect();
        let best = tally::best_quality(db.read(), &joined).await?;
        let plan = Plan::new(&roster, batch, &decided, &best, || clock.new_id());
        let sheets = self.draw(&roster, &plan).await?;

        let written = if plan.assignments.is_empty() {
            Some(0)
        } else {
            let txn = db.begin().await?;
            let written = commit::write(&txn, self.gallery, &plan, &sheets, clock.now()).await?;
            if written.is_some() {
                self.fence.hold(&txn).await?;
                txn.commit().await?;
                self.matcher.recorded(&sheets).await;
            }
            written
        };
        self.founded += plan.founded.len();
        match (decided.stopped, written) {
            (Some(error), Some(written)) => {
                self.decided += written;
                Err(vision_error(error))
            }
            (_, written) => Ok(written),
        }
    }

    async fn draw(&mut self, roster: &Roster, plan: &Plan) -> Result<SheetChanges, JobError> {
        let covers: Vec<_> = plan
            .covers
            .iter()
            .map(|change| (change.person, change.to.clone()))
            .collect();
        self.matcher.draw(roster, &covers).await
    }

    /// Lets the best unmatched faces wait again, now that there are new people: how many.
    async fn wake_unmatched(&self) -> Result<usize, JobError> {
        let txn = self.handler.db.begin().await?;
        let faces: Vec<FaceId> = face::Entity::find()
            .select_only()
            .column(face::Column::Id)
            .filter(face::Column::GalleryId.eq(self.gallery))
            .filter(face::Column::Grouping.eq(face::Grouping::Unmatched))
            .order_by_desc(face::Column::Quality)
            .order_by_asc(face::Column::Id)
            .limit(RETRIED)
            .into_tuple()
            .all(&*txn)
            .await?;
        if faces.is_empty() {
            return Ok(0);
        }
        face::Entity::update_many()
            .set(face::ActiveModel {
                grouping: Set(face::Grouping::Waiting),
                ..Default::default()
            })
            .filter(face::Column::Id.is_in(faces.iter().copied()))
            .exec(&*txn)
            .await?;
        self.fence.hold(&txn).await?;
        txn.commit().await?;
        Ok(faces.len())
    }
}
