//! The rules of galleries.

use std::sync::Arc;
use std::time::Duration;

use entity::gallery::Matcher;
use entity::gallery_member::Role;
use entity::{GalleryId, PhotoId, Timestamp, gallery, gallery_member, photo, photo_label};
use sea_orm::sea_query::{Expr, Func};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, JoinType, Order, QueryFilter,
    QueryOrder, QuerySelect, RelationTrait,
};

use crate::access::{self, Action, Authorized, Viewer};
use crate::auth::limiter::Limiter;
use crate::clock::Clock;
use crate::db::Db;
use crate::error::{Error, Result, UserError, UserErrorCode};
use crate::event::{Happening, outbox};
use crate::job::{NewJob, queue};
use crate::page::{Cursor, Direction, Page, PageRequest};
use crate::text::is_visible;

/// Longest name in characters.
pub const MAX_NAME: usize = 200;
/// Longest description in characters.
pub const MAX_DESCRIPTION: usize = 5_000;

/// What a new gallery is made of.
#[derive(Clone, Debug)]
pub struct NewGallery {
    /// Name, 1 to [`MAX_NAME`] characters.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Day of the event, `YYYY-MM-DD`.
    pub event_date: Option<String>,
    /// How faces are grouped; none: the server's default.
    pub matcher: Option<Matcher>,
    /// Whether faces are looked for.
    pub face_analysis: bool,
}

/// What of a gallery changes; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct GalleryChanges {
    /// New name.
    pub name: Option<String>,
    /// New description.
    pub description: Option<String>,
    /// New day; the inner `None` removes it.
    pub event_date: Option<Option<String>>,
    /// New cover; the inner `None` goes back to the newest photo.
    pub cover_photo: Option<Option<PhotoId>>,
}

/// How many photos carry a label.
#[derive(Clone, Debug, FromQueryResult)]
pub struct LabelCount {
    /// Label name.
    pub name: String,
    /// Photos that carry it.
    pub photos: i64,
}

/// Galleries.
#[derive(Clone, Debug)]
pub struct GalleryService {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) limiter: Arc<Limiter>,
    default_matcher: Matcher,
}

impl GalleryService {
    /// A service whose new galleries group faces with `default_matcher`.
    #[must_use]
    pub fn new(db: Db, clock: Clock, limiter: Arc<Limiter>, default_matcher: Matcher) -> Self {
        Self {
            db,
            clock,
            limiter,
            default_matcher,
        }
    }

    /// Makes a gallery; the viewer becomes its owner.
    ///
    /// # Errors
    /// `Unauthenticated`; user errors for name, description and date.
    pub async fn create(
        &self,
        viewer: Viewer,
        new: NewGallery,
    ) -> Result<Authorized<gallery::Model>> {
        let user = viewer.user()?;
        let mut errors = Vec::new();
        let name = checked_name(&new.name, &mut errors);
        let description = checked_description(&new.description, &mut errors);
        let event_date = checked_date(new.event_date, &mut errors);
        if !errors.is_empty() {
            return Err(Error::User(errors));
        }
        let now = self.clock.now();
        let id: GalleryId = self.clock.new_id();
        let txn = self.db.begin().await?;
        let row = gallery::ActiveModel {
            id: Set(id),
            created_by: Set(user),
            name: Set(name),
            description: Set(description),
            event_date: Set(event_date),
            cover_photo_id: Set(None),
            matcher: Set(new.matcher.unwrap_or(self.default_matcher)),
            face_analysis: Set(new.face_analysis),
            created_at: Set(now),
            updated_at: Set(now),
            deleted_at: Set(None),
        };
        gallery::Entity::insert(row)
            .exec_without_returning(&*txn)
            .await?;
        let member = gallery_member::ActiveModel {
            gallery_id: Set(id),
            user_id: Set(user),
            role: Set(Role::Owner),
            created_at: Set(now),
        };
        gallery_member::Entity::insert(member)
            .exec_without_returning(&*txn)
            .await?;
        outbox::begin(&*txn, id).await?;
        let made = access::gallery(&*txn, viewer, id, Action::View).await?;
        txn.commit().await?;
        Ok(made)
    }

    /// Changes a gallery.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; user errors as in [`Self::create`], and for a cover that is no photo
    /// of this gallery.
    pub async fn update(
        &self,
        viewer: Viewer,
        id: GalleryId,
        changes: GalleryChanges,
    ) -> Result<Authorized<gallery::Model>> {
        let txn = self.db.begin().await?;
        access::gallery(&*txn, viewer, id, Action::EditGallery).await?;
        let mut errors = Vec::new();
        let mut row = gallery::ActiveModel {
            id: Set(id),
            updated_at: Set(self.clock.now()),
            ..Default::default()
        };
        if let Some(name) = changes.name {
            row.name = Set(checked_name(&name, &mut errors));
        }
        if let Some(description) = changes.description {
            row.description = Set(checked_description(&description, &mut errors));
        }
        if let Some(date) = changes.event_date {
            row.event_date = Set(checked_date(date, &mut errors));
        }
        if let Some(cover) = changes.cover_photo {
            if let Some(photo) = cover {
                let known = photo::Entity::find_in_gallery(id)
                    .filter(photo::Column::Id.eq(photo))
                    .one(&*txn)
                    .await?;
                if known.is_none() {
                    let field = ["input", "coverPhotoId"];
                    errors.push(UserError::new(
                        UserErrorCode::NotFound,
                        &field,
                        "no such photo in this gallery",
                    ));
                }
            }
            row.cover_photo_id = Set(cover);
        }
        if !errors.is_empty() {
            return Err(Error::User(errors));
        }
        gallery::Entity::update(row).exec(&*txn).await?;
        let changed = access::gallery(&*txn, viewer, id, Action::View).await?;
        txn.record(Happening::gallery_changed(id, changed.updated_at));
        txn.commit().await?;
        Ok(changed)
    }

