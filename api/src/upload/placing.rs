//! Which photo each file of a call becomes: a new one, one that still waits for its bytes, or one
//! that is there already.

use std::collections::{HashMap, HashSet};

use entity::photo::Status;
use entity::{GalleryId, PhotoId, Timestamp, UploadRequestId, UserId, photo};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait,
    DatabaseTransaction, DbErr, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, TransactionTrait as _,
};

use super::released_dedup_key;
use super::rules::AcceptedFile;
use crate::clock::Clock;
use crate::db::unless_taken;
use crate::error::{Error, Result};

/// Rows of one INSERT: SQLite binds at most 32,766 values.
const ROWS_PER_INSERT: usize = 500;
/// How often a race for a file's place is run again. The gallery's lock leaves room for very few.
const TRIES: usize = 3;

/// A file's photo.
#[derive(Clone, Debug)]
pub(super) enum Placed {
    /// Waits for its bytes: give a URL.
    Send(photo::Model),
    /// This very request made it, and its bytes are confirmed.
    Sent(photo::Model),
    /// The same bytes are or will be there by another upload.
    Duplicate(photo::Model),
    /// The gallery is full.
    NoRoom,
}

/// Places the files of one call. The caller holds the gallery's row lock.
pub(super) struct Placing<'a> {
    pub(super) clock: &'a Clock,
    pub(super) gallery: GalleryId,
    pub(super) user: UserId,
    pub(super) request: UploadRequestId,
    pub(super) now: Timestamp,
    pub(super) expires_at: Timestamp,
    /// Photos that the gallery may hold.
    pub(super) most: u64,
}

