//! Where the history of each gallery stands.

use sea_orm::entity::prelude::*;

use crate::GalleryId;

/// The last number that a gallery's history gave out. Its row lock puts writers of one gallery in
/// line until they commit, so that a reader who sees an event has all that came before it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_sequence")]
pub struct Model {
    /// Gallery.
    #[sea_orm(primary_key, auto_increment = false)]
    pub gallery_id: GalleryId,
    /// Number of the last event; 0 before the first.
    pub last: i64,
}

/// Relations of the table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
