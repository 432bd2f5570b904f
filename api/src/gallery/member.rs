//! Members of a gallery and their roles.

use entity::gallery_member::{self, Role};
use entity::{GalleryId, UserId, gallery, user};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait,
    PaginatorTrait, QueryFilter,
};

use super::service::GalleryService;
use crate::access::{self, Action, Authorized, Viewer};
use crate::auth::limiter::Key;
use crate::error::{Error, Result, UserErrorCode};
use crate::event::Happening;
use crate::page::{Cursor, Direction, Page, PageRequest};
use crate::text::email_key;

impl GalleryService {
    /// The members, first come first.
    ///
    /// # Errors
    /// `Forbidden` for guests; the database's.
    pub async fn members(
        &self,
        gallery: &Authorized<gallery::Model>,
        request: PageRequest,
    ) -> Result<Page<gallery_member::Model>> {
        gallery.require(Action::ViewMembers)?;
        let members =
            gallery_member::Entity::find().filter(gallery_member::Column::GalleryId.eq(gallery.id));
        let (key, id) = (
            gallery_member::Column::CreatedAt,
            gallery_member::Column::UserId,
        );
        let rows = request
            .of(members, Direction::Ascending, key, id)
            .all(self.db.read())
            .await?;
        Ok(Page::of(rows, &request, |m| Cursor {
            key: m.created_at.0,
            id: m.user_id.0,
        }))
    }

    /// Makes the user with this e-mail address a member, or changes their role.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; user errors `NOT_FOUND` (no such account) and `LAST_OWNER`;
    /// `RateLimited` after many: each answer tells who has an account.
    pub async fn set_member(
        &self,
        viewer: Viewer,
        id: GalleryId,
        email: &str,
        role: Role,
    ) -> Result<(Authorized<gallery::Model>, gallery_member::Model)> {
        let txn = self.db.begin().await?;
        let gallery = access::locked_gallery(&*txn, viewer, id, Action::ManageMembers).await?;
        let named = [Key::Members(viewer.user()?)];
        let counted = self.limiter.attempt(&named, self.clock.now());
        counted.map_err(Error::rate_limited)?;
        let account = user::Entity::find()
            .filter(user::Column::EmailKey.eq(email_key(email)))
            // Of those without an address the key is another thing.
            .filter(user::Column::Email.ne(""))
            .one(&*txn)
            .await?
            .ok_or_else(|| {
                Error::user(
                    UserErrorCode::NotFound,
                    &["input", "email"],
                    "no account has this e-mail address",
                )
            })?;
        let present = gallery_member::Entity::find_by_id((id, account.id))
            .one(&*txn)
            .await?;
        let member = match present {
            Some(mut member) => {
                if member.role == Role::Owner && role != Role::Owner {
                    keep_an_owner(&*txn, id).await?;
                }
                let change = gallery_member::ActiveModel {
                    gallery_id: Set(id),
                    user_id: Set(account.id),
                    role: Set(role),
                    ..Default::default()
                };
                gallery_member::Entity::update(change).exec(&*txn).await?;
                member.role = role;
                member
            }
            None => {
                let member = gallery_member::Model {
                    gallery_id: id,
                    user_id: account.id,
                    role,
                    created_at: self.clock.now(),
                };
                let row: gallery_member::ActiveModel = member.clone().into();
                gallery_member::Entity::insert(row.reset_all())
                    .exec_without_returning(&*txn)
                    .await?;
                member
            }
        };
        txn.record(Happening::gallery_changed(id, self.clock.now()));
        txn.commit().await?;
        Ok((gallery, member))
    }

    /// Ends a membership: an owner anybody's, everybody their own.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; user errors `NOT_FOUND` (no such member) and `LAST_OWNER`.
    pub async fn remove_member(&self, viewer: Viewer, id: GalleryId, user: UserId) -> Result<()> {
        let action = if viewer.user()? == user {
            Action::View
        } else {
            Action::ManageMembers
        };
        let txn = self.db.begin().await?;
        access::locked_gallery(&*txn, viewer, id, action).await?;
        let member = gallery_member::Entity::find_by_id((id, user))
            .one(&*txn)
            .await?
            .ok_or_else(|| {
                Error::user(
                    UserErrorCode::NotFound,
                    &["input", "userId"],
                    "not a member",
                )
            })?;
        if member.role == Role::Owner {
            keep_an_owner(&*txn, id).await?;
        }
        gallery_member::Entity::delete_by_id((id, user))
            .exec(&*txn)
            .await?;
        txn.record(Happening::gallery_changed(id, self.clock.now()));
        txn.commit().await?;
        Ok(())
    }
}

async fn keep_an_owner(connection: &impl ConnectionTrait, id: GalleryId) -> Result<()> {
    let owners = gallery_member::Entity::find()
        .filter(gallery_member::Column::GalleryId.eq(id))
        .filter(gallery_member::Column::Role.eq(Role::Owner))
        .count(connection)
        .await?;
    if owners > 1 {
        return Ok(());
    }
    Err(Error::user(
        UserErrorCode::LastOwner,
        &["input"],
        "a gallery keeps at least one owner",
    ))
}
