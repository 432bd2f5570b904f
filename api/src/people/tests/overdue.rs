//! When a grouping runs among analyses.

use std::time::Duration;

use entity::GalleryId;
use entity::gallery::Matcher;

use crate::job::tests::TestDb;
use crate::job::{Handler as _, Lease, NewJob, queue};
use crate::people::GROUP;
use crate::people::overdue::{GROUP_OVERDUE, GroupOverdue, ask};

const ANALYSE: &str = crate::analysis::ANALYSE;

async fn analyses(test: &TestDb, count: usize) {
    let transaction = test.db.begin().await.unwrap();
    for _ in 0..count {
        let job = NewJob {
            kind: ANALYSE,
            subject: test.clock.new_token().to_string(),
            priority: 0,
            delay: Duration::ZERO,
        };
        queue::enqueue(&*transaction, &test.clock, job)
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
    test.clock.advance(1);
}

async fn faces_wait(test: &TestDb, gallery: GalleryId, matcher: Matcher) {
    let transaction = test.db.begin().await.unwrap();
    ask(&*transaction, &test.clock, gallery, matcher)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

async fn claim(test: &TestDb) -> Option<Lease> {
    let kinds = [ANALYSE, GROUP, GROUP_OVERDUE];
    queue::claim(&test.db, &test.clock, &kinds, 60, 3)
        .await
        .unwrap()
}

/// Runs the next job, as far as this is about it: its kind.
async fn run(test: &TestDb) -> Option<String> {
    let lease = claim(test).await?;
    if lease.kind == GROUP_OVERDUE {
        let handler = GroupOverdue {
            db: test.db.clone(),
        };
        handler.run(&lease).await.unwrap();
    }
    let transaction = test.db.begin().await.unwrap();
    queue::finish(&*transaction, &lease, test.clock.now())
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    Some(lease.kind)
}

#[tokio::test]
async fn with_compare_faces_a_grouping_waits_for_analyses_but_not_for_long() {
    let test = TestDb::new().await;
    let gallery = test.clock.new_id();
    analyses(&test, 4).await;
    assert_eq!(run(&test).await.unwrap(), ANALYSE);
    faces_wait(&test, gallery, Matcher::Compare).await;
    test.clock.advance(40);
    assert_eq!(run(&test).await.unwrap(), ANALYSE);
    faces_wait(&test, gallery, Matcher::Compare).await;
    test.clock.advance(20);
    assert_eq!(run(&test).await.unwrap(), GROUP_OVERDUE);
    // What comes while it runs waits anew.
    let grouping = claim(&test).await.unwrap();
    assert_eq!(grouping.kind, GROUP);
    faces_wait(&test, gallery, Matcher::Compare).await;
    let transaction = test.db.begin().await.unwrap();
    queue::finish(&*transaction, &grouping, test.clock.now())
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(run(&test).await.unwrap(), ANALYSE);
    assert_eq!(run(&test).await.unwrap(), ANALYSE);
    assert_eq!(run(&test).await.unwrap(), GROUP, "nothing else is due");
    assert_eq!(run(&test).await, None);
    test.clock.advance(60);
    assert_eq!(run(&test).await.unwrap(), GROUP_OVERDUE, "finds it done");
    assert_eq!(run(&test).await, None);
}

#[tokio::test]
async fn with_a_collection_a_grouping_goes_first() {
    let test = TestDb::new().await;
    analyses(&test, 2).await;
    assert_eq!(run(&test).await.unwrap(), ANALYSE);
    faces_wait(&test, test.clock.new_id(), Matcher::Collection).await;
    assert_eq!(run(&test).await.unwrap(), GROUP);
    assert_eq!(run(&test).await.unwrap(), ANALYSE);
    assert_eq!(run(&test).await, None);
}
