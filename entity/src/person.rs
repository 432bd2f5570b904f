//! People: groups of faces within one gallery.

use sea_orm::entity::prelude::*;

use crate::{FaceId, GalleryId, PersonId, SheetId, Timestamp};

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "person")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PersonId,
    /// Gallery.
    pub gallery_id: GalleryId,
    /// Name, if somebody gave one.
    pub name: Option<String>,
    /// Left out of lists unless asked for.
    pub hidden: bool,
    /// The face that shows the person best.
    pub cover_face_id: Option<FaceId>,
    /// Faces in the group, kept with every change in the same transaction.
    pub face_count: i32,
    /// Photos that show the person.
    pub photo_count: i32,
    /// Contact sheet that shows the cover, with the `compare` matcher.
    pub sheet_id: Option<SheetId>,
    /// Cell of that sheet, 0 to 99, row by row.
    pub sheet_cell: Option<i32>,
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
    /// People of a gallery.
    #[must_use]
    pub fn find_in_gallery(gallery: GalleryId) -> Select<Self> {
        Self::find().filter(Column::GalleryId.eq(gallery))
    }
}
