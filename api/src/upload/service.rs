//! The service: what uploads need, and what their calls have in common.
//!
//! `request`, `confirm` and `cancel` hold the calls, `placing` decides which photo a file becomes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use entity::photo::Status;
use entity::{PhotoId, Timestamp, photo};
use futures::{Stream, StreamExt as _, stream};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _, QuerySelect as _,
};

use super::{released_dedup_key, rules};
use crate::access::{self, Action, Authorized, Viewer};
use crate::clock::Clock;
use crate::config::Uploads;
use crate::db::Db;
use crate::error::{Result, UserError, UserErrorCode};
use crate::job::{NewJob, WakeUp, queue};
use crate::storage::{ObjectKey, ObjectStore, StorageError, UploadConstraint};

/// HEADs under way at a time.
const CONCURRENT_HEADS: usize = 8;

/// Uploads.
pub struct UploadService {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) limits: Uploads,
    pub(super) wake_up: WakeUp,
}

impl std::fmt::Debug for UploadService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UploadService")
            .field("db", &self.db)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What became of one photo of a call.
#[derive(Debug)]
pub struct PhotoOutcome<T> {
    /// The id that the call named.
    pub photo_id: PhotoId,
    /// What the call gives for it, or why not.
    pub outcome: std::result::Result<T, UserError>,
}

/// What the store has at a photo's key, against what was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Matches,
    Absent,
    Differs,
}

/// A photo, and what the store has for it.
pub(super) type Look = (photo::Model, std::result::Result<Verdict, StorageError>);

impl UploadService {
    /// The service; `wake_up` is the worker's of this process, if it has one.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        store: Arc<dyn ObjectStore>,
        limits: Uploads,
        wake_up: WakeUp,
    ) -> Self {
        Self {
            db,
            clock,
            store,
            limits,
            wake_up,
        }
    }

    /// The photos that the viewer may confirm or cancel: their own, or any as an editor.
    pub(super) async fn claimed(
        &self,
        viewer: Viewer,
        ids: &[PhotoId],
    ) -> Result<HashMap<PhotoId, std::result::Result<Authorized<photo::Model>, UserErrorCode>>>
    {
        let user = viewer.user()?;
        let mut claimed = HashMap::new();
        for photo in access::photos(self.db.read(), viewer, ids).await? {
            let own = photo.uploader_id == user;
            let verdict = if photo.allows(Action::EditPhotos) || own && photo.allows(Action::Upload)
            {
                Ok(photo.clone())
            } else if own {
                // Uploaded before their role was lowered.
                Err(UserErrorCode::Forbidden)
            } else {
                Err(UserErrorCode::NotFound)
            };
            claimed.insert(photo.id, verdict);
        }
        let missing: Vec<PhotoId> = ids
            .iter()
            .copied()
            .filter(|id| !claimed.contains_key(id))
            .collect();
        if !missing.is_empty() {
            // Deleted photos are hidden from everyone, but whoever cancelled an upload may know so.
            let cancelled = photo::Entity::find()
                .select_only()
                .column(photo::Column::Id)
                .filter(photo::Column::Id.is_in(missing.iter().copied()))
                .filter(photo::Column::UploaderId.eq(user))
                .filter(photo::Column::Status.eq(Status::Deleting))
                .into_tuple::<PhotoId>()
                .all(self.db.read())
                .await?;
            for id in missing {
                let code = if cancelled.contains(&id) {
                    UserErrorCode::Cancelled
                } else {
                    UserErrorCode::NotFound
                };
                claimed.insert(id, Err(code));
            }
        }
        Ok(claimed)
    }

    /// Looks at the store for each photo, some at a time, as fast as the answers are taken: whoever
    /// stops taking them does not wait for the rest of a store that does not answer.
    pub(super) fn inspect(&self, photos: Vec<photo::Model>) -> impl Stream<Item = Look> + Unpin {
        let looks = photos.into_iter().map(|photo| self.look(photo));
        // Collected first: a stream over a borrowing iterator is not `Send` for every lifetime.
        let looks: Vec<_> = looks.collect();
        stream::iter(looks).buffer_unordered(CONCURRENT_HEADS)
    }

    async fn look(&self, photo: photo::Model) -> Look {
        let verdict = match self.store.head(&ObjectKey::original_of(&photo)).await {
            Ok(Some(head)) if rules::is_as_announced(&head, &photo) => Ok(Verdict::Matches),
            Ok(Some(_)) => Ok(Verdict::Differs),
            Ok(None) => Ok(Verdict::Absent),
            Err(error) => Err(error),
        };
        (photo, verdict)
    }

    /// Hides an upload that will not be and asks for the removal of its object and row. The caller
    /// holds the row's lock and knows that it awaits upload.
    pub(super) async fn discard(
        &self,
        connection: &impl ConnectionTrait,
        photo: photo::Model,
        now: Timestamp,
    ) -> Result<()> {
        // While its URL lives, a late PUT can still bring the object that the job has removed.
        let quiet = self.quiet_from(&photo);
        let wait = u64::try_from(quiet.0.saturating_sub(now.0)).unwrap_or_default();
        let id = photo.id;
        let mut change = photo.into_active_model();
        change.status = Set(Status::Deleting);
        change.dedup_key = Set(released_dedup_key(id));
        change.updated_at = Set(now);
        change.update(connection).await?;
        queue::enqueue(
            connection,
            &self.clock,
            NewJob {
                kind: crate::photo::job::DELETE_PHOTO,
                subject: id.to_string(),
                priority: 0,
                delay: Duration::from_micros(wait),
            },
        )
        .await
    }

    /// When no PUT for the photo can be under way any more.
    pub(super) fn quiet_from(&self, photo: &photo::Model) -> Timestamp {
        photo
            .upload_expires_at
            .plus_seconds(i64::from(self.limits.reap_after_seconds))
    }
}

/// What a photo's row promises.
pub(super) fn constraint(photo: &photo::Model) -> UploadConstraint {
    UploadConstraint {
        byte_size: photo.byte_size,
        content_type: photo.content_type.clone(),
        sha256: photo.sha256.clone(),
    }
}

/// One outcome per id of the call, in its order.
pub(super) fn outcomes<T: Clone>(
    ids: &[PhotoId],
    of: &HashMap<PhotoId, std::result::Result<T, UserErrorCode>>,
) -> Vec<PhotoOutcome<T>> {
    ids.iter()
        .enumerate()
        .map(|(index, id)| PhotoOutcome {
            photo_id: *id,
            outcome: of
                .get(id)
                .cloned()
                .unwrap_or(Err(UserErrorCode::NotFound))
                .map_err(|code| {
                    let path = ["input", "photoIds", &index.to_string()];
                    UserError::new(code, &path, message(code))
                }),
        })
        .collect()
}

fn message(code: UserErrorCode) -> &'static str {
    match code {
        UserErrorCode::Forbidden => "your role does not allow it",
        UserErrorCode::NotUploadedYet => "the file is not in the store yet: send it, then confirm",
        UserErrorCode::UploadMismatch => {
            "what arrived is not the file that was announced and was removed: send it again"
        }
        UserErrorCode::UploadExpired => "the upload's time is over: ask for a new one",
        UserErrorCode::Cancelled => "the upload was cancelled or the photo deleted",
        UserErrorCode::InvalidState => "the upload is confirmed: delete the photo instead",
        _ => "no such photo",
    }
}
