//! `cancelPhotoUploads`: uploads that will not be.

use std::collections::HashMap;

use entity::photo::Status;
use entity::{PhotoId, photo};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::rules;
use super::service::{PhotoOutcome, UploadService, outcomes};
use crate::access::Viewer;
use crate::error::{Result, UserErrorCode};

impl UploadService {
    /// Cancels uploads that are not confirmed; safe to repeat. The photos are hidden at once; object
    /// and row go when the URL can bring nothing any more.
    ///
    /// # Errors
    /// `Unauthenticated`; `User` with `TooManyFiles`.
    pub async fn cancel(&self, viewer: Viewer, ids: &[PhotoId]) -> Result<Vec<PhotoOutcome<()>>> {
        rules::check_ids(ids.len())?;
        let claimed = self.claimed(viewer, ids).await?;
        let now = self.clock.now();
        let transaction = self.db.begin().await?;
        let rows = photo::Entity::find()
            .filter(photo::Column::Id.is_in(claimed.values().flatten().map(|photo| photo.id)))
            .order_by_asc(photo::Column::Id)
            .lock_exclusive()
            .all(&*transaction)
            .await?;
        let mut done: HashMap<PhotoId, std::result::Result<(), UserErrorCode>> = HashMap::new();
        for row in rows {
            let id = row.id;
            let outcome = match row.status {
                Status::AwaitingUpload => {
                    self.discard(&*transaction, row, now).await?;
                    Ok(())
                }
                Status::Deleting => Ok(()),
                _ => Err(UserErrorCode::InvalidState),
            };
            done.insert(id, outcome);
        }
        transaction.commit().await?;
        for (id, claim) in claimed {
            match claim {
                // Locked above, or gone since.
                Ok(_) => {}
                Err(UserErrorCode::Cancelled) => _ = done.insert(id, Ok(())),
                Err(code) => _ = done.insert(id, Err(code)),
            }
        }
        Ok(outcomes(ids, &done))
    }
}
