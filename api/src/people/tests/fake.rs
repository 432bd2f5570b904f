//! An object store in memory, and a Rekognition for which a face is its colour.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use entity::Timestamp;
use entity::document::{BoundingBox, FaceDetail};
use image::RgbImage;

use crate::people::sheet;
use crate::storage::{
    ListedObject, ObjectHead, ObjectKey, ObjectStore, PresignedPut, StorageError, UploadConstraint,
};
use crate::vision::{
    Analyser, CollectionMatch, FaceMatch, IndexedFace, Label, Picture, VisionError,
};

/// A face's identity and looks at once.
pub(super) type Colour = [u8; 3];

const GREY: Colour = [128, 128, 128];

#[derive(Default)]
pub(super) struct Calls {
    pub(super) index: AtomicU32,
    pub(super) search: AtomicU32,
    pub(super) compare: AtomicU32,
}

pub(super) struct Indexed {
    external: String,
    colour: Colour,
}

/// Both ports in one.
pub(super) struct Aws {
    pub(super) objects: Mutex<BTreeMap<String, Bytes>>,
    /// Faces of a picture that IndexFaces would find, by key.
    pub(super) faces: Mutex<HashMap<String, Vec<(BoundingBox, Colour)>>>,
    pub(super) collections: Mutex<HashMap<String, BTreeMap<String, Indexed>>>,
    pub(super) calls: Calls,
    /// Similarity lost per unit of distance between colours.
    pub(super) slope: f32,
    /// Calls until everything is throttled; negative: never.
    pub(super) budget: AtomicI64,
    /// No face is seen in a source below this side in pixels.
    pub(super) blind_below: AtomicU32,
    /// Whether the next IndexFaces works but its answer is lost.
    pub(super) lose_answer: AtomicU32,
    next: AtomicU32,
    /// Colours of sheets that were looked at; decoding them for each comparison is slow.
    seen: Mutex<Vec<(Bytes, Vec<Colour>)>>,
}

impl Aws {
    pub(super) fn new(slope: f32) -> Self {
        Self {
            objects: Mutex::default(),
            faces: Mutex::default(),
            collections: Mutex::default(),
            calls: Calls::default(),
            slope,
            budget: AtomicI64::new(-1),
            blind_below: AtomicU32::new(0),
            lose_answer: AtomicU32::new(0),
            next: AtomicU32::new(0),
            seen: Mutex::default(),
        }
    }

    /// Index, search and compare calls so far.
    pub(super) fn counts(&self) -> (u32, u32, u32) {
        let get = |counter: &AtomicU32| counter.load(Ordering::SeqCst);
        let calls = &self.calls;
        (get(&calls.index), get(&calls.search), get(&calls.compare))
    }

    pub(super) fn keys(&self, part: &str) -> Vec<String> {
        let objects = self.objects.lock().unwrap();
        let keys = objects.keys().filter(|key| key.contains(part));
        keys.cloned().collect()
    }

