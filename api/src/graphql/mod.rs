//! The GraphQL layer: merged roots, ids, errors and pages as clients see them.

pub mod connection;
pub mod cost;
pub mod documents;
pub mod error;
pub mod execute;
pub mod id;
pub mod loaders;
pub mod node;
pub mod order;
pub mod pace;
pub mod pages;
pub mod problem;
pub mod schema;
pub mod signature;
pub mod subscription;

use std::sync::Arc;

use async_graphql::Context;

use crate::access::Viewer;
use crate::analysis::service::AnalysisService;
use crate::auth::service::AuthService;
use crate::event::service::EventService;
use crate::gallery::service::GalleryService;
use crate::people::service::PeopleService;
use crate::photo::service::PhotoService;
use crate::share::service::ShareService;
use crate::upload::service::UploadService;

/// Every service, for resolvers.
#[derive(Clone)]
pub struct Services {
    /// Accounts and tokens.
    pub auth: Arc<AuthService>,
    /// Galleries and members.
    pub gallery: Arc<GalleryService>,
    /// Photos.
    pub photo: Arc<PhotoService>,
    /// Uploads.
    pub upload: Arc<UploadService>,
    /// Analysis steps.
    pub analysis: Arc<AnalysisService>,
    /// People.
    pub people: Arc<PeopleService>,
    /// Share links.
    pub share: Arc<ShareService>,
    /// What happens in galleries.
    pub event: Arc<EventService>,
}

/// The services of this request.
pub fn services<'a>(ctx: &Context<'a>) -> &'a Services {
    ctx.data_unchecked::<Services>()
}

/// Who asks.
pub fn viewer(ctx: &Context<'_>) -> Viewer {
    ctx.data_opt::<Viewer>()
        .copied()
        .unwrap_or(Viewer::Anonymous)
}
