//! The rules for people, and what a run that is given up leaves.

use entity::gallery::Matcher;
use entity::gallery_member::Role;
use entity::{PersonId, photo};

use super::world::{Paint, World, good};
use crate::access::{self, Action, Viewer};
use crate::error::{Error, UserErrorCode};
use crate::job::{Handler as _, Lease, Outcome};
use crate::page::PageRequest;
use crate::people::service::{PeopleService, PersonChange, PersonFilter};
use crate::people::{GROUP, MatcherSettings, tally};

fn service(world: &World) -> PeopleService {
    let settings = MatcherSettings::new(80.0, 60);
    PeopleService::new(
        world.db.clone(),
        world.clock.clone(),
        world.aws.clone(),
        settings,
    )
}

/// Person n of eight is on 1 + n / 2 photos: pairs tie.
async fn grouped() -> World {
    let world = World::new(Matcher::Collection).await;
    for number in 0..4 {
        for who in (number * 2)..8 {
            world.photo(&[good(who, number * 8 + who)]).await;
        }
    }
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world.assert_grouped(8).await;
    world
}

#[tokio::test]
async fn pages_show_everybody_once_in_order() {
    let world = grouped().await;
    let service = service(&world);
    let viewer = Viewer::User(world.owner);
    let gallery = access::gallery(world.db.read(), viewer, world.gallery, Action::View)
        .await
        .unwrap();
    let mut counts = Vec::new();
    let mut seen: Vec<PersonId> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let request = PageRequest::new(3, after.as_deref()).unwrap();
        let page = service
            .page(&gallery, request, PersonFilter::default())
            .await
            .unwrap();
        for (cursor, person) in &page.rows {
            counts.push(person.photo_count);
            seen.push(person.id);
            after = Some(cursor.encode());
        }
        if !page.has_next {
            break;
        }
    }
    assert_eq!(counts, [4, 4, 3, 3, 2, 2, 1, 1]);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 8);

    let change = |name: Option<&str>, hidden| PersonChange {
        name: name.map(|name| Some(name.to_owned())),
        hidden,
        cover_face: None,
    };
    service
        .update_person(viewer, seen[0], change(Some(" Ada "), None))
        .await
        .unwrap();
    service
        .update_person(viewer, seen[1], change(None, Some(true)))
        .await
        .unwrap();
    let request = PageRequest::new(100, None).unwrap();
    let count = async |named, include_hidden| {
        let filter = PersonFilter {
            named,
            include_hidden,
        };
        service
            .page(&gallery, request, filter)
            .await
            .unwrap()
            .rows
            .len()
    };
    assert_eq!(count(None, false).await, 7);
    assert_eq!(count(None, true).await, 8);
    assert_eq!(count(Some(true), false).await, 1);
    assert_eq!(count(Some(false), true).await, 7);
    let named = service.person(viewer, seen[0]).await.unwrap();
    assert_eq!(named.name.as_deref(), Some("Ada"));
}

#[tokio::test]
async fn only_members_see_and_only_editors_change() {
    let world = grouped().await;
    let service = service(&world);
    let person = world.people().await[0].clone();
    let (stranger, guest) = (world.user().await, world.user().await);
    world.join(guest, Role::Contributor).await;
    let change = || PersonChange {
        hidden: Some(true),
        ..PersonChange::default()
    };
    let seen = service.person(Viewer::User(stranger), person.id).await;
    assert!(matches!(seen, Err(Error::NotFound)));
    let seen = service.person(Viewer::Anonymous, person.id).await;
    assert!(matches!(seen, Err(Error::Unauthenticated)));
    let face = person.cover_face_id.unwrap();
    let seen = service.face(Viewer::User(stranger), face).await;
    assert!(matches!(seen, Err(Error::NotFound)));
    assert!(service.face(Viewer::User(guest), face).await.is_ok());
    assert!(service.person(Viewer::User(guest), person.id).await.is_ok());
    let changed = service
        .update_person(Viewer::User(stranger), person.id, change())
        .await;
    assert!(matches!(changed, Err(Error::NotFound)));
    let changed = service
        .update_person(Viewer::User(guest), person.id, change())
        .await;
    assert!(matches!(changed, Err(Error::Forbidden)));
    assert!(!world.people().await[0].hidden);
}

