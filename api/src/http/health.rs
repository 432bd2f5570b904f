//! Probes for whoever runs the process.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};

use super::Shared;

/// Longest wait for the database.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process answers.
pub(super) async fn live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// The process can do its work: it is not stopping, and the database answers, too.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<Value>) {
    if shared.stop.is_cancelled() {
        return unavailable("stopping");
    }
    match tokio::time::timeout(PATIENCE, shared.db.read().ping()).await {
        Ok(Ok(())) => (StatusCode::OK, Json(json!({ "status": "ok" }))),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready: the database");
            unavailable("database")
        }
        Err(_) => {
            tracing::warn!("not ready: the database does not answer");
            unavailable("database")
        }
    }
}

fn unavailable(what: &str) -> (StatusCode, Json<Value>) {
    let body = Json(json!({ "status": "unavailable", "what": what }));
    (StatusCode::SERVICE_UNAVAILABLE, body)
}
