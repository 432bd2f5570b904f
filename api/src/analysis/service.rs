//! Starting analysis steps again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use entity::analysis_step::{self, State, Step};
use entity::gallery::{self, Matcher};
use entity::{PhotoId, face, photo};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::detection;
use super::step::{self, Change};
use crate::access::{self, Action, Authorized, Viewer};
use crate::clock::Clock;
use crate::db::{Db, Transaction};
use crate::error::{Error, Result, UserError, UserErrorCode};
use crate::job::{JobError, NewJob, WakeUp, queue};
use crate::photo::document;

/// Photos of one call.
const MAX_PHOTOS: usize = 100;

/// What became of one photo of the call.
pub type Retried = std::result::Result<Authorized<photo::Model>, UserError>;

/// Starts analysis steps again.
#[derive(Clone, Debug)]
pub struct AnalysisService {
    db: Db,
    clock: Clock,
    wake_up: WakeUp,
}

impl AnalysisService {
    /// A service; `wake_up` is the worker's of this process, if it has one.
    #[must_use]
    pub fn new(db: Db, clock: Clock, wake_up: WakeUp) -> Self {
        Self { db, clock, wake_up }
    }

    /// Starts these steps of these photos again, whatever came of them before, with their attempts
    /// counted anew. RENDITIONS takes along what could not go on without it. A result per photo,
    /// in the order given.
    ///
    /// # Errors
    /// `Unauthenticated`; [`Error::User`] for no step, or for more than 100 photos.
    pub async fn retry(
        &self,
        viewer: Viewer,
        photos: &[PhotoId],
        steps: &[Step],
    ) -> Result<Vec<Retried>> {
        check(viewer, photos, steps)?;
        let transaction = self.db.begin().await?;
        let visible = access::photos(&*transaction, viewer, photos).await?;
        let mut results: HashMap<PhotoId, Retried> = visible
            .into_iter()
            .map(|photo| (photo.id, permitted(photo)))
            .collect();
        let chosen: BTreeMap<PhotoId, &Authorized<photo::Model>> = results
            .iter()
            .filter_map(|(id, result)| Some((*id, result.as_ref().ok()?)))
            .collect();
        let ids: Vec<PhotoId> = chosen.keys().copied().collect();
        self.start_again(&transaction, &chosen, steps).await?;
        let changed = access::photos(&*transaction, viewer, &ids).await?;
        transaction.commit().await?;
        self.wake_up.poke();
        for photo in changed {
            results.insert(photo.id, Ok(photo));
        }
        Ok(photos
            .iter()
            .enumerate()
            .map(|(index, id)| {
                let result = results.get(id).cloned();
                result.unwrap_or_else(|| Err(not_found())).map_err(|error| {
                    let field = ["input", "photoIds", &index.to_string()];
                    UserError::new(error.code, &field, error.message)
                })
            })
            .collect())
    }

