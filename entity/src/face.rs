//! Faces found in photos.

use sea_orm::entity::prelude::*;

use crate::document::FaceDetail;
use crate::{FaceId, GalleryId, PersonId, PhotoId, Timestamp};

/// Where a face stands in the grouping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "snake_case"
)]
pub enum Grouping {
    /// Waits for the grouping job.
    Waiting,
    /// Has a person.
    Assigned,
    /// Matches nobody and is too poor to found a person; tried again when people change.
    Unmatched,
}

/// A face.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "face")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: FaceId,
    /// Gallery, repeated from the photo for scoped queries.
    pub gallery_id: GalleryId,
    /// Photo.
    pub photo_id: PhotoId,
    /// 0 for the photo's largest face, then counting up; unique with `photo_id`.
    pub ordinal: i32,
    /// What was detected.
    #[sea_orm(column_type = "JsonBinary")]
    pub detail: FaceDetail,
    /// 0 to 100, from pose, sharpness and size: covers are chosen by it.
    pub quality: f32,
    /// Whether it may found a person.
    pub can_found: bool,
    /// Where it stands in the grouping.
    pub grouping: Grouping,
    /// Its person.
    pub person_id: Option<PersonId>,
    /// Who put it there: `matcher` or `user`.
    pub assigned_by: Option<String>,
    /// Similarity with its person when the matcher put it there, 0 to 100.
    pub similarity: Option<f32>,
    /// Its id in the gallery's Rekognition collection, with the `collection` matcher.
    pub collection_face_id: Option<String>,
    /// When the row was made.
    pub created_at: Timestamp,
}

/// Relations of the table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Faces of a gallery that wait to be grouped, in the order of their making.
    #[must_use]
    pub fn find_waiting(gallery: GalleryId) -> Select<Self> {
        Self::find()
            .filter(Column::GalleryId.eq(gallery))
            .filter(Column::Grouping.eq(Grouping::Waiting))
    }
}
