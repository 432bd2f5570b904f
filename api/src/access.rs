//! Who may do what: the one table, and the only maker of [`Authorized`] objects.
//!
//! Loading and authorising are one step. What the viewer may not see is [`Error::NotFound`];
//! what they may see but not do is [`Error::Forbidden`].

use std::collections::HashMap;

use entity::gallery_member::Role;
use entity::{GalleryId, PhotoId, ShareLinkId, UserId, gallery, gallery_member, photo, share_link};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QuerySelect, RelationTrait,
};

use crate::error::{Error, Result};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Viewer {
    /// Nobody that we know.
    Anonymous,
    /// A signed-in user.
    User(UserId),
    /// Whoever holds a share link.
    Guest(Guest),
}

/// Whoever holds a share link. That it was not revoked is looked at with every load; it cannot
/// outlive its link, because neither can the token that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Guest {
    /// The link.
    pub link: ShareLinkId,
    /// The gallery that it shows.
    pub gallery: GalleryId,
}

impl Viewer {
    /// The user.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for anonymous viewers, [`Error::Forbidden`] for guests: a token
    /// they have, only no account.
    pub fn user(self) -> Result<UserId> {
        match self {
            Self::User(id) => Ok(id),
            Self::Guest(_) => Err(Error::Forbidden),
            Self::Anonymous => Err(Error::Unauthenticated),
        }
    }

    /// Demands a token of any kind.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for anonymous viewers.
    pub fn known(self) -> Result<()> {
        match self {
            Self::User(_) | Self::Guest(_) => Ok(()),
            Self::Anonymous => Err(Error::Unauthenticated),
        }
    }
}

/// What can be done in a gallery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See the gallery, its photos, people and labels.
    View,
    /// See who is a member.
    ViewMembers,
    /// See photos whose upload is not confirmed.
    ViewUploads,
    /// Ask for uploads, confirm and cancel one's own.
    Upload,
    /// See where photos were taken.
    ViewLocations,
    /// Change name, description, date and cover.
    EditGallery,
    /// Name, hide and correct people.
    EditPeople,
    /// Delete, confirm or cancel what others uploaded; retry analysis steps.
    EditPhotos,
    /// Add, change and remove members.
    ManageMembers,
    /// See, make and revoke share links.
    ManageShareLinks,
    /// Delete the gallery.
    DeleteGallery,
}

/// As what somebody is let into a gallery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// By a share link.
    Guest,
    /// As a member with this role.
    Member(Role),
}

/// The policy: the least standing that may do it.
#[must_use]
pub fn least_standing(action: Action) -> Standing {
    match action {
        Action::View => Standing::Guest,
        Action::ViewMembers | Action::ViewUploads => Standing::Member(Role::Viewer),
        Action::Upload => Standing::Member(Role::Contributor),
        Action::ViewLocations | Action::EditGallery | Action::EditPeople | Action::EditPhotos => {
            Standing::Member(Role::Editor)
        }
        Action::ManageMembers | Action::ManageShareLinks | Action::DeleteGallery => {
            Standing::Member(Role::Owner)
        }
    }
}

/// Whether `standing` may do `action`.
#[must_use]
pub fn allows(standing: Standing, action: Action) -> bool {
    rank(standing) >= rank(least_standing(action))
}

fn rank(standing: Standing) -> u8 {
    match standing {
        Standing::Guest => 0,
        Standing::Member(Role::Viewer) => 1,
        Standing::Member(Role::Contributor) => 2,
        Standing::Member(Role::Editor) => 3,
        Standing::Member(Role::Owner) => 4,
    }
}

/// Something the viewer was allowed to load, with the standing that allowed it.
#[derive(Clone, Debug)]
pub struct Authorized<T> {
    value: T,
    standing: Standing,
    viewer: Viewer,
}

impl<T> std::ops::Deref for Authorized<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Authorized<T> {
    /// The viewer's role in the gallery; none for guests, who are no members.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        match self.standing {
            Standing::Member(role) => Some(role),
            Standing::Guest => None,
        }
    }

    /// Whether the viewer is this user.
    #[must_use]
    pub fn is_seen_by(&self, user: UserId) -> bool {
        self.viewer == Viewer::User(user)
    }

    /// Whether the viewer may also do `action`.
    #[must_use]
    pub fn allows(&self, action: Action) -> bool {
        allows(self.standing, action)
    }

    /// Demands that the viewer may also do `action`.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn require(&self, action: Action) -> Result<()> {
        if self.allows(action) {
            Ok(())
        } else {
            Err(Error::Forbidden)
        }
    }

    /// Another object of the same gallery, loaded under the same authority.
    pub fn with<U>(&self, value: U) -> Authorized<U> {
        Authorized {
            value,
            standing: self.standing,
            viewer: self.viewer,
        }
    }

    /// The object itself.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }
}

