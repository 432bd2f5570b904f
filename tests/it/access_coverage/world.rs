//! Who asks, and what there is to see.

use entity::document::{
    BoundingBox, DocumentFace, DocumentLabel, DocumentStep, FaceDetail, LabelDetail, PhotoDocument,
};
use entity::{FaceId, GalleryId, PersonId, PhotoId, face, person, photo};
use eventgallery::clock::Clock;
use eventgallery::graphql::id::{self, GlobalId};
use harness::actor::text;
use harness::{Actor, TestApp, pictures};
use sea_orm::{ActiveValue::Set, EntityTrait as _, IntoActiveModel as _};
use serde_json::json;

/// Everybody there is a column for.
pub(super) const ACTORS: [&str; 8] = [
    "anonymous",
    "expired",
    "stranger",
    "guest",
    "viewer",
    "contributor",
    "editor",
    "owner",
];

/// A gallery with one of everything.
pub(super) struct World {
    pub(super) gallery: String,
    pub(super) photo: String,
    pub(super) person: String,
    pub(super) face: String,
    pub(super) link: String,
    /// Of the link.
    pub(super) token: String,
}

impl World {
    pub(super) async fn of(app: &TestApp, owner: &Actor, seed: u8) -> Self {
        let gallery = owner.gallery("matrix").await;
        let photo = owner
            .upload(&gallery, &[pictures::plain("a.jpg", seed)])
            .await
            .remove(0);
        let (person, face) = analysed(app, &gallery, &photo).await;
        let end = app.clock.now().plus_seconds(100_000).to_utc();
        let input = json!({ "galleryId": gallery, "expiresAt": end });
        let made = owner
            .mutate(
                "createShareLink",
                "CreateShareLinkInput",
                input,
                "shareLink { id } token",
            )
            .await;
        Self {
            gallery,
            photo,
            person,
            face,
            link: text(&made["shareLink"]["id"]),
            token: text(&made["token"]),
        }
    }

    /// The actor of a column: with a role in this gallery, a token that says less, or none.
    pub(super) async fn actor(&self, app: &TestApp, owner: &Actor, kind: &str) -> Actor {
        match kind {
            "anonymous" => app.anonymous(),
            "owner" => owner.clone(),
            "expired" => {
                // Signed by us, and good until an hour ago.
                let clock = Clock::manual();
                clock.advance(app.clock.now().seconds() - clock.now().seconds() - 4500);
                let before = app.replica_with(clock).await;
                let mut actor = Actor::at(&before.url, "expired").await;
                self.admit(owner, &actor, "owner").await;
                before.stop().await;
                actor.move_to(&app.url);
                actor
            }
            "guest" => {
                let mut actor = app.anonymous();
                let input = json!({ "token": self.token });
                let payload = actor
                    .mutate(
                        "redeemShareLink",
                        "RedeemShareLinkInput",
                        input,
                        "accessToken",
                    )
                    .await;
                actor.token = Some(text(&payload["accessToken"]));
                actor
            }
            role => {
                let actor = app.user(role).await;
                if role != "stranger" {
                    self.admit(owner, &actor, role).await;
                }
                actor
            }
        }
    }

    async fn admit(&self, owner: &Actor, actor: &Actor, role: &str) {
        owner
            .admit(&self.gallery, actor, &role.to_uppercase())
            .await;
    }
}

fn decoded<T: GlobalId>(id: &str) -> T {
    id::decode(&id.into()).unwrap()
}

/// A person and a face, and all that an analysis leaves in the photo's row. Not analysed here, so
/// that it is the same where the models are not.
async fn analysed(app: &TestApp, gallery: &str, photo: &str) -> (String, String) {
    let (gallery, photo): (GalleryId, PhotoId) = (decoded(gallery), decoded(photo));
    let (person, face): (PersonId, FaceId) = (app.clock.new_id(), app.clock.new_id());
    let now = app.clock.now();
    let txn = app.db().begin().await.unwrap();
    let row = person::Model {
        id: person,
        gallery_id: gallery,
        name: Some("Ada".into()),
        hidden: false,
        cover_face_id: Some(face),
        face_count: 1,
        photo_count: 1,
        sheet_id: None,
        sheet_cell: None,
        created_at: now,
        updated_at: now,
    };
    person::Entity::insert(row.into_active_model())
        .exec_without_returning(&*txn)
        .await
        .unwrap();
    let detail = FaceDetail {
        bounding_box: BoundingBox::default(),
        confidence: 99.0,
        ..FaceDetail::default()
    };
    let row = face::Model {
        id: face,
        gallery_id: gallery,
        photo_id: photo,
        ordinal: 0,
        detail: detail.clone(),
        quality: 90.0,
        can_found: true,
        grouping: face::Grouping::Assigned,
        person_id: Some(person),
        assigned_by: Some("matcher".into()),
        similarity: Some(95.0),
        collection_face_id: None,
        created_at: now,
    };
    face::Entity::insert(row.into_active_model())
        .exec_without_returning(&*txn)
        .await
        .unwrap();
    let document = PhotoDocument {
        faces: vec![DocumentFace {
            id: face,
            detail,
            quality: 90.0,
            person_id: Some(person),
            assigned_by: Some("matcher".into()),
            similarity: Some(95.0),
        }],
        labels: vec![DocumentLabel {
            name: "Dog".into(),
            confidence: 90.0,
            detail: LabelDetail::default(),
        }],
        steps: vec![DocumentStep {
            step: "faces".into(),
            state: "done".into(),
            attempts: 1,
            retry_at: None,
            error_code: None,
            error_message: None,
            retryable: false,
        }],
    };
    let row = photo::ActiveModel {
        id: Set(photo),
        status: Set(photo::Status::Ready),
        width: Set(Some(64)),
        height: Set(Some(48)),
        preview_width: Set(Some(64)),
        preview_height: Set(Some(48)),
        thumbnail_width: Set(Some(64)),
        thumbnail_height: Set(Some(48)),
        taken_at_known: Set(true),
        camera: Set(Some("Canon".into())),
        latitude: Set(Some(48.2)),
        longitude: Set(Some(16.4)),
        may_tell_location: Set(true),
        failure_code: Set(Some("EXAMPLE".into())),
        thumbhash: Set(Some("aGFzaA==".into())),
        document: Set(Some(document)),
        ..Default::default()
    };
    photo::Entity::update(row).exec(&*txn).await.unwrap();
    txn.commit().await.unwrap();
    (id::encode(person).0, id::encode(face).0)
}
