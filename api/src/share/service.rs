//! The rules of share links.

use std::sync::Arc;

use entity::{GalleryId, ShareLinkId, Timestamp, gallery, share_link};
use sea_orm::prelude::Expr;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel as _, PaginatorTrait, QueryFilter,
};

use crate::access::{self, Action, Authorized, Guest, Viewer};
use crate::auth::service::AuthService;
use crate::auth::token;
use crate::clock::Clock;
use crate::db::Db;
use crate::error::{Error, Result, UserError, UserErrorCode};
use crate::event::Happening;
use crate::page::{Cursor, Direction, Page, PageRequest};
use crate::text::is_plain;

/// Links of a gallery that may be in force at a time.
pub const MAX_LINKS: u64 = 100;
/// Longest label in characters.
const MAX_LABEL: usize = 200;
/// 9999-12-31T23:59:59Z: the last second of RFC 3339.
const LAST_SECOND: i64 = 253_402_300_799;

/// What a new link is made of.
#[derive(Clone, Debug)]
pub struct NewShareLink {
    /// What its maker calls it; may be empty.
    pub label: String,
    /// From then on it is taken no longer; none: until it is revoked.
    pub expires_at: Option<Timestamp>,
}

/// What a guest gets for the token of a link.
pub struct Admission {
    /// The gallery, as guests see it.
    pub gallery: Authorized<gallery::Model>,
    /// Bearer token.
    pub access_token: String,
    /// When that ends.
    pub expires_at: Timestamp,
}

/// Share links.
#[derive(Debug)]
pub struct ShareService {
    db: Db,
    clock: Clock,
    auth: Arc<AuthService>,
}

impl ShareService {
    /// A service whose guests get tokens of `auth`.
    #[must_use]
    pub fn new(db: Db, clock: Clock, auth: Arc<AuthService>) -> Self {
        Self { db, clock, auth }
    }

    /// Makes a link, and gives its token: nobody sees that again.
    ///
    /// # Errors
    /// `Unauthenticated`, `NotFound`, `Forbidden`; user errors `Invalid` for label and end,
    /// `QuotaExceeded` beyond [`MAX_LINKS`].
    pub async fn create(
        &self,
        viewer: Viewer,
        gallery: GalleryId,
        new: NewShareLink,
    ) -> Result<(Authorized<share_link::Model>, String)> {
        let user = viewer.user()?;
        let now = self.clock.now();
        let txn = self.db.begin().await?;
        let gallery =
            access::locked_gallery(&*txn, viewer, gallery, Action::ManageShareLinks).await?;
        let label = checked(&new, now)?;
        let in_force = share_link::Entity::find()
            .filter(share_link::Column::GalleryId.eq(gallery.id))
            .filter(in_force(now))
            .count(&*txn)
            .await?;
        if in_force >= MAX_LINKS {
            let message = format!("a gallery has at most {MAX_LINKS} links in force: revoke some");
            let code = UserErrorCode::QuotaExceeded;
            return Err(Error::user(code, &["input"], message));
        }
        let token = token::new_secret(&self.clock);
        let row = share_link::Model {
            id: self.clock.new_id(),
            gallery_id: gallery.id,
            token_hash: token::secret_hash(&token),
            label,
            created_by: user,
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
        };
        share_link::Entity::insert(row.clone().into_active_model())
            .exec_without_returning(&*txn)
            .await?;
        txn.record(Happening::gallery_changed(gallery.id, now));
        txn.commit().await?;
        Ok((gallery.with(row), token))
    }

    /// Ends a link and, at once, whatever its guests do. Twice is the same as once.
    ///
    /// # Errors
    /// `Unauthenticated`, `NotFound`, `Forbidden`.
    pub async fn revoke(
        &self,
        viewer: Viewer,
        id: ShareLinkId,
    ) -> Result<Authorized<share_link::Model>> {
        viewer.user()?;
        let find = || share_link::Entity::find_by_id(id);
        let gallery = find()
            .one(self.db.read())
            .await?
            .ok_or(Error::NotFound)?
            .gallery_id;
        let now = self.clock.now();
        let txn = self.db.begin().await?;
        let gallery =
            access::locked_gallery(&*txn, viewer, gallery, Action::ManageShareLinks).await?;
        let mut row = find().one(&*txn).await?.ok_or(Error::NotFound)?;
        if row.revoked_at.is_some() {
            return Ok(gallery.with(row));
        }
        share_link::Entity::update_many()
            .col_expr(share_link::Column::RevokedAt, Expr::value(now))
            .filter(share_link::Column::Id.eq(id))
            .exec(&*txn)
            .await?;
        row.revoked_at = Some(now);
        // Guests who follow the gallery hear of it, and with that find that it is closed to them.
        txn.record(Happening::gallery_changed(gallery.id, now));
        txn.commit().await?;
        Ok(gallery.with(row))
    }

