//! The people of a gallery as a matcher sees them, and batches of waiting faces.

use std::collections::{BTreeMap, HashMap};

use entity::document::BoundingBox;
use entity::{FaceId, GalleryId, PersonId, PhotoId, SheetId, face, person, sheet};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::error::Result;

/// Waiting faces that one batch takes; a photo is never split, so a batch may hold some more.
const BATCH: u64 = 200;

/// A face as matchers need it.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownFace {
    /// Its id.
    pub id: FaceId,
    /// Its photo.
    pub photo_id: PhotoId,
    /// Where it is.
    pub bounding_box: BoundingBox,
    /// 0 to 100.
    pub quality: f32,
    /// Whether it may found a person.
    pub can_found: bool,
    /// Whether it waits for a decision.
    pub waiting: bool,
    /// Its id in the gallery's collection.
    pub collection_face_id: Option<String>,
}

impl From<face::Model> for KnownFace {
    fn from(row: face::Model) -> Self {
        Self {
            id: row.id,
            photo_id: row.photo_id,
            bounding_box: row.detail.bounding_box,
            quality: row.quality,
            can_found: row.can_found,
            waiting: row.grouping == face::Grouping::Waiting,
            collection_face_id: row.collection_face_id,
        }
    }
}

/// A person as matchers need it.
#[derive(Clone, Debug)]
pub struct Member {
    /// Faces in the group.
    pub face_count: u32,
    /// The face that shows the person best.
    pub cover: Option<KnownFace>,
    /// Where the cover is drawn: sheet and cell.
    pub place: Option<(SheetId, u32)>,
}

/// Every person and contact sheet of a gallery at one moment.
#[derive(Clone, Debug)]
pub struct Roster {
    /// The gallery.
    pub gallery: GalleryId,
    /// Its people.
    pub people: HashMap<PersonId, Member>,
    /// Versions of its contact sheets.
    pub sheets: BTreeMap<SheetId, i32>,
}

impl Roster {
    /// Reads it, in three statements.
    ///
    /// # Errors
    /// The database's.
    pub async fn load(connection: &impl ConnectionTrait, gallery: GalleryId) -> Result<Self> {
        let rows = person::Entity::find_in_gallery(gallery)
            .all(connection)
            .await?;
        let covers = person::Entity::find_in_gallery(gallery)
            .select_only()
            .column(person::Column::CoverFaceId)
            .filter(person::Column::CoverFaceId.is_not_null());
        let mut covers: HashMap<FaceId, KnownFace> = face::Entity::find()
            .filter(face::Column::Id.in_subquery(sea_orm::QueryTrait::into_query(covers)))
            .all(connection)
            .await?
            .into_iter()
            .map(|row| (row.id, row.into()))
            .collect();
        let sheets = sheet::Entity::find()
            .filter(sheet::Column::GalleryId.eq(gallery))
            .all(connection)
            .await?;
        let people = rows.into_iter().map(|row| {
            let cell = row.sheet_cell.and_then(|cell| u32::try_from(cell).ok());
            let member = Member {
                face_count: u32::try_from(row.face_count).unwrap_or_default(),
                cover: row.cover_face_id.and_then(|id| covers.remove(&id)),
                place: row.sheet_id.zip(cell),
            };
            (row.id, member)
        });
        Ok(Self {
            gallery,
            people: people.collect(),
            sheets: sheets
                .into_iter()
                .map(|row| (row.id, row.version))
                .collect(),
        })
    }
}

/// Photos with waiting faces.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Every face of these photos, by photo and size; decide those that wait.
    pub faces: Vec<KnownFace>,
}

impl Batch {
    /// Reads the next one, in two statements. Empty when no face waits.
    ///
    /// # Errors
    /// The database's.
    pub async fn load(connection: &impl ConnectionTrait, gallery: GalleryId) -> Result<Self> {
        let mut photos: Vec<PhotoId> = face::Entity::find_waiting(gallery)
            .select_only()
            .column(face::Column::PhotoId)
            .order_by_asc(face::Column::PhotoId)
            .limit(BATCH)
            .into_tuple()
            .all(connection)
            .await?;
        photos.dedup();
        if photos.is_empty() {
            return Ok(Self::default());
        }
        let rows = face::Entity::find()
            .filter(face::Column::PhotoId.is_in(photos))
            .order_by_asc(face::Column::PhotoId)
            .order_by_asc(face::Column::Ordinal)
            .all(connection)
            .await?;
        Ok(Self {
            faces: rows.into_iter().map(Into::into).collect(),
        })
    }

    /// The faces to decide on: those that may found a person first, the best of them first.
    #[must_use]
    pub fn waiting(&self) -> Vec<&KnownFace> {
        let mut waiting: Vec<_> = self.faces.iter().filter(|face| face.waiting).collect();
        waiting.sort_by(|a, b| {
            (b.can_found.cmp(&a.can_found))
                .then(b.quality.total_cmp(&a.quality))
                .then(a.id.cmp(&b.id))
        });
        waiting
    }

    /// The faces photo by photo.
    pub fn photos(&self) -> impl Iterator<Item = &[KnownFace]> {
        self.faces.chunk_by(|a, b| a.photo_id == b.photo_id)
    }
}
