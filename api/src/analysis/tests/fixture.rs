//! A database, a store and an analyser for one test.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use entity::analysis_step::{self, State, Step};
use entity::document::{BoundingBox, FaceDetail, LabelDetail};
use entity::{
    GalleryId, PhotoId, Timestamp, UserId, face, gallery, job, photo, photo_label, upload_request,
    user,
};
use image::{DynamicImage, ImageFormat};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _,
};

use crate::analysis::job::{AnalyseHandler, AnalysisSettings};
use crate::analysis::media::{Media, MediaSettings};
use crate::analysis::{ANALYSE, step};
use crate::job::tests::TestDb;
use crate::job::worker::{Worker, WorkerSettings};
use crate::job::{NewJob, WakeUp, queue};
use crate::photo::document;
use crate::storage::{
    ListedObject, ObjectHead, ObjectKey, ObjectStore, PresignedPut, StorageError, UploadConstraint,
};
use crate::vision::{
    Analyser, CollectionMatch, FaceMatch, IndexedFace, Label, Picture, VisionError,
};

/// Objects in memory.
#[derive(Default)]
pub(super) struct Shelf(pub(super) Mutex<HashMap<ObjectKey, Bytes>>);

#[async_trait]
impl ObjectStore for Shelf {
    async fn presign_put(
        &self,
        _: &ObjectKey,
        _: &UploadConstraint,
        _: Timestamp,
        _: Duration,
    ) -> Result<PresignedPut, StorageError> {
        unreachable!("the analysis uploads nothing for clients")
    }

    async fn head(&self, _: &ObjectKey) -> Result<Option<ObjectHead>, StorageError> {
        unreachable!("the analysis reads whole objects")
    }

    async fn get(&self, key: &ObjectKey, limit: u64) -> Result<Bytes, StorageError> {
        tokio::task::yield_now().await;
        let found = self.0.lock().unwrap().get(key).cloned();
        let bytes = found.ok_or(StorageError::NotFound)?;
        if bytes.len() as u64 > limit {
            return Err(StorageError::TooLarge { limit });
        }
        Ok(bytes)
    }

    async fn put(&self, key: &ObjectKey, _: &str, bytes: Bytes) -> Result<(), StorageError> {
        tokio::task::yield_now().await;
        self.0.lock().unwrap().insert(key.clone(), bytes);
        Ok(())
    }

    async fn delete(&self, keys: &[ObjectKey]) -> Result<(), StorageError> {
        let mut objects = self.0.lock().unwrap();
        keys.iter().for_each(|key| {
            objects.remove(key);
        });
        Ok(())
    }

    async fn list(
        &self,
        _: &str,
        _: Option<&ObjectKey>,
    ) -> Result<Vec<ListedObject>, StorageError> {
        unreachable!("the analysis knows its keys")
    }

    async fn abort_uploads(&self, _: &str, _: Timestamp) -> Result<usize, StorageError> {
        unreachable!("the analysis aborts nothing")
    }
}

/// Sees what it is told to see.
#[derive(Default)]
pub(super) struct Eyes {
    pub(super) faces: Mutex<Vec<FaceDetail>>,
    pub(super) labels: Mutex<Option<VisionError>>,
}

#[async_trait]
impl Analyser for Eyes {
    async fn detect_faces(&self, _: &Picture) -> Result<Vec<FaceDetail>, VisionError> {
        tokio::task::yield_now().await;
        Ok(self.faces.lock().unwrap().clone())
    }

    async fn detect_labels(&self, _: &Picture) -> Result<Vec<Label>, VisionError> {
        tokio::task::yield_now().await;
        if let Some(error) = self.labels.lock().unwrap().clone() {
            return Err(error);
        }
        let label = |name: &str, confidence| Label {
            name: name.to_owned(),
            confidence,
            detail: LabelDetail::default(),
        };
        Ok(vec![
            label("Dog", 98.0),
            label("Cake", 60.0),
            label("Fog", 20.0),
        ])
    }

