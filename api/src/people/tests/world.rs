//! A gallery with photos of coloured faces.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use entity::analysis_step::{State, Step};
use entity::document::{BoundingBox, FaceDetail, PhotoDocument};
use entity::gallery::Matcher;
use entity::gallery_member::Role;
use entity::{
    FaceId, GalleryId, PersonId, PhotoId, UploadRequestId, UserId, analysis_step, face, gallery,
    gallery_member, person, photo, upload_request, user,
};
use image::{Rgb, RgbImage};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, DatabaseTransaction,
    EntityTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _,
};

use super::fake::{Aws, Colour};
use crate::clock::Clock;
use crate::db::{self, Db};
use crate::job::{JobError, Outcome};
use crate::people::MatcherSettings;
use crate::people::job::GroupHandler;
use crate::people::matcher::Fence;
use crate::people::sheet;
use crate::storage::ObjectKey;

// Pixels of a preview, and of a face in it.
const WIDTH: u32 = 400;
const HEIGHT: u32 = 120;
const FACE: u32 = 60;

/// Eight identities that nobody takes for each other.
pub(super) const PEOPLE: [Colour; 8] = [
    [20, 20, 20],
    [235, 20, 20],
    [20, 235, 20],
    [20, 20, 235],
    [235, 235, 20],
    [235, 20, 235],
    [20, 235, 235],
    [235, 235, 235],
];

/// A face to be painted.
#[derive(Clone, Copy)]
pub(super) struct Paint {
    pub(super) colour: Colour,
    pub(super) quality: f32,
    pub(super) can_found: bool,
}

/// A good face of one of [`PEOPLE`]; `seed` varies colour and quality a little.
pub(super) fn good(who: usize, seed: usize) -> Paint {
    let vary = |channel: u8, step: usize| {
        let by = u8::try_from((seed * step) % 8).unwrap();
        if channel > 128 {
            channel - by
        } else {
            channel + by
        }
    };
    let [r, g, b] = PEOPLE[who];
    Paint {
        colour: [vary(r, 3), vary(g, 5), vary(b, 7)],
        quality: 60.0 + ((seed * 13 + who * 7) % 35) as f32,
        can_found: true,
    }
}

/// A face that may not found a person.
pub(super) fn poor(colour: Colour) -> Paint {
    Paint {
        colour,
        quality: 10.0,
        can_found: false,
    }
}

/// A fence that holds, except for the n-th time.
pub(super) struct TestFence {
    pub(super) breaks_at: u32,
    held: AtomicU32,
}

impl TestFence {
    pub(super) fn breaking_at(breaks_at: u32) -> Self {
        Self {
            breaks_at,
            held: AtomicU32::new(0),
        }
    }
}

#[async_trait]
impl Fence for TestFence {
    async fn hold(&self, _: &DatabaseTransaction) -> Result<(), JobError> {
        let held = self.held.fetch_add(1, Ordering::SeqCst) + 1;
        if held == self.breaks_at {
            return Err(JobError::LeaseLost);
        }
        Ok(())
    }
}

pub(super) struct World {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) aws: Arc<Aws>,
    pub(super) gallery: GalleryId,
    pub(super) owner: UserId,
    pub(super) handler: GroupHandler,
    request: UploadRequestId,
    file: PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let mut file = self.file.clone().into_os_string();
            file.push(suffix);
            let _ = std::fs::remove_file(file);
        }
    }
}

impl World {
    pub(super) async fn new(matcher: Matcher) -> Self {
        Self::with_slope(matcher, 0.25).await
    }

    pub(super) async fn with_slope(matcher: Matcher, slope: f32) -> Self {
        let clock = Clock::manual();
        let file = std::env::temp_dir().join(format!("people-{}.sqlite", clock.new_token()));
        let url = format!("sqlite:{}", file.display());
        db::migrate(&url).await.unwrap();
        let db = Db::connect(&url, 2).await.unwrap();
        let aws = Arc::new(Aws::new(slope));
        let handler = GroupHandler::new(
            db.clone(),
            clock.clone(),
            aws.clone(),
            aws.clone(),
            MatcherSettings::new(80.0, 60),
        );
        let mut world = Self {
            db,
            owner: clock.new_id(),
            gallery: clock.new_id(),
            request: clock.new_id(),
            clock,
            aws,
            handler,
            file,
        };
        world.owner = world.user().await;
        world.rows(matcher).await;
        world.join(world.owner, Role::Owner).await;
        world
    }