    fn spend(&self, counter: &AtomicU32) -> Result<(), VisionError> {
        let budget = self.budget.load(Ordering::SeqCst);
        if budget == 0 {
            return Err(retryable("ThrottlingException"));
        }
        self.budget.store(budget - 1, Ordering::SeqCst);
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn bytes(&self, picture: &Picture) -> Result<Bytes, VisionError> {
        match picture {
            Picture::Bytes(bytes) => Ok(bytes.clone()),
            Picture::Object(key) => {
                let objects = self.objects.lock().unwrap();
                let bytes = objects.get(key.as_str()).cloned();
                bytes.ok_or_else(|| permanent("InvalidS3ObjectException"))
            }
        }
    }

    /// What is in the middle of each cell.
    fn cells(&self, bytes: Bytes) -> Result<Vec<Colour>, VisionError> {
        let mut seen = self.seen.lock().unwrap();
        if let Some((_, colours)) = seen.iter().find(|(other, _)| *other == bytes) {
            return Ok(colours.clone());
        }
        let sheet = decode(&bytes)?;
        let middle = |cell| {
            let (x, y) = sheet::origin(cell);
            sheet.get_pixel(x + sheet::CELL / 2, y + sheet::CELL / 2).0
        };
        let colours: Vec<Colour> = (0..sheet::CELLS).map(middle).collect();
        seen.push((bytes, colours.clone()));
        Ok(colours)
    }

    fn similarity(&self, a: Colour, b: Colour) -> f32 {
        100.0 - distance(a, b) * self.slope
    }
}

fn decode(bytes: &[u8]) -> Result<RgbImage, VisionError> {
    sheet::decode(bytes).map_err(|_| permanent("InvalidImageFormatException"))
}

fn permanent(code: &str) -> VisionError {
    VisionError::Permanent {
        code: code.into(),
        message: "no".into(),
    }
}

fn retryable(code: &str) -> VisionError {
    VisionError::Retryable {
        code: code.into(),
        message: "later".into(),
    }
}

fn distance(a: Colour, b: Colour) -> f32 {
    let square = |i: usize| (f32::from(a[i]) - f32::from(b[i])).powi(2);
    (square(0) + square(1) + square(2)).sqrt()
}

#[async_trait]
impl Analyser for Aws {
    async fn detect_faces(&self, _: &Picture) -> Result<Vec<FaceDetail>, VisionError> {
        Err(permanent("AccessDeniedException"))
    }

    async fn detect_labels(&self, _: &Picture) -> Result<Vec<Label>, VisionError> {
        Err(permanent("AccessDeniedException"))
    }

    async fn compare_faces(
        &self,
        source: &Picture,
        target: &Picture,
        threshold: f32,
    ) -> Result<Vec<FaceMatch>, VisionError> {
        self.spend(&self.calls.compare)?;
        let source = decode(&self.bytes(source)?)?;
        assert!(source.width() >= 80 && source.height() >= 80);
        if source.width() < self.blind_below.load(Ordering::SeqCst) {
            return Err(VisionError::NoFace);
        }
        let face = source.get_pixel(source.width() / 2, source.height() / 2).0;
        let target = self.cells(self.bytes(target)?)?;
        let mut found = Vec::new();
        for (cell, other) in (0..).zip(target) {
            let (x, y) = sheet::origin(cell);
            let similarity = self.similarity(face, other);
            if distance(other, GREY) > 20.0 && similarity >= threshold {
                found.push(FaceMatch {
                    bounding_box: BoundingBox {
                        left: (x as f32 + 40.0) / sheet::SIDE as f32,
                        top: (y as f32 + 40.0) / sheet::SIDE as f32,
                        width: 0.055,
                        height: 0.055,
                    },
                    similarity,
                });
            }
        }
        found.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
        Ok(found)
    }

    async fn create_collection(&self, collection: &str) -> Result<(), VisionError> {
        let mut collections = self.collections.lock().unwrap();
        collections.entry(collection.into()).or_default();
        Ok(())
    }

    async fn delete_collection(&self, collection: &str) -> Result<(), VisionError> {
        self.collections.lock().unwrap().remove(collection);
        Ok(())
    }

    async fn index_faces(
        &self,
        collection: &str,
        picture: &Picture,
        external_image_id: &str,
    ) -> Result<Vec<IndexedFace>, VisionError> {
        self.spend(&self.calls.index)?;
        let Picture::Object(key) = picture else {
            return Err(permanent("InvalidParameterException"));
        };
        let faces = self.faces.lock().unwrap();
        let faces = faces
            .get(key.as_str())
            .ok_or_else(|| permanent("InvalidS3ObjectException"))?;
        let mut collections = self.collections.lock().unwrap();
        let collection = collections
            .get_mut(collection)
            .ok_or(VisionError::NoSuchCollection)?;
        let mut answer = Vec::new();
        // Rekognition's order is not ours, its boxes differ a little, and it sees one face more.
        let phantom = BoundingBox {
            left: 0.9,
            top: 0.9,
            width: 0.05,
            height: 0.05,
        };
        for (mut bounding_box, colour) in faces.iter().rev().copied().chain([(phantom, GREY)]) {
            bounding_box.left += bounding_box.width * 0.1;
            let face_id = format!("face-{}", self.next.fetch_add(1, Ordering::SeqCst));
            let external = external_image_id.to_owned();
            collection.insert(face_id.clone(), Indexed { external, colour });
            answer.push(IndexedFace {
                face_id,
                bounding_box,
            });
        }
        match self.lose_answer.swap(0, Ordering::SeqCst) {
            0 => Ok(answer),
            _ => Err(retryable("RequestTimeout")),
        }
    }

