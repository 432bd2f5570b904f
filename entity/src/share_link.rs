//! Links under which guests see a gallery.

use sea_orm::entity::prelude::*;

use crate::{GalleryId, ShareLinkId, Timestamp, UserId};

/// One link. Only the SHA-256 of its token is kept.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "share_link")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ShareLinkId,
    /// The gallery that it shows.
    pub gallery_id: GalleryId,
    /// SHA-256 of the token, lower-case hex; unique.
    pub token_hash: String,
    /// What its maker calls it; may be empty.
    pub label: String,
    /// Who made it.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
    /// From then on it is taken no longer; never changes, as tokens of guests end with it.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Relations of the table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The gallery.
    #[sea_orm(
        belongs_to = "super::gallery::Entity",
        from = "Column::GalleryId",
        to = "super::gallery::Column::Id"
    )]
    Gallery,
}

impl Related<super::gallery::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Gallery.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