    async fn rows(&self, matcher: Matcher) {
        let now = self.clock.now();
        let txn = self.db.begin().await.unwrap();
        let gallery = gallery::Model {
            id: self.gallery,
            created_by: self.owner,
            name: "Wedding".into(),
            description: String::new(),
            event_date: None,
            cover_photo_id: None,
            matcher,
            face_analysis: true,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        };
        gallery.into_active_model().insert(&*txn).await.unwrap();
        let request = upload_request::Model {
            id: self.request,
            gallery_id: self.gallery,
            user_id: self.owner,
            idempotency_key: "key".into(),
            fingerprint: String::new(),
            created_at: now,
        };
        request.into_active_model().insert(&*txn).await.unwrap();
        txn.commit().await.unwrap();
    }

    pub(super) async fn user(&self) -> UserId {
        let id: UserId = self.clock.new_id();
        let txn = self.db.begin().await.unwrap();
        let row = user::Model {
            id,
            email: id.to_string(),
            email_key: id.to_string(),
            name: "Somebody".into(),
            password_hash: String::new(),
            created_at: self.clock.now(),
        };
        row.into_active_model().insert(&*txn).await.unwrap();
        txn.commit().await.unwrap();
        id
    }

    pub(super) async fn join(&self, user: UserId, role: Role) {
        let txn = self.db.begin().await.unwrap();
        let row = gallery_member::Model {
            gallery_id: self.gallery,
            user_id: user,
            role,
            created_at: self.clock.now(),
        };
        row.into_active_model().insert(&*txn).await.unwrap();
        txn.commit().await.unwrap();
    }

    /// A photo of these faces, at most four, detected and waiting to be grouped.
    pub(super) async fn photo(&self, paints: &[Paint]) -> PhotoId {
        let id: PhotoId = self.clock.new_id();
        let key = ObjectKey::preview(self.gallery, id).as_str().to_owned();
        let mut picture = RgbImage::from_pixel(WIDTH, HEIGHT, Rgb([200, 210, 220]));
        let mut faces = Vec::new();
        for (slot, paint) in (0u32..).zip(paints) {
            let (left, top) = (20 + slot * 95, 30);
            for (x, y) in (0..FACE).flat_map(|x| (0..FACE).map(move |y| (x, y))) {
                picture.put_pixel(left + x, top + y, Rgb(paint.colour));
            }
            let bounding_box = BoundingBox {
                left: left as f32 / WIDTH as f32,
                top: top as f32 / HEIGHT as f32,
                width: FACE as f32 / WIDTH as f32,
                height: FACE as f32 / HEIGHT as f32,
            };
            faces.push((bounding_box, paint.colour));
        }
        let bytes = sheet::encode(&picture).unwrap();
        self.aws.objects.lock().unwrap().insert(key.clone(), bytes);
        self.aws.faces.lock().unwrap().insert(key, faces.clone());
        self.photo_rows(id, paints, &faces).await;
        id
    }

    async fn photo_rows(&self, id: PhotoId, paints: &[Paint], faces: &[(BoundingBox, Colour)]) {
        let txn = self.db.begin().await.unwrap();
        let now = self.clock.now();
        photo_row(self, id).insert(&*txn).await.unwrap();
        for step in [Step::Renditions, Step::Faces, Step::Labels, Step::Grouping] {
            let pending = step == Step::Grouping;
            let row = analysis_step::Model {
                photo_id: id,
                step,
                state: if pending { State::Pending } else { State::Done },
                attempts: i32::from(!pending),
                retry_at: None,
                error_code: None,
                error_message: None,
                retryable: false,
                updated_at: now,
            };
            row.into_active_model().insert(&*txn).await.unwrap();
        }
        for (ordinal, (paint, (bounding_box, _))) in (0i32..).zip(paints.iter().zip(faces)) {
            let row = face::Model {
                id: self.clock.new_id(),
                gallery_id: self.gallery,
                photo_id: id,
                ordinal,
                detail: FaceDetail {
                    bounding_box: *bounding_box,
                    confidence: 99.0,
                    ..FaceDetail::default()
                },
                quality: paint.quality,
                can_found: paint.can_found,
                grouping: face::Grouping::Waiting,
                person_id: None,
                assigned_by: None,
                similarity: None,
                collection_face_id: None,
                created_at: now,
            };
            row.into_active_model().insert(&*txn).await.unwrap();
        }
        txn.commit().await.unwrap();
    }

    pub(super) async fn run(&self) -> Result<Outcome, JobError> {
        self.run_fenced(0).await
    }

