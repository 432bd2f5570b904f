//! Queue and worker on a database of their own.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use entity::job;
use sea_orm::EntityTrait as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::worker::{Worker, WorkerSettings};
use super::{Handler, JobError, Lease, NewJob, Outcome, WakeUp, queue};
use crate::clock::Clock;
use crate::db::{Db, migrate};

const LEASE: i64 = 60;
const ATTEMPTS: i32 = 3;

/// A database in a file that goes with it.
pub(crate) struct TestDb {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    file: std::path::PathBuf,
}

impl TestDb {
    pub(crate) async fn new() -> Self {
        let clock = Clock::manual();
        let file = std::env::temp_dir().join(format!("eventgallery-{}.db", clock.new_token()));
        let url = format!("sqlite://{}?mode=rwc", file.display());
        migrate(&url).await.unwrap();
        let db = Db::connect(&url, 4).await.unwrap();
        Self { db, clock, file }
    }

    async fn enqueue(&self, kind: &'static str, subject: &str, priority: i32) {
        let job = NewJob {
            kind,
            subject: subject.to_owned(),
            priority,
            delay: Duration::ZERO,
        };
        let transaction = self.db.begin().await.unwrap();
        queue::enqueue(&*transaction, &self.clock, job)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    }

    async fn claim(&self) -> Option<Lease> {
        queue::claim(&self.db, &self.clock, &["work", "other"], LEASE, ATTEMPTS)
            .await
            .unwrap()
    }

    async fn finish(&self, lease: &Lease) -> Result<(), JobError> {
        let transaction = self.db.begin().await.unwrap();
        queue::finish(&*transaction, lease, self.clock.now()).await?;
        transaction.commit().await.unwrap();
        Ok(())
    }

    async fn rows(&self) -> Vec<job::Model> {
        job::Entity::find().all(self.db.read()).await.unwrap()
    }

    fn worker(&self, handler: Arc<dyn Handler>) -> Worker {
        let settings = WorkerSettings {
            concurrency: 2,
            lease_seconds: LEASE as u32,
            max_attempts: ATTEMPTS as u32,
            grace: Duration::ZERO,
        };
        let (db, clock) = (self.db.clone(), self.clock.clone());
        Worker::new(db, clock, vec![handler], WakeUp::default(), settings)
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        for ending in ["", "-wal", "-shm"] {
            let mut name = self.file.clone().into_os_string();
            name.push(ending);
            let _ = std::fs::remove_file(name);
        }
    }
}

/// Does what it is told and writes down what it was asked.
struct Recorder {
    ending: fn() -> Result<Outcome, JobError>,
    seen: Mutex<Vec<String>>,
}

