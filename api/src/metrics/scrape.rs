//! What Prometheus reads. The state of the queue and of the connections is asked for here, when
//! somebody looks, and the queue's not more often than every few seconds: whoever scrapes cannot
//! load the database.

use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::time::Duration;

use entity::Timestamp;
use tokio::sync::Mutex;

use super::Metrics;
use crate::clock::Clock;
use crate::db::Db;
use crate::job::census::{self, KindCount};

/// The format: OpenMetrics text, which Prometheus has read since 2.5.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long the queue's state is kept.
const KEEP_SECONDS: i64 = 5;
/// Longest wait for it: below Prometheus' own time-out of 10 s.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers scrapes.
#[derive(Debug)]
pub struct Scrape {
    metrics: Metrics,
    db: Db,
    clock: Clock,
    kinds: Vec<&'static str>,
    /// When the queue was last asked.
    asked_at: Mutex<Option<Timestamp>>,
}

impl Scrape {
    /// Over the process's metrics and database. Jobs of these kinds are shown even where there are
    /// none.
    #[must_use]
    pub fn new(metrics: Metrics, db: Db, clock: Clock, kinds: &[&'static str]) -> Self {
        metrics.expect_kinds(kinds);
        Self {
            metrics,
            db,
            clock,
            kinds: kinds.to_vec(),
            asked_at: Mutex::new(None),
        }
    }

    /// Everything, as text. Without the database it lacks the queue and holds all else.
    pub async fn text(&self) -> String {
        // Held to the end: another scrape must not find the queue's series half replaced.
        let mut asked_at = self.asked_at.lock().await;
        let now = self.clock.now();
        let fresh = asked_at.is_some_and(|at| (now.0 - at.0).abs() < KEEP_SECONDS * 1_000_000);
        if !fresh {
            *asked_at = Some(now);
            self.ask_queue(now).await;
        }
        self.ask_connections();
        let mut text = String::with_capacity(16 * 1024);
        if let Err(error) =
            prometheus_client::encoding::text::encode(&mut text, &self.metrics.0.registry)
        {
            tracing::error!(%error, "metrics cannot be written");
        }
        text
    }

    /// Series of a queue that does not answer go: old numbers would look like a queue at rest.
    async fn ask_queue(&self, now: Timestamp) {
        let inner = &self.metrics.0;
        let answer = tokio::time::timeout(PATIENCE, census::count(&self.db, now)).await;
        inner.jobs.clear();
        inner.job_oldest_due.clear();
        match answer {
            Ok(Ok(found)) => {
                let missing = self
                    .kinds
                    .iter()
                    .filter(|kind| found.iter().all(|count| count.kind != **kind));
                for kind in missing {
                    self.show(Cow::Borrowed(*kind), &KindCount::default(), now);
                }
                for count in &found {
                    self.show(Cow::Owned(count.kind.clone()), count, now);
                }
            }
            Ok(Err(error)) => tracing::warn!(%error, "the queue cannot be counted"),
            Err(_) => tracing::warn!("the queue cannot be counted: the database does not answer"),
        }
    }

    fn show(&self, kind: Cow<'static, str>, count: &KindCount, now: Timestamp) {
        let kind = ("kind", kind);
        for (state, jobs) in [
            ("due", count.due),
            ("scheduled", count.scheduled),
            ("leased", count.leased),
            ("buried", count.buried),
        ] {
            let labels = [kind.clone(), ("state", Cow::Borrowed(state))];
            self.metrics.0.jobs.get_or_create(&labels).set(jobs);
        }
        let waiting = count
            .oldest_due
            .map_or(0, |at| now.0.saturating_sub(at.0).max(0));
        self.metrics
            .0
            .job_oldest_due
            .get_or_create(&[kind])
            .set(Duration::from_micros(waiting.unsigned_abs()).as_secs_f64());
    }

    fn ask_connections(&self) {
        let inner = &self.metrics.0;
        for pool in self.db.pools() {
            for (state, connections) in [("idle", pool.idle), ("used", pool.used)] {
                let labels = [("pool", pool.name), ("state", state)];
                inner
                    .database_connections
                    .get_or_create(&labels)
                    .set(i64::from(connections));
            }
        }
        inner
            .database_statements
            .inner()
            .store(self.db.statements(), Ordering::Relaxed);
        inner
            .events_written
            .inner()
            .store(*self.db.news().borrow(), Ordering::Relaxed);
    }
}
