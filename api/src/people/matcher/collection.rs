//! IndexFaces and SearchFaces in one collection per gallery.
//!
//! A photo is indexed once; its face ids are recorded at once in a transaction of their own. One
//! search per person is usual: the faces that a search finds beyond doubt are given the searched
//! face's person without a search of their own. What is doubtful is searched itself and joins a
//! person only with the votes of that person's faces, so that no chain of look-alikes grows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use entity::document::BoundingBox;
use entity::{FaceId, GalleryId, PersonId, PhotoId, face};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use super::ballot::Ballot;
use super::{Decided, Decision, FaceMatcher, Fence, SheetChanges, vision_error};
use crate::db::Db;
use crate::job::JobError;
use crate::people::MatcherSettings;
use crate::people::roster::{Batch, KnownFace, Roster};
use crate::storage::ObjectKey;
use crate::vision::{Analyser, CollectionMatch, IndexedFace, Picture, VisionError};

/// Faces that one search answers at most; Rekognition allows 4096.
const MAX_MATCHES: u32 = 1000;
/// Overlap from which an indexed and a detected box are the same face.
const SAME_FACE: f32 = 0.5;

/// The matcher, for one run.
pub struct CollectionMatcher {
    db: Db,
    analyser: Arc<dyn Analyser>,
    gallery: GalleryId,
    collection: String,
    settings: MatcherSettings,
    /// What the collection held when this run first looked, by external id (our photo id).
    listed: Option<HashMap<String, Vec<String>>>,
}

impl CollectionMatcher {
    /// For one run over `gallery`.
    #[must_use]
    pub fn new(
        db: Db,
        analyser: Arc<dyn Analyser>,
        settings: MatcherSettings,
        gallery: GalleryId,
    ) -> Self {
        Self {
            db,
            analyser,
            gallery,
            collection: settings.collection(gallery),
            settings,
            listed: None,
        }
    }

    /// Indexes the photo and records the ids. The inner error is Rekognition's; nothing is recorded then.
    async fn index(
        &mut self,
        photo: &[KnownFace],
        fence: &dyn Fence,
    ) -> Result<Result<HashMap<FaceId, String>, VisionError>, JobError> {
        let Some(id) = photo.first().map(|face| face.photo_id) else {
            return Ok(Ok(HashMap::new()));
        };
        let indexed = match self.index_anew(id).await {
            Ok(indexed) => indexed,
            Err(error) => return Ok(Err(error)),
        };
        let (ids, surplus) = pair(photo, &indexed);
        if !surplus.is_empty()
            && let Err(error) = self.analyser.delete_faces(&self.collection, &surplus).await
        {
            return Ok(Err(error));
        }
        if let Err(error) = self.record(photo, &ids, fence).await {
            // Nobody will know these faces: take them out again, as far as we can.
            let all: Vec<String> = indexed.into_iter().map(|face| face.face_id).collect();
            if let Err(error) = self.analyser.delete_faces(&self.collection, &all).await {
                tracing::warn!(photo = %id, %error, "faces without rows stay in the collection");
            }
            return Err(error);
        }
        Ok(Ok(ids))
    }

    /// IndexFaces, after removing what a run that died before recording may have left of the photo.
    async fn index_anew(&mut self, photo: PhotoId) -> Result<Vec<IndexedFace>, VisionError> {
        let external = photo.to_string();
        let left = self.listed().await?.remove(&external).unwrap_or_default();
        if !left.is_empty() {
            self.analyser.delete_faces(&self.collection, &left).await?;
        }
        let picture = Picture::Object(ObjectKey::preview(self.gallery, photo));
        self.analyser
            .index_faces(&self.collection, &picture, &external)
            .await
    }

    /// What the collection held, made if it is not there; asked once a run.
    async fn listed(&mut self) -> Result<&mut HashMap<String, Vec<String>>, VisionError> {
        if self.listed.is_none() {
            let faces = match self.analyser.list_faces(&self.collection).await {
                Err(VisionError::NoSuchCollection) => {
                    self.analyser.create_collection(&self.collection).await?;
                    Vec::new()
                }
                other => other?,
            };
            let mut by_photo: HashMap<String, Vec<String>> = HashMap::new();
            for (face, external) in faces {
                by_photo
                    .entry(external.unwrap_or_default())
                    .or_default()
                    .push(face);
            }
            self.listed = Some(by_photo);
        }
        Ok(self.listed.get_or_insert_default())
    }

    async fn record(
        &self,
        photo: &[KnownFace],
        ids: &HashMap<FaceId, String>,
        fence: &dyn Fence,
    ) -> Result<(), JobError> {
        let txn = self.db.begin().await?;
        for face in photo {
            face::Entity::update_many()
                .set(face::ActiveModel {
                    collection_face_id: Set(ids.get(&face.id).cloned()),
                    ..Default::default()
                })
                .filter(face::Column::Id.eq(face.id))
                .exec(&*txn)
                .await?;
        }
        fence.hold(&txn).await?;
        txn.commit().await?;
        Ok(())
    }

    /// The collection does not know a face that our rows name, for example because somebody
    /// deleted it: forget the ids of these photos, so that the next run indexes them again.
    async fn forget_ids(&self, batch: &Batch, fence: &dyn Fence) -> Result<(), JobError> {
        let photos: Vec<PhotoId> = batch
            .photos()
            .filter_map(|p| Some(p.first()?.photo_id))
            .collect();
        let txn = self.db.begin().await?;
        face::Entity::update_many()
            .set(face::ActiveModel {
                collection_face_id: Set(None),
                ..Default::default()
            })
            .filter(face::Column::PhotoId.is_in(photos))
            .exec(&*txn)
            .await?;
        fence.hold(&txn).await?;
        txn.commit().await?;
        Ok(())
    }