    /// The links of a gallery, newest first, those that have ended included.
    ///
    /// # Errors
    /// `Forbidden`; the database's.
    pub async fn page(
        &self,
        gallery: &Authorized<gallery::Model>,
        request: PageRequest,
    ) -> Result<Page<Authorized<share_link::Model>>> {
        gallery.require(Action::ManageShareLinks)?;
        let links = share_link::Entity::find().filter(share_link::Column::GalleryId.eq(gallery.id));
        let (key, id) = (share_link::Column::CreatedAt, share_link::Column::Id);
        let rows = request
            .of(links, Direction::Descending, key, id)
            .all(self.db.read())
            .await?;
        let page = Page::of(rows, &request, |row| Cursor {
            key: row.created_at.0,
            id: row.id.0,
        });
        Ok(page.map(|row| gallery.with(row)))
    }

    /// The links among `ids` that the viewer may manage, in no order. Two statements.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn visible(
        &self,
        viewer: Viewer,
        ids: &[ShareLinkId],
    ) -> Result<Vec<Authorized<share_link::Model>>> {
        let rows = share_link::Entity::find()
            .filter(share_link::Column::Id.is_in(ids.iter().copied()))
            .all(self.db.read())
            .await?;
        let galleries: Vec<GalleryId> = rows.iter().map(|row| row.gallery_id).collect();
        let mut galleries = access::galleries(self.db.read(), viewer, &galleries).await?;
        galleries.retain(|gallery| gallery.allows(Action::ManageShareLinks));
        let of = |id: GalleryId| galleries.iter().find(|gallery| gallery.id == id);
        Ok(rows
            .into_iter()
            .filter_map(|row| Some(of(row.gallery_id)?.with(row)))
            .collect())
    }

    /// An access token for whoever holds the token of a link. Wrong ones are not counted: 32 random
    /// bytes are not guessed, looking for them is one statement, and a count by address would let one
    /// guest of an event shut out all the others.
    ///
    /// # Errors
    /// User error `InvalidShareToken`.
    pub async fn redeem(&self, token: &str) -> Result<Admission> {
        let now = self.clock.now();
        let row = share_link::Entity::find()
            .filter(share_link::Column::TokenHash.eq(token::secret_hash(token)))
            .filter(in_force(now))
            .one(self.db.read())
            .await?
            .ok_or_else(invalid_token)?;
        let guest = Guest {
            link: row.id,
            gallery: row.gallery_id,
        };
        let viewer = Viewer::Guest(guest);
        let gallery = match self.gallery(viewer, row.gallery_id).await {
            Err(Error::NotFound) => return Err(invalid_token()),
            other => other?,
        };
        let (access_token, expires_at) = self.auth.admit(guest, row.expires_at)?;
        // Tokens go by whole seconds: in the link's last one there is none to be had.
        if expires_at <= now {
            return Err(invalid_token());
        }
        Ok(Admission {
            gallery,
            access_token,
            expires_at,
        })
    }

    async fn gallery(&self, viewer: Viewer, id: GalleryId) -> Result<Authorized<gallery::Model>> {
        access::gallery(self.db.read(), viewer, id, Action::View).await
    }
}

/// Not revoked, and not over.
fn in_force(now: Timestamp) -> Condition {
    Condition::all()
        .add(share_link::Column::RevokedAt.is_null())
        .add(
            Condition::any()
                .add(share_link::Column::ExpiresAt.is_null())
                .add(share_link::Column::ExpiresAt.gt(now)),
        )
}

/// The label, trimmed.
fn checked(new: &NewShareLink, now: Timestamp) -> Result<String> {
    let label = new.label.trim();
    let mut errors = Vec::new();
    if label.chars().count() > MAX_LABEL || !is_plain(label) {
        let message = format!("has at most {MAX_LABEL} characters and no control characters");
        let field = ["input", "label"];
        errors.push(UserError::new(UserErrorCode::Invalid, &field, message));
    }
    let wrong = match new.expires_at {
        Some(end) if end <= now => Some("has passed already"),
        // A leap second is one, too: nobody reads a year of five digits back.
        Some(end) if end.seconds() > LAST_SECOND => Some("is after the year 9999"),
        _ => None,
    };
    if let Some(message) = wrong {
        let field = ["input", "expiresAt"];
        errors.push(UserError::new(UserErrorCode::Invalid, &field, message));
    }
    if errors.is_empty() {
        Ok(label.to_owned())
    } else {
        Err(Error::User(errors))
    }
}

fn invalid_token() -> Error {
    Error::user(
        UserErrorCode::InvalidShareToken,
        &["input", "token"],
        "the link is unknown, or it has expired or was revoked",
    )
}