    async fn search_faces(
        &self,
        collection: &str,
        face_id: &str,
        threshold: f32,
        max_faces: u32,
    ) -> Result<Vec<CollectionMatch>, VisionError> {
        self.spend(&self.calls.search)?;
        let collections = self.collections.lock().unwrap();
        let faces = collections
            .get(collection)
            .ok_or(VisionError::NoSuchCollection)?;
        let searched = faces
            .get(face_id)
            .ok_or(VisionError::NoSuchCollection)?
            .colour;
        let mut found: Vec<_> = faces
            .iter()
            .filter(|(id, _)| *id != face_id)
            .map(|(id, face)| CollectionMatch {
                face_id: id.clone(),
                similarity: self.similarity(searched, face.colour),
            })
            .filter(|found| found.similarity >= threshold)
            .collect();
        found.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
        found.truncate(max_faces as usize);
        Ok(found)
    }

    async fn list_faces(
        &self,
        collection: &str,
    ) -> Result<Vec<(String, Option<String>)>, VisionError> {
        let collections = self.collections.lock().unwrap();
        let faces = collections
            .get(collection)
            .ok_or(VisionError::NoSuchCollection)?;
        let rows = faces
            .iter()
            .map(|(id, f)| (id.clone(), Some(f.external.clone())));
        Ok(rows.collect())
    }

    async fn delete_faces(&self, collection: &str, ids: &[String]) -> Result<(), VisionError> {
        let mut collections = self.collections.lock().unwrap();
        let faces = collections
            .get_mut(collection)
            .ok_or(VisionError::NoSuchCollection)?;
        faces.retain(|id, _| !ids.contains(id));
        Ok(())
    }
}

#[async_trait]
impl ObjectStore for Aws {
    async fn presign_put(
        &self,
        _: &ObjectKey,
        _: &UploadConstraint,
        _: Timestamp,
        _: Duration,
    ) -> Result<PresignedPut, StorageError> {
        Err(StorageError::Refused(anyhow::anyhow!("not asked for")))
    }

    async fn head(&self, _: &ObjectKey) -> Result<Option<ObjectHead>, StorageError> {
        Err(StorageError::Refused(anyhow::anyhow!("not asked for")))
    }

    async fn get(&self, key: &ObjectKey, _: u64) -> Result<Bytes, StorageError> {
        let objects = self.objects.lock().unwrap();
        objects
            .get(key.as_str())
            .cloned()
            .ok_or(StorageError::NotFound)
    }

    async fn put(&self, key: &ObjectKey, _: &str, bytes: Bytes) -> Result<(), StorageError> {
        let mut objects = self.objects.lock().unwrap();
        objects.insert(key.as_str().into(), bytes);
        Ok(())
    }

    async fn delete(&self, keys: &[ObjectKey]) -> Result<(), StorageError> {
        let mut objects = self.objects.lock().unwrap();
        for key in keys {
            objects.remove(key.as_str());
        }
        Ok(())
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
    ) -> Result<Vec<ListedObject>, StorageError> {
        let objects = self.objects.lock().unwrap();
        let keys = objects
            .keys()
            .filter(|key| key.starts_with(prefix))
            .filter(|key| after.is_none_or(|after| key.as_str() > after.as_str()));
        // Small pages, so that paging is exercised.
        let listed = keys.take(2).map(|key| ListedObject {
            key: ObjectKey::listed(key.clone()),
            modified_at: None,
        });
        Ok(listed.collect())
    }

    async fn abort_uploads(&self, _: &str, _: Timestamp) -> Result<usize, StorageError> {
        Err(StorageError::Refused(anyhow::anyhow!("not asked for")))
    }
}
