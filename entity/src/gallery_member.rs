//! Who may do what in which gallery.

use sea_orm::entity::prelude::*;

use crate::{GalleryId, Timestamp, UserId};

/// A member's role. Each includes what the ones after it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "snake_case"
)]
pub enum Role {
    /// Everything, deleting the gallery and managing members included.
    Owner,
    /// Changes the gallery, its people and any photo.
    Editor,
    /// Uploads, and deletes their own photos.
    Contributor,
    /// Looks.
    Viewer,
}

/// One membership.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "gallery_member")]
pub struct Model {
    /// Gallery.
    #[sea_orm(primary_key, auto_increment = false)]
    pub gallery_id: GalleryId,
    /// Member.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// Their role.
    pub role: Role,
    /// When they were added.
    pub created_at: Timestamp,
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
    /// The member.
    #[sea_orm(
        belongs_to = "super::user::Entity",
        from = "Column::UserId",
        to = "super::user::Column::Id"
    )]
    User,
}

impl Related<super::gallery::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Gallery.def()
    }
}

impl Related<super::user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
