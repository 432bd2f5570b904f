//! Objects of photos that are no more.
//!
//! A PUT that began before its URL's end and ends long after it is taken by S3. Where its photo was
//! deleted meanwhile, and the row is gone, no other job would ever find the object.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use entity::{GalleryId, PhotoId, Timestamp, gallery, photo};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use super::service::UploadService;
use crate::job::{JobError, Lease, queue};
use crate::metrics::{Metrics, ReapOutcome};
use crate::storage::{ListedObject, ObjectKey};

/// How old an object is at least: nothing that is under way is touched, whatever two clocks say.
const AGE_SECONDS: i64 = 24 * 3_600;
/// Pages of the listing of one run: other jobs get their turn.
const PAGES_PER_RUN: usize = 5;

/// Objects by the photo that their keys name.
type Photos = BTreeMap<(GalleryId, PhotoId), Vec<ObjectKey>>;

impl UploadService {
    /// Looks at the next pages of the bucket's listing and deletes the objects of photos that have no
    /// row, in galleries that have one: a bucket may hold galleries that another database knows.
    /// `true` where pages are left; the job remembers where it goes on.
    pub(super) async fn sweep_orphans(
        &self,
        lease: &Lease,
        metrics: &Metrics,
    ) -> Result<bool, JobError> {
        let mut after = lease.place.clone().map(ObjectKey::listed);
        for _ in 0..PAGES_PER_RUN {
            let page = self
                .store
                .list(ObjectKey::PREFIX, after.as_ref())
                .await
                .map_err(crate::error::Error::from)?;
            after = page.last().map(|object| object.key.clone());
            let orphans = self.orphans(page).await?;
            if !orphans.is_empty() {
                self.store
                    .delete(&orphans)
                    .await
                    .map_err(crate::error::Error::from)?;
                metrics.uploads_reaped(ReapOutcome::Orphaned, orphans.len());
                tracing::warn!(objects = orphans.len(), first = ?orphans.first(), "objects of photos that are no more were deleted");
            }
            let transaction = self.db.begin().await?;
            let until = lease.until(self.clock.now());
            let place = after.as_ref().map(ObjectKey::as_str);
            queue::remember(&*transaction, lease, until, place).await?;
            transaction.commit().await?;
            if after.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Those of a page that nothing refers to. A photo's row is written before its URL is given out
    /// and its id is never used again: one that has no row now will have none later.
    async fn orphans(&self, page: Vec<ListedObject>) -> Result<Vec<ObjectKey>, JobError> {
        let before = self.clock.now().plus_seconds(-AGE_SECONDS);
        let mut photos = old_objects(page, before);
        let ids = photos.keys().map(|(_, photo)| *photo);
        let known: HashSet<PhotoId> = photo::Entity::find()
            .select_only()
            .column(photo::Column::Id)
            .filter(photo::Column::Id.is_in(ids))
            .into_tuple()
            .all(self.db.read())
            .await?
            .into_iter()
            .collect();
        photos.retain(|(_, photo), _| !known.contains(photo));
        if photos.is_empty() {
            return Ok(Vec::new());
        }
        let ids: BTreeSet<GalleryId> = photos.keys().map(|(gallery, _)| *gallery).collect();
        let known: HashSet<GalleryId> = gallery::Entity::find()
            .select_only()
            .column(gallery::Column::Id)
            .filter(gallery::Column::Id.is_in(ids))
            .into_tuple()
            .all(self.db.read())
            .await?
            .into_iter()
            .collect();
        let (ours, foreign): (Photos, Photos) = photos
            .into_iter()
            .partition(|((gallery, _), _)| known.contains(gallery));
        if let Some(((gallery, _), _)) = foreign.first_key_value() {
            tracing::warn!(%gallery, photos = foreign.len(), "the bucket holds galleries that this database does not know");
        }
        Ok(ours.into_values().flatten().collect())
    }
}

/// The objects under photos' keys that stood before this time.
fn old_objects(page: Vec<ListedObject>, before: Timestamp) -> Photos {
    let mut photos = Photos::new();
    for object in page {
        let old = object.modified_at.is_some_and(|time| time < before);
        if let (true, Some(photo)) = (old, object.key.photo()) {
            photos.entry(photo).or_default().push(object.key);
        }
    }
    photos
}

#[cfg(test)]
mod tests;
