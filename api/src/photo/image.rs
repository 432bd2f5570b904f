//! Signed URLs of a request: one signing key and prefix serve every image of the page. A subscription
//! is a request that lives for hours: its signer is made anew when the page's time is over.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::error::Result;
use crate::storage::presign::{GetSigner, PageSigner, attachment};
use crate::storage::{ObjectKey, SignedUrl};

/// Signs the images of one request.
pub struct ImageUrls {
    signer: Arc<GetSigner>,
    clock: Clock,
    seconds: u32,
    page: Mutex<Option<PageSigner>>,
}

impl ImageUrls {
    /// URLs that live for `seconds` from the start of their window.
    #[must_use]
    pub fn new(signer: Arc<GetSigner>, clock: Clock, seconds: u32) -> Self {
        Self {
            signer,
            clock,
            seconds,
            page: Mutex::default(),
        }
    }

    /// A signed GET. With a file name the browser saves the object under it.
    ///
    /// # Errors
    /// `Unavailable` where no credentials can be had.
    pub async fn sign(&self, key: &ObjectKey, filename: Option<&str>) -> Result<SignedUrl> {
        let now = self.clock.now();
        let mut held = self.page.lock().await;
        let page = match held.take().filter(|page| page.is_current(now)) {
            Some(page) => page,
            None => self.signer.page(now, self.seconds).await?,
        };
        let url = page.get(key, filename.map(attachment).as_deref());
        *held = Some(page);
        Ok(url)
    }
}
