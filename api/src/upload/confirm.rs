//! `confirmPhotoUploads`: what stands in the store goes to analysis.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use entity::analysis_step::{State, Step};
use entity::photo::Status;
use entity::{GalleryId, PhotoId, Timestamp, analysis_step, gallery, photo};
use futures::StreamExt as _;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::rules;
use super::service::{PhotoOutcome, UploadService, Verdict, outcomes};
use crate::access::{Authorized, Viewer};
use crate::db::retried;
use crate::error::{Result, UserErrorCode};
use crate::job::{NewJob, queue};
use crate::storage::{ObjectKey, StorageError};

impl UploadService {
    /// Confirms uploads. Safe to repeat: a photo that is confirmed already is simply given.
    ///
    /// # Errors
    /// `Unauthenticated`; `User` with `TooManyFiles`; `Unavailable` where the store does not answer,
    /// with nothing confirmed.
    pub async fn confirm(
        &self,
        viewer: Viewer,
        ids: &[PhotoId],
    ) -> Result<Vec<PhotoOutcome<Authorized<photo::Model>>>> {
        rules::check_ids(ids.len())?;
        let mut claimed = self.claimed(viewer, ids).await?;
        let awaiting: BTreeMap<PhotoId, Authorized<photo::Model>> = claimed
            .values()
            .flatten()
            .filter(|photo| photo.status == Status::AwaitingUpload)
            .map(|photo| (photo.id, photo.clone()))
            .collect();
        let photos = awaiting
            .values()
            .map(|photo| photo.clone().into_inner())
            .collect();
        let now = self.clock.now();

        let mut standing = Vec::new();
        let mut looks = self.inspect(photos);
        while let Some((photo, verdict)) = looks.next().await {
            let code = match verdict? {
                Verdict::Matches => {
                    standing.push(photo);
                    continue;
                }
                Verdict::Absent if photo.upload_expires_at <= now => UserErrorCode::UploadExpired,
                Verdict::Absent => UserErrorCode::NotUploadedYet,
                Verdict::Differs => {
                    self.drop_object(&photo).await?;
                    UserErrorCode::UploadMismatch
                }
            };
            claimed.insert(photo.id, Err(code));
        }
        let admitted = retried(|| self.admit(&standing, now)).await?;
        for photo in standing {
            let outcome = match (admitted.get(&photo.id), awaiting.get(&photo.id)) {
                (Some(row), Some(authority)) => match row.status {
                    Status::Deleting => Err(UserErrorCode::Cancelled),
                    // Announced anew while we looked: what stands is not known to be it.
                    Status::AwaitingUpload => Err(UserErrorCode::NotUploadedYet),
                    _ => Ok(authority.with(row.clone())),
                },
                _ => Err(UserErrorCode::NotFound),
            };
            claimed.insert(photo.id, outcome);
        }
        Ok(outcomes(ids, &claimed))
    }

    /// Removes bytes that nobody announced, so that the right ones can take their place: the signed
    /// `If-None-Match` lets no PUT replace an object.
    async fn drop_object(&self, photo: &photo::Model) -> Result<()> {
        // Somebody may have removed them, sent the right ones and confirmed since we looked.
        let row = photo::Entity::find_by_id(photo.id)
            .one(self.db.read())
            .await?;
        if row.is_some_and(|row| row.status == Status::AwaitingUpload) {
            tracing::warn!(photo = %photo.id, "an upload differs from its announcement");
            match self.store.delete(&[ObjectKey::original_of(photo)]).await {
                Ok(()) | Err(StorageError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Puts photos whose objects stand into analysis, those that still await it, and gives all of
    /// them as they are then. `seen` is what was compared with the store.
    pub(super) async fn admit(
        &self,
        seen: &[photo::Model],
        now: Timestamp,
    ) -> Result<HashMap<PhotoId, photo::Model>> {
        if seen.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<PhotoId> = seen.iter().map(|photo| photo.id).collect();
        let seen: HashMap<PhotoId, &photo::Model> =
            seen.iter().map(|photo| (photo.id, photo)).collect();
        let transaction = self.db.begin().await?;
        let galleries: HashMap<GalleryId, gallery::Model> = gallery::Entity::find()
            .filter(gallery::Column::Id.is_in(seen.values().map(|photo| photo.gallery_id)))
            .filter(gallery::Column::DeletedAt.is_null())
            .all(&*transaction)
            .await?
            .into_iter()
            .map(|gallery| (gallery.id, gallery))
            .collect();
        let mut rows: HashMap<PhotoId, photo::Model> = by_id(&ids)
            .lock_exclusive()
            .all(&*transaction)
            .await?
            .into_iter()
            .filter(|row| galleries.contains_key(&row.gallery_id))
            .map(|row| (row.id, row))
            .collect();
        let mut ready: Vec<PhotoId> = rows
            .values()
            .filter(|row| row.status == Status::AwaitingUpload)
            .filter(|row| seen.get(&row.id).is_some_and(|seen| same(seen, row)))
            .map(|row| row.id)
            .collect();
        ready.sort_unstable();
        if ready.is_empty() {
            return Ok(rows);
        }
        photo::Entity::update_many()
            .set(photo::ActiveModel {
                status: Set(Status::Processing),
                confirmed_at: Set(Some(now)),
                updated_at: Set(now),
                ..Default::default()
            })
            .filter(photo::Column::Id.is_in(ready.iter().copied()))
            .exec(&*transaction)
            .await?;
        let steps = ready.iter().flat_map(|id| {
            let faces = rows
                .get(id)
                .and_then(|row| galleries.get(&row.gallery_id))
                .is_some_and(|gallery| gallery.face_analysis);
            steps(*id, faces, now)
        });
        analysis_step::Entity::insert_many(steps.map(IntoActiveModel::into_active_model))
            .exec_without_returning(&*transaction)
            .await?;
        self.enqueue_analysis(&*transaction, &ready).await?;
        crate::photo::document::rebuild(&transaction, &ready, now).await?;
        for row in by_id(&ready).all(&*transaction).await? {
            rows.insert(row.id, row);
        }
        transaction.commit().await?;
        self.wake_up.poke();
        Ok(rows)
    }

    async fn enqueue_analysis(
        &self,
        connection: &impl ConnectionTrait,
        photos: &[PhotoId],
    ) -> Result<()> {
        for photo in photos {
            let job = NewJob {
                kind: crate::analysis::ANALYSE,
                subject: photo.to_string(),
                priority: 0,
                delay: Duration::ZERO,
            };
            queue::enqueue(connection, &self.clock, job).await?;
        }
        Ok(())
    }
}

fn by_id(ids: &[PhotoId]) -> sea_orm::Select<photo::Entity> {
    photo::Entity::find()
        .filter(photo::Column::Id.is_in(ids.iter().copied()))
        .order_by_asc(photo::Column::Id)
}

/// Whether both rows promise the same object.
fn same(a: &photo::Model, b: &photo::Model) -> bool {
    a.byte_size == b.byte_size && a.content_type == b.content_type && a.sha256 == b.sha256
}

fn steps(photo: PhotoId, faces: bool, now: Timestamp) -> [analysis_step::Model; 4] {
    [Step::Renditions, Step::Faces, Step::Labels, Step::Grouping].map(|step| {
        let wanted = faces || matches!(step, Step::Renditions | Step::Labels);
        analysis_step::Model {
            photo_id: photo,
            step,
            state: if wanted {
                State::Pending
            } else {
                State::Skipped
            },
            attempts: 0,
            retry_at: None,
            error_code: None,
            error_message: None,
            retryable: false,
            updated_at: now,
        }
    })
}
