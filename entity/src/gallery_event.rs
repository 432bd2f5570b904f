//! The outbox: what happened in a gallery, numbered without gaps.

use sea_orm::entity::prelude::*;

use crate::{GalleryId, Timestamp};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(24))",
    rename_all = "snake_case"
)]
pub enum Kind {
    /// A confirmed photo appeared, or its status, steps, faces, people or labels changed.
    PhotoChanged,
    /// A photo went.
    PhotoDeleted,
    /// A person appeared, or their name, cover, counts or visibility changed.
    PersonChanged,
    /// A person went: merged into another, or without faces.
    PersonDeleted,
    /// The gallery's own fields or its members changed.
    GalleryChanged,
    /// The gallery went, and with it everything in it.
    GalleryDeleted,
}

/// One event. It tells about which row it is, not what the row said then: whoever reads it looks at
/// the row as it is now.
///
/// There is no foreign key on purpose: MySQL and PostgreSQL lock the parent's row for it, and the
/// outbox is written last, when that would be out of the order in which everybody else locks.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "gallery_event")]
pub struct Model {
    /// Gallery.
    #[sea_orm(primary_key, auto_increment = false)]
    pub gallery_id: GalleryId,
    /// Its place in the gallery's history: 1, 2, 3, with no gap.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    /// What happened.
    pub kind: Kind,
    /// Id of the photo, person or gallery that it is about.
    pub subject: Uuid,
    /// When.
    pub created_at: Timestamp,
}

/// Relations of the table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
