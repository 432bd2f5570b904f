//! The `compare` matcher.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use entity::gallery::Matcher;
use entity::{face, photo};

use super::world::{Paint, World, good, poor};
use crate::job::{JobError, Outcome};

/// Six photos with four faces each: everybody three times.
async fn photos(world: &World, seed: usize) {
    for number in 0..6 {
        let four: Vec<Paint> = (0..4)
            .map(|slot| good((number + slot * 2) % 8, seed + number))
            .collect();
        world.photo(&four).await;
    }
}

#[tokio::test]
async fn a_sheet_of_covers_finds_everybody() {
    let world = World::new(Matcher::Compare).await;
    photos(&world, 1).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world.assert_grouped(8).await;
    let (_, _, first) = world.aws.counts();
    assert_eq!(first, 8, "nobody is known yet: one comparison per founder");
    assert_eq!(world.aws.keys("/sheets/").len(), 1);

    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    assert_eq!(world.aws.counts().2, first, "a second run asks nothing");

    photos(&world, 40).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world.assert_grouped(8).await;
    assert_eq!(world.aws.counts().2, first + 24, "one comparison per face");
    assert_eq!(
        world.aws.keys("/sheets/").len(),
        1,
        "old versions are deleted"
    );
    assert_eq!(world.indexed(), 0, "nothing biometric is kept");
}

/// Identities on a grid of colours, so near to each other that the scale must be steep.
#[tokio::test]
async fn more_than_a_hundred_people_take_two_sheets() {
    let world = World::with_slope(Matcher::Compare, 0.8).await;
    let grid = [12u8, 70, 128, 186, 244];
    let mut colours = Vec::new();
    for r in grid {
        for g in grid {
            colours.extend(grid.map(|b| [r, g, b]));
        }
    }
    colours.retain(|colour| *colour != [128, 128, 128]);
    for round in 0..2 {
        // Everybody once, then some again.
        for four in colours.chunks(4).step_by(1 + round * 4) {
            let paints: Vec<Paint> = four
                .iter()
                .map(|colour| Paint {
                    colour: *colour,
                    quality: 80.0 - round as f32,
                    can_found: true,
                })
                .collect();
            world.photo(&paints).await;
        }
        let (_, _, before) = world.aws.counts();
        assert_eq!(world.run().await.unwrap(), Outcome::Done);
        let (_, _, after) = world.aws.counts();
        if round == 1 {
            assert_eq!(after - before, 28 * 2, "faces times sheets");
        }
    }
    let people = world.people().await;
    assert_eq!(people.len(), 124);
    let faces: i32 = people.iter().map(|person| person.face_count).sum();
    assert_eq!(faces, 124 + 28, "nobody new the second time");
    assert_eq!(world.aws.keys("/sheets/").len(), 2);
    let mut places: Vec<_> = people.iter().map(|p| (p.sheet_id, p.sheet_cell)).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 124, "nobody shares a cell");
}

#[tokio::test]
async fn a_poor_face_joins_but_never_founds() {
    let world = World::new(Matcher::Compare).await;
    let blurred = world.photo(&[poor([30, 22, 24])]).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    assert!(world.people().await.is_empty());
    assert_eq!(world.faces().await[0].grouping, face::Grouping::Unmatched);
    assert_eq!(world.document(blurred).await.0, photo::Status::Ready);

    let sharp = world.photo(&[good(0, 1)]).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world.assert_grouped(1).await;
    assert_eq!(
        world.person_of(sharp, 0).await,
        world.person_of(blurred, 0).await
    );
}