    /// Deletes a gallery: it is gone for everybody at once; a job removes its objects, its
    /// collection of faces and its rows.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn delete(&self, viewer: Viewer, id: GalleryId) -> Result<()> {
        let txn = self.db.begin().await?;
        access::gallery(&*txn, viewer, id, Action::DeleteGallery).await?;
        let now = self.clock.now();
        let row = gallery::ActiveModel {
            id: Set(id),
            deleted_at: Set(Some(now)),
            ..Default::default()
        };
        gallery::Entity::update(row).exec(&*txn).await?;
        let job = NewJob {
            kind: super::job::DELETE_GALLERY,
            subject: id.to_string(),
            priority: -10,
            delay: Duration::ZERO,
        };
        queue::enqueue(&*txn, &self.clock, job).await?;
        txn.record(Happening::gallery_deleted(id, now));
        txn.commit().await?;
        Ok(())
    }

    /// One gallery.
    ///
    /// # Errors
    /// `Unauthenticated`, `NotFound`.
    pub async fn get(&self, viewer: Viewer, id: GalleryId) -> Result<Authorized<gallery::Model>> {
        access::gallery(self.db.read(), viewer, id, Action::View).await
    }

    /// The viewer's galleries among `ids`, in no order.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn visible(
        &self,
        viewer: Viewer,
        ids: &[GalleryId],
    ) -> Result<Vec<Authorized<gallery::Model>>> {
        access::galleries(self.db.read(), viewer, ids).await
    }

    /// The viewer's galleries, newest membership first.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn page(
        &self,
        viewer: Viewer,
        request: PageRequest,
    ) -> Result<Page<Authorized<gallery::Model>>> {
        let user = viewer.user()?;
        let members = gallery_member::Entity::find()
            .join(JoinType::InnerJoin, gallery_member::Relation::Gallery.def())
            .filter(gallery::Column::DeletedAt.is_null())
            .filter(gallery_member::Column::UserId.eq(user));
        let (key, id) = (
            gallery_member::Column::CreatedAt,
            gallery_member::Column::GalleryId,
        );
        let members = request
            .of(members, Direction::Descending, key, id)
            .all(self.db.read())
            .await?;
        let page = Page::of(members, &request, |m| Cursor {
            key: m.created_at.0,
            id: m.gallery_id.0,
        });
        let ids: Vec<GalleryId> = page
            .rows
            .iter()
            .map(|(_, member)| member.gallery_id)
            .collect();
        let mut galleries = access::galleries(self.db.read(), viewer, &ids).await?;
        let mut rows = Vec::with_capacity(page.rows.len());
        for (cursor, member) in page.rows {
            if let Some(at) = galleries.iter().position(|g| g.id == member.gallery_id) {
                rows.push((cursor, galleries.swap_remove(at)));
            }
        }
        Ok(Page {
            rows,
            has_next: page.has_next,
        })
    }

    /// The labels of a gallery's photos, most frequent first.
    ///
    /// # Errors
    /// The database's.
    pub async fn labels(
        &self,
        gallery: &Authorized<gallery::Model>,
        first: u32,
    ) -> Result<Vec<LabelCount>> {
        let count = Func::count(Expr::col(photo_label::Column::PhotoId));
        Ok(photo_label::Entity::find()
            .select_only()
            .column(photo_label::Column::Name)
            .column_as(Expr::expr(count.clone()), "photos")
            .filter(photo_label::Column::GalleryId.eq(gallery.id))
            .filter(
                photo_label::Column::PhotoId.not_in_subquery(sea_orm::QueryTrait::into_query(
                    photo::Entity::find()
                        .select_only()
                        .column(photo::Column::Id)
                        .filter(photo::Column::GalleryId.eq(gallery.id))
                        .filter(photo::Column::Status.eq(photo::Status::Deleting)),
                )),
            )
            .group_by(photo_label::Column::Name)
            .order_by(Expr::expr(count), Order::Desc)
            .order_by_asc(photo_label::Column::Name)
            .limit(u64::from(first))
            .into_model::<LabelCount>()
            .all(self.db.read())
            .await?)
    }

    /// Now, for callers that need this service's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

fn checked_name(name: &str, errors: &mut Vec<UserError>) -> String {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || !is_visible(name) {
        let message = format!("must have 1 to {MAX_NAME} characters and no control characters");
        errors.push(UserError::new(
            UserErrorCode::Invalid,
            &["input", "name"],
            message,
        ));
    }
    name.to_owned()
}

fn checked_description(text: &str, errors: &mut Vec<UserError>) -> String {
    if text.chars().count() > MAX_DESCRIPTION || text.contains('\0') {
        let message = format!("must have at most {MAX_DESCRIPTION} characters");
        errors.push(UserError::new(
            UserErrorCode::Invalid,
            &["input", "description"],
            message,
        ));
    }
    text.to_owned()
}

fn checked_date(date: Option<String>, errors: &mut Vec<UserError>) -> Option<String> {
    let date = date?;
    match date.parse::<chrono::NaiveDate>() {
        // Written out again: chrono also takes `2026-1-2`, which would not sort.
        Ok(day) => Some(day.format("%Y-%m-%d").to_string()),
        Err(_) => {
            let field = ["input", "eventDate"];
            errors.push(UserError::new(
                UserErrorCode::Invalid,
                &field,
                "must be a day as YYYY-MM-DD",
            ));
            None
        }
    }
}
