//! DataLoaders: one set per request, so that nothing that one viewer may see is kept for another.

use std::sync::Arc;

use async_graphql::Request;
use async_graphql::dataloader::DataLoader;
use futures::future::BoxFuture;
use tracing::Instrument as _;

use super::Services;
use crate::access::Viewer;
use crate::auth::loader::UserLoader;
use crate::clock::Clock;
use crate::db::Db;
use crate::gallery::loader::{CoverLoader, GalleryLoader, PhotoCountLoader};
use crate::metrics::Metrics;
use crate::people::loader::{FaceLoader, PersonLoader};
use crate::photo::image::ImageUrls;
use crate::storage::presign::GetSigner;

/// What loaders load from.
#[derive(Clone)]
pub struct Sources {
    /// Services.
    pub services: Services,
    /// Database.
    pub db: Db,
    /// The machine's clock, for signing.
    pub clock: Clock,
    /// Signs image URLs.
    pub signer: Arc<GetSigner>,
    /// Life of a signed GET in seconds.
    pub get_url_seconds: u32,
    /// Counts requests and errors.
    pub metrics: Metrics,
}

/// Gives a request its viewer and its loaders.
#[must_use]
pub fn attach(request: Request, sources: &Sources, viewer: Viewer) -> Request {
    let users = UserLoader {
        auth: Arc::clone(&sources.services.auth),
    };
    let galleries = GalleryLoader {
        db: sources.db.clone(),
        viewer,
    };
    let counts = PhotoCountLoader {
        db: sources.db.clone(),
    };
    let covers = CoverLoader {
        db: sources.db.clone(),
    };
    let people = PersonLoader(Arc::clone(&sources.services.people));
    let faces = FaceLoader(Arc::clone(&sources.services.people));
    let images = ImageUrls::new(
        Arc::clone(&sources.signer),
        sources.clock.clone(),
        sources.get_url_seconds,
    );
    request
        .data(viewer)
        .data(images)
        .data(DataLoader::new(users, spawn))
        .data(DataLoader::new(galleries, spawn))
        .data(DataLoader::new(counts, spawn))
        .data(DataLoader::new(covers, spawn))
        .data(DataLoader::new(people, spawn))
        .data(DataLoader::new(faces, spawn))
}

/// Within the request's span: what a loader logs carries the request's id.
fn spawn(load: BoxFuture<'static, ()>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(load.in_current_span())
}
