//! The queue in numbers, and what stays when the database or the store is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use eventgallery::job::worker::{WakeUp, Worker, WorkerSettings};
use eventgallery::job::{Handler, JobError, Lease, NewJob, Outcome, queue};
use harness::TestApp;
use tokio_util::sync::CancellationToken;

use super::exposition::Operations;

const KIND: &str = "test";

/// Does what the subject says.
struct Obedient(AtomicUsize);

#[async_trait]
impl Handler for Obedient {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn run(&self, lease: &Lease) -> Result<Outcome, JobError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        match lease.subject.as_str() {
            "done" => Ok(Outcome::Done),
            "again" => Ok(Outcome::Again(Duration::from_secs(60))),
            "retry" => Err(JobError::Retry {
                error: anyhow::anyhow!("not now"),
                after: Some(Duration::from_secs(60)),
            }),
            "lost" => Err(JobError::LeaseLost),
            "endless" => std::future::pending().await,
            _ => Err(JobError::Fail(anyhow::anyhow!("never"))),
        }
    }

    async fn given_up(&self, _: &Lease, _: &str) -> Result<(), JobError> {
        Ok(())
    }
}

async fn enqueue(app: &TestApp, subject: &str, delay: Duration) {
    let transaction = app.db().begin().await.unwrap();
    let job = NewJob {
        kind: KIND,
        subject: subject.to_owned(),
        priority: 0,
        delay,
    };
    queue::enqueue(&*transaction, &app.clock, job)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

fn worker(app: &TestApp) -> (Worker, Arc<Obedient>) {
    let handler = Arc::new(Obedient(AtomicUsize::new(0)));
    let settings = WorkerSettings {
        concurrency: 1,
        lease_seconds: 60,
        max_attempts: 3,
        grace: Duration::ZERO,
    };
    let worker = Worker::measured(
        app.db().clone(),
        app.clock.clone(),
        vec![Arc::clone(&handler) as Arc<dyn Handler>],
        WakeUp::default(),
        settings,
        app.app().metrics().clone(),
    );
    (worker, handler)
}

#[tokio::test]
async fn runs_count_by_how_they_ended() {
    let app = TestApp::start().await;
    let operations = Operations::of(&app).await;
    let (worker, handler) = worker(&app);
    for subject in ["done", "again", "retry", "lost", "fail"] {
        enqueue(&app, subject, Duration::ZERO).await;
    }
    assert_eq!(worker.run_until_idle().await.unwrap(), 5);
    let before = handler.0.load(Ordering::SeqCst);
    enqueue(&app, "endless", Duration::ZERO).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (worker, stop) = (worker.clone(), stop.clone());
        async move { worker.run(stop).await }
    });
    while handler.0.load(Ordering::SeqCst) == before {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    running.await.unwrap();
    let found = operations.scrape().await;
    for outcome in ["done", "again", "retry", "lost", "given_up", "released"] {
        let series = format!(r#"eventgallery_job_runs_total{{kind="test",outcome="{outcome}"}}"#);
        assert_eq!(found.value(&series), 1.0, "{series}");
    }
    assert_eq!(
        found.value(r#"eventgallery_job_run_seconds_count{kind="test"}"#),
        6.0
    );
    app.stop().await;
}

#[tokio::test]
async fn the_queue_is_counted_by_kind_and_state() {
    let app = TestApp::start().await;
    let operations = Operations::of(&app).await;
    let (worker, _) = worker(&app);
    enqueue(&app, "fail", Duration::ZERO).await;
    assert!(worker.run_one().await.unwrap());
    enqueue(&app, "leased", Duration::ZERO).await;
    let lease = queue::claim(app.db(), &app.clock, &[KIND], 60, 3)
        .await
        .unwrap();
    assert_eq!(lease.unwrap().subject, "leased");
    enqueue(&app, "late", Duration::from_secs(600)).await;
    for subject in ["a", "b", "c"] {
        enqueue(&app, subject, Duration::ZERO).await;
        app.clock.advance(10);
    }
    let found = operations.scrape().await;
    let jobs = |state: &str| {
        found.value(&format!(
            r#"eventgallery_jobs{{kind="test",state="{state}"}}"#
        ))
    };
    assert_eq!(
        (
            jobs("due"),
            jobs("scheduled"),
            jobs("leased"),
            jobs("buried")
        ),
        (3.0, 1.0, 1.0, 1.0)
    );
    let oldest = r#"eventgallery_job_oldest_due_seconds{kind="test"}"#;
    assert_eq!(found.value(oldest), 30.0);

    // Whoever scrapes more often gets what was found before, and sends no statement.
    enqueue(&app, "d", Duration::ZERO).await;
    let statements = app.db().statements();
    for _ in 0..20 {
        let found = operations.scrape().await;
        assert_eq!(
            found.value(r#"eventgallery_jobs{kind="test",state="due"}"#),
            3.0
        );
    }
    assert_eq!(app.db().statements(), statements);
    app.clock.advance(50);
    // A lease that ran out is due, too.
    let found = operations.scrape().await;
    assert_eq!(app.db().statements(), statements + 1);
    assert_eq!(
        found.value(r#"eventgallery_jobs{kind="test",state="due"}"#),
        5.0
    );
    assert_eq!(
        found.value(r#"eventgallery_jobs{kind="test",state="leased"}"#),
        0.0
    );
    assert_eq!(found.value(oldest), 80.0);
    app.stop().await;
}

#[tokio::test]
async fn without_the_database_the_process_is_alive_measured_and_not_ready() {
    let app = TestApp::start().await;
    let operations = Operations::of(&app).await;
    app.user("ada").await;
    let (code, body) = operations.health("ready").await;
    assert_eq!(
        (code, &body["database"], &body["objectStore"]),
        (200, &"ok".into(), &"ok".into())
    );
    operations
        .scrape()
        .await
        .value(r#"eventgallery_jobs{kind="analyse",state="due"}"#);

    app.db().clone().close().await.unwrap();
    app.clock.advance(60);
    let (code, body) = operations.health("ready").await;
    assert_eq!((code, &body["database"]), (503, &"unavailable".into()));
    assert_eq!(operations.health("live").await.0, 200);
    let api = reqwest::get(format!("{}/health/ready", app.url))
        .await
        .unwrap();
    assert_eq!(api.status(), 503, "the API's port says the same");
    let found = operations.scrape().await;
    let registered = r#"eventgallery_graphql_requests_total{operation="mutation",field="register",outcome="ok"}"#;
    assert_eq!(found.value(registered), 1.0);
    // No number rather than an old one.
    assert!(
        found.labels("eventgallery_jobs", "kind").is_empty(),
        "{}",
        found.text
    );
    app.stop().await;
}

#[tokio::test]
async fn without_the_store_the_process_is_ready_and_says_so() {
    let app = TestApp::with(&[("S3_ENDPOINT", "http://127.0.0.1:1")]).await;
    let operations = Operations::of(&app).await;
    let (code, body) = operations.health("ready").await;
    assert_eq!(
        (code, &body["status"], &body["objectStore"]),
        (200, &"ok".into(), &"unavailable".into())
    );
    // What needs no store still works.
    let ada = app.user("ada").await;
    ada.gallery("g").await;
    app.stop().await;
}
