//! Users by id, batched per request.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::Loader;
use entity::UserId;

use crate::auth::Profile;
use crate::auth::service::AuthService;
use crate::error::Error;

/// Loads the users that photos and memberships name. The caller has checked that the viewer may
/// see the object that names them.
#[derive(Debug)]
pub struct UserLoader {
    /// Accounts.
    pub auth: Arc<AuthService>,
}

impl Loader<UserId> for UserLoader {
    type Value = Profile;
    type Error = Arc<Error>;

    async fn load(&self, ids: &[UserId]) -> Result<HashMap<UserId, Profile>, Arc<Error>> {
        self.auth.profiles(ids).await.map_err(Arc::new)
    }
}
