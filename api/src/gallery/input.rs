//! Galleries' arguments, and what roles and matchers are called.

use async_graphql::{Enum, ID, InputObject, MaybeUndefined};
use entity::gallery::Matcher;
use entity::gallery_member::Role;

/// What a member may do. Each role includes the ones below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Role")]
pub enum GalleryRole {
    /// Everything, deleting the gallery and managing members included.
    Owner,
    /// Changes the gallery, its people and any photo; sees where photos were taken.
    Editor,
    /// Uploads, and deletes their own photos.
    Contributor,
    /// Looks.
    Viewer,
}

/// How faces are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Matcher")]
pub enum FaceMatcherKind {
    /// CompareFaces against contact sheets: nothing biometric is kept at AWS.
    Compare,
    /// IndexFaces and SearchFaces in one collection, deleted with the gallery.
    Collection,
}

/// A new gallery.
#[derive(InputObject)]
pub struct CreateGalleryInput {
    /// 1 to 200 characters.
    pub(super) name: String,
    /// Up to 5,000 characters.
    #[graphql(default)]
    pub(super) description: String,
    /// Day of the event as YYYY-MM-DD.
    pub(super) event_date: Option<String>,
    /// How faces are told apart; none: the server's default.
    pub(super) face_matcher: Option<FaceMatcherKind>,
    /// Whether faces are looked for at all.
    #[graphql(default = true)]
    pub(super) face_analysis: bool,
}

/// What of a gallery changes; fields left out stay.
#[derive(InputObject)]
pub struct UpdateGalleryInput {
    /// Which gallery.
    pub(super) gallery_id: ID,
    /// 1 to 200 characters.
    pub(super) name: Option<String>,
    /// Up to 5,000 characters.
    pub(super) description: Option<String>,
    /// Day of the event as YYYY-MM-DD; null removes it.
    pub(super) event_date: MaybeUndefined<String>,
    /// Cover; null goes back to the newest photo.
    pub(super) cover_photo_id: MaybeUndefined<ID>,
}

/// Which gallery to delete.
#[derive(InputObject)]
pub struct DeleteGalleryInput {
    /// Which gallery.
    pub(super) gallery_id: ID,
}

/// Who becomes a member, or gets another role.
#[derive(InputObject)]
pub struct SetGalleryMemberInput {
    /// Which gallery.
    pub(super) gallery_id: ID,
    /// E-mail address of an account.
    pub(super) email: String,
    /// Their role.
    pub(super) role: GalleryRole,
}

/// Whose membership ends.
#[derive(InputObject)]
pub struct RemoveGalleryMemberInput {
    /// Which gallery.
    pub(super) gallery_id: ID,
    /// Whose; your own id leaves the gallery.
    pub(super) user_id: ID,
}
