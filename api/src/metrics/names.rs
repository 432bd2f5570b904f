//! Names, labels and help texts of all metrics. Dashboards and alert rules go by them: a name here
//! is never renamed.

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from 0 at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Seconds, in buckets.
    Histogram,
}

/// A metric, as `/metrics` shows it.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    /// Name; those of counters end in `_total`.
    pub name: &'static str,
    /// Kind.
    pub kind: Kind,
    /// Names of its labels, in order.
    pub labels: &'static [&'static str],
    /// What it says, without a full stop.
    pub help: &'static str,
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Name {
    Name {
        name,
        kind: Kind::Counter,
        labels,
        help,
    }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Name {
    Name {
        name,
        kind: Kind::Gauge,
        labels,
        help,
    }
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Name {
    Name {
        name,
        kind: Kind::Histogram,
        labels,
        help,
    }
}

pub(super) const BUILD_INFO: Name = gauge(
    "eventgallery_build_info",
    &["version"],
    "1, with the version that runs",
);
pub(super) const REQUESTS: Name = counter(
    "eventgallery_graphql_requests_total",
    &["operation", "field", "outcome"],
    "GraphQL requests by operation type, first root field and outcome",
);
pub(super) const REQUEST_SECONDS: Name = histogram(
    "eventgallery_graphql_request_seconds",
    &["operation", "field"],
    "Time from the parsing of a document to its answer",
);
pub(super) const GRAPHQL_ERRORS: Name = counter(
    "eventgallery_graphql_errors_total",
    &["code"],
    "Top-level errors answered, by extensions.code",
);
pub(super) const USER_ERRORS: Name = counter(
    "eventgallery_user_errors_total",
    &["code"],
    "Expected outcomes answered in userErrors, by code",
);
pub(super) const JOBS: Name = gauge(
    "eventgallery_jobs",
    &["kind", "state"],
    "Jobs in the queue, of all processes together",
);
pub(super) const JOB_OLDEST_DUE: Name = gauge(
    "eventgallery_job_oldest_due_seconds",
    &["kind"],
    "How long the oldest due job has been waiting; 0 where none waits",
);
pub(super) const JOB_RUNS: Name = counter(
    "eventgallery_job_runs_total",
    &["kind", "outcome"],
    "Runs of jobs by kind and outcome",
);
pub(super) const JOB_RUN_SECONDS: Name = histogram(
    "eventgallery_job_run_seconds",
    &["kind"],
    "Time of a run, with what settles it",
);
pub(super) const REKOGNITION_CALLS: Name = counter(
    "eventgallery_rekognition_calls_total",
    &["operation", "outcome"],
    "Calls of Rekognition by operation and outcome after the SDK's own retries",
);
pub(super) const REKOGNITION_SECONDS: Name = histogram(
    "eventgallery_rekognition_call_seconds",
    &["operation"],
    "Time of a call of Rekognition, retries included, without the wait for the quota",
);
pub(super) const S3_CALLS: Name = counter(
    "eventgallery_s3_calls_total",
    &["operation", "outcome"],
    "Calls of the object store by operation and outcome after the SDK's own retries",
);
pub(super) const S3_SECONDS: Name = histogram(
    "eventgallery_s3_call_seconds",
    &["operation"],
    "Time of a call of the object store, retries and body included",
);
pub(super) const ISSUER_FETCHES: Name = counter(
    "eventgallery_issuer_fetches_total",
    &["outcome"],
    "Fetches of the external token issuer's keys",
);
pub(super) const URLS_SIGNED: Name = counter(
    "eventgallery_urls_signed_total",
    &["method"],
    "URLs signed for clients",
);
pub(super) const UPLOADS_REAPED: Name = counter(
    "eventgallery_uploads_reaped_total",
    &["outcome"],
    "Abandoned uploads that the reaper removed, or confirmed because their object stood; objects that it deleted because their photo is no more",
);
pub(super) const EVENTS_WRITTEN: Name = counter(
    "eventgallery_events_written_total",
    &[],
    "Events written for subscribers",
);
pub(super) const SUBSCRIPTIONS: Name = gauge(
    "eventgallery_subscriptions",
    &[],
    "Subscriptions that are open in this process",
);
pub(super) const DATABASE_CONNECTIONS: Name = gauge(
    "eventgallery_database_connections",
    &["pool", "state"],
    "Open connections to the database; one pool for both is called write",
);
pub(super) const DATABASE_STATEMENTS: Name = counter(
    "eventgallery_database_statements_total",
    &[],
    "SQL statements sent",
);

/// Every metric.
pub const NAMES: &[Name] = &[
    BUILD_INFO,
    REQUESTS,
    REQUEST_SECONDS,
    GRAPHQL_ERRORS,
    USER_ERRORS,
    JOBS,
    JOB_OLDEST_DUE,
    JOB_RUNS,
    JOB_RUN_SECONDS,
    REKOGNITION_CALLS,
    REKOGNITION_SECONDS,
    S3_CALLS,
    S3_SECONDS,
    ISSUER_FETCHES,
    URLS_SIGNED,
    UPLOADS_REAPED,
    EVENTS_WRITTEN,
    SUBSCRIPTIONS,
    DATABASE_CONNECTIONS,
    DATABASE_STATEMENTS,
];
