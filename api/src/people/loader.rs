//! Batched loading of people and faces within one request.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::Loader;
use entity::{FaceId, PersonId, person};

use super::service::{FaceInPhoto, PeopleService};
use crate::error::Error;

/// Loads people by id, one statement a batch. Ask only on behalf of an authorised object of the
/// same gallery.
pub struct PersonLoader(pub Arc<PeopleService>);

impl Loader<PersonId> for PersonLoader {
    type Value = person::Model;
    type Error = Arc<Error>;

    async fn load(&self, ids: &[PersonId]) -> Result<HashMap<PersonId, Self::Value>, Self::Error> {
        self.0.people(ids).await.map_err(Arc::new)
    }
}

/// Loads faces with their photos by id, one statement a batch; else as [`PersonLoader`].
pub struct FaceLoader(pub Arc<PeopleService>);

impl Loader<FaceId> for FaceLoader {
    type Value = FaceInPhoto;
    type Error = Arc<Error>;

    async fn load(&self, ids: &[FaceId]) -> Result<HashMap<FaceId, Self::Value>, Self::Error> {
        self.0.faces(ids).await.map_err(Arc::new)
    }
}