#[tokio::test]
async fn throttling_costs_no_progress() {
    let world = World::new(Matcher::Compare).await;
    photos(&world, 1).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world.assert_grouped(8).await;
    photos(&world, 40).await;
    world.aws.budget.store(20, Ordering::SeqCst);
    assert!(matches!(world.run().await.unwrap(), Outcome::Again(_)));
    let assigned = world
        .faces()
        .await
        .into_iter()
        .filter(|f| f.person_id.is_some());
    assert_eq!(assigned.count(), 24 + 20);
    world.aws.budget.store(-1, Ordering::SeqCst);
    let (_, _, before) = world.aws.counts();
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    assert_eq!(
        world.aws.counts().2 - before,
        4,
        "only the faces that were left"
    );
    world.assert_grouped(8).await;
}

#[tokio::test]
async fn a_lost_lease_leaves_a_picture_that_the_next_run_removes() {
    let world = World::new(Matcher::Compare).await;
    photos(&world, 1).await;
    assert!(matches!(
        world.run_fenced(1).await,
        Err(JobError::LeaseLost)
    ));
    assert!(world.people().await.is_empty());
    let orphan = world.aws.keys("/sheets/");
    assert_eq!(orphan.len(), 1);
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world.assert_grouped(8).await;
    let now = world.aws.keys("/sheets/");
    assert_eq!(now.len(), 1);
    assert_ne!(now, orphan);
}

#[tokio::test]
async fn a_sheet_that_vanished_is_drawn_again() {
    let world = World::new(Matcher::Compare).await;
    photos(&world, 1).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world
        .aws
        .objects
        .lock()
        .unwrap()
        .retain(|key, _| !key.contains("/sheets/"));
    photos(&world, 40).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world.assert_grouped(8).await;
    assert_eq!(world.aws.keys("/sheets/").len(), 1);
}

#[tokio::test]
async fn a_broken_picture_does_not_block_the_others() {
    let world = World::new(Matcher::Compare).await;
    let broken = world.photo(&[good(0, 1)]).await;
    for bytes in world.aws.objects.lock().unwrap().values_mut() {
        *bytes = Bytes::from_static(b"no picture");
    }
    let gone = world.photo(&[good(0, 2)]).await;
    let key = format!("{gone}/preview.jpg");
    world
        .aws
        .objects
        .lock()
        .unwrap()
        .retain(|name, _| !name.ends_with(&key));
    let whole = world.photo(&[good(1, 1)]).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    assert_eq!(world.person_of(broken, 0).await, None);
    assert_eq!(world.person_of(gone, 0).await, None);
    assert!(world.person_of(whole, 0).await.is_some());
}

#[tokio::test]
async fn a_face_that_is_not_seen_at_once_gets_a_second_look() {
    let world = World::new(Matcher::Compare).await;
    // The first look has 288 pixels here, the second 960.
    world.aws.blind_below.store(500, Ordering::SeqCst);
    photos(&world, 1).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world.assert_grouped(8).await;
    photos(&world, 40).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world.assert_grouped(8).await;
    assert_eq!(world.aws.counts().2, (8 + 24) * 2, "twice each");
}

#[tokio::test]
async fn a_face_that_is_not_seen_founds_nobody_and_is_tried_again() {
    let world = World::new(Matcher::Compare).await;
    let sharp = world.photo(&[good(0, 1)]).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world.assert_grouped(1).await;
    world.aws.blind_below.store(u32::MAX, Ordering::SeqCst);
    // Each alone in its batch.
    let first = world.photo(&[good(0, 2)]).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    let second = world.photo(&[good(0, 3)]).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    assert_eq!(world.people().await.len(), 1, "no person a copy");
    for photo in [first, second] {
        assert_eq!(world.person_of(photo, 0).await, None);
        assert_eq!(world.document(photo).await.0, photo::Status::Ready);
    }
    world.aws.blind_below.store(0, Ordering::SeqCst);
    // Somebody new gives the unmatched another try.
    world.photo(&[good(1, 1)]).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world.assert_grouped(2).await;
    let one = world.person_of(sharp, 0).await;
    assert_eq!(world.person_of(first, 0).await, one);
    assert_eq!(world.person_of(second, 0).await, one);
}
