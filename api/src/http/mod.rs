//! HTTP: the `/graphql` door on every transport, GraphiQL and health probes.

mod accept;
mod bearer;
mod bodies;
mod events;
mod graphiql;
mod graphql;
mod health;
mod live;
mod operations;
mod parameters;
mod proxy;
mod retry;
pub mod server;
mod socket;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use async_graphql::ServerError;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{any, get};
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, Method, StatusCode};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate as _, SizeAbove};
use tower_http::cors::{Any, CorsLayer};

pub use graphiql::EXAMPLES;
pub use live::LiveConnections;
pub use operations::operations;

use crate::auth::service::AuthService;
use crate::clock::Clock;
use crate::db::Db;
use crate::graphql::Services;
use crate::graphql::documents::{Documents, Unknown};
use crate::graphql::execute::Executor;
use crate::graphql::loaders::Sources;
use crate::metrics::Metrics;
use crate::storage::ObjectStore;
use crate::storage::presign::GetSigner;
use bodies::LargeBodies;
use graphiql::Graphiql;

/// Answers shorter than this are not worth a gzip header.
const COMPRESS_ABOVE_BYTES: u16 = 8 * 1024;
/// Browsers may keep what a preflight said for this long.
const PREFLIGHT_SECONDS: u64 = 24 * 60 * 60;

/// What the routes are made of.
pub struct Door {
    /// Services.
    pub services: Services,
    /// Database.
    pub db: Db,
    /// Object store.
    pub store: Arc<dyn ObjectStore>,
    /// Clock.
    pub clock: Clock,
    /// This machine's own clock, for signing: S3 compares it with its own.
    pub own_clock: Clock,
    /// Signs image URLs.
    pub signer: Arc<GetSigner>,
    /// Life of a signed GET in seconds.
    pub get_url_seconds: u32,
    /// Whether browsers get GraphiQL.
    pub graphiql: bool,
    /// Cancelled once the process is told to stop.
    pub stop: CancellationToken,
    /// Sockets and event streams; whoever stops the process closes them.
    pub live: LiveConnections,
    /// Counts requests and errors.
    pub metrics: Metrics,
    /// Documents that are known.
    pub documents: Documents,
    /// Proxies in front of us that append to `X-Forwarded-For`.
    pub trusted_proxies: u8,
}

/// What handlers share.
struct Shared {
    executor: Executor,
    auth: Arc<AuthService>,
    clock: Clock,
    graphiql: Option<Graphiql>,
    live: LiveConnections,
    bodies: LargeBodies,
}

/// The body of an answer to what was not executed.
#[derive(Serialize)]
struct Errors {
    errors: Vec<ServerError>,
}

/// The routes, for [`server::serve`]: sign-ins are limited by the address that it tells.
pub fn router(door: Door) -> Router {
    let auth = Arc::clone(&door.services.auth);
    let proxies = usize::from(door.trusted_proxies);
    if door.documents.trusted() > 0 {
        let documents = door.documents.trusted();
        tracing::info!(documents, "trusted documents are known");
        for Unknown { id, name } in door.documents.unknown() {
            tracing::warn!(
                document = id,
                unknown = name,
                "a trusted document asks for what the schema does not have"
            );
        }
    }
    let sources = Sources {
        services: door.services,
        db: door.db.clone(),
        clock: door.own_clock,
        signer: door.signer,
        get_url_seconds: door.get_url_seconds,
        metrics: door.metrics,
    };
    let executor = Executor::new(sources, door.documents);
    let shared = Arc::new(Shared {
        executor,
        auth,
        clock: door.clock,
        graphiql: door.graphiql.then(Graphiql::new),
        live: door.live,
        bodies: LargeBodies::default(),
    });
    // Bearer tokens do not go along by themselves, as cookies would: any site may ask.
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .expose_headers([HeaderName::from_static(trace::REQUEST_ID), RETRY_AFTER])
        .max_age(Duration::from_secs(PREFLIGHT_SECONDS));
    // Compression would hold events back until it has enough of them.
    let compressed = SizeAbove::new(COMPRESS_ABOVE_BYTES).and(NotForContentType::SSE);
    Router::new()
        .route("/graphql", any(graphql::serve))
        .layer(cors)
        .route("/graphiql/{name}", get(graphiql::file))
        .layer(CompressionLayer::new().compress_when(compressed))
        .route("/", get(front))
        .merge(health::router(health::Health::new(
            door.db, door.store, door.stop,
        )))
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&shared),
            trace::trace,
        ))
        .layer(axum::middleware::from_fn(move |request, next| {
            proxy::resolve(proxies, request, next)
        }))
        .with_state(shared)
}

/// Whoever opens the address in a browser wants GraphiQL.
async fn front(State(shared): State<Arc<Shared>>) -> Response {
    match shared.graphiql {
        Some(_) => Redirect::temporary("/graphql").into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
