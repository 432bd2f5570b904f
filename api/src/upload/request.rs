//! `requestPhotoUploads`: rows, then URLs.

use std::collections::HashSet;
use std::time::Duration;

use entity::{GalleryId, Timestamp, UploadRequestId, UserId, gallery, photo, upload_request};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QuerySelect as _,
};

use super::placing::{Placed, Placing};
use super::rules::{self, AcceptedFile, FileRequest};
use super::service::{UploadService, constraint};
use crate::access::{self, Action, Authorized, Viewer};
use crate::error::{Error, Result, UserError, UserErrorCode};
use crate::storage::{ObjectKey, PresignedPut};

/// What became of one file of a call.
#[derive(Debug)]
pub struct FileOutcome {
    /// The client's own name for the file.
    pub client_ref: Option<String>,
    /// Its photo, or what is wrong with it.
    pub outcome: std::result::Result<Upload, Vec<UserError>>,
}

/// A file's photo and what is left to do.
#[derive(Debug)]
pub enum Upload {
    /// Send the bytes, then confirm.
    Send(Box<Authorized<photo::Model>>, PresignedPut),
    /// Sent and confirmed after an earlier call with the same idempotency key.
    Sent(Box<Authorized<photo::Model>>),
    /// The gallery has or awaits these bytes: nothing to send.
    Duplicate(Box<Authorized<photo::Model>>),
}

impl UploadService {
    /// Makes room for files and gives a URL for each. With the idempotency key of an earlier call it
    /// gives that call's photos once more, with fresh URLs.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `User` with `TooManyFiles`, `Invalid` or `IdempotencyKeyReused`.
    pub async fn request(
        &self,
        viewer: Viewer,
        gallery: GalleryId,
        key: Option<&str>,
        files: &[FileRequest],
    ) -> Result<Vec<FileOutcome>> {
        let gallery = access::gallery(self.db.read(), viewer, gallery, Action::Upload).await?;
        let user = viewer.user()?;
        rules::check_call(key, files.len(), &self.limits)?;
        let checked: Vec<std::result::Result<AcceptedFile, Vec<UserError>>> = files
            .iter()
            .enumerate()
            .map(|(index, file)| rules::check_file(index, file, &self.limits))
            .collect();
        let accepted: Vec<&AcceptedFile> = checked.iter().flatten().collect();
        let now = self.clock.now();
        let life = self.limits.put_url_seconds;

        let transaction = self.db.begin().await?;
        // One call at a time in a gallery: its quota is exact and equal files cannot race.
        gallery::Entity::find_live(gallery.id)
            .lock_exclusive()
            .one(&*transaction)
            .await?
            .ok_or(Error::NotFound)?;
        let fingerprint = rules::fingerprint(files);
        let request = self
            .remember(&*transaction, &gallery, user, key, fingerprint, now)
            .await?;
        let placed = Placing {
            clock: &self.clock,
            gallery: gallery.id,
            user,
            request,
            now,
            expires_at: now.plus_seconds(i64::from(life)),
            most: self.limits.max_photos_per_gallery,
        }
        .place(&transaction, &accepted)
        .await?;
        transaction.commit().await?;

        let mut outcomes = Vec::with_capacity(files.len());
        let mut first = HashSet::new();
        for (index, (file, checked)) in files.iter().zip(checked).enumerate() {
            let outcome = match checked {
                Ok(accepted) => {
                    let again = !first.insert(accepted.sha256.clone());
                    let place = placed.get(&accepted.sha256).cloned();
                    self.answer(&gallery, index, place, again, now).await?
                }
                Err(faults) => Err(faults),
            };
            outcomes.push(FileOutcome {
                client_ref: file.client_ref.clone(),
                outcome,
            });
        }
        Ok(outcomes)
    }

    /// The call's row: the one of an earlier call with the same key, or a new one.
    async fn remember(
        &self,
        connection: &impl ConnectionTrait,
        gallery: &Authorized<gallery::Model>,
        user: UserId,
        key: Option<&str>,
        fingerprint: String,
        now: Timestamp,
    ) -> Result<UploadRequestId> {
        if let Some(key) = key {
            let earlier = upload_request::Entity::find()
                .filter(upload_request::Column::GalleryId.eq(gallery.id))
                .filter(upload_request::Column::UserId.eq(user))
                .filter(upload_request::Column::IdempotencyKey.eq(key))
                // The reaper must not take it for one without photos while we add some.
                .lock_exclusive()
                .one(connection)
                .await?;
            match earlier {
                Some(earlier) if earlier.fingerprint == fingerprint => return Ok(earlier.id),
                Some(_) => {
                    return Err(Error::user(
                        UserErrorCode::IdempotencyKeyReused,
                        &["input", "idempotencyKey"],
                        "this key came with other files before",
                    ));
                }
                None => {}
            }
        }
        let id: UploadRequestId = self.clock.new_id();
        let row = upload_request::Model {
            id,
            gallery_id: gallery.id,
            user_id: user,
            idempotency_key: key.map_or_else(|| id.to_string(), str::to_owned),
            fingerprint,
            created_at: now,
        };
        upload_request::Entity::insert(row.into_active_model())
            .exec_without_returning(connection)
            .await?;
        Ok(id)
    }

    /// The answer for one file; `again`: an earlier file of the call has the same bytes.
    async fn answer(
        &self,
        gallery: &Authorized<gallery::Model>,
        index: usize,
        place: Option<Placed>,
        again: bool,
        now: Timestamp,
    ) -> Result<std::result::Result<Upload, Vec<UserError>>> {
        let authorized = |photo| Box::new(gallery.with(photo));
        Ok(match place {
            Some(Placed::NoRoom) => Err(vec![UserError::new(
                UserErrorCode::QuotaExceeded,
                &["input", "files", &index.to_string()],
                format!(
                    "a gallery holds at most {} photos",
                    self.limits.max_photos_per_gallery
                ),
            )]),
            Some(Placed::Send(photo) | Placed::Sent(photo)) if again => {
                Ok(Upload::Duplicate(authorized(photo)))
            }
            Some(Placed::Send(photo)) => {
                let put = self
                    .store
                    .presign_put(
                        &ObjectKey::original_of(&photo),
                        &constraint(&photo),
                        now,
                        Duration::from_secs(u64::from(self.limits.put_url_seconds)),
                    )
                    .await?;
                Ok(Upload::Send(authorized(photo), put))
            }
            Some(Placed::Sent(photo)) => Ok(Upload::Sent(authorized(photo))),
            Some(Placed::Duplicate(photo)) => Ok(Upload::Duplicate(authorized(photo))),
            None => return Err(Error::internal("a file was not placed")),
        })
    }
}
