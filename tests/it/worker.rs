//! Workers on the database that is tested: how many jobs at a time, who takes over from the dead, what
//! poison does, and how they stop.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use entity::job;
use eventgallery::clock::Clock;
use eventgallery::db::{self, Db};
use eventgallery::job::worker::{WakeUp, Worker, WorkerSettings};
use eventgallery::job::{Handler, JobError, Lease, NewJob, Outcome, queue};
use harness::TestApp;
use harness::database::TestDatabase;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use tokio::sync::{Barrier, Notify};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const LEASE_SECONDS: u32 = 60;
const GRACE: Duration = Duration::from_secs(2);

/// A database of its own for workers.
struct Yard {
    db: Db,
    clock: Clock,
    database: TestDatabase,
    _folder: tempfile::TempDir,
}

impl Yard {
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

    fn worker(&self, handler: Arc<dyn Handler>, concurrency: usize) -> Worker {
        let settings = WorkerSettings {
            concurrency,
            lease_seconds: LEASE_SECONDS,
            max_attempts: 3,
            grace: GRACE,
        };
        let (db, clock) = (self.db.clone(), self.clock.clone());
        Worker::new(db, clock, vec![handler], WakeUp::default(), settings)
    }

    async fn ask(&self, kind: &'static str, subjects: impl IntoIterator<Item = String>) {
        let transaction = self.db.begin().await.unwrap();
        for subject in subjects {
            let job = new_job(kind, subject);
            queue::enqueue(&*transaction, &self.clock, job)
                .await
                .unwrap();
        }
        transaction.commit().await.unwrap();
    }

    async fn jobs(&self) -> HashMap<String, job::Model> {
        let rows = job::Entity::find().all(self.db.read()).await.unwrap();
        rows.into_iter()
            .map(|job| (job.subject.clone(), job))
            .collect()
    }

    /// Until `done` is true of the jobs that stand.
    async fn until(&self, done: impl Fn(&HashMap<String, job::Model>) -> bool) {
        let wait = async {
            while !done(&self.jobs().await) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), wait)
            .await
            .expect("it comes to an end");
    }

    async fn drop(self) {
        self.db.close().await.unwrap();
        self.database.drop().await;
    }
}

fn new_job(kind: &'static str, subject: String) -> NewJob {
    NewJob {
        kind,
        subject,
        priority: 0,
        delay: Duration::ZERO,
    }
}

fn running(worker: Worker) -> (JoinHandle<()>, CancellationToken) {
    let stop = CancellationToken::new();
    let until = stop.clone();
    (tokio::spawn(async move { worker.run(until).await }), stop)
}

/// Runs three at a time or not at all.
struct Trio {
    barrier: Barrier,
    now: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait]
impl Handler for Trio {
    fn kind(&self) -> &'static str {
        "work"
    }

    async fn run(&self, _: &Lease) -> Result<Outcome, JobError> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.barrier.wait().await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(Outcome::Done)
    }

    async fn given_up(&self, _: &Lease, _: &str) -> Result<(), JobError> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_runs_as_many_jobs_as_it_may_and_never_more() {
    let yard = Yard::new().await;
    yard.ask("work", (0..30).map(|n| n.to_string())).await;
    let trio = Arc::new(Trio {
        barrier: Barrier::new(3),
        now: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
    });
    let handler = Arc::clone(&trio);
    let (worker, stop) = running(yard.worker(handler, 3));
    yard.until(HashMap::is_empty).await;
    stop.cancel();
    worker.await.unwrap();
    // Fewer would never have passed the barrier.
    assert_eq!(trio.most.load(Ordering::SeqCst), 3);
    yard.drop().await;
}

/// Takes numbers as subjects, each by one worker at a time.
#[derive(Default)]
struct Numbers {
    held: Mutex<HashSet<String>>,
    done: Mutex<HashMap<String, u32>>,
    given_up: Mutex<Vec<String>>,
}

