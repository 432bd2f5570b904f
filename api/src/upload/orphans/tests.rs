//! The sweep over a bucket of more pages than one run looks at.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use entity::gallery::Matcher;
use entity::{GalleryId, PhotoId, Timestamp, UserId, gallery, user};
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set};

use super::PAGES_PER_RUN;
use crate::config::Config;
use crate::job::tests::TestDb;
use crate::job::{Lease, WakeUp, queue};
use crate::metrics::Metrics;
use crate::storage::{
    ListedObject, ObjectHead, ObjectKey, ObjectStore, PresignedPut, StorageError, UploadConstraint,
};
use crate::upload::job::{REAP_UPLOADS, schedule};
use crate::upload::service::UploadService;

/// Objects of a page.
const PAGE: usize = 2;

/// Keys whose objects are as old as can be.
#[derive(Default)]
struct Bucket(Mutex<BTreeSet<String>>);

#[async_trait]
impl ObjectStore for Bucket {
    async fn presign_put(
        &self,
        _: &ObjectKey,
        _: &UploadConstraint,
        _: Timestamp,
        _: Duration,
    ) -> Result<PresignedPut, StorageError> {
        unreachable!("the sweep gives no URLs out")
    }

    async fn head(&self, _: &ObjectKey) -> Result<Option<ObjectHead>, StorageError> {
        unreachable!("the sweep lists")
    }

    async fn get(&self, _: &ObjectKey, _: u64) -> Result<Bytes, StorageError> {
        unreachable!("the sweep reads no object")
    }

    async fn put(&self, _: &ObjectKey, _: &str, _: Bytes) -> Result<(), StorageError> {
        unreachable!("the sweep writes no object")
    }

    async fn delete(&self, keys: &[ObjectKey]) -> Result<(), StorageError> {
        let mut objects = self.0.lock().unwrap();
        objects.retain(|key| keys.iter().all(|deleted| deleted.as_str() != key));
        Ok(())
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
    ) -> Result<Vec<ListedObject>, StorageError> {
        let objects = self.0.lock().unwrap();
        let keys = objects
            .iter()
            .filter(|key| key.starts_with(prefix))
            .filter(|key| after.is_none_or(|after| key.as_str() > after.as_str()));
        let listed = keys.take(PAGE).map(|key| ListedObject {
            key: ObjectKey::listed(key.clone()),
            modified_at: Some(Timestamp::default()),
        });
        Ok(listed.collect())
    }

    async fn abort_uploads(&self, _: &str, _: Timestamp) -> Result<usize, StorageError> {
        unreachable!("the sweep is about objects")
    }
}

async fn gallery(db: &TestDb) -> GalleryId {
    let now = db.clock.now();
    let owner: UserId = db.clock.new_id();
    user::ActiveModel {
        id: Set(owner),
        email: Set("ada@example.com".into()),
        email_key: Set("ada@example.com".into()),
        name: Set("Ada".into()),
        password_hash: Set(String::new()),
        created_at: Set(now),
    }
    .insert(db.db.read())
    .await
    .unwrap();
    let id = db.clock.new_id();
    gallery::ActiveModel {
        id: Set(id),
        created_by: Set(owner),
        name: Set("g".into()),
        description: Set(String::new()),
        event_date: Set(None),
        cover_photo_id: Set(None),
        matcher: Set(Matcher::Compare),
        face_analysis: Set(true),
        created_at: Set(now),
        updated_at: Set(now),
        deleted_at: Set(None),
    }
    .insert(db.db.read())
    .await
    .unwrap();
    id
}

async fn claim(db: &TestDb) -> Lease {
    let kinds = [REAP_UPLOADS];
    loop {
        let claimed = queue::claim(&db.db, &db.clock, &kinds, 60, 3).await;
        let lease = claimed.unwrap().expect("a job");
        if lease.subject == "orphans" {
            return lease;
        }
    }
}

#[tokio::test]
async fn a_run_goes_on_where_the_one_before_left_off() {
    let db = TestDb::new().await;
    let gallery = gallery(&db).await;
    let bucket = Arc::new(Bucket::default());
    let count = PAGE * (PAGES_PER_RUN + 1);
    for _ in 0..count {
        let photo: PhotoId = db.clock.new_id();
        let key = ObjectKey::original(gallery, photo, "jpg");
        let mut objects = bucket.0.lock().unwrap();
        objects.insert(key.as_str().to_owned());
    }
    let config = Config::from_sources(Path::new(""), |_| None).unwrap();
    let store: Arc<dyn ObjectStore> = Arc::<Bucket>::clone(&bucket);
    let (handle, clock) = (db.db.clone(), db.clock.clone());
    let service = UploadService::new(handle, clock, store, config.uploads, WakeUp::default());
    let metrics = Metrics::new();
    let left = || bucket.0.lock().unwrap().len();
    schedule(&db.db, &db.clock).await.unwrap();

    let first = claim(&db).await;
    assert!(service.sweep_orphans(&first, &metrics).await.unwrap());
    assert_eq!(left(), PAGE, "one run is bounded");
    // What was before the place is left to the next sweep.
    let behind = ObjectKey::original(gallery, PhotoId(uuid::Uuid::from_u128(1)), "jpg");
    bucket.0.lock().unwrap().insert(behind.as_str().to_owned());
    queue::again(db.db.read(), &first, db.clock.now())
        .await
        .unwrap();
    let second = claim(&db).await;
    assert!(second.place.is_some());
    assert!(!service.sweep_orphans(&second, &metrics).await.unwrap());
    assert_eq!(left(), 1);
    queue::again(db.db.read(), &second, db.clock.now())
        .await
        .unwrap();
    let third = claim(&db).await;
    assert_eq!(third.place, None);
    assert!(!service.sweep_orphans(&third, &metrics).await.unwrap());
    assert_eq!(left(), 0);
}