    async fn compare_faces(
        &self,
        _: &Picture,
        _: &Picture,
        _: f32,
    ) -> Result<Vec<FaceMatch>, VisionError> {
        unreachable!()
    }

    async fn create_collection(&self, _: &str) -> Result<(), VisionError> {
        unreachable!()
    }

    async fn delete_collection(&self, _: &str) -> Result<(), VisionError> {
        unreachable!()
    }

    async fn index_faces(
        &self,
        _: &str,
        _: &Picture,
        _: &str,
    ) -> Result<Vec<IndexedFace>, VisionError> {
        unreachable!()
    }

    async fn search_faces(
        &self,
        _: &str,
        _: &str,
        _: f32,
        _: u32,
    ) -> Result<Vec<CollectionMatch>, VisionError> {
        unreachable!()
    }

    async fn list_faces(&self, _: &str) -> Result<Vec<(String, Option<String>)>, VisionError> {
        unreachable!()
    }

    async fn delete_faces(&self, _: &str, _: &[String]) -> Result<(), VisionError> {
        unreachable!()
    }
}

pub(super) fn seen_face(left: f32) -> FaceDetail {
    FaceDetail {
        bounding_box: BoundingBox {
            left,
            top: 0.2,
            width: 0.2,
            height: 0.4,
        },
        confidence: 99.0,
        brightness: 60.0,
        sharpness: 80.0,
        ..FaceDetail::default()
    }
}

pub(super) struct Fixture {
    pub(super) test: TestDb,
    pub(super) store: Arc<Shelf>,
    pub(super) eyes: Arc<Eyes>,
    gallery: GalleryId,
    uploader: UserId,
}

