//! The job `analyse` from its first to its last moment.

mod fixture;

use std::pin::pin;
use std::task::Poll;

use entity::analysis_step::{State, Step};
use entity::{FaceId, PersonId, face, job, photo};
use fixture::{Fixture, file, picture, seen_face};
use image::{DynamicImage, ImageFormat};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use super::{ANALYSE, step};
use crate::job::{Handler as _, queue};
use crate::vision::VisionError;

#[tokio::test]
async fn a_photo_gets_renditions_faces_and_labels() {
    let fixture = Fixture::new().await;
    let id = fixture.photo(picture(), "image/jpeg").await;
    fixture.work().await;
    let row = fixture.row(id).await;
    assert_eq!((row.width, row.height), (Some(400), Some(300)));
    assert_eq!(
        (row.preview_width, row.thumbnail_width),
        (Some(400), Some(320))
    );
    assert!(!row.taken_at_known && row.thumbhash.is_some());
    assert_eq!(
        fixture.states(id).await,
        [State::Done, State::Done, State::Done, State::Pending]
    );
    assert_eq!(row.status, photo::Status::Processing);
    let document = row.document.unwrap();
    assert_eq!((document.faces.len(), document.labels.len()), (2, 2));
    assert_eq!(fixture.labels(id).await, ["Cake", "Dog"]);
    let faces = fixture.faces(id).await;
    assert!(
        faces
            .iter()
            .all(|face| face.grouping == face::Grouping::Waiting)
    );
    assert_eq!((faces[0].ordinal, faces[1].ordinal), (0, 1));
    assert_eq!(
        (
            fixture.jobs(crate::people::GROUP).await,
            fixture.jobs(ANALYSE).await
        ),
        (1, 0)
    );
    assert_eq!(fixture.store.0.lock().unwrap().len(), 3);
    // Once more is the same.
    fixture.enqueue(id).await;
    fixture.work().await;
    assert_eq!(fixture.faces(id).await, faces);
}

/// Runs the job and kills it after `polls` polls; whether it came to an end before.
async fn killed_after(fixture: &Fixture, polls: usize) -> bool {
    let (db, clock) = (&fixture.test.db, &fixture.test.clock);
    let lease = queue::claim(db, clock, &[ANALYSE], 60, 3)
        .await
        .unwrap()
        .unwrap();
    let handler = fixture.handler();
    let mut run = pin!(handler.run(&lease));
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        run.as_mut().poll(context).map(|result| result.is_ok())
    })
    .await
}

#[tokio::test]
async fn a_worker_may_die_at_any_moment() {
    let fixture = Fixture::new().await;
    let mut ended = 0;
    // The last rounds come to an end: every moment before was one of a death.
    for polls in 1..400 {
        let id = fixture.photo(picture(), "image/jpeg").await;
        ended += usize::from(killed_after(&fixture, polls).await);
        fixture.test.clock.advance(61);
        // A server may still roll back what the dead worker had locked.
        while fixture.jobs(ANALYSE).await > 0 {
            fixture.work().await;
        }
        assert_eq!(
            fixture.states(id).await,
            [State::Done, State::Done, State::Done, State::Pending],
            "{polls}"
        );
        assert_eq!(fixture.faces(id).await.len(), 2, "{polls}");
        assert_eq!(fixture.labels(id).await.len(), 2, "{polls}");
        assert_eq!(fixture.row(id).await.document.unwrap().faces.len(), 2);
        if ended == 3 {
            // Fewer deaths would mean that most moments were never tried.
            assert!(polls > 20, "{polls}");
            return;
        }
    }
    panic!("the job never came to an end");
}

#[tokio::test]
async fn a_busy_service_is_tried_again_and_given_up_in_the_end() {
    let fixture = Fixture::new().await;
    let id = fixture.photo(picture(), "image/jpeg").await;
    let busy = VisionError::Retryable {
        code: "ThrottlingException".to_owned(),
        message: "arn:aws:secret".to_owned(),
    };
    *fixture.eyes.labels.lock().unwrap() = Some(busy);
    assert_eq!(fixture.work().await, 1);
    let labels = fixture.steps(id).await.remove(&Step::Labels).unwrap();
    assert_eq!((labels.state, labels.attempts), (State::Pending, 1));
    assert_eq!(labels.error_code.as_deref(), Some("ThrottlingException"));
    assert!(labels.retryable && !labels.error_message.unwrap().contains("arn:"));
    let row = job::Entity::find()
        .filter(job::Column::Kind.eq(ANALYSE))
        .one(fixture.test.db.read())
        .await
        .unwrap()
        .unwrap();
    let apart = labels.retry_at.unwrap().0 - row.available_at.0;
    assert!(
        apart.abs() < 1_000,
        "the step tells when the job comes back: {apart}"
    );
    for _ in 0..2 {
        fixture.test.clock.advance(4);
        assert_eq!(fixture.work().await, 1);
    }
    let steps = fixture.steps(id).await;
    let labels = &steps[&Step::Labels];
    assert_eq!(labels.state, State::Failed);
    assert_eq!(labels.error_code.as_deref(), Some(step::ATTEMPTS_EXHAUSTED));
    assert!(labels.retryable);
    assert_eq!(steps[&Step::Faces].state, State::Done);
    assert_eq!(
        steps[&Step::Faces].attempts,
        1,
        "what is done is not done again"
    );
}

