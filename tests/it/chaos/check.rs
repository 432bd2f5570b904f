//! What must hold when it is calm again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use aws_sdk_rekognition::config::{BehaviorVersion, Credentials, Region};
use entity::photo::Status;
use entity::{FaceId, PersonId, face, gallery_event, job, person, photo};
use eventgallery::db::Db;
use eventgallery::graphql::id;
use harness::aws;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::clients::{Seen, gallery_id};
use super::world::World;
use super::{CLIENTS, PHOTOS};

/// Longest time for the work that is left.
const PATIENCE: Duration = Duration::from_secs(240);

async fn photos(db: &Db, gallery: &str) -> Vec<photo::Model> {
    photo::Entity::find()
        .filter(photo::Column::GalleryId.eq(gallery_id(gallery)))
        .all(db.read())
        .await
        .unwrap()
}

/// How many are ready now.
pub(super) async fn ready(db: &Db, gallery: &str) -> usize {
    let photos = photos(db, gallery).await;
    photos
        .iter()
        .filter(|photo| photo.status == Status::Ready)
        .count()
}

/// The number of the last event.
pub(super) async fn last_event(db: &Db, gallery: &str) -> i64 {
    gallery_event::Entity::find()
        .filter(gallery_event::Column::GalleryId.eq(gallery_id(gallery)))
        .order_by_desc(gallery_event::Column::Seq)
        .one(db.read())
        .await
        .unwrap()
        .map_or(0, |event| event.seq)
}

/// Waits until every confirmed photo is.
pub(super) async fn all_ready(db: &Db, gallery: &str, confirmed: &[String]) {
    assert_eq!(
        confirmed.len(),
        PHOTOS,
        "{CLIENTS} clients confirmed all they had"
    );
    let waiting = async {
        while ready(db, gallery).await < confirmed.len() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
        let mut statuses: BTreeMap<String, usize> = BTreeMap::new();
        for photo in photos(db, gallery).await {
            *statuses.entry(format!("{:?}", photo.status)).or_default() += 1;
        }
        panic!("{statuses:?}; jobs {:#?}", jobs(db).await);
    }
}

async fn jobs(db: &Db) -> Vec<job::Model> {
    let jobs = job::Entity::find().all(db.read()).await.unwrap();
    // These stand for ever.
    let stands = |job: &job::Model| job.kind.starts_with("sweep_") || job.kind == "reap_uploads";
    jobs.into_iter().filter(|job| !stands(job)).collect()
}

/// Waits until no job is left, not even a buried one.
pub(super) async fn queue_is_empty(db: &Db) {
    let waiting = async {
        while !jobs(db).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
        panic!("left: {:#?}", jobs(db).await);
    }
}

/// Photos, faces and people stand once, and their counts are right. How many people there are.
pub(super) async fn nothing_is_doubled(db: &Db, gallery: &str, confirmed: &[String]) -> usize {
    let photos = photos(db, gallery).await;
    let of = |photo: &photo::Model| id::encode(photo.id).to_string();
    let rows: BTreeSet<String> = photos.iter().map(of).collect();
    let answered: BTreeSet<String> = confirmed.iter().cloned().collect();
    assert_eq!(rows, answered, "what was confirmed is what there is");
    assert_eq!(answered.len(), confirmed.len());
    let files: HashSet<&str> = photos.iter().map(|photo| photo.sha256.as_str()).collect();
    assert_eq!(files.len(), photos.len(), "no file twice");

    let in_gallery = gallery_id(gallery);
    let faces = face::Entity::find()
        .filter(face::Column::GalleryId.eq(in_gallery))
        .all(db.read())
        .await
        .unwrap();
    assert!(!faces.is_empty());
    let mut boxes = HashSet::new();
    let mut of_person: HashMap<PersonId, (usize, HashSet<_>)> = HashMap::new();
    for face in &faces {
        let place = &face.detail.bounding_box;
        let place = format!("{} {} {}", face.photo_id, place.left, place.top);
        assert!(boxes.insert(place), "a face twice: {face:?}");
        if let Some(person) = face.person_id {
            let (count, photos) = of_person.entry(person).or_default();
            *count += 1;
            photos.insert(face.photo_id);
        }
    }
    let people = person::Entity::find_in_gallery(in_gallery)
        .all(db.read())
        .await
        .unwrap();
    for person in &people {
        let (faces, photos) = of_person.remove(&person.id).unwrap_or_default();
        assert_eq!(
            (person.face_count as usize, person.photo_count as usize),
            (faces, photos.len()),
            "{person:?}"
        );
        assert!(faces > 0, "nobody without a face: {person:?}");
    }
    assert!(of_person.is_empty(), "faces of nobody: {of_person:?}");
    people.len()
}

/// Bucket, collection and tables know the same.
pub(super) async fn nothing_is_left(db: &Db, world: &World, gallery: &str) {
    let photos = photos(db, gallery).await;
    let mut expected: Vec<String> = photos
        .iter()
        .flat_map(|photo| {
            let folder = format!("galleries/{}/photos/{}", photo.gallery_id, photo.id);
            ["original.jpg", "preview.jpg", "thumbnail.jpg"].map(|name| format!("{folder}/{name}"))
        })
        .collect();
    expected.sort();
    assert_eq!(aws::keys(&world.aws, &world.bucket).await, expected);

    let rows = face::Entity::find().all(db.read()).await.unwrap();
    let rows: BTreeSet<String> = rows
        .into_iter()
        .filter_map(|face| face.collection_face_id)
        .collect();
    assert_eq!(
        collection_faces(world).await,
        rows,
        "faces in the collection and in the table"
    );
    let covers: HashSet<FaceId> = person::Entity::find()
        .all(db.read())
        .await
        .unwrap()
        .into_iter()
        .filter_map(|person| person.cover_face_id)
        .collect();
    let standing = face::Entity::find().filter(face::Column::Id.is_in(covers.iter().copied()));
    assert_eq!(standing.all(db.read()).await.unwrap().len(), covers.len());
}

/// Face ids of every collection.
async fn collection_faces(world: &World) -> BTreeSet<String> {
    let (id, secret) = (&world.aws.access_key_id, &world.aws.secret_access_key);
    let config = aws_sdk_rekognition::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(&world.aws.url)
        .credentials_provider(Credentials::new(id, secret, None, None, "test"))
        .build();
    let client = aws_sdk_rekognition::Client::from_conf(config);
    let collections = client.list_collections().send().await.unwrap();
    let mut faces = BTreeSet::new();
    for collection in collections.collection_ids() {
        let list = client
            .list_faces()
            .collection_id(collection)
            .max_results(4_096);
        let page = list.send().await.unwrap();
        assert!(page.next_token().is_none());
        faces.extend(
            page.faces()
                .iter()
                .filter_map(|face| face.face_id().map(str::to_owned)),
        );
    }
    faces
}

/// Whoever followed saw every event, each once and in its order, and so the end of every photo.
pub(super) async fn no_event_is_missed(db: &Db, gallery: &str, seen: &Seen, confirmed: &[String]) {
    let last = last_event(db, gallery).await;
    let numbers = seen.seqs.iter().zip(1..);
    let wrong: Vec<_> = numbers.filter(|((_, seq), number)| seq != number).collect();
    assert!(
        wrong.is_empty(),
        "not every event, once, in order; (connection, event), expected: {:?}",
        &wrong[..wrong.len().min(10)]
    );
    assert_eq!(seen.seqs.len() as i64, last);
    let unseen: Vec<_> = confirmed
        .iter()
        .filter(|photo| {
            seen.photos
                .get(*photo)
                .is_none_or(|status| status != "READY")
        })
        .collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}
