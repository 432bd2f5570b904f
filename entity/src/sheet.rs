//! Contact sheets of the `compare` matcher: up to 100 cover faces in one picture.

use sea_orm::entity::prelude::*;

use crate::{GalleryId, SheetId, Timestamp};

/// A contact sheet. Its picture lies in S3 under a key made of id and version.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sheet")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SheetId,
    /// Gallery.
    pub gallery_id: GalleryId,
    /// Grows with every new picture.
    pub version: i32,
    /// Cells in use, 1 to 100.
    pub cells: i32,
    /// When the picture last changed.
    pub updated_at: Timestamp,
}

/// Relations of the table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