    /// The rows behind what a search found.
    async fn rows(&self, matches: &[CollectionMatch]) -> Result<Vec<face::Model>, JobError> {
        let ids = matches.iter().map(|found| found.face_id.as_str());
        Ok(face::Entity::find()
            .filter(face::Column::GalleryId.eq(self.gallery))
            .filter(face::Column::CollectionFaceId.is_in(ids))
            .all(self.db.read())
            .await?)
    }

    /// Collection ids of the batch's faces. Photos are indexed on which a waiting face has none: as
    /// a rule new ones, else those that a later detection found more faces on. A face that
    /// IndexFaces does not find is decided at once, so that its photo is not indexed over again.
    async fn ids(
        &mut self,
        batch: &Batch,
        fence: &dyn Fence,
        decided: &mut Decided,
    ) -> Result<HashMap<FaceId, String>, JobError> {
        let mut ids = HashMap::new();
        for photo in batch.photos() {
            if !photo.iter().any(lacks_id) {
                let known = photo
                    .iter()
                    .filter_map(|face| Some((face.id, face.collection_face_id.clone()?)));
                ids.extend(known);
                continue;
            }
            match self.index(photo, fence).await? {
                Ok(indexed) => ids.extend(indexed),
                Err(error @ VisionError::Permanent { .. }) => {
                    let id = photo.first().map(|face| face.photo_id);
                    tracing::warn!(photo = ?id, %error, "faces cannot be indexed");
                }
                Err(error) => {
                    decided.stopped = Some(error);
                    break;
                }
            }
            for face in photo.iter().filter(|face| lacks_id(face)) {
                if !ids.contains_key(&face.id) {
                    decided.decisions.insert(face.id, Decision::Unmatched);
                }
            }
        }
        Ok(ids)
    }
}

fn lacks_id(face: &KnownFace) -> bool {
    face.waiting && face.collection_face_id.is_none()
}

#[async_trait]
impl FaceMatcher for CollectionMatcher {
    async fn begin(&mut self, _roster: &mut Roster) -> Result<SheetChanges, JobError> {
        Ok(SheetChanges::default())
    }

    async fn decide(
        &mut self,
        roster: &Roster,
        batch: &Batch,
        fence: &dyn Fence,
    ) -> Result<Decided, JobError> {
        let mut decided = Decided::default();
        let ids = self.ids(batch, fence, &mut decided).await?;
        if decided.stopped.is_some() {
            return Ok(decided);
        }
        let mut ballot = Ballot::new(roster, &self.settings);
        for searched in batch.waiting() {
            if ballot.has(searched.id) {
                continue;
            }
            let Some(id) = ids.get(&searched.id) else {
                decided.decisions.insert(searched.id, Decision::Unmatched);
                continue;
            };
            let found = self
                .analyser
                .search_faces(&self.collection, id, self.settings.threshold, MAX_MATCHES)
                .await;
            let matches = match found {
                Ok(matches) => matches,
                Err(error @ VisionError::Permanent { .. }) => {
                    tracing::warn!(face = %searched.id, %error, "face cannot be searched");
                    decided.decisions.insert(searched.id, Decision::Unmatched);
                    continue;
                }
                Err(error) => {
                    if matches!(error, VisionError::NoSuchCollection) {
                        self.forget_ids(batch, fence).await?;
                        return Err(vision_error(error));
                    }
                    decided.stopped = Some(error);
                    break;
                }
            };
            let rows = self.rows(&matches).await?;
            ballot.settle(searched, &matches, rows, &mut decided);
        }
        Ok(decided)
    }

    async fn draw(
        &mut self,
        _roster: &Roster,
        _covers: &[(PersonId, KnownFace)],
    ) -> Result<SheetChanges, JobError> {
        Ok(SheetChanges::default())
    }

    async fn recorded(&mut self, _changes: &SheetChanges) {}

    /// A founder's search finds the unmatched faces of the whole gallery by itself.
    fn retries_unmatched(&self) -> bool {
        false
    }
}

/// Pairs indexed faces with ours, best overlap first. The second list is left over.
fn pair(faces: &[KnownFace], indexed: &[IndexedFace]) -> (HashMap<FaceId, String>, Vec<String>) {
    let mut overlaps: Vec<(f32, FaceId, &IndexedFace)> = faces
        .iter()
        .flat_map(|face| {
            indexed.iter().map(move |other| {
                let overlap = overlap(&face.bounding_box, &other.bounding_box);
                (overlap, face.id, other)
            })
        })
        .filter(|(overlap, ..)| *overlap > SAME_FACE)
        .collect();
    overlaps.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut ids: HashMap<FaceId, String> = HashMap::new();
    let mut used: HashSet<&str> = HashSet::new();
    for (_, face, other) in overlaps {
        if !ids.contains_key(&face) && used.insert(&other.face_id) {
            ids.insert(face, other.face_id.clone());
        }
    }
    let surplus = indexed
        .iter()
        .filter(|face| !used.contains(face.face_id.as_str()))
        .map(|face| face.face_id.clone())
        .collect();
    (ids, surplus)
}

/// Intersection over union of two boxes, 0 to 1.
fn overlap(a: &BoundingBox, b: &BoundingBox) -> f32 {
    let shared = |from: f32, length: f32, other: f32, its: f32| {
        ((from + length).min(other + its) - from.max(other)).max(0.0)
    };
    let both = shared(a.left, a.width, b.left, b.width) * shared(a.top, a.height, b.top, b.height);
    let either = a.width * a.height + b.width * b.height - both;
    if either > 0.0 { both / either } else { 0.0 }
}
