//! What a gallery's deletion takes along.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use entity::{GalleryId, Timestamp, gallery, photo};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::clock::Clock;
use crate::db::Db;
use crate::event::outbox;
use crate::job::{Handler, JobError, Lease, Outcome, queue};
use crate::people::service::PeopleService;
use crate::storage::{ObjectKey, ObjectStore, StorageError};

/// Kind of the job; the subject is the gallery's id.
pub const DELETE_GALLERY: &str = "delete_gallery";

/// How long rows outlive the gallery's last presigned PUT: one that began in time may end late. It is
/// longer than a photo's, since nothing is looked for in galleries that have no row.
const LATE_SECONDS: i64 = 24 * 3_600;

/// Removes a deleted gallery's objects, its collection of faces and its rows, in this order: while
/// a row stands, a crash in between is repaired by the next run.
pub struct DeleteGallery {
    /// Database.
    pub db: Db,
    /// Clock.
    pub clock: Clock,
    /// Object store.
    pub store: Arc<dyn ObjectStore>,
    /// Knows what the matcher keeps of a gallery.
    pub people: Arc<PeopleService>,
}

#[async_trait]
impl Handler for DeleteGallery {
    fn kind(&self) -> &'static str {
        DELETE_GALLERY
    }

    async fn run(&self, lease: &Lease) -> Result<Outcome, JobError> {
        let id: GalleryId = lease
            .subject
            .parse::<uuid::Uuid>()
            .map_err(|e| JobError::Fail(e.into()))?
            .into();
        let Some(row) = gallery::Entity::find_by_id(id).one(self.db.read()).await? else {
            return Ok(Outcome::Done);
        };
        if row.deleted_at.is_none() {
            return Ok(Outcome::Done);
        }
        delete_prefix(self.store.as_ref(), &ObjectKey::gallery_prefix(id))
            .await
            .map_err(storage)?;
        self.people
            .forget(&row)
            .await
            .map_err(|error| JobError::Retry {
                error: error.into(),
                after: None,
            })?;
        // A presigned PUT that still goes on could bring an object back: rows stay until it ended.
        let now = self.clock.now();
        let last = photo::Entity::find()
            .filter(photo::Column::GalleryId.eq(id))
            .order_by_desc(photo::Column::UploadExpiresAt)
            .one(self.db.read())
            .await?;
        if let Some(wait) =
            last.and_then(|row| until(now, row.upload_expires_at.plus_seconds(LATE_SECONDS)))
        {
            return Ok(Outcome::Again(wait));
        }
        let txn = self.db.begin().await?;
        gallery::Entity::delete_by_id(id).exec(&*txn).await?;
        outbox::forget(&*txn, id).await?;
        queue::finish(&*txn, lease, now).await?;
        txn.commit().await?;
        Ok(Outcome::Finished)
    }

    async fn given_up(&self, lease: &Lease, error: &str) -> Result<(), JobError> {
        // Nobody sees a deleted gallery: only the operator can act on this.
        tracing::error!(
            gallery = lease.subject,
            error,
            "a deleted gallery could not be cleaned up"
        );
        Ok(())
    }
}

/// How long until `end`, and a second more; `None` where it has passed.
pub(crate) fn until(now: Timestamp, end: Timestamp) -> Option<Duration> {
    let micros = u64::try_from(end.0.saturating_sub(now.0)).ok()?;
    Some(Duration::from_micros(micros) + Duration::from_secs(1))
}

/// Deletes every object whose key begins with `prefix`.
///
/// # Errors
/// The store's.
pub(crate) async fn delete_prefix(
    store: &dyn ObjectStore,
    prefix: &str,
) -> Result<(), StorageError> {
    loop {
        let listed = store.list(prefix, None).await?;
        if listed.is_empty() {
            return Ok(());
        }
        let keys: Vec<ObjectKey> = listed.into_iter().map(|object| object.key).collect();
        store.delete(&keys).await?;
    }
}

/// A store's answer as a job's.
pub(crate) fn storage(error: StorageError) -> JobError {
    JobError::Retry {
        error: error.into(),
        after: None,
    }
}