/// Loads a gallery for `viewer`, if they may do `action` in it. One statement.
///
/// # Errors
/// `Unauthenticated`, `NotFound` (also for strangers), `Forbidden`.
pub async fn gallery(
    connection: &impl ConnectionTrait,
    viewer: Viewer,
    id: GalleryId,
    action: Action,
) -> Result<Authorized<gallery::Model>> {
    let authorized = galleries(connection, viewer, &[id])
        .await?
        .pop()
        .ok_or(Error::NotFound)?;
    authorized.require(action)?;
    Ok(authorized)
}

/// As [`gallery()`], with the gallery's row locked first: whoever changes what belongs to a gallery
/// does so one after another. Two owners who remove each other at once must not both succeed, and a
/// count of links is exact.
///
/// # Errors
/// As [`gallery()`].
pub async fn locked_gallery(
    connection: &impl ConnectionTrait,
    viewer: Viewer,
    id: GalleryId,
    action: Action,
) -> Result<Authorized<gallery::Model>> {
    gallery::Entity::find_live(id)
        .lock_exclusive()
        .one(connection)
        .await?;
    gallery(connection, viewer, id, action).await
}

/// The galleries among `ids` that the viewer may see, in no order; the others are left out. One
/// statement.
///
/// # Errors
/// `Unauthenticated`.
pub async fn galleries(
    connection: &impl ConnectionTrait,
    viewer: Viewer,
    ids: &[GalleryId],
) -> Result<Vec<Authorized<gallery::Model>>> {
    let live = gallery::Entity::find()
        .filter(gallery::Column::Id.is_in(ids.iter().copied()))
        .filter(gallery::Column::DeletedAt.is_null());
    let rows: Vec<(gallery::Model, Standing)> = match viewer {
        Viewer::Anonymous => return Err(Error::Unauthenticated),
        Viewer::User(user) => live
            .find_also_related(gallery_member::Entity)
            .filter(gallery_member::Column::UserId.eq(user))
            .all(connection)
            .await?
            .into_iter()
            .filter_map(|(value, member)| Some((value, Standing::Member(member?.role))))
            .collect(),
        Viewer::Guest(guest) => live
            .join(
                JoinType::InnerJoin,
                share_link::Relation::Gallery.def().rev(),
            )
            .filter(share_link::Column::Id.eq(guest.link))
            .filter(share_link::Column::GalleryId.eq(guest.gallery))
            .filter(share_link::Column::RevokedAt.is_null())
            .all(connection)
            .await?
            .into_iter()
            .map(|value| (value, Standing::Guest))
            .collect(),
    };
    Ok(rows
        .into_iter()
        .map(|(value, standing)| Authorized {
            value,
            standing,
            viewer,
        })
        .collect())
}

/// The photos among `ids` that the viewer may see, in no order; the others are left out.
/// Two statements.
///
/// # Errors
/// `Unauthenticated`.
pub async fn photos(
    connection: &impl ConnectionTrait,
    viewer: Viewer,
    ids: &[PhotoId],
) -> Result<Vec<Authorized<photo::Model>>> {
    viewer.known()?;
    let rows = photo::Entity::find()
        .filter(photo::Column::Id.is_in(ids.iter().copied()))
        .filter(photo::Column::Status.ne(photo::Status::Deleting))
        .all(connection)
        .await?;
    let mut ids: Vec<GalleryId> = rows.iter().map(|row| row.gallery_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let standings: HashMap<GalleryId, Standing> = galleries(connection, viewer, &ids)
        .await?
        .into_iter()
        .map(|gallery| (gallery.id, gallery.standing))
        .collect();
    Ok(rows
        .into_iter()
        .filter_map(|value| {
            let standing = *standings.get(&value.gallery_id)?;
            Some(Authorized {
                value,
                standing,
                viewer,
            })
        })
        .filter(|row| {
            row.status != photo::Status::AwaitingUpload || row.allows(Action::ViewUploads)
        })
        .collect())
}

/// One photo that the viewer may see. Two statements.
///
/// # Errors
/// `Unauthenticated`, `NotFound`.
pub async fn photo(
    connection: &impl ConnectionTrait,
    viewer: Viewer,
    id: PhotoId,
) -> Result<Authorized<photo::Model>> {
    photos(connection, viewer, &[id])
        .await?
        .pop()
        .ok_or(Error::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_look_and_do_nothing_else() {
        let all = [
            Action::View,
            Action::ViewMembers,
            Action::ViewUploads,
            Action::Upload,
            Action::ViewLocations,
            Action::EditGallery,
            Action::EditPeople,
            Action::EditPhotos,
            Action::ManageMembers,
            Action::ManageShareLinks,
            Action::DeleteGallery,
        ];
        let allowed: Vec<Action> = all
            .into_iter()
            .filter(|action| allows(Standing::Guest, *action))
            .collect();
        assert_eq!(allowed, [Action::View]);
        let owner = Standing::Member(Role::Owner);
        assert!(all.into_iter().all(|action| allows(owner, action)));
    }
}
