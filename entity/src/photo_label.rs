//! Labels of photos, normalised for filters and counts.

use sea_orm::entity::prelude::*;

use crate::document::LabelDetail;
use crate::{GalleryId, PhotoId};

/// One label of one photo.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "photo_label")]
pub struct Model {
    /// Photo.
    #[sea_orm(primary_key, auto_increment = false)]
    pub photo_id: PhotoId,
    /// Label name as Rekognition gives it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// Gallery, repeated from the photo for scoped queries.
    pub gallery_id: GalleryId,
    /// How sure, 0 to 100.
    pub confidence: f32,
    /// Parents and instances.
    #[sea_orm(column_type = "JsonBinary")]
    pub detail: LabelDetail,
}

/// Relations of the table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
