//! Galleries: one event, its members, photos and people.

use sea_orm::entity::prelude::*;

use crate::{GalleryId, PhotoId, Timestamp, UserId};

/// How the faces of a gallery are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "snake_case"
)]
pub enum Matcher {
    /// CompareFaces against contact sheets; nothing biometric is kept at AWS.
    Compare,
    /// IndexFaces and SearchFaces in one collection per gallery.
    Collection,
}

/// A gallery.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "gallery")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GalleryId,
    /// Who made it. Rights come from `gallery_member`, not from here.
    pub created_by: UserId,
    /// Name, 1 to 200 characters.
    pub name: String,
    /// Free text, up to 5,000 characters.
    pub description: String,
    /// Day of the event as `YYYY-MM-DD`, if told.
    pub event_date: Option<String>,
    /// Photo chosen as cover; none: the newest ready photo is shown.
    pub cover_photo_id: Option<PhotoId>,
    /// How faces are grouped.
    pub matcher: Matcher,
    /// Whether faces are looked for at all.
    pub face_analysis: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its own fields last changed.
    pub updated_at: Timestamp,
    /// Set once it is deleted: nobody sees it, a job removes objects, collection and rows.
    pub deleted_at: Option<Timestamp>,
}

/// Relations of the table.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// Its members.
    #[sea_orm(has_many = "super::gallery_member::Entity")]
    Member,
}

impl Related<super::gallery_member::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Member.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The gallery with this id, unless it is deleted.
    #[must_use]
    pub fn find_live(id: GalleryId) -> Select<Self> {
        Self::find_by_id(id).filter(Column::DeletedAt.is_null())
    }
}
