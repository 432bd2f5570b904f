//! Calls of `requestPhotoUploads`, kept so that a repeated call gives the same photos.

use sea_orm::entity::prelude::*;

use crate::{GalleryId, Timestamp, UploadRequestId, UserId};

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "upload_request")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UploadRequestId,
    /// Gallery.
    pub gallery_id: GalleryId,
    /// Caller.
    pub user_id: UserId,
    /// The caller's key, or the row's own id where none was given; unique with user and gallery.
    pub idempotency_key: String,
    /// SHA-256 of the files asked for, hex: the same key with other files is refused.
    pub fingerprint: String,
    /// When the call came.
    pub created_at: Timestamp,
}

/// Relations of the table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
