//! Who may do what: the one table, and the only maker of [`Authorized`] objects.
//!
//! Loading and authorising are one step. What the viewer may not see is [`Error::NotFound`];
//! what they may see but not do is [`Error::Forbidden`].

use entity::gallery_member::Role;
use entity::{GalleryId, PhotoId, UserId, gallery, gallery_member, photo};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QuerySelect, RelationTrait,
};

use crate::error::{Error, Result};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Nobody that we know.
    Anonymous,
    /// A signed-in user.
    User(UserId),
}

impl Viewer {
    /// The user.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for anonymous viewers.
    pub fn user(self) -> Result<UserId> {
        match self {
            Self::User(id) => Ok(id),
            Self::Anonymous => Err(Error::Unauthenticated),
        }
    }
}

/// What can be done in a gallery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See the gallery, its photos, people and labels.
    View,
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
    /// Delete the gallery.
    DeleteGallery,
}

/// The policy: the least role that may do it.
#[must_use]
pub fn least_role(action: Action) -> Role {
    match action {
        Action::View => Role::Viewer,
        Action::Upload => Role::Contributor,
        Action::ViewLocations | Action::EditGallery | Action::EditPeople | Action::EditPhotos => {
            Role::Editor
        }
        Action::ManageMembers | Action::DeleteGallery => Role::Owner,
    }
}

/// Whether `role` may do `action`.
#[must_use]
pub fn allows(role: Role, action: Action) -> bool {
    rank(role) >= rank(least_role(action))
}

fn rank(role: Role) -> u8 {
    match role {
        Role::Viewer => 0,
        Role::Contributor => 1,
        Role::Editor => 2,
        Role::Owner => 3,
    }
}

/// Something the viewer was allowed to load, with the role that allowed it.
#[derive(Clone, Debug)]
pub struct Authorized<T> {
    value: T,
    role: Role,
    user: UserId,
}

impl<T> std::ops::Deref for Authorized<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Authorized<T> {
    /// The viewer's role in the gallery.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The viewer.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Whether the viewer may also do `action`.
    #[must_use]
    pub fn allows(&self, action: Action) -> bool {
        allows(self.role, action)
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
            role: self.role,
            user: self.user,
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
    let user = viewer.user()?;
    let row = gallery::Entity::find_live(id)
        .find_also_related(gallery_member::Entity)
        .filter(gallery_member::Column::UserId.eq(user))
        .one(connection)
        .await?;
    let Some((value, Some(member))) = row else {
        return Err(Error::NotFound);
    };
    let authorized = Authorized {
        value,
        role: member.role,
        user,
    };
    authorized.require(action)?;
    Ok(authorized)
}

/// The viewer's galleries among `ids`, in no order; the others are left out. One statement.
///
/// # Errors
/// `Unauthenticated`.
pub async fn galleries(
    connection: &impl ConnectionTrait,
    viewer: Viewer,
    ids: &[GalleryId],
) -> Result<Vec<Authorized<gallery::Model>>> {
    let user = viewer.user()?;
    let rows = gallery::Entity::find()
        .filter(gallery::Column::Id.is_in(ids.iter().copied()))
        .filter(gallery::Column::DeletedAt.is_null())
        .find_also_related(gallery_member::Entity)
        .filter(gallery_member::Column::UserId.eq(user))
        .all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|(value, member)| {
            Some(Authorized {
                value,
                role: member?.role,
                user,
            })
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
    let user = viewer.user()?;
    let rows = photo::Entity::find()
        .filter(photo::Column::Id.is_in(ids.iter().copied()))
        .filter(photo::Column::Status.ne(photo::Status::Deleting))
        .all(connection)
        .await?;
    let mut galleries: Vec<GalleryId> = rows.iter().map(|row| row.gallery_id).collect();
    galleries.sort_unstable();
    galleries.dedup();
    let roles: Vec<gallery_member::Model> = gallery_member::Entity::find()
        .join(JoinType::InnerJoin, gallery_member::Relation::Gallery.def())
        .filter(gallery::Column::DeletedAt.is_null())
        .filter(gallery_member::Column::UserId.eq(user))
        .filter(gallery_member::Column::GalleryId.is_in(galleries))
        .all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|value| {
            let role = roles
                .iter()
                .find(|member| member.gallery_id == value.gallery_id)?
                .role;
            Some(Authorized { value, role, user })
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