#[tokio::test]
async fn a_photo_that_workers_die_with_fails_after_the_third() {
    let fixture = Fixture::new().await;
    let id = fixture.photo(picture(), "image/jpeg").await;
    let worker_dies = async || {
        let (db, clock) = (&fixture.test.db, &fixture.test.clock);
        let lease = queue::claim(db, clock, &[ANALYSE], 60, 12).await;
        assert!(lease.unwrap().is_some());
        clock.advance(61);
    };
    for _ in 0..3 {
        worker_dies().await;
    }
    fixture.work().await;
    let row = fixture.row(id).await;
    assert_eq!(row.status, photo::Status::Failed);
    assert_eq!(row.failure_code.as_deref(), Some("CRASHED"));
    let renditions = fixture.steps(id).await.remove(&Step::Renditions).unwrap();
    assert!(renditions.retryable);
    // Whoever asks again gets as many attempts; two deaths are not enough.
    fixture.enqueue(id).await;
    for _ in 0..2 {
        worker_dies().await;
    }
    fixture.work().await;
    let jobs = job::Entity::find().all(fixture.test.db.read()).await;
    assert!(jobs.unwrap().iter().all(|job| job.buried_at.is_none()));
}

#[tokio::test]
async fn a_refused_picture_fails_that_step_only() {
    let fixture = Fixture::new().await;
    let id = fixture.photo(picture(), "image/jpeg").await;
    *fixture.eyes.labels.lock().unwrap() = Some(VisionError::Permanent {
        code: "InvalidImageFormatException".to_owned(),
        message: String::new(),
    });
    *fixture.eyes.faces.lock().unwrap() = Vec::new();
    assert_eq!(fixture.work().await, 1);
    assert_eq!(
        fixture.states(id).await,
        [State::Done, State::Done, State::Failed, State::Skipped]
    );
    assert_eq!(fixture.row(id).await.status, photo::Status::Partial);
}

#[tokio::test]
async fn what_is_no_picture_fails_and_frees_its_place() {
    let fixture = Fixture::new().await;
    let text = fixture.photo(b"hello".to_vec(), "image/jpeg").await;
    let large = fixture
        .photo(
            file(&DynamicImage::new_luma8(1001, 1000), ImageFormat::Png),
            "image/png",
        )
        .await;
    fixture.work().await;
    for (id, code) in [(text, "UNSUPPORTED_FORMAT"), (large, "TOO_MANY_PIXELS")] {
        let row = fixture.row(id).await;
        assert_eq!(row.status, photo::Status::Failed);
        assert_eq!(row.failure_code.as_deref(), Some(code));
        assert_eq!(row.dedup_key, id.to_string());
        let [renditions, rest @ ..] = fixture.states(id).await;
        assert_eq!((renditions, rest), (State::Failed, [State::Skipped; 3]));
    }
}

#[tokio::test]
async fn a_small_picture_is_shown_but_not_analysed() {
    let fixture = Fixture::new().await;
    let tiny = file(&DynamicImage::new_rgb8(100, 79), ImageFormat::Jpeg);
    let id = fixture.photo(tiny, "image/jpeg").await;
    fixture.work().await;
    let [renditions, rest @ ..] = fixture.states(id).await;
    assert_eq!((renditions, rest), (State::Done, [State::Skipped; 3]));
    assert_eq!(fixture.row(id).await.status, photo::Status::Ready);
}

#[tokio::test]
async fn a_deleted_photo_is_left_alone() {
    let fixture = Fixture::new().await;
    let id = fixture.photo(picture(), "image/jpeg").await;
    let change = photo::ActiveModel {
        id: Set(id),
        status: Set(photo::Status::Deleting),
        ..Default::default()
    };
    fixture.change(change).await;
    assert_eq!(fixture.work().await, 1);
    assert_eq!(fixture.store.0.lock().unwrap().len(), 1);
    assert_eq!(fixture.jobs(ANALYSE).await, 0);
}

#[tokio::test]
async fn a_second_detection_keeps_faces_and_their_people() {
    let fixture = Fixture::new().await;
    let id = fixture.photo(picture(), "image/jpeg").await;
    fixture.work().await;
    let before = fixture.faces(id).await;
    let person: PersonId = fixture.test.clock.new_id();
    let transaction = fixture.test.db.begin().await.unwrap();
    let change = face::ActiveModel {
        id: Set(before[1].id),
        person_id: Set(Some(person)),
        grouping: Set(face::Grouping::Assigned),
        ..Default::default()
    };
    face::Entity::update(change)
        .exec(&*transaction)
        .await
        .unwrap();
    let reset = step::Change::Reset;
    step::set(
        &*transaction,
        id,
        Step::Faces,
        reset,
        fixture.test.clock.now(),
    )
    .await
    .unwrap();
    transaction.commit().await.unwrap();
    // The first face moved a little, the assigned one is not seen, a new one is.
    *fixture.eyes.faces.lock().unwrap() = vec![seen_face(0.35), seen_face(0.12)];
    fixture.enqueue(id).await;
    fixture.work().await;
    let after = fixture.faces(id).await;
    let ids: Vec<FaceId> = after.iter().map(|face| face.id).collect();
    assert_eq!(after.len(), 3);
    assert_eq!(ids[1..], [before[0].id, before[1].id]);
    assert_eq!(after[1].detail, seen_face(0.12));
    assert_eq!(after[2].person_id, Some(person));
    let ordinals: Vec<i32> = after.iter().map(|face| face.ordinal).collect();
    assert_eq!(ordinals, [0, 1, 2]);
}
