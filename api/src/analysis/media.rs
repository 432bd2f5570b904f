//! Pictures off the async threads, within bounded memory.

use std::sync::Arc;

use bytes::Bytes;
pub use media::{Facts, Format, MediaError, Processed, Rendition};
use tokio::sync::Semaphore;

/// Limits for pictures.
#[derive(Clone, Copy, Debug)]
pub struct MediaSettings {
    /// Most pixels a picture may have.
    pub max_pixels: u64,
    /// Bytes that all pictures being decoded in this process may take together; one larger picture
    /// is decoded alone.
    pub memory: u64,
}

/// Makes renditions on the blocking pool. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Media {
    settings: MediaSettings,
    /// A permit is a mebibyte.
    memory: Arc<Semaphore>,
    permits: u32,
}

const MEBIBYTE: u64 = 1 << 20;

impl Media {
    /// With these limits.
    #[must_use]
    pub fn new(settings: MediaSettings) -> Self {
        let permits = u32::try_from((settings.memory / MEBIBYTE).clamp(1, 1 << 20)).unwrap_or(1);
        Self {
            settings,
            memory: Arc::new(Semaphore::new(permits as usize)),
            permits,
        }
    }

    /// Checks the bytes and makes the renditions.
    ///
    /// # Errors
    /// Why the picture is not taken. A decoder that panics counts as [`MediaError::Corrupt`].
    pub async fn process(&self, bytes: Bytes, declared: &str) -> Result<Processed, MediaError> {
        let max_pixels = self.settings.max_pixels;
        let wanted = media::peak_memory(&bytes, declared, max_pixels)? / MEBIBYTE + 1;
        let wanted = u32::try_from(wanted).map_or(self.permits, |n| n.min(self.permits));
        let permit = Arc::clone(&self.memory).acquire_many_owned(wanted).await;
        let declared = declared.to_owned();
        let work = tokio::task::spawn_blocking(move || {
            // Held here, not by the caller: a caller that is stopped leaves this running.
            let _permit = permit;
            media::process(&bytes, &declared, max_pixels)
        });
        work.await.unwrap_or(Err(MediaError::Corrupt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_picture_larger_than_the_budget_is_decoded_alone_instead_of_never() {
        let media = Media::new(MediaSettings {
            max_pixels: 1_000_000,
            memory: 1,
        });
        let mut png = std::io::Cursor::new(Vec::new());
        image::DynamicImage::new_rgb8(700, 500)
            .write_to(&mut png, image::ImageFormat::Png)
            .unwrap();
        let png = png.into_inner().into();
        let done = media.process(png, "image/png").await.unwrap();
        assert_eq!((done.width, done.height), (700, 500));
        assert_eq!(media.memory.available_permits(), 1);
    }
}
