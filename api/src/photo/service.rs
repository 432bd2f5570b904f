//! The rules of photos once they are confirmed.

use std::collections::HashMap;
use std::time::Duration;

use entity::photo::Status;
use entity::{PhotoId, gallery, person, photo};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::query::{self, Filter, Order};
use crate::access::{self, Action, Authorized, Viewer};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::{Error, Result, UserErrorCode};
use crate::event::Happening;
use crate::job::{NewJob, queue};
use crate::page::{Page, PageRequest};

/// Photos one call may name.
pub const MAX_BATCH: usize = 100;

/// Photos.
#[derive(Clone, Debug)]
pub struct PhotoService {
    db: Db,
    clock: Clock,
}

impl PhotoService {
    /// A service over this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// A page of a gallery's photos. One statement.
    ///
    /// # Errors
    /// The database's.
    pub async fn page(
        &self,
        gallery: &Authorized<gallery::Model>,
        request: PageRequest,
        filter: Filter,
        order: Order,
    ) -> Result<Page<Authorized<photo::Model>>> {
        if !filter.uploaders.is_empty() {
            gallery.require(Action::ViewMembers)?;
        }
        let mut select = query::select(gallery.id, &filter, order, request);
        if !gallery.allows(Action::ViewUploads) {
            select = select.filter(photo::Column::Status.ne(Status::AwaitingUpload));
        }
        let rows = select.all(self.db.read()).await?;
        let page = Page::of(rows, &request, |row| order.cursor(row));
        Ok(page.map(|row| gallery.with(row)))
    }

    /// A page of the photos that show a person, newest picture first. One statement.
    ///
    /// # Errors
    /// The database's.
    pub async fn page_of_person(
        &self,
        person: &Authorized<person::Model>,
        request: PageRequest,
    ) -> Result<Page<Authorized<photo::Model>>> {
        let filter = Filter {
            people: vec![person.id],
            ..Filter::default()
        };
        let order = Order::TakenAtDesc;
        let rows = query::select(person.gallery_id, &filter, order, request)
            .all(self.db.read())
            .await?;
        let page = Page::of(rows, &request, |row| order.cursor(row));
        Ok(page.map(|row| person.with(row)))
    }

    /// One photo.
    ///
    /// # Errors
    /// `Unauthenticated`, `NotFound`.
    pub async fn get(&self, viewer: Viewer, id: PhotoId) -> Result<Authorized<photo::Model>> {
        access::photo(self.db.read(), viewer, id).await
    }

    /// The photos among `ids` that the viewer may see, in no order.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn visible(
        &self,
        viewer: Viewer,
        ids: &[PhotoId],
    ) -> Result<Vec<Authorized<photo::Model>>> {
        access::photos(self.db.read(), viewer, ids).await
    }

    /// Deletes photos: gone for everybody at once; a job removes objects, faces and rows. One
    /// answer an id, in their order.
    ///
    /// # Errors
    /// `Unauthenticated`; a user error for more than [`MAX_BATCH`] ids. Per id: `NOT_FOUND`, and
    /// `FORBIDDEN` for other people's photos where the viewer is no editor.
    pub async fn delete(&self, viewer: Viewer, ids: &[PhotoId]) -> Result<Vec<Result<PhotoId>>> {
        if ids.len() > MAX_BATCH {
            let message = format!("at most {MAX_BATCH} photos a call");
            return Err(Error::user(
                UserErrorCode::TooManyFiles,
                &["input", "photoIds"],
                message,
            ));
        }
        let txn = self.db.begin().await?;
        // Locked in the order of their ids, so that two calls cannot wait for each other.
        photo::Entity::find()
            .filter(photo::Column::Id.is_in(ids.iter().copied()))
            .order_by_asc(photo::Column::Id)
            .lock_exclusive()
            .all(&*txn)
            .await?;
        let found: HashMap<PhotoId, Authorized<photo::Model>> = access::photos(&*txn, viewer, ids)
            .await?
            .into_iter()
            .map(|row| (row.id, row))
            .collect();
        let mut answers = Vec::with_capacity(ids.len());
        for (index, id) in ids.iter().enumerate() {
            let field = ["input", "photoIds", &index.to_string()].map(String::from);
            let field: Vec<&str> = field.iter().map(String::as_str).collect();
            let Some(row) = found.get(id) else {
                answers.push(Err(Error::user(
                    UserErrorCode::NotFound,
                    &field,
                    "no such photo",
                )));
                continue;
            };
            if !row.is_seen_by(row.uploader_id) && !row.allows(Action::EditPhotos) {
                let message = "only editors delete other people's photos";
                answers.push(Err(Error::user(UserErrorCode::Forbidden, &field, message)));
                continue;
            }
            let now = self.clock.now();
            let change = photo::ActiveModel {
                id: Set(*id),
                status: Set(Status::Deleting),
                dedup_key: Set(id.to_string()),
                updated_at: Set(now),
                ..Default::default()
            };
            photo::Entity::update(change).exec(&*txn).await?;
            let job = NewJob {
                kind: super::job::DELETE_PHOTO,
                subject: id.to_string(),
                priority: -5,
                delay: Duration::ZERO,
            };
            queue::enqueue(&*txn, &self.clock, job).await?;
            // Nothing was told of it before its confirmation, and guests did not see it.
            if row.status != Status::AwaitingUpload {
                txn.record(Happening::photo_deleted(row.gallery_id, *id, now));
            }
            answers.push(Ok(*id));
        }
        txn.commit().await?;
        Ok(answers)
    }
}
