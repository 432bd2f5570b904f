//! The port for whoever runs the process. It is apart from the API's, so that the metrics stay
//! within the cluster and answer in a process that only works on the queue, too.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::CONTENT_TYPE;
use tokio_util::sync::CancellationToken;

use super::health::{self, Health};
use crate::db::Db;
use crate::metrics::{self, Scrape};
use crate::storage::ObjectStore;

/// `/metrics` and the health checks. `stop` is cancelled once the process is told to stop.
pub fn operations(
    scrape: Scrape,
    db: Db,
    store: Arc<dyn ObjectStore>,
    stop: CancellationToken,
) -> Router {
    Router::new()
        .route("/metrics", get(self::scrape))
        .with_state(Arc::new(scrape))
        .merge(health::router(Health::new(db, store, stop)))
}

async fn scrape(State(scrape): State<Arc<Scrape>>) -> Response {
    let text = scrape.text().await;
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
}
