//! The rules for people: pages, names, covers, and forgetting.

use std::collections::HashMap;
use std::sync::Arc;

use entity::document::DocumentFace;
use entity::gallery::{self, Matcher};
use entity::{FaceId, GalleryId, PersonId, PhotoId, face, person, photo};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::MatcherSettings;
use crate::access::{self, Action, Authorized, Viewer};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::{Error, Result, UserErrorCode};
use crate::event::Happening;
use crate::page::{Cursor, Direction, Page, PageRequest};
use crate::text::is_visible;
use crate::vision::{Analyser, VisionError};

/// Longest name in characters.
const NAME_LENGTH: usize = 200;

/// Which people a page shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct PersonFilter {
    /// Only people with a name, or only those without.
    pub named: Option<bool>,
    /// Hidden people too.
    pub include_hidden: bool,
}

/// What to change of a person; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct PersonChange {
    /// A name, 1 to 200 characters; `Some(None)` takes it away.
    pub name: Option<Option<String>>,
    /// Whether lists leave the person out.
    pub hidden: Option<bool>,
    /// One of the person's faces.
    pub cover_face: Option<FaceId>,
}

/// A face and the photo that shows it.
#[derive(Clone, Debug)]
pub struct FaceInPhoto {
    /// The gallery.
    pub gallery_id: GalleryId,
    /// The photo.
    pub photo_id: PhotoId,
    /// The face, as the photo's document has it.
    pub face: DocumentFace,
}

impl From<face::Model> for FaceInPhoto {
    fn from(row: face::Model) -> Self {
        Self {
            gallery_id: row.gallery_id,
            photo_id: row.photo_id,
            face: DocumentFace {
                id: row.id,
                detail: row.detail,
                quality: row.quality,
                person_id: row.person_id,
                assigned_by: row.assigned_by,
                similarity: row.similarity,
            },
        }
    }
}

/// People of galleries.
pub struct PeopleService {
    pub(super) db: Db,
    pub(super) clock: Clock,
    analyser: Arc<dyn Analyser>,
    settings: MatcherSettings,
}

