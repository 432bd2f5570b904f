//! DataLoaders: one set per request, so that nothing that one viewer may see is kept for another.

use std::sync::Arc;

use async_graphql::Request;
use async_graphql::dataloader::DataLoader;

use super::Services;
use crate::access::Viewer;
use crate::auth::loader::UserLoader;
use crate::clock::Clock;
use crate::db::Db;

/// What loaders load from.
#[derive(Clone)]
pub struct Sources {
    /// Services.
    pub services: Services,
    /// Database.
    pub db: Db,
    /// Clock.
    pub clock: Clock,
}

/// Gives a request its viewer and its loaders.
#[must_use]
pub fn attach(request: Request, sources: &Sources, viewer: Viewer) -> Request {
    let users = UserLoader {
        auth: Arc::clone(&sources.services.auth),
    };
    request
        .data(viewer)
        .data(DataLoader::new(users, tokio::spawn))
}