impl Recorder {
    fn new(ending: fn() -> Result<Outcome, JobError>) -> Arc<Self> {
        let seen = Mutex::default();
        Arc::new(Self { ending, seen })
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

#[async_trait]
impl Handler for Recorder {
    fn kind(&self) -> &'static str {
        "work"
    }

    async fn run(&self, lease: &Lease) -> Result<Outcome, JobError> {
        let note = format!("{} {}", lease.subject, lease.attempts);
        self.seen.lock().unwrap().push(note);
        (self.ending)()
    }

    async fn given_up(&self, lease: &Lease, error: &str) -> Result<(), JobError> {
        let note = format!("{} given up: {error}", lease.subject);
        self.seen.lock().unwrap().push(note);
        Ok(())
    }
}

#[tokio::test]
async fn a_request_during_a_run_is_not_lost() {
    let test = TestDb::new().await;
    test.enqueue("work", "a", 0).await;
    test.enqueue("work", "a", 5).await;
    let first = test.claim().await.unwrap();
    assert_eq!((first.generation, first.attempts), (2, 1));
    assert!(test.claim().await.is_none(), "leased");
    test.enqueue("work", "a", 0).await;
    assert!(test.claim().await.is_none(), "still leased");
    test.finish(&first).await.unwrap();
    let second = test.claim().await.unwrap();
    assert_eq!((second.generation, second.attempts), (3, 1));
    // What was urgent was done by the first run.
    assert_eq!(test.rows().await[0].priority, 0);
    test.finish(&second).await.unwrap();
    assert!(test.rows().await.is_empty());
}

#[tokio::test]
async fn a_job_that_stands_is_preferred_once() {
    let test = TestDb::new().await;
    let prefer = async || {
        let transaction = test.db.begin().await.unwrap();
        queue::prefer(&*transaction, "work", "late", 1)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    };
    prefer().await;
    assert!(test.rows().await.is_empty(), "nothing is asked for");
    test.enqueue("work", "early", 0).await;
    test.clock.advance(1);
    test.enqueue("work", "late", 0).await;
    prefer().await;
    let late = test.claim().await.unwrap();
    assert_eq!(late.subject, "late");
    test.enqueue("work", "late", 0).await;
    prefer().await;
    test.finish(&late).await.unwrap();
    test.clock.advance(1);
    let next = test.claim().await.unwrap();
    assert_eq!(next.subject, "early", "the second run is not preferred");
}

#[tokio::test]
async fn a_lease_that_ran_out_is_worth_nothing() {
    let test = TestDb::new().await;
    test.enqueue("work", "a", 0).await;
    let slow = test.claim().await.unwrap();
    test.clock.advance(LEASE + 1);
    let fast = test.claim().await.unwrap();
    assert_eq!(fast.attempts, 2);
    assert!(matches!(test.finish(&slow).await, Err(JobError::LeaseLost)));
    let transaction = test.db.begin().await.unwrap();
    let later = slow.until(test.clock.now());
    let extended = queue::extend(&*transaction, &slow, later).await;
    assert!(matches!(extended, Err(JobError::LeaseLost)));
    drop(transaction);
    test.finish(&fast).await.unwrap();
    assert!(matches!(test.finish(&fast).await, Err(JobError::LeaseLost)));
}

#[tokio::test]
async fn what_matters_more_comes_first_and_strange_kinds_wait() {
    let test = TestDb::new().await;
    test.enqueue("strange", "s", 99).await;
    test.enqueue("work", "low", 0).await;
    test.enqueue("other", "high", 1).await;
    assert_eq!(test.claim().await.unwrap().subject, "high");
    assert_eq!(test.claim().await.unwrap().subject, "low");
    assert!(test.claim().await.is_none());
    let strange = Recorder::new(|| Ok(Outcome::Done));
    assert_eq!(
        test.worker(strange.clone()).run_until_idle().await.unwrap(),
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_at_once_take_each_job_once() {
    let test = TestDb::new().await;
    for n in 0..40 {
        test.enqueue("work", &n.to_string(), 0).await;
    }
    let takers = (0..8).map(|_| {
        let (db, clock) = (test.db.clone(), test.clock.clone());
        tokio::spawn(async move {
            let mut taken = Vec::new();
            while let Some(lease) = queue::claim(&db, &clock, &["work"], LEASE, ATTEMPTS)
                .await
                .unwrap()
            {
                taken.push(lease.subject);
            }
            taken
        })
    });
    let mut taken = Vec::new();
    for taker in futures::future::join_all(takers).await {
        taken.extend(taker.unwrap());
    }
    // A taker that lost every race may stop early; whoever won goes on.
    assert_eq!(taken.len(), 40);
    assert_eq!(taken.into_iter().collect::<HashSet<_>>().len(), 40);
}

#[tokio::test]
async fn a_failing_job_backs_off_and_is_given_up() {
    let test = TestDb::new().await;
    test.enqueue("work", "a", 0).await;
    let handler = Recorder::new(|| panic!("a bug"));
    let worker = test.worker(handler.clone());
    assert_eq!(worker.run_until_idle().await.unwrap(), 1);
    let row = test.rows().await.remove(0);
    let wait = row.available_at.0 - test.clock.now().0;
    assert!((1_000_000..=2_000_000).contains(&wait), "{wait}");
    assert!(row.last_error.unwrap().contains("panicked"));
    test.clock.advance(2);
    assert_eq!(worker.run_until_idle().await.unwrap(), 1);
    test.clock.advance(4);
    assert_eq!(worker.run_until_idle().await.unwrap(), 1);
    let seen = handler.seen();
    assert_eq!(seen[..3], ["a 1", "a 2", "a 3"]);
    assert!(seen[3].starts_with("a given up"));
    assert!(test.rows().await[0].buried_at.is_some());
    test.clock.advance(1_000_000);
    assert_eq!(worker.run_until_idle().await.unwrap(), 0);
    // Whoever asks again digs it up, with all its attempts.
    test.enqueue("work", "a", 0).await;
    assert_eq!(worker.run_until_idle().await.unwrap(), 1);
    assert_eq!(handler.seen()[4..], ["a 1"]);
}

#[tokio::test]
async fn a_job_that_kills_its_worker_ends_too() {
    let test = TestDb::new().await;
    test.enqueue("work", "a", 0).await;
    for attempt in 1..=ATTEMPTS {
        assert_eq!(test.claim().await.unwrap().attempts, attempt);
        test.clock.advance(LEASE + 1);
    }
    let handler = Recorder::new(|| Ok(Outcome::Done));
    let worker = test.worker(handler.clone());
    assert_eq!(worker.run_until_idle().await.unwrap(), 1);
    assert_eq!(
        handler.seen(),
        ["a given up: its last attempt never came back"]
    );
    assert!(test.rows().await[0].buried_at.is_some());
}

#[tokio::test]
async fn workers_that_never_report_back_are_counted() {
    let test = TestDb::new().await;
    test.enqueue("work", "a", 0).await;
    let mut crashes = Vec::new();
    for _ in 0..2 {
        crashes.push(test.claim().await.unwrap().crashes);
        test.clock.advance(LEASE + 1);
    }
    assert_eq!(crashes, [0, 1]);
    // One that answers, whatever it answers, has not died.
    let handler = Recorder::new(|| Ok(Outcome::Again(Duration::ZERO)));
    assert!(test.worker(handler).run_one().await.unwrap());
    assert_eq!(test.rows().await[0].crashes, 0);
    assert_eq!(test.claim().await.unwrap().crashes, 0);
}

/// Tells how many of its runs there were at once.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
    done: AtomicUsize,
    ended: Notify,
}

#[async_trait]
impl Handler for Crowd {
    fn kind(&self) -> &'static str {
        "work"
    }

    async fn run(&self, _: &Lease) -> Result<Outcome, JobError> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        // Time for another one to begin.
        tokio::time::sleep(Duration::from_millis(100)).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        self.done.fetch_add(1, Ordering::SeqCst);
        self.ended.notify_one();
        Ok(Outcome::Done)
    }

