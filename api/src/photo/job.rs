//! What a photo's deletion takes along.

use std::sync::Arc;

use async_trait::async_trait;
use entity::photo::Status;
use entity::{PhotoId, gallery, photo};
use sea_orm::EntityTrait;

use crate::clock::Clock;
use crate::db::Db;
use crate::gallery::job::{delete_prefix, storage, until};
use crate::job::{Handler, JobError, Lease, Outcome, queue};
use crate::people::service::PeopleService;
use crate::storage::{ObjectKey, ObjectStore};

/// Kind of the job; the subject is the photo's id.
pub const DELETE_PHOTO: &str = "delete_photo";

/// Removes a deleted photo's faces, its objects and, once its presigned PUT has ended, its row.
pub struct DeletePhoto {
    /// Database.
    pub db: Db,
    /// Clock.
    pub clock: Clock,
    /// How long the row outlives its presigned PUT: one that began in time may end late.
    pub late_seconds: u32,
    /// Object store.
    pub store: Arc<dyn ObjectStore>,
    /// Takes the photo's faces out of people and collection.
    pub people: Arc<PeopleService>,
}

#[async_trait]
impl Handler for DeletePhoto {
    fn kind(&self) -> &'static str {
        DELETE_PHOTO
    }

    async fn run(&self, lease: &Lease) -> Result<Outcome, JobError> {
        let id: PhotoId = lease
            .subject
            .parse::<uuid::Uuid>()
            .map_err(|e| JobError::Fail(e.into()))?
            .into();
        let Some(row) = photo::Entity::find_by_id(id).one(self.db.read()).await? else {
            return Ok(Outcome::Done);
        };
        if row.status != Status::Deleting {
            return Ok(Outcome::Done);
        }
        if let Some(gallery) = gallery::Entity::find_by_id(row.gallery_id)
            .one(self.db.read())
            .await?
        {
            self.people.remove_photo(&gallery, id).await?;
        }
        let prefix = ObjectKey::photo_prefix(row.gallery_id, id);
        delete_prefix(self.store.as_ref(), &prefix)
            .await
            .map_err(storage)?;
        // A presigned PUT that still goes on could bring the object back: the row stays until it ended.
        let now = self.clock.now();
        let end = row.upload_expires_at.plus_seconds(self.late_seconds.into());
        if let Some(wait) = until(now, end) {
            return Ok(Outcome::Again(wait));
        }
        let txn = self.db.begin().await?;
        photo::Entity::delete_by_id(id).exec(&*txn).await?;
        queue::finish(&*txn, lease, now).await?;
        txn.commit().await?;
        Ok(Outcome::Finished)
    }

    async fn given_up(&self, lease: &Lease, error: &str) -> Result<(), JobError> {
        // Nobody sees a deleted photo: only the operator can act on this.
        tracing::error!(
            photo = lease.subject,
            error,
            "a deleted photo could not be cleaned up"
        );
        Ok(())
    }
}
