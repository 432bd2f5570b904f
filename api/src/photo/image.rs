//! Signed URLs of a request: one signing key and prefix serve every image of the page.

use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::clock::Clock;
use crate::error::Result;
use crate::storage::presign::{GetSigner, PageSigner, attachment};
use crate::storage::{ObjectKey, SignedUrl};

/// Signs the images of one request.
pub struct ImageUrls {
    signer: Arc<GetSigner>,
    clock: Clock,
    seconds: u32,
    page: OnceCell<PageSigner>,
}

impl ImageUrls {
    /// URLs that live for `seconds` from the start of their window.
    #[must_use]
    pub fn new(signer: Arc<GetSigner>, clock: Clock, seconds: u32) -> Self {
        Self {
            signer,
            clock,
            seconds,
            page: OnceCell::new(),
        }
    }

    /// A signed GET. With a file name the browser saves the object under it.
    ///
    /// # Errors
    /// `Unavailable` where no credentials can be had.
    pub async fn sign(&self, key: &ObjectKey, filename: Option<&str>) -> Result<SignedUrl> {
        let page = self
            .page
            .get_or_try_init(|| async { self.signer.page(self.clock.now(), self.seconds).await })
            .await?;
        Ok(page.get(key, filename.map(attachment).as_deref()))
    }
}
