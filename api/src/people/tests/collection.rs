//! The `collection` matcher.

use std::sync::atomic::Ordering;

use entity::gallery::Matcher;
use entity::{face, photo};

use super::world::{PEOPLE, Paint, World, good, poor};
use crate::job::{JobError, Outcome};

/// Twelve photos with four faces each: everybody six times.
async fn photos(world: &World, seed: usize) {
    for number in 0..12 {
        let four: Vec<Paint> = (0..4)
            .map(|slot| good((number * 4 + slot * 3) % 8, seed + number))
            .collect();
        world.photo(&four).await;
    }
}

#[tokio::test]
async fn one_search_finds_a_person() {
    let world = World::new(Matcher::Collection).await;
    photos(&world, 1).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world.assert_grouped(identities(&world).await).await;
    let people = u32::try_from(world.people().await.len()).unwrap();
    let (index, search, _) = world.aws.counts();
    assert_eq!((index, search), (12, people));
    // Faces that Rekognition sees and we do not are taken out again.
    assert_eq!(world.indexed(), 48);

    let photo = world.faces().await[0].photo_id;
    let (status, document) = world.document(photo).await;
    assert_eq!(status, photo::Status::Ready);
    assert!(document.faces.iter().all(|face| face.person_id.is_some()));

    let statements = world.aws.counts();
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    assert_eq!(world.aws.counts(), statements, "a second run asks nothing");

    photos(&world, 40).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world.assert_grouped(identities(&world).await).await;
    let (index, search, _) = world.aws.counts();
    assert_eq!(
        (index, search),
        (24, people * 2),
        "one search per person and batch"
    );
}

async fn identities(world: &World) -> usize {
    let mut whos: Vec<_> = world
        .faces()
        .await
        .iter()
        .map(|face| {
            let colour = world.colour(face);
            PEOPLE
                .iter()
                .position(|p| (0..3).all(|i| p[i].abs_diff(colour[i]) < 16))
        })
        .collect();
    whos.sort_unstable();
    whos.dedup();
    whos.len()
}

#[tokio::test]
async fn many_faces_take_several_batches() {
    let world = World::new(Matcher::Collection).await;
    for number in 0..75usize {
        let who = |slot: usize| good((number + slot) % 8, number + slot);
        world.photo(&[who(0), who(1), who(2), who(3)]).await;
    }
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world.assert_grouped(8).await;
    let (index, search, _) = world.aws.counts();
    assert_eq!(index, 75, "a photo is never split between batches");
    assert!(
        search <= 16,
        "{search} searches for two batches of eight people"
    );
}

#[tokio::test]
async fn a_poor_face_joins_but_never_founds() {
    let world = World::new(Matcher::Collection).await;
    let blurred = world.photo(&[poor([30, 22, 24])]).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    assert!(world.people().await.is_empty());
    assert_eq!(world.faces().await[0].grouping, face::Grouping::Unmatched);
    let (status, _) = world.document(blurred).await;
    assert_eq!(status, photo::Status::Ready, "unmatched is done, too");

    let sharp = world.photo(&[good(0, 1)]).await;
    let (_, before, _) = world.aws.counts();
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world.assert_grouped(1).await;
    let (_, after, _) = world.aws.counts();
    assert_eq!(after - before, 1, "the founder's search finds it");
    assert_eq!(
        world.person_of(sharp, 0).await,
        world.person_of(blurred, 0).await
    );
    let (_, document) = world.document(blurred).await;
    assert!(document.faces[0].person_id.is_some());
}

/// Each face is as similar to the next as the threshold asks, the ends are strangers.
#[tokio::test]
async fn look_alikes_do_not_chain() {
    let world = World::new(Matcher::Collection).await;
    let mut photos = Vec::new();
    for (number, red) in [20u8, 80, 140, 200].into_iter().enumerate() {
        let link = Paint {
            colour: [red, 20, 20],
            quality: 90.0 - number as f32,
            can_found: true,
        };
        photos.push(world.photo(&[link]).await);
    }
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    let mut people = Vec::new();
    for photo in photos {
        people.push(world.person_of(photo, 0).await.unwrap());
    }
    assert_eq!(people[0], people[1]);
    assert_ne!(people[1], people[2]);
    assert_eq!(people[2], people[3]);
}

#[tokio::test]
async fn a_lost_answer_makes_no_doubles() {
    let world = World::new(Matcher::Collection).await;
    photos(&world, 1).await;
    world.aws.lose_answer.store(1, Ordering::SeqCst);
    assert!(matches!(world.run().await, Err(JobError::Retry { .. })));
    assert_eq!(
        world.indexed(),
        5,
        "four faces and a phantom that no row names"
    );
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    assert_eq!(world.indexed(), 48);
    world.assert_grouped(identities(&world).await).await;
    assert_eq!(world.aws.counts().0, 13);
}

#[tokio::test]
async fn a_lost_lease_leaves_nothing() {
    let world = World::new(Matcher::Collection).await;
    photos(&world, 1).await;
    assert!(matches!(
        world.run_fenced(3).await,
        Err(JobError::LeaseLost)
    ));
    assert_eq!(
        world.indexed(),
        8,
        "the third photo's faces are taken out again"
    );
    assert!(matches!(
        world.run_fenced(11).await,
        Err(JobError::LeaseLost)
    ));
    assert!(
        world.people().await.is_empty(),
        "nothing of the batch was committed"
    );
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world.assert_grouped(identities(&world).await).await;
    assert_eq!(world.indexed(), 48);
}

#[tokio::test]
async fn throttling_costs_no_progress() {
    let world = World::new(Matcher::Collection).await;
    photos(&world, 1).await;
    let mut runs = 0;
    loop {
        world.aws.budget.store(5, Ordering::SeqCst);
        match world.run().await {
            Ok(Outcome::Done) => break,
            // Only what decided a face is no failed attempt.
            Ok(Outcome::Again(_)) => assert!(runs >= 2),
            Err(JobError::Retry { .. }) => assert!(runs < 3),
            other => panic!("{other:?}"),
        }
        runs += 1;
        assert!(runs < 10, "never ends");
    }
    world.assert_grouped(identities(&world).await).await;
    assert_eq!(world.aws.counts().0, 12, "nothing is indexed twice");
}

#[tokio::test]
async fn a_collection_that_vanished_is_filled_again() {
    let world = World::new(Matcher::Collection).await;
    photos(&world, 1).await;
    world.aws.budget.store(12, Ordering::SeqCst);
    assert!(world.run().await.is_err(), "indexed, nothing searched");
    world.aws.budget.store(-1, Ordering::SeqCst);
    world.aws.collections.lock().unwrap().clear();
    assert!(matches!(world.run().await, Err(JobError::Retry { .. })));
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    world.assert_grouped(identities(&world).await).await;
}

#[tokio::test]
async fn a_broken_picture_does_not_block_the_others() {
    let world = World::new(Matcher::Collection).await;
    let broken = world.photo(&[good(0, 1)]).await;
    world.aws.faces.lock().unwrap().clear();
    let whole = world.photo(&[good(1, 1)]).await;
    assert_eq!(world.run().await.unwrap(), Outcome::Done);
    assert_eq!(world.person_of(broken, 0).await, None);
    assert!(world.person_of(whole, 0).await.is_some());
}