#[async_trait]
impl Handler for Numbers {
    fn kind(&self) -> &'static str {
        "work"
    }

    async fn run(&self, lease: &Lease) -> Result<Outcome, JobError> {
        let number: u32 = lease.subject.parse().map_err(|error| {
            JobError::Fail(anyhow::Error::new(error).context(lease.subject.clone()))
        })?;
        let subject = lease.subject.clone();
        assert!(
            self.held.lock().unwrap().insert(subject.clone()),
            "{subject} is held twice"
        );
        tokio::time::sleep(Duration::from_millis(u64::from(number % 7))).await;
        self.held.lock().unwrap().remove(&subject);
        *self.done.lock().unwrap().entry(subject).or_default() += 1;
        Ok(Outcome::Done)
    }

    async fn given_up(&self, lease: &Lease, _: &str) -> Result<(), JobError> {
        self.given_up.lock().unwrap().push(lease.subject.clone());
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_two_workers_share_the_jobs_and_poison_stops_neither() {
    const JOBS: u32 = 200;
    let yard = Yard::new().await;
    let numbers = Arc::new(Numbers::default());
    // Poison comes first: no number, and a kind that nobody knows.
    yard.ask("work", ["no number".to_owned(), String::new()])
        .await;
    yard.ask("unknown", ["7".to_owned()]).await;
    let workers = [(); 2].map(|()| {
        let handler: Arc<dyn Handler> = Arc::<Numbers>::clone(&numbers);
        running(yard.worker(handler, 4))
    });
    for chunk in (0..JOBS).collect::<Vec<_>>().chunks(20) {
        yard.ask("work", chunk.iter().map(ToString::to_string))
            .await;
        // Asked for again while some of them run.
        yard.ask("work", chunk[..5].iter().map(ToString::to_string))
            .await;
    }
    yard.until(|jobs| jobs.len() == 3 && jobs["no number"].buried_at.is_some())
        .await;
    for (worker, stop) in workers {
        stop.cancel();
        worker.await.unwrap();
    }
    let done = numbers.done.lock().unwrap().clone();
    assert_eq!(done.len(), JOBS as usize);
    assert!(done.values().all(|times| (1..=2).contains(times)));
    let jobs = yard.jobs().await;
    assert!(jobs[""].buried_at.is_some());
    assert_eq!((jobs["7"].attempts, jobs["7"].lease_token), (0, None));
    let mut given_up = numbers.given_up.lock().unwrap().clone();
    given_up.sort();
    assert_eq!(given_up, ["", "no number"]);
    yard.drop().await;
}

/// Writes its result, a job, in the transaction that finishes the lease, once the gate opens.
struct Writer {
    name: &'static str,
    db: Db,
    clock: Clock,
    started: Notify,
    gate: Notify,
    lost: AtomicUsize,
}

#[async_trait]
impl Handler for Writer {
    fn kind(&self) -> &'static str {
        "work"
    }

    async fn run(&self, lease: &Lease) -> Result<Outcome, JobError> {
        self.started.notify_one();
        self.gate.notified().await;
        let transaction = self.db.begin().await?;
        let result = new_job("result", self.name.to_owned());
        queue::enqueue(&*transaction, &self.clock, result).await?;
        if let Err(error) = queue::finish(&*transaction, lease, self.clock.now()).await {
            self.lost.fetch_add(1, Ordering::SeqCst);
            return Err(error);
        }
        transaction.commit().await?;
        Ok(Outcome::Finished)
    }

    async fn given_up(&self, _: &Lease, _: &str) -> Result<(), JobError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_job_of_a_dead_worker_is_taken_over_and_its_late_result_refused() {
    let yard = Yard::new().await;
    let writer = |name| {
        Arc::new(Writer {
            name,
            db: yard.db.clone(),
            clock: yard.clock.clone(),
            started: Notify::new(),
            gate: Notify::new(),
            lost: AtomicUsize::new(0),
        })
    };
    let (dead, heir) = (writer("dead"), writer("heir"));
    yard.ask("work", ["photo".to_owned()]).await;
    let handler: Arc<dyn Handler> = Arc::<Writer>::clone(&dead);
    let silent = yard.worker(handler, 1);
    let silent = tokio::spawn(async move { silent.run_one().await });
    dead.started.notified().await;

    let handler: Arc<dyn Handler> = Arc::<Writer>::clone(&heir);
    let other = yard.worker(handler, 1);
    yard.clock.advance(i64::from(LEASE_SECONDS) - 1);
    assert!(!other.run_one().await.unwrap(), "the lease still holds");
    yard.clock.advance(1);
    heir.gate.notify_one();
    assert!(other.run_one().await.unwrap(), "the lease is over");

    dead.gate.notify_one();
    assert!(silent.await.unwrap().unwrap());
    assert_eq!(dead.lost.load(Ordering::SeqCst), 1);
    let results: Vec<String> = yard.jobs().await.into_keys().collect();
    assert_eq!(results, ["heir"]);
    yard.drop().await;
}

/// One job ends when it may, another never.
#[derive(Default)]
struct Slow {
    started: Mutex<Vec<String>>,
    gate: Notify,
}

#[async_trait]
impl Handler for Slow {
    fn kind(&self) -> &'static str {
        "work"
    }

    async fn run(&self, lease: &Lease) -> Result<Outcome, JobError> {
        self.started.lock().unwrap().push(lease.subject.clone());
        match lease.subject.as_str() {
            "ends" => self.gate.notified().await,
            _ => std::future::pending().await,
        }
        Ok(Outcome::Done)
    }

    async fn given_up(&self, _: &Lease, _: &str) -> Result<(), JobError> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stops_claims_no_more_finishes_what_it_can_and_gives_back_the_rest() {
    let yard = Yard::new().await;
    let slow = Arc::new(Slow::default());
    yard.ask("work", ["ends".to_owned(), "hangs".to_owned()])
        .await;
    let handler: Arc<dyn Handler> = Arc::<Slow>::clone(&slow);
    let (worker, stop) = running(yard.worker(handler, 3));
    yard.until(|_| slow.started.lock().unwrap().len() == 2)
        .await;
    // A third hand is free; after the signal it takes nothing.
    stop.cancel();
    yard.ask("work", ["late".to_owned()]).await;
    slow.gate.notify_one();
    yard.until(|jobs| !jobs.contains_key("ends")).await;
    worker.await.unwrap();
    let jobs = yard.jobs().await;
    assert_eq!(jobs.len(), 2);
    for subject in ["hangs", "late"] {
        let job = &jobs[subject];
        assert_eq!((job.lease_token, job.attempts), (None, 0), "{subject}");
        assert!(job.available_at <= yard.clock.now(), "{subject} is due");
    }
    assert!(!slow.started.lock().unwrap().contains(&"late".to_owned()));
    yard.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_runs_once_a_period_whatever_the_number_of_replicas() {
    let app = TestApp::start().await;
    let replicas = [app.replica().await, app.replica().await];
    app.run_jobs().await;
    for period in 0..5 {
        app.clock.advance(61);
        let due = job::Entity::find()
            .filter(job::Column::AvailableAt.lte(app.clock.now()))
            .count(app.db().read())
            .await
            .unwrap();
        assert!(due > 0, "period {period}");
        let workers = [app.app(), &replicas[0].app, &replicas[1].app];
        let workers = workers.map(|app| app.worker().clone());
        let mut runs = tokio::task::JoinSet::new();
        for worker in workers {
            runs.spawn(async move { worker.run_until_idle().await.unwrap() });
        }
        let runs: usize = runs.join_all().await.into_iter().sum();
        assert_eq!(runs as u64, due, "period {period}");
    }
    for replica in replicas {
        replica.stop().await;
    }
    app.stop().await;
}
