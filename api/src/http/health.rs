//! Probes for whoever runs the process.
//!
//! Ready means: send requests to this process rather than to none. Without the database it can
//! answer nothing, so it is not ready. Without the object store it still signs in, serves pages,
//! signs URLs and takes requests for uploads, and what needs the store says UNAVAILABLE, to be tried
//! again. The store is the same for all replicas: if it decided, an outage of it would take every
//! replica out of service and with them all that still works. So it is looked at and reported, and
//! alerts go by `eventgallery_s3_calls_total`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::db::Db;
use crate::storage::{ObjectStore, StorageError};

/// Longest wait for the database.
const DATABASE_PATIENCE: Duration = Duration::from_secs(2);
/// Longest wait for the object store: it must not make a probe that passes too slow to pass.
const STORE_PATIENCE: Duration = Duration::from_millis(800);

/// What is looked at.
#[derive(Clone)]
pub(super) struct Health {
    db: Db,
    store: Arc<dyn ObjectStore>,
    stop: CancellationToken,
}

impl Health {
    /// `stop` is cancelled once the process is told to stop.
    pub(super) fn new(db: Db, store: Arc<dyn ObjectStore>, stop: CancellationToken) -> Self {
        Self { db, store, stop }
    }

    async fn database(&self) -> &'static str {
        match tokio::time::timeout(DATABASE_PATIENCE, self.db.read().ping()).await {
            Ok(Ok(())) => "ok",
            Ok(Err(error)) => {
                tracing::warn!(%error, "not ready: the database");
                "unavailable"
            }
            Err(_) => {
                tracing::warn!("not ready: the database does not answer");
                "unavailable"
            }
        }
    }

    async fn object_store(&self) -> &'static str {
        match tokio::time::timeout(STORE_PATIENCE, self.store.answers()).await {
            Ok(Ok(())) => "ok",
            // It does answer. Without the right to list the bucket, for one, a missing object looks
            // like a forbidden one: whoever runs this wants to know.
            Ok(Err(StorageError::Refused(_))) => "refused",
            Ok(Err(StorageError::NotFound)) => "no bucket",
            Ok(Err(_)) | Err(_) => "unavailable",
        }
    }
}

/// The routes, for the API's port and for that of the operators.
pub(super) fn router<S>(health: Health) -> Router<S> {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .with_state(health)
}

/// The process answers.
async fn live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// The process can do its work: it is not stopping, and the database answers, too.
async fn ready(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    if health.stop.is_cancelled() {
        let body = Json(json!({ "status": "stopping" }));
        return (StatusCode::SERVICE_UNAVAILABLE, body);
    }
    let (database, object_store) = tokio::join!(health.database(), health.object_store());
    let (code, status) = match database {
        "ok" => (StatusCode::OK, "ok"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    let body = json!({ "status": status, "database": database, "objectStore": object_store });
    (code, Json(body))
}
