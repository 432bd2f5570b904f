//! Photos, from the promise of an upload to the analysed picture.

use sea_orm::entity::prelude::*;

use crate::document::PhotoDocument;
use crate::{GalleryId, PhotoId, Timestamp, UploadRequestId, UserId};

/// Where a photo stands. See `docs/ARCHITECTURE.md` for the transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "snake_case"
)]
pub enum Status {
    /// A row and a presigned URL exist; the object may not.
    AwaitingUpload,
    /// Confirmed: the object stands and matches; steps are under way.
    Processing,
    /// Every step is done.
    Ready,
    /// Viewable, but at least one analysis step failed for good.
    Partial,
    /// Not usable: the bytes are no picture that we take.
    Failed,
    /// Deleted or cancelled: hidden; a job removes the objects, then the row.
    Deleting,
}

/// A photo.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "photo")]
pub struct Model {
    /// Primary key; the object keys derive from it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PhotoId,
    /// Its gallery.
    pub gallery_id: GalleryId,
    /// Who uploads it.
    pub uploader_id: UserId,
    /// The `requestPhotoUploads` call that made it.
    pub upload_request_id: UploadRequestId,
    /// The client's own name for the file within that call.
    pub client_ref: Option<String>,
    /// File name as the client told it, for people only: it is never part of a key.
    pub filename: String,
    /// Declared MIME type, bound into the presigned URL.
    pub content_type: String,
    /// Declared length in bytes, bound into the presigned URL.
    pub byte_size: i64,
    /// Declared SHA-256, lower-case hex, bound into the presigned URL.
    pub sha256: String,
    /// `sha256` while the photo counts for duplicates, else the photo's own id: unique with
    /// `gallery_id`, which makes a race of two equal uploads one photo on every database.
    pub dedup_key: String,
    /// Where it stands.
    pub status: Status,
    /// Why it failed, as an error code; see the analysis module.
    pub failure_code: Option<String>,
    /// When the presigned PUT ends; a later request for the same bytes renews it.
    pub upload_expires_at: Timestamp,
    /// When the upload was confirmed.
    pub confirmed_at: Option<Timestamp>,
    /// Width in pixels as shown (EXIF orientation applied).
    pub width: Option<i32>,
    /// Height in pixels as shown.
    pub height: Option<i32>,
    /// Width of the preview rendition in pixels.
    pub preview_width: Option<i32>,
    /// Height of the preview rendition in pixels.
    pub preview_height: Option<i32>,
    /// Width of the thumbnail rendition in pixels.
    pub thumbnail_width: Option<i32>,
    /// Height of the thumbnail rendition in pixels.
    pub thumbnail_height: Option<i32>,
    /// When the shutter opened (EXIF), else when the row was made: what pages are ordered by.
    pub taken_at: Timestamp,
    /// Whether `taken_at` comes from EXIF.
    pub taken_at_known: bool,
    /// Camera maker and model (EXIF).
    pub camera: Option<String>,
    /// Degrees north (EXIF); shown to editors and the uploader only.
    pub latitude: Option<f64>,
    /// Degrees east (EXIF).
    pub longitude: Option<f64>,
    /// The file tells a location, or has metadata that may and that is not understood in full.
    pub may_tell_location: bool,
    /// ThumbHash of the thumbnail, base64.
    pub thumbhash: Option<String>,
    /// Faces and labels once more, as one document: a page of photos is then one row a photo.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub document: Option<PhotoDocument>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Relations of the table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Photos of a gallery that are not deleted.
    #[must_use]
    pub fn find_in_gallery(gallery: GalleryId) -> Select<Self> {
        Self::find()
            .filter(Column::GalleryId.eq(gallery))
            .filter(Column::Status.ne(Status::Deleting))
    }
}