#[tokio::test]
async fn a_chosen_cover_stays() {
    let world = World::new(Matcher::Compare).await;
    let viewer = Viewer::User(world.owner);
    let face = |quality| Paint {
        quality,
        ..good(0, 1)
    };
    world.photo(&[face(50.0), good(1, 1)]).await;
    world.photo(&[face(70.0)]).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    let people = world.people().await;
    let (one, other) = match people[0].face_count {
        2 => (&people[0], &people[1]),
        _ => (&people[1], &people[0]),
    };
    let mut faces = world.face_ids(one.id).await.into_iter();
    let chosen = faces.find(|id| Some(*id) != one.cover_face_id).unwrap();

    let service = service(&world);
    let change = |cover_face| PersonChange {
        cover_face,
        ..PersonChange::default()
    };
    let foreign = service
        .update_person(viewer, one.id, change(other.cover_face_id))
        .await;
    let Err(Error::User(errors)) = foreign else {
        panic!("{foreign:?}");
    };
    assert_eq!(errors[0].code, UserErrorCode::NotFound);
    service
        .update_person(viewer, one.id, change(Some(chosen)))
        .await
        .unwrap();

    world.photo(&[face(99.0)]).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    let now = service.person(viewer, one.id).await.unwrap();
    assert_eq!((now.face_count, now.cover_face_id), (3, Some(chosen)));
    assert!(now.sheet_cell.is_some(), "the chosen cover was drawn");
}

#[tokio::test]
async fn names_have_a_length() {
    let world = grouped().await;
    let service = service(&world);
    let person = world.people().await[0].id;
    let long = "ä".repeat(201);
    for (name, fine) in [(" ", false), (&*long, false), (&long[2..], true)] {
        let change = PersonChange {
            name: Some(Some(name.into())),
            ..PersonChange::default()
        };
        let result = service
            .update_person(Viewer::User(world.owner), person, change)
            .await;
        assert_eq!(result.is_ok(), fine);
    }
}

#[tokio::test]
async fn people_without_faces_leave_and_covers_are_replaced() {
    use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

    let world = grouped().await;
    let people = world.people().await;
    let lonely = people.iter().find(|p| p.face_count == 1).unwrap();
    let social = people.iter().find(|p| p.face_count == 4).unwrap();
    let gone = [lonely.cover_face_id.unwrap(), social.cover_face_id.unwrap()];
    let txn = world.db.begin().await.unwrap();
    entity::face::Entity::delete_many()
        .filter(entity::face::Column::Id.is_in(gone))
        .exec(&*txn)
        .await
        .unwrap();
    tally::recount(&txn, &[lonely.id, social.id], world.clock.now())
        .await
        .unwrap();
    txn.commit().await.unwrap();
    let now = world.people().await;
    assert_eq!(now.len(), 7);
    let social = now.iter().find(|p| p.id == social.id).unwrap();
    assert_eq!((social.face_count, social.photo_count), (3, 3));
    let faces = world.face_ids(social.id).await;
    assert!(faces.contains(&social.cover_face_id.unwrap()));
}

#[tokio::test]
async fn giving_up_is_told_on_the_photos() {
    let world = World::new(Matcher::Collection).await;
    let photo = world.photo(&[good(0, 1)]).await;
    let lease = Lease {
        id: world.clock.new_id(),
        token: world.clock.new_token(),
        generation: 1,
        kind: GROUP.into(),
        subject: world.gallery.to_string(),
        place: None,
        attempts: 8,
        max_attempts: 8,
        seconds: 60,
    };
    world.handler.given_up(&lease, "throttled").await.unwrap();
    let (status, document) = world.document(photo).await;
    assert_eq!(status, photo::Status::Partial);
    let step = document
        .steps
        .iter()
        .find(|step| step.step == "grouping")
        .unwrap();
    assert_eq!(step.state, "failed");
    assert_eq!(step.error_code.as_deref(), Some("ATTEMPTS_EXHAUSTED"));
    assert!(step.retryable);
    // A later run mends it.
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    assert_eq!(world.document(photo).await.0, photo::Status::Ready);
}