impl Fixture {
    pub(super) async fn new() -> Self {
        let test = TestDb::new().await;
        let now = test.clock.now();
        let (gallery, uploader) = (test.clock.new_id(), test.clock.new_id());
        let eyes = Arc::new(Eyes::default());
        *eyes.faces.lock().unwrap() = vec![seen_face(0.1), seen_face(0.6)];
        let transaction = test.db.begin().await.unwrap();
        let person = user::Model {
            id: uploader,
            email: "a@example.com".to_owned(),
            email_key: "a@example.com".to_owned(),
            name: "A".to_owned(),
            password_hash: String::new(),
            created_at: now,
        };
        user::Entity::insert(person.into_active_model())
            .exec_without_returning(&*transaction)
            .await
            .unwrap();
        let row = gallery::Model {
            id: gallery,
            created_by: uploader,
            name: "Wedding".to_owned(),
            description: String::new(),
            event_date: None,
            cover_photo_id: None,
            matcher: gallery::Matcher::Collection,
            face_analysis: true,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        };
        gallery::Entity::insert(row.into_active_model())
            .exec_without_returning(&*transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        Self {
            test,
            store: Arc::default(),
            eyes,
            gallery,
            uploader,
        }
    }

    /// A confirmed photo with these bytes and its job.
    pub(super) async fn photo(&self, bytes: Vec<u8>, content_type: &str) -> PhotoId {
        let clock = &self.test.clock;
        let (id, now): (PhotoId, _) = (clock.new_id(), clock.now());
        let request: entity::UploadRequestId = clock.new_id();
        let extension = if content_type == "image/png" {
            "png"
        } else {
            "jpg"
        };
        let key = ObjectKey::original(self.gallery, id, extension);
        let byte_size = i64::try_from(bytes.len()).unwrap();
        self.store.0.lock().unwrap().insert(key, bytes.into());
        let transaction = self.test.db.begin().await.unwrap();
        let row = upload_request::Model {
            id: request,
            gallery_id: self.gallery,
            user_id: self.uploader,
            idempotency_key: request.to_string(),
            fingerprint: String::new(),
            created_at: now,
        };
        upload_request::Entity::insert(row.into_active_model())
            .exec_without_returning(&*transaction)
            .await
            .unwrap();
        let sha256 = format!("sha of {id}");
        let row = photo::ActiveModel {
            id: Set(id),
            gallery_id: Set(self.gallery),
            uploader_id: Set(self.uploader),
            upload_request_id: Set(request),
            filename: Set("a.jpg".to_owned()),
            content_type: Set(content_type.to_owned()),
            byte_size: Set(byte_size),
            sha256: Set(sha256.clone()),
            dedup_key: Set(sha256),
            status: Set(photo::Status::Processing),
            upload_expires_at: Set(now),
            taken_at: Set(now),
            taken_at_known: Set(false),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        photo::Entity::insert(row)
            .exec_without_returning(&*transaction)
            .await
            .unwrap();
        step::create(&*transaction, &[id], now).await.unwrap();
        document::rebuild(&transaction, &[id], now).await.unwrap();
        transaction.commit().await.unwrap();
        self.enqueue(id).await;
        id
    }

    pub(super) async fn enqueue(&self, id: PhotoId) {
        let job = NewJob {
            kind: ANALYSE,
            subject: id.to_string(),
            priority: 0,
            delay: Duration::ZERO,
        };
        let transaction = self.test.db.begin().await.unwrap();
        queue::enqueue(&*transaction, &self.test.clock, job)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    }

    pub(super) fn handler(&self) -> AnalyseHandler {
        let media = Media::new(MediaSettings {
            max_pixels: 1_000_000,
            memory: 64 << 20,
            files: 10_000_000,
        });
        let settings = AnalysisSettings {
            max_byte_size: 10_000_000,
            min_label_confidence: 55.0,
        };
        AnalyseHandler::new(
            self.test.db.clone(),
            self.test.clock.clone(),
            self.store.clone(),
            self.eyes.clone(),
            media,
            settings,
        )
    }

    pub(super) async fn work(&self) -> usize {
        let settings = WorkerSettings {
            concurrency: 1,
            lease_seconds: 60,
            max_attempts: 3,
            grace: Duration::ZERO,
        };
        let (db, clock) = (self.test.db.clone(), self.test.clock.clone());
        let worker = Worker::new(
            db,
            clock,
            vec![Arc::new(self.handler())],
            WakeUp::default(),
            settings,
        );
        worker.run_until_idle().await.unwrap()
    }

    pub(super) async fn row(&self, id: PhotoId) -> photo::Model {
        let found = photo::Entity::find_by_id(id).one(self.test.db.read()).await;
        found.unwrap().unwrap()
    }

    pub(super) async fn change(&self, change: photo::ActiveModel) {
        let transaction = self.test.db.begin().await.unwrap();
        photo::Entity::update(change)
            .exec(&*transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    }

    pub(super) async fn steps(&self, id: PhotoId) -> HashMap<Step, analysis_step::Model> {
        analysis_step::Entity::find()
            .filter(analysis_step::Column::PhotoId.eq(id))
            .all(self.test.db.read())
            .await
            .unwrap()
            .into_iter()
            .map(|row| (row.step, row))
            .collect()
    }

    pub(super) async fn states(&self, id: PhotoId) -> [State; 4] {
        let steps = self.steps(id).await;
        step::STEPS.map(|step| steps[&step].state)
    }

    pub(super) async fn faces(&self, id: PhotoId) -> Vec<face::Model> {
        face::Entity::find()
            .filter(face::Column::PhotoId.eq(id))
            .order_by_asc(face::Column::Ordinal)
            .all(self.test.db.read())
            .await
            .unwrap()
    }

    pub(super) async fn labels(&self, id: PhotoId) -> Vec<String> {
        photo_label::Entity::find()
            .filter(photo_label::Column::PhotoId.eq(id))
            .order_by_asc(photo_label::Column::Name)
            .all(self.test.db.read())
            .await
            .unwrap()
            .into_iter()
            .map(|row| row.name)
            .collect()
    }

    pub(super) async fn jobs(&self, kind: &str) -> usize {
        job::Entity::find()
            .filter(job::Column::Kind.eq(kind))
            .all(self.test.db.read())
            .await
            .unwrap()
            .len()
    }
}

pub(super) fn file(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(super) fn picture() -> Vec<u8> {
    file(&DynamicImage::new_rgb8(400, 300), ImageFormat::Jpeg)
}