    async fn start_again(
        &self,
        transaction: &Transaction,
        photos: &BTreeMap<PhotoId, &Authorized<photo::Model>>,
        steps: &[Step],
    ) -> Result<()> {
        let ids: Vec<PhotoId> = photos.keys().copied().collect();
        if ids.is_empty() {
            return Ok(());
        }
        // In the order of their ids, as everybody locks them.
        photo::Entity::find()
            .select_only()
            .column(photo::Column::Id)
            .filter(photo::Column::Id.is_in(ids.iter().copied()))
            .order_by_asc(photo::Column::Id)
            .lock_exclusive()
            .into_tuple::<PhotoId>()
            .all(&**transaction)
            .await?;
        let now = self.clock.now();
        step::create(&**transaction, &ids, now).await?;
        let mut skipped: BTreeMap<PhotoId, Vec<Step>> = BTreeMap::new();
        for row in analysis_step::Entity::find()
            .filter(analysis_step::Column::PhotoId.is_in(ids.iter().copied()))
            .filter(analysis_step::Column::State.eq(State::Skipped))
            .all(&**transaction)
            .await?
        {
            skipped.entry(row.photo_id).or_default().push(row.step);
        }
        for (id, photo) in photos {
            let mut again: Vec<Step> = step::STEPS
                .into_iter()
                .filter(|step| steps.contains(step))
                .collect();
            if again.contains(&Step::Renditions) {
                again.extend(skipped.get(id).into_iter().flatten());
                let change = photo::ActiveModel {
                    id: Set(*id),
                    failure_code: Set(None),
                    ..Default::default()
                };
                photo::Entity::update(change).exec(&**transaction).await?;
            }
            for step in &again {
                step::set(&**transaction, *id, *step, Change::Reset, now).await?;
            }
            // Where faces are looked for again, the job settles the grouping after them.
            if again.contains(&Step::Grouping) && !again.contains(&Step::Faces) {
                self.group_again(transaction, photo).await?;
            }
            if again.iter().any(|step| *step != Step::Grouping) {
                let job = NewJob {
                    kind: super::ANALYSE,
                    subject: id.to_string(),
                    priority: 0,
                    delay: Duration::ZERO,
                };
                queue::enqueue(&**transaction, &self.clock, job).await?;
            }
        }
        document::rebuild(transaction, &ids, now).await
    }

    /// Faces that matched nobody wait again; those that have a person keep it.
    async fn group_again(&self, transaction: &Transaction, photo: &photo::Model) -> Result<()> {
        let change = face::ActiveModel {
            grouping: Set(face::Grouping::Waiting),
            ..Default::default()
        };
        face::Entity::update_many()
            .set(change)
            .filter(face::Column::PhotoId.eq(photo.id))
            .filter(face::Column::Grouping.eq(face::Grouping::Unmatched))
            .exec(&**transaction)
            .await?;
        let groupings: Vec<face::Grouping> = face::Entity::find()
            .select_only()
            .column(face::Column::Grouping)
            .filter(face::Column::PhotoId.eq(photo.id))
            .into_tuple()
            .all(&**transaction)
            .await?;
        let matcher: Option<Matcher> = gallery::Entity::find_by_id(photo.gallery_id)
            .select_only()
            .column(gallery::Column::Matcher)
            .into_tuple()
            .one(&**transaction)
            .await?;
        let matcher = matcher.ok_or(Error::NotFound)?;
        detection::settle_grouping(&**transaction, &self.clock, photo, &groupings, matcher)
            .await
            .map_err(JobError::into_error)
    }
}

fn check(viewer: Viewer, photos: &[PhotoId], steps: &[Step]) -> Result<()> {
    viewer.user()?;
    if steps.is_empty() {
        let field = ["input", "steps"];
        return Err(Error::user(UserErrorCode::Invalid, &field, "name a step"));
    }
    let distinct: BTreeSet<&PhotoId> = photos.iter().collect();
    if distinct.len() != photos.len() || photos.is_empty() || photos.len() > MAX_PHOTOS {
        return Err(Error::user(
            UserErrorCode::Invalid,
            &["input", "photoIds"],
            format!("name 1 to {MAX_PHOTOS} photos, each once"),
        ));
    }
    Ok(())
}

fn permitted(photo: Authorized<photo::Model>) -> Retried {
    if !photo.allows(Action::EditPhotos) && !photo.is_seen_by(photo.uploader_id) {
        let message = "editors retry any photo, others the ones they uploaded";
        return Err(UserError::new(UserErrorCode::Forbidden, &[], message));
    }
    if photo.status == photo::Status::AwaitingUpload {
        let message = "the upload is not confirmed yet";
        return Err(UserError::new(UserErrorCode::InvalidState, &[], message));
    }
    Ok(photo)
}

fn not_found() -> UserError {
    UserError::new(UserErrorCode::NotFound, &[], "no such photo")
}