    pub(super) async fn run_fenced(&self, breaks_at: u32) -> Result<Outcome, JobError> {
        let fence = TestFence::breaking_at(breaks_at);
        self.handler.group(self.gallery, &fence).await
    }

    pub(super) async fn faces(&self) -> Vec<face::Model> {
        face::Entity::find()
            .filter(face::Column::GalleryId.eq(self.gallery))
            .order_by_asc(face::Column::Id)
            .all(self.db.read())
            .await
            .unwrap()
    }

    pub(super) async fn people(&self) -> Vec<person::Model> {
        person::Entity::find_in_gallery(self.gallery)
            .order_by_asc(person::Column::Id)
            .all(self.db.read())
            .await
            .unwrap()
    }

    pub(super) async fn document(&self, id: PhotoId) -> (photo::Status, PhotoDocument) {
        let row = photo::Entity::find_by_id(id)
            .one(self.db.read())
            .await
            .unwrap();
        let row = row.unwrap();
        (row.status, row.document.unwrap_or_default())
    }

    /// The colour of a face, as painted.
    pub(super) fn colour(&self, face: &face::Model) -> Colour {
        let key = ObjectKey::preview(self.gallery, face.photo_id);
        let faces = self.aws.faces.lock().unwrap();
        faces[key.as_str()][usize::try_from(face.ordinal).unwrap()].1
    }

    /// Checks that people and painted identities are the same groups, and that the rows agree with
    /// each other.
    pub(super) async fn assert_grouped(&self, identities: usize) {
        let faces = self.faces().await;
        let mut groups: HashMap<PersonId, Vec<&face::Model>> = HashMap::new();
        for face in &faces {
            assert_eq!(face.grouping, face::Grouping::Assigned);
            assert_eq!(face.assigned_by.as_deref(), Some("matcher"));
            groups
                .entry(face.person_id.unwrap())
                .or_default()
                .push(face);
        }
        let people = self.people().await;
        assert_eq!(people.len(), identities);
        assert_eq!(groups.len(), identities);
        let mut seen: BTreeMap<usize, PersonId> = BTreeMap::new();
        for person in &people {
            let group = &groups[&person.id];
            let photos: HashSet<PhotoId> = group.iter().map(|face| face.photo_id).collect();
            assert_eq!(person.face_count, i32::try_from(group.len()).unwrap());
            assert_eq!(person.photo_count, i32::try_from(photos.len()).unwrap());
            let cover = group
                .iter()
                .find(|face| Some(face.id) == person.cover_face_id);
            let best = group.iter().map(|face| face.quality).fold(0.0, f32::max);
            assert!(cover.unwrap().quality >= best);
            for face in group {
                let who = self.identity(face);
                assert_eq!(*seen.entry(who).or_insert(person.id), person.id);
            }
        }
        assert_eq!(seen.len(), identities);
    }

    fn identity(&self, face: &face::Model) -> usize {
        let colour = self.colour(face);
        let apart = |other: &Colour| -> i32 {
            (0..3)
                .map(|i| (i32::from(other[i]) - i32::from(colour[i])).pow(2))
                .sum()
        };
        (0..PEOPLE.len())
            .min_by_key(|who| apart(&PEOPLE[*who]))
            .unwrap()
    }

    pub(super) async fn person_of(&self, photo: PhotoId, ordinal: i32) -> Option<PersonId> {
        let faces = self.faces().await;
        let face = faces
            .iter()
            .find(|f| f.photo_id == photo && f.ordinal == ordinal);
        face.unwrap().person_id
    }

    pub(super) fn indexed(&self) -> usize {
        let collections = self.aws.collections.lock().unwrap();
        collections.values().map(BTreeMap::len).sum()
    }

    pub(super) async fn face_ids(&self, person: PersonId) -> Vec<FaceId> {
        let faces = self.faces().await.into_iter();
        faces
            .filter(|f| f.person_id == Some(person))
            .map(|f| f.id)
            .collect()
    }
}

fn photo_row(world: &World, id: PhotoId) -> photo::ActiveModel {
    let now = world.clock.now();
    photo::ActiveModel {
        id: Set(id),
        gallery_id: Set(world.gallery),
        uploader_id: Set(world.owner),
        upload_request_id: Set(world.request),
        filename: Set("photo.jpg".into()),
        content_type: Set("image/jpeg".into()),
        byte_size: Set(1),
        sha256: Set(String::new()),
        dedup_key: Set(id.to_string()),
        status: Set(photo::Status::Processing),
        upload_expires_at: Set(now),
        taken_at: Set(now),
        taken_at_known: Set(false),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    }
}
