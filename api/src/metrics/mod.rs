//! What the process counts and measures, for Prometheus.
//!
//! [`Metrics`] is the handle that `app.rs` gives to the ports, the worker and the executor; nobody
//! else needs to know the library behind it. Each application has a registry of its own: several of
//! them in one process (tests) do not count for each other.

mod names;
mod outcome;
mod scrape;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use crate::auth::oidc::FetchOutcome;
use crate::vision::pace::Operation;

pub use names::{Kind, NAMES, Name};
pub use outcome::{CallOutcome, ReapOutcome, RequestOutcome, RunOutcome};
pub use scrape::{CONTENT_TYPE, Scrape};

/// Values of labels, each with its name. Requests' fields come from the schema, all else from code.
type One = [(&'static str, &'static str); 1];
type Two = [(&'static str, &'static str); 2];
type OfField<const N: usize> = [(&'static str, Cow<'static, str>); N];
type Histograms<S> = Family<S, Histogram>;

/// Counts and measures. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    requests: Family<OfField<3>, Counter>,
    request_seconds: Histograms<OfField<2>>,
    graphql_errors: Family<OfField<1>, Counter>,
    user_errors: Family<One, Counter>,
    jobs: Family<OfField<2>, Gauge>,
    job_oldest_due: Family<OfField<1>, Gauge<f64, std::sync::atomic::AtomicU64>>,
    job_runs: Family<Two, Counter>,
    job_run_seconds: Histograms<One>,
    rekognition_calls: Family<Two, Counter>,
    rekognition_seconds: Histograms<One>,
    s3_calls: Family<Two, Counter>,
    s3_seconds: Histograms<One>,
    issuer_fetches: Family<One, Counter>,
    urls_signed: Family<One, Counter>,
    uploads_reaped: Family<One, Counter>,
    events_written: Counter,
    subscriptions: Gauge,
    database_connections: Family<Two, Gauge>,
    database_statements: Counter,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let r = &mut registry;
        let build_info: Family<One, Gauge> = register(r, &names::BUILD_INFO, Family::default());
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        build_info.get_or_create(&version).set(1);
        let inner = Inner {
            requests: register(r, &names::REQUESTS, Family::default()),
            request_seconds: register(r, &names::REQUEST_SECONDS, histograms(call_buckets)),
            graphql_errors: register(r, &names::GRAPHQL_ERRORS, Family::default()),
            user_errors: register(r, &names::USER_ERRORS, Family::default()),
            jobs: register(r, &names::JOBS, Family::default()),
            job_oldest_due: register(r, &names::JOB_OLDEST_DUE, Family::default()),
            job_runs: register(r, &names::JOB_RUNS, Family::default()),
            job_run_seconds: register(r, &names::JOB_RUN_SECONDS, histograms(run_buckets)),
            rekognition_calls: register(r, &names::REKOGNITION_CALLS, Family::default()),
            rekognition_seconds: register(r, &names::REKOGNITION_SECONDS, histograms(call_buckets)),
            s3_calls: register(r, &names::S3_CALLS, Family::default()),
            s3_seconds: register(r, &names::S3_SECONDS, histograms(call_buckets)),
            issuer_fetches: register(r, &names::ISSUER_FETCHES, Family::default()),
            urls_signed: register(r, &names::URLS_SIGNED, Family::default()),
            uploads_reaped: register(r, &names::UPLOADS_REAPED, Family::default()),
            events_written: register(r, &names::EVENTS_WRITTEN, Counter::default()),
            subscriptions: register(r, &names::SUBSCRIPTIONS, Gauge::default()),
            database_connections: register(r, &names::DATABASE_CONNECTIONS, Family::default()),
            database_statements: register(r, &names::DATABASE_STATEMENTS, Counter::default()),
            registry,
        };
        inner.begin_at_zero();
        Self(Arc::new(inner))
    }

    /// A GraphQL request came to its end. `operation` is `query`, `mutation`, `subscription` or
    /// `other`; `field` a field of the schema's roots or `other`: never what a client made up.
    pub fn request(
        &self,
        operation: &'static str,
        field: Cow<'static, str>,
        outcome: RequestOutcome,
        elapsed: Duration,
    ) {
        let operation = ("operation", Cow::Borrowed(operation));
        let field = ("field", field);
        let outcome = ("outcome", Cow::Borrowed(outcome.label()));
        let labels = [operation.clone(), field.clone()];
        self.0
            .request_seconds
            .get_or_create(&labels)
            .observe(elapsed.as_secs_f64());
        self.0
            .requests
            .get_or_create(&[operation, field, outcome])
            .inc();
    }

    /// A top-level error was answered.
    pub fn graphql_error(&self, code: impl Into<Cow<'static, str>>) {
        let labels = [("code", code.into())];
        self.0.graphql_errors.get_or_create(&labels).inc();
    }

    /// An expected outcome was answered in `userErrors`.
    pub fn user_error(&self, code: &'static str) {
        self.0.user_errors.get_or_create(&[("code", code)]).inc();
    }

    /// These codes exist: their series begin at zero, so that the first error is seen as one.
    pub fn expect_codes(&self, graphql: &[&'static str], user: impl Iterator<Item = &'static str>) {
        for code in graphql {
            drop(
                self.0
                    .graphql_errors
                    .get_or_create(&[("code", Cow::Borrowed(*code))]),
            );
        }
        for code in user {
            drop(self.0.user_errors.get_or_create(&[("code", code)]));
        }
    }

    /// These kinds of jobs exist, as [`Metrics::expect_codes`].
    pub fn expect_kinds(&self, kinds: &[&'static str]) {
        for kind in kinds {
            for outcome in RunOutcome::ALL {
                let labels = [("kind", *kind), ("outcome", outcome.label())];
                drop(self.0.job_runs.get_or_create(&labels));
            }
            drop(self.0.job_run_seconds.get_or_create(&[("kind", *kind)]));
        }
    }

    /// A run of a job came to its end.
    pub fn job_run(&self, kind: &'static str, outcome: RunOutcome, elapsed: Duration) {
        let labels = [("kind", kind), ("outcome", outcome.label())];
        self.0.job_runs.get_or_create(&labels).inc();
        self.0
            .job_run_seconds
            .get_or_create(&[("kind", kind)])
            .observe(elapsed.as_secs_f64());
    }

    /// Rekognition answered, or did not.
    pub fn rekognition_call(
        &self,
        operation: &'static str,
        outcome: CallOutcome,
        elapsed: Duration,
    ) {
        call(
            &self.0.rekognition_calls,
            &self.0.rekognition_seconds,
            operation,
            outcome,
            elapsed,
        );
    }

    /// The object store answered, or did not.
    pub fn s3_call(&self, operation: &'static str, outcome: CallOutcome, elapsed: Duration) {
        call(
            &self.0.s3_calls,
            &self.0.s3_seconds,
            operation,
            outcome,
            elapsed,
        );
    }

    /// The keys of the external issuer were asked for.
    pub fn issuer_fetch(&self, outcome: FetchOutcome) {
        let labels = [("outcome", outcome.label())];
        self.0.issuer_fetches.get_or_create(&labels).inc();
    }

    /// The counter of signed URLs of a method (`GET`, `PUT`), to be kept: a page signs hundreds.
    #[must_use]
    pub fn urls_signed(&self, method: &'static str) -> Count {
        let counter = self.0.urls_signed.get_or_create(&[("method", method)]);
        Count(counter.clone())
    }

    /// The reaper dealt with this many abandoned uploads.
    pub fn uploads_reaped(&self, outcome: ReapOutcome, uploads: usize) {
        self.0
            .uploads_reaped
            .get_or_create(&[("outcome", outcome.label())])
            .inc_by(uploads as u64);
    }

    /// A subscription is open until the answer is dropped.
    #[must_use]
    pub fn subscription(&self) -> OpenSubscription {
        self.0.subscriptions.inc();
        OpenSubscription(self.0.subscriptions.clone())
    }
}

/// One counter.
#[derive(Clone, Debug, Default)]
pub struct Count(Counter);

impl Count {
    /// Adds to it.
    pub fn add(&self, n: u64) {
        self.0.inc_by(n);
    }
}

/// An open subscription, counted until it is dropped.
#[derive(Debug)]
pub struct OpenSubscription(Gauge);

impl Drop for OpenSubscription {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Inner {
    /// Series of which every label is known begin at zero: Prometheus' `increase` does not see the
    /// first count of a series that was not there before.
    fn begin_at_zero(&self) {
        for operation in Operation::ALL {
            for outcome in CallOutcome::REKOGNITION {
                let labels = [
                    ("operation", operation.name()),
                    ("outcome", outcome.label()),
                ];
                drop(self.rekognition_calls.get_or_create(&labels));
            }
            let labels = [("operation", operation.name())];
            drop(self.rekognition_seconds.get_or_create(&labels));
        }
        for operation in crate::storage::s3::OPERATIONS {
            for outcome in CallOutcome::S3 {
                let labels = [("operation", operation), ("outcome", outcome.label())];
                drop(self.s3_calls.get_or_create(&labels));
            }
            drop(self.s3_seconds.get_or_create(&[("operation", operation)]));
        }
        for method in ["GET", "PUT"] {
            drop(self.urls_signed.get_or_create(&[("method", method)]));
        }
        for outcome in FetchOutcome::ALL {
            let labels = [("outcome", outcome.label())];
            drop(self.issuer_fetches.get_or_create(&labels));
        }
        for outcome in ReapOutcome::ALL {
            let labels = [("outcome", outcome.label())];
            drop(self.uploads_reaped.get_or_create(&labels));
        }
    }
}

/// Under the name's help text. The library adds `_total` to counters by itself.
fn register<M: Metric + Clone>(registry: &mut Registry, name: &Name, metric: M) -> M {
    let stem = name.name.strip_suffix("_total").unwrap_or(name.name);
    registry.register(stem, name.help, metric.clone());
    metric
}

fn histograms<S: Clone + std::hash::Hash + Eq>(make: fn() -> Histogram) -> Histograms<S> {
    Family::new_with_constructor(make)
}

/// From a cached answer to the longest time-out.
fn call_buckets() -> Histogram {
    Histogram::new([
        0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    ])
}

/// From a job that finds nothing to do to the grouping of a large gallery.
fn run_buckets() -> Histogram {
    Histogram::new([
        0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0,
    ])
}

fn call(
    calls: &Family<Two, Counter>,
    seconds: &Histograms<One>,
    operation: &'static str,
    outcome: CallOutcome,
    elapsed: Duration,
) {
    let labels = [("operation", operation), ("outcome", outcome.label())];
    calls.get_or_create(&labels).inc();
    seconds
        .get_or_create(&[("operation", operation)])
        .observe(elapsed.as_secs_f64());
}