impl PeopleService {
    /// A service with the same settings as the grouping job's.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        analyser: Arc<dyn Analyser>,
        settings: MatcherSettings,
    ) -> Self {
        Self {
            db,
            clock,
            analyser,
            settings,
        }
    }

    pub(super) fn database(&self) -> &Db {
        &self.db
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn now(&self) -> entity::Timestamp {
        self.clock.now()
    }

    /// A page of a gallery's people, those on most photos first. One statement.
    ///
    /// # Errors
    /// The database's.
    pub async fn page(
        &self,
        gallery: &Authorized<gallery::Model>,
        request: PageRequest,
        filter: PersonFilter,
    ) -> Result<Page<Authorized<person::Model>>> {
        let mut select = person::Entity::find_in_gallery(gallery.id);
        if !filter.include_hidden {
            select = select.filter(person::Column::Hidden.eq(false));
        }
        select = match filter.named {
            Some(true) => select.filter(person::Column::Name.is_not_null()),
            Some(false) => select.filter(person::Column::Name.is_null()),
            None => select,
        };
        let (key, id) = (person::Column::PhotoCount, person::Column::Id);
        let rows = request
            .of(select, Direction::Descending, key, id)
            .all(self.db.read())
            .await?;
        let page = Page::of(rows, &request, |row| Cursor {
            key: row.photo_count.into(),
            id: row.id.0,
        });
        Ok(page.map(|row| gallery.with(row)))
    }

    /// The people among `ids` that the viewer may see, in no order. Two statements.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn visible(
        &self,
        viewer: Viewer,
        ids: &[PersonId],
    ) -> Result<Vec<Authorized<person::Model>>> {
        let rows = self.people(ids).await?;
        let galleries: Vec<GalleryId> = rows.values().map(|row| row.gallery_id).collect();
        let galleries = access::galleries(self.db.read(), viewer, &galleries).await?;
        let of = |id: GalleryId| galleries.iter().find(|gallery| gallery.id == id);
        Ok(rows
            .into_values()
            .filter_map(|row| Some(of(row.gallery_id)?.with(row)))
            .collect())
    }

    /// The faces among `ids` that the viewer may see, in no order. Two statements.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn visible_faces(
        &self,
        viewer: Viewer,
        ids: &[FaceId],
    ) -> Result<Vec<Authorized<FaceInPhoto>>> {
        let rows = self.faces(ids).await?;
        let galleries: Vec<GalleryId> = rows.values().map(|row| row.gallery_id).collect();
        let galleries = access::galleries(self.db.read(), viewer, &galleries).await?;
        let of = |id: GalleryId| galleries.iter().find(|gallery| gallery.id == id);
        Ok(rows
            .into_values()
            .filter_map(|row| Some(of(row.gallery_id)?.with(row)))
            .collect())
    }

    /// A person that the viewer may see. Two statements.
    ///
    /// # Errors
    /// `Unauthenticated`, `NotFound` (also for strangers).
    pub async fn person(&self, viewer: Viewer, id: PersonId) -> Result<Authorized<person::Model>> {
        self.load(viewer, id, Action::View).await
    }

    /// A face that the viewer may see. Three statements.
    ///
    /// # Errors
    /// `Unauthenticated`, `NotFound` (also for strangers).
    pub async fn face(&self, viewer: Viewer, id: FaceId) -> Result<Authorized<FaceInPhoto>> {
        viewer.known()?;
        let row = face::Entity::find_by_id(id)
            .one(self.db.read())
            .await?
            .ok_or(Error::NotFound)?;
        let photo = access::photo(self.db.read(), viewer, row.photo_id).await?;
        Ok(photo.with(row.into()))
    }

    /// Rows of people, for loaders that ask on behalf of an authorised object of the same gallery.
    /// One statement.
    ///
    /// # Errors
    /// The database's.
    pub async fn people(&self, ids: &[PersonId]) -> Result<HashMap<PersonId, person::Model>> {
        let rows = person::Entity::find()
            .filter(person::Column::Id.is_in(ids.iter().copied()))
            .all(self.db.read())
            .await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }

    /// Faces on photos that are not deleted, for loaders as [`PeopleService::people`]. One statement.
    ///
    /// # Errors
    /// The database's.
    pub async fn faces(&self, ids: &[FaceId]) -> Result<HashMap<FaceId, FaceInPhoto>> {
        let visible = sea_orm::QueryTrait::into_query(
            photo::Entity::find()
                .select_only()
                .column(photo::Column::Id)
                .filter(photo::Column::Status.ne(photo::Status::Deleting)),
        );
        let rows = face::Entity::find()
            .filter(face::Column::Id.is_in(ids.iter().copied()))
            .filter(face::Column::PhotoId.in_subquery(visible))
            .all(self.db.read())
            .await?;
        Ok(rows.into_iter().map(|row| (row.id, row.into())).collect())
    }

    /// Changes name, visibility or cover. The same change twice is the same as once.
    ///
    /// # Errors
    /// `Unauthenticated`, `NotFound`, `Forbidden`; `User` for a name or cover that does not do.
    pub async fn update_person(
        &self,
        viewer: Viewer,
        id: PersonId,
        change: PersonChange,
    ) -> Result<Authorized<person::Model>> {
        let authorized = self.load(viewer, id, Action::EditPeople).await?;
        let name = change.name.map(checked_name).transpose()?;

        let txn = self.db.begin().await?;
        let mut row = person::Entity::find_by_id(id)
            .lock_exclusive()
            .one(&*txn)
            .await?
            .ok_or(Error::NotFound)?;
        if let Some(face) = change.cover_face {
            let own = face::Entity::find_by_id(face)
                .filter(face::Column::PersonId.eq(id))
                .one(&*txn)
                .await?;
            if own.is_none() {
                let message = "the cover must be one of the person's faces";
                let field = ["input", "coverFaceId"];
                return Err(Error::user(UserErrorCode::NotFound, &field, message));
            }
            if row.cover_face_id != Some(face) {
                row.cover_face_id = Some(face);
                // The next run of the grouping job draws it.
                row.sheet_id = None;
                row.sheet_cell = None;
            }
        }
        row.name = name.unwrap_or(row.name);
        row.hidden = change.hidden.unwrap_or(row.hidden);
        row.updated_at = self.clock.now();
        person::Entity::update_many()
            .set(person::ActiveModel {
                name: Set(row.name.clone()),
                hidden: Set(row.hidden),
                cover_face_id: Set(row.cover_face_id),
                sheet_id: Set(row.sheet_id),
                sheet_cell: Set(row.sheet_cell),
                updated_at: Set(row.updated_at),
                ..Default::default()
            })
            .filter(person::Column::Id.eq(id))
            .exec(&*txn)
            .await?;
        txn.record(Happening::person_changed(
            row.gallery_id,
            id,
            row.updated_at,
        ));
        txn.commit().await?;
        Ok(authorized.with(row))
    }

    /// Forgets what Rekognition keeps of a gallery's faces, for the job that deletes galleries.
    /// Twice is the same as once.
    ///
    /// # Errors
    /// Rekognition's.
    pub async fn forget(&self, gallery: &gallery::Model) -> Result<(), VisionError> {
        match gallery.matcher {
            Matcher::Compare => Ok(()),
            Matcher::Collection => {
                let collection = self.settings.collection(gallery.id);
                self.analyser.delete_collection(&collection).await
            }
        }
    }

    /// Forgets what Rekognition keeps of some faces (`face.collection_face_id`), for the job that
    /// deletes photos. Twice is the same as once.
    ///
    /// # Errors
    /// Rekognition's.
    pub async fn forget_faces(
        &self,
        gallery: GalleryId,
        collection_face_ids: &[String],
    ) -> Result<(), VisionError> {
        let collection = self.settings.collection(gallery);
        // DeleteFaces takes 4096 ids a call.
        for chunk in collection_face_ids.chunks(1000) {
            match self.analyser.delete_faces(&collection, chunk).await {
                Ok(()) | Err(VisionError::NoSuchCollection) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) async fn load(
        &self,
        viewer: Viewer,
        id: PersonId,
        action: Action,
    ) -> Result<Authorized<person::Model>> {
        viewer.known()?;
        let row = person::Entity::find_by_id(id)
            .one(self.db.read())
            .await?
            .ok_or(Error::NotFound)?;
        let gallery = access::gallery(self.db.read(), viewer, row.gallery_id, action).await?;
        Ok(gallery.with(row))
    }
}

/// A name without blanks around it.
fn checked_name(name: Option<String>) -> Result<Option<String>> {
    let Some(name) = name else { return Ok(None) };
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_LENGTH || !is_visible(name) {
        let message = format!(
            "a name has 1 to {NAME_LENGTH} characters, no control characters among them; null takes it away"
        );
        return Err(Error::user(
            UserErrorCode::Invalid,
            &["input", "name"],
            message,
        ));
    }
    Ok(Some(name.to_owned()))
}