#[tokio::test]
async fn a_deleted_gallery_is_done_and_forgotten() {
    use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _};

    let world = grouped().await;
    world.photo(&[good(0, 1)]).await;
    let gallery = entity::gallery::Entity::find_by_id(world.gallery);
    let row = gallery.one(world.db.read()).await.unwrap().unwrap();
    let txn = world.db.begin().await.unwrap();
    let mut deleted: entity::gallery::ActiveModel = row.clone().into();
    deleted.deleted_at = Set(Some(world.clock.now()));
    deleted.update(&*txn).await.unwrap();
    txn.commit().await.unwrap();
    let calls = world.aws.counts();
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    assert_eq!(world.aws.counts(), calls);
    let service = service(&world);
    service.forget(&row).await.unwrap();
    service.forget(&row).await.unwrap();
    assert!(world.aws.collections.lock().unwrap().is_empty());
}

#[tokio::test]
async fn merged_people_are_one() {
    let world = grouped().await;
    let service = service(&world);
    let viewer = Viewer::User(world.owner);
    let people: Vec<PersonId> = world.people().await.iter().map(|p| p.id).collect();
    let name = PersonChange {
        name: Some(Some("Ada".into())),
        ..PersonChange::default()
    };
    service
        .update_person(viewer, people[2], name)
        .await
        .unwrap();
    let faces = world.face_ids(people[0]).await.len()
        + world.face_ids(people[1]).await.len()
        + world.face_ids(people[2]).await.len();
    for _ in 0..2 {
        let merged = service
            .merge_people(viewer, people[0], &people[1..3])
            .await
            .unwrap();
        assert_eq!(merged.face_count, i32::try_from(faces).unwrap());
        assert_eq!(merged.name.as_deref(), Some("Ada"));
        assert_eq!(world.people().await.len(), 6);
    }
    let moved = world
        .faces()
        .await
        .into_iter()
        .find(|f| f.assigned_by.as_deref() == Some("user"));
    let (_, document) = world.document(moved.unwrap().photo_id).await;
    assert_eq!(document.faces[0].person_id, Some(people[0]));

    let itself = service.merge_people(viewer, people[0], &people[..1]).await;
    assert!(matches!(itself, Err(Error::User(_))));
    let stranger = Viewer::User(world.user().await);
    let foreign = service
        .merge_people(stranger, people[0], &people[3..4])
        .await;
    assert!(matches!(foreign, Err(Error::NotFound)));
    assert_eq!(world.people().await.len(), 6);
}

#[tokio::test]
async fn people_of_another_gallery_are_not_merged() {
    use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::Expr};

    let world = grouped().await;
    let other: entity::GalleryId = world.clock.new_id();
    let people: Vec<PersonId> = world.people().await.iter().map(|p| p.id).collect();
    let txn = world.db.begin().await.unwrap();
    let gallery = entity::gallery::Entity::find_by_id(world.gallery)
        .one(&*txn)
        .await
        .unwrap();
    let mut gallery: entity::gallery::ActiveModel = gallery.unwrap().into();
    gallery.id = sea_orm::ActiveValue::Set(other);
    entity::gallery::Entity::insert(gallery)
        .exec_without_returning(&*txn)
        .await
        .unwrap();
    entity::person::Entity::update_many()
        .col_expr(entity::person::Column::GalleryId, Expr::value(other))
        .filter(entity::person::Column::Id.eq(people[1]))
        .exec(&*txn)
        .await
        .unwrap();
    entity::face::Entity::update_many()
        .col_expr(entity::face::Column::GalleryId, Expr::value(other))
        .filter(entity::face::Column::PersonId.eq(people[1]))
        .exec(&*txn)
        .await
        .unwrap();
    txn.commit().await.unwrap();
    let service = service(&world);
    let merged = service
        .merge_people(Viewer::User(world.owner), people[0], &people[1..2])
        .await;
    let Err(Error::User(errors)) = merged else {
        panic!("{merged:?}");
    };
    assert_eq!(errors[0].code, UserErrorCode::NotFound);
    assert_eq!(world.people().await.len(), 7, "nobody else was touched");
}