impl Placing<'_> {
    /// Places `files`, by their SHA-256.
    pub(super) async fn place(
        &self,
        transaction: &DatabaseTransaction,
        files: &[&AcceptedFile],
    ) -> Result<HashMap<String, Placed>> {
        let mut seen = HashSet::new();
        let files: Vec<&AcceptedFile> = files
            .iter()
            .copied()
            .filter(|file| seen.insert(file.sha256.as_str()))
            .collect();
        for _ in 0..TRIES {
            let existing = self.existing(transaction, &files).await?;
            let new: Vec<&AcceptedFile> = files
                .iter()
                .copied()
                .filter(|file| !existing.contains_key(&file.sha256))
                .collect();
            let room = self.room(transaction, new.len()).await?;
            let rows: Vec<photo::Model> =
                new.iter().take(room).map(|file| self.row(file)).collect();
            if !insert(transaction, &rows).await? {
                continue;
            }
            let mut placed: HashMap<String, Placed> = rows
                .into_iter()
                .map(|row| (row.sha256.clone(), Placed::Send(row)))
                .collect();
            for file in new.into_iter().skip(room) {
                placed.insert(file.sha256.clone(), Placed::NoRoom);
            }
            let files: HashMap<&str, &AcceptedFile> = files
                .iter()
                .map(|file| (file.sha256.as_str(), *file))
                .collect();
            let mut existing: Vec<photo::Model> = existing.into_values().collect();
            existing.sort_unstable_by_key(|photo| photo.id);
            for photo in existing {
                if let Some(file) = files.get(photo.sha256.as_str()) {
                    let place = self.take(transaction, photo, file).await?;
                    placed.insert(file.sha256.clone(), place);
                }
            }
            return Ok(placed);
        }
        Err(Error::internal(
            "other uploads of the same files came first, again and again",
        ))
    }

    /// Photos with the same bytes that count, by SHA-256, locked.
    async fn existing(
        &self,
        connection: &impl ConnectionTrait,
        files: &[&AcceptedFile],
    ) -> Result<HashMap<String, photo::Model>> {
        let sums = files.iter().map(|file| file.sha256.as_str());
        let same_bytes = photo::Column::GalleryId
            .eq(self.gallery)
            .and(photo::Column::DedupKey.is_in(sums));
        let ids: Vec<PhotoId> = photo::Entity::find()
            .select_only()
            .column(photo::Column::Id)
            .filter(same_bytes.clone())
            .into_tuple()
            .all(connection)
            .await?;
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        // Locked by their primary keys: InnoDB locks every row that it looks at, and for a small
        // gallery it may choose to look at all.
        let rows = photo::Entity::find()
            .filter(photo::Column::Id.is_in(ids))
            .filter(same_bytes)
            .order_by_asc(photo::Column::Id)
            .lock_exclusive()
            .all(connection)
            .await?;
        let mut counting = HashMap::new();
        for photo in rows {
            if matches!(photo.status, Status::Failed | Status::Deleting) {
                // Whoever ended it should have freed its place; a file must not be locked out.
                let id = photo.id;
                let mut change = photo.into_active_model();
                change.dedup_key = Set(released_dedup_key(id));
                change.update(connection).await?;
            } else {
                counting.insert(photo.sha256.clone(), photo);
            }
        }
        Ok(counting)
    }

    async fn room(&self, connection: &impl ConnectionTrait, wanted: usize) -> Result<usize> {
        if wanted == 0 {
            return Ok(0);
        }
        let held: i64 = photo::Entity::find_in_gallery(self.gallery)
            .select_only()
            .column_as(photo::Column::Id.count(), "held")
            .into_tuple()
            .one(connection)
            .await?
            .unwrap_or_default();
        let held = u64::try_from(held).unwrap_or_default();
        Ok(usize::try_from(self.most.saturating_sub(held)).unwrap_or(usize::MAX))
    }

    fn row(&self, file: &AcceptedFile) -> photo::Model {
        photo::Model {
            id: self.clock.new_id(),
            gallery_id: self.gallery,
            uploader_id: self.user,
            upload_request_id: self.request,
            client_ref: file.client_ref.clone(),
            filename: file.filename.clone(),
            content_type: file.content_type.to_owned(),
            byte_size: file.byte_size,
            sha256: file.sha256.clone(),
            dedup_key: file.sha256.clone(),
            status: Status::AwaitingUpload,
            failure_code: None,
            upload_expires_at: self.expires_at,
            confirmed_at: None,
            width: None,
            height: None,
            preview_width: None,
            preview_height: None,
            thumbnail_width: None,
            thumbnail_height: None,
            taken_at: self.now,
            taken_at_known: false,
            camera: None,
            latitude: None,
            longitude: None,
            may_tell_location: false,
            thumbhash: None,
            document: None,
            created_at: self.now,
            updated_at: self.now,
        }
    }

    /// What a file is whose bytes a photo of the gallery has or awaits.
    async fn take(
        &self,
        connection: &impl ConnectionTrait,
        photo: photo::Model,
        file: &AcceptedFile,
    ) -> Result<Placed> {
        let own = photo.uploader_id == self.user;
        if photo.status != Status::AwaitingUpload {
            return Ok(if own && photo.upload_request_id == self.request {
                Placed::Sent(photo)
            } else {
                Placed::Duplicate(photo)
            });
        }
        // Somebody else's upload is left to them as long as their URL lives.
        if !own && photo.upload_expires_at > self.now {
            return Ok(Placed::Duplicate(photo));
        }
        let mut change = photo.into_active_model();
        change.uploader_id = Set(self.user);
        change.upload_request_id = Set(self.request);
        // Equal bytes have one length: if this differs, the earlier announcement was wrong.
        change.byte_size = Set(file.byte_size);
        change.content_type = Set(file.content_type.to_owned());
        change.filename = Set(file.filename.clone());
        change.client_ref = Set(file.client_ref.clone());
        change.upload_expires_at = Set(self.expires_at);
        change.updated_at = Set(self.now);
        Ok(Placed::Send(change.update(connection).await?))
    }
}

/// `false`: another call took the place of one of them; nothing is inserted.
async fn insert(transaction: &DatabaseTransaction, rows: &[photo::Model]) -> Result<bool> {
    if rows.is_empty() {
        return Ok(true);
    }
    let savepoint = transaction.begin().await?;
    let inserted = insert_into(&savepoint, rows).await;
    Ok(unless_taken(savepoint, inserted).await?.is_some())
}

async fn insert_into(savepoint: &DatabaseTransaction, rows: &[photo::Model]) -> Result<(), DbErr> {
    for chunk in rows.chunks(ROWS_PER_INSERT) {
        let models = chunk.iter().map(|row| row.clone().into_active_model());
        photo::Entity::insert_many(models)
            .exec_without_returning(savepoint)
            .await?;
    }
    Ok(())
}