    async fn given_up(&self, _: &Lease, _: &str) -> Result<(), JobError> {
        Ok(())
    }
}

#[tokio::test]
async fn jobs_that_a_worker_died_with_run_alone() {
    for (died, most) in [(false, 2), (true, 1)] {
        let test = TestDb::new().await;
        for subject in ["a", "b", "c"] {
            test.enqueue("work", subject, 0).await;
        }
        if died {
            while test.claim().await.is_some() {}
            test.clock.advance(LEASE + 1);
        }
        let (crowd, stop) = (Arc::new(Crowd::default()), CancellationToken::new());
        let worker = test.worker(crowd.clone());
        let running = tokio::spawn({
            let stop = stop.clone();
            async move { worker.run(stop).await }
        });
        while crowd.done.load(Ordering::SeqCst) < 3 {
            crowd.ended.notified().await;
        }
        stop.cancel();
        running.await.unwrap();
        assert_eq!(crowd.most.load(Ordering::SeqCst), most, "died: {died}");
    }
}

#[tokio::test]
async fn what_can_never_work_is_given_up_at_once() {
    let test = TestDb::new().await;
    test.enqueue("work", "not an id", 0).await;
    let handler = Recorder::new(|| Err(JobError::Fail(anyhow::anyhow!("no id"))));
    test.worker(handler.clone()).run_until_idle().await.unwrap();
    assert_eq!(handler.seen()[1], "not an id given up: no id");
}

#[tokio::test]
async fn not_yet_is_no_attempt() {
    let test = TestDb::new().await;
    test.enqueue("work", "a", 0).await;
    let handler = Recorder::new(|| Ok(Outcome::Again(Duration::from_secs(10))));
    let worker = test.worker(handler.clone());
    for _ in 0..5 {
        assert_eq!(worker.run_until_idle().await.unwrap(), 1);
        test.clock.advance(10);
    }
    assert_eq!(handler.seen(), ["a 1"; 5]);
}

/// Runs until it is stopped.
struct Endless(Arc<Notify>);

#[async_trait]
impl Handler for Endless {
    fn kind(&self) -> &'static str {
        "work"
    }

    async fn run(&self, _: &Lease) -> Result<Outcome, JobError> {
        self.0.notify_one();
        std::future::pending().await
    }

    async fn given_up(&self, _: &Lease, _: &str) -> Result<(), JobError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_worker_that_stops_gives_its_leases_back() {
    let test = TestDb::new().await;
    test.enqueue("work", "a", 0).await;
    let (started, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let worker = test.worker(Arc::new(Endless(Arc::clone(&started))));
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { worker.run(stop).await }
    });
    started.notified().await;
    assert!(test.claim().await.is_none());
    stop.cancel();
    running.await.unwrap();
    let lease = test.claim().await.unwrap();
    assert_eq!(lease.attempts, 1, "the stopped attempt does not count");
}
