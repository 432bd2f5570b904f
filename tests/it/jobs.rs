//! The queue under many hands, on the database that is tested: what commits runs, what rolls back
//! does not, and nobody works on a subject at the same time as somebody else.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use entity::job;
use eventgallery::clock::Clock;
use eventgallery::db::{self, Db};
use eventgallery::job::{JobError, Lease, NewJob, queue};
use harness::database::TestDatabase;
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use tokio::task::JoinSet;

const KIND: &str = "test";
const LEASE_SECONDS: i64 = 60;
const MAX_ATTEMPTS: i32 = 5;

/// A queue in a database of its own.
struct Queue {
    db: Db,
    clock: Clock,
    database: TestDatabase,
    _folder: tempfile::TempDir,
}

impl Queue {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = TestDatabase::create(folder.path()).await;
        db::migrate(&database.url).await.unwrap();
        Self {
            db: Db::connect(&database.url, 12).await.unwrap(),
            clock: Clock::manual(),
            database,
            _folder: folder,
        }
    }

    async fn drop(self) {
        self.db.close().await.unwrap();
        self.database.drop().await;
    }

    async fn left(&self) -> u64 {
        job::Entity::find().count(self.db.read()).await.unwrap()
    }
}

async fn enqueue(db: &Db, clock: &Clock, subject: String, commit: bool) {
    let transaction = db.begin().await.unwrap();
    let job = NewJob {
        kind: KIND,
        subject,
        priority: 0,
        delay: Duration::ZERO,
    };
    queue::enqueue(&*transaction, clock, job).await.unwrap();
    if commit {
        transaction.commit().await.unwrap();
    }
}

async fn claim(db: &Db, clock: &Clock) -> Option<Lease> {
    queue::claim(db, clock, &[KIND], LEASE_SECONDS, MAX_ATTEMPTS)
        .await
        .unwrap()
}

async fn finish(db: &Db, clock: &Clock, lease: &Lease) -> Result<(), JobError> {
    let transaction = db.begin().await.unwrap();
    queue::finish(&*transaction, lease, clock.now()).await?;
    transaction.commit().await.unwrap();
    Ok(())
}

/// Who holds what, and how often each subject was finished.
#[derive(Default)]
struct Book {
    held: HashSet<String>,
    finished: HashMap<String, u32>,
}

/// Works until nothing is due. With `dies`, every seventh job is taken and never heard of again.
async fn work(db: Db, clock: Clock, book: Arc<Mutex<Book>>, dies: bool) -> u32 {
    let (mut taken, mut died) = (0, 0);
    // Where others took every candidate there is nothing this time; the book tells that from the end.
    while let Some(lease) = claim(&db, &clock).await {
        taken += 1;
        assert!(
            book.lock().unwrap().held.insert(lease.subject.clone()),
            "{} is held twice",
            lease.subject
        );
        if dies && taken % 7 == 0 {
            died += 1;
            continue;
        }
        // Let go before the transaction that lets others have it.
        book.lock().unwrap().held.remove(&lease.subject);
        finish(&db, &clock, &lease).await.unwrap();
        *book
            .lock()
            .unwrap()
            .finished
            .entry(lease.subject)
            .or_default() += 1;
    }
    died
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_commits_runs_through_races_rollbacks_and_deaths() {
    const PRODUCERS: u32 = 6;
    const SUBJECTS: u32 = 40;
    let queue = Queue::new().await;
    let book = Arc::new(Mutex::new(Book::default()));
    let mut tasks = JoinSet::new();
    for producer in 0..PRODUCERS {
        let (db, clock) = (queue.db.clone(), queue.clock.clone());
        tasks.spawn(async move {
            for n in 0..SUBJECTS {
                // All ask for the same subjects, each beginning elsewhere; and for some in vain.
                let subject = (n + producer * 7) % SUBJECTS;
                enqueue(&db, &clock, subject.to_string(), true).await;
                enqueue(&db, &clock, format!("in vain {subject}"), false).await;
            }
            0
        });
    }
    for _ in 0..4 {
        let (db, clock) = (queue.db.clone(), queue.clock.clone());
        tasks.spawn(work(db, clock, Arc::clone(&book), true));
    }
    let mut died: u32 = tasks.join_all().await.into_iter().sum();
    // Nothing reaps: a lease that ran out is due again by itself.
    for _ in 0..MAX_ATTEMPTS {
        book.lock().unwrap().held.clear();
        let (db, clock) = (queue.db.clone(), queue.clock.clone());
        died += work(db, clock, Arc::clone(&book), died == 0).await;
        queue.clock.advance(LEASE_SECONDS + 1);
    }
    assert!(died > 0, "somebody died holding a job");
    assert_eq!(queue.left().await, 0);
    let finished = std::mem::take(&mut book.lock().unwrap().finished);
    for n in 0..SUBJECTS {
        let times = finished.get(&n.to_string()).copied().unwrap_or_default();
        assert!(
            (1..=PRODUCERS).contains(&times),
            "{n} was finished {times} times"
        );
    }
    assert_eq!(
        finished.len(),
        SUBJECTS as usize,
        "what rolled back ran: {finished:?}"
    );
    queue.drop().await;
}

#[tokio::test]
async fn who_lost_the_lease_writes_nothing() {
    let queue = Queue::new().await;
    let (db, clock) = (&queue.db, &queue.clock);
    enqueue(db, clock, "photo".into(), true).await;
    let slow = claim(db, clock).await.unwrap();
    assert!(claim(db, clock).await.is_none(), "it is held");
    clock.advance(LEASE_SECONDS + 1);
    let quick = claim(db, clock).await.unwrap();
    assert_eq!((quick.id, quick.attempts), (slow.id, 2));

    // The slow one's result: another job, in the transaction that would finish its lease.
    let transaction = db.begin().await.unwrap();
    let result = NewJob {
        kind: KIND,
        subject: "result".into(),
        priority: 0,
        delay: Duration::ZERO,
    };
    queue::enqueue(&*transaction, clock, result).await.unwrap();
    let answer = queue::finish(&*transaction, &slow, clock.now()).await;
    assert!(matches!(answer, Err(JobError::LeaseLost)), "{answer:?}");
    drop(transaction);
    assert_eq!(queue.left().await, 1, "the result is rolled back");

    finish(db, clock, &quick).await.unwrap();
    assert_eq!(queue.left().await, 0);
    queue.drop().await;
}
