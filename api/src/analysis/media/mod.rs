//! Pictures: what they are, what EXIF says of them, and the renditions made of them.
//!
//! Pure: bytes in, bytes out, no IO. [`Media`] runs it on the blocking pool and bounds the memory
//! that all pictures of a process take together.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

pub mod decode;
pub mod exif;
mod jpeg_end;
pub mod renditions;
pub mod sniff;

pub use exif::Facts;
pub use renditions::Rendition;
pub use sniff::Format;

/// Why a picture is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// None of JPEG, PNG and WebP.
    #[error("the file is {0}; send JPEG, PNG or WebP")]
    UnsupportedFormat(&'static str),
    /// A format that we take, but not the declared one.
    #[error("the file is {actual}, but was announced as {declared}")]
    ContentTypeMismatch {
        /// MIME type as announced.
        declared: String,
        /// What the bytes are.
        actual: &'static str,
    },
    /// The file ends too early.
    #[error("the file is cut off")]
    Truncated,
    /// The decoder cannot make a picture of it.
    #[error("the file is damaged")]
    Corrupt,
    /// More pixels than allowed.
    #[error("the picture has {pixels} pixels, more than the {limit} allowed")]
    TooManyPixels {
        /// Width times height by the file's header.
        pixels: u64,
        /// The limit.
        limit: u64,
    },
}

impl MediaError {
    /// Stable code, as clients see it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnsupportedFormat(_) => "UNSUPPORTED_FORMAT",
            Self::ContentTypeMismatch { .. } => "CONTENT_TYPE_MISMATCH",
            Self::Truncated => "TRUNCATED",
            Self::Corrupt => "CORRUPT",
            Self::TooManyPixels { .. } => "TOO_MANY_PIXELS",
        }
    }
}

/// What is made of an uploaded picture.
#[derive(Clone, Debug)]
pub struct Processed {
    /// Width in pixels as shown (EXIF orientation applied).
    pub width: u32,
    /// Height in pixels as shown.
    pub height: u32,
    /// JPEG of at most [`renditions::PREVIEW_SIDE`] pixels a side and 5 MB.
    pub preview: Rendition,
    /// JPEG of at most [`renditions::THUMBNAIL_SIDE`] pixels a side.
    pub thumbnail: Rendition,
    /// ThumbHash, base64.
    pub thumbhash: String,
    /// What EXIF says.
    pub facts: Facts,
}

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
        let format = sniff::check(&bytes, declared)?;
        let header = decode::header(&bytes, format, self.settings.max_pixels)?;
        let wanted = header.peak_memory(bytes.len() as u64) / MEBIBYTE + 1;
        let wanted = u32::try_from(wanted).map_or(self.permits, |n| n.min(self.permits));
        let permit = Arc::clone(&self.memory).acquire_many_owned(wanted).await;
        let max_pixels = self.settings.max_pixels;
        let work = tokio::task::spawn_blocking(move || {
            // Held here, not by the caller: a caller that is stopped leaves this running.
            let _permit = permit;
            process(&bytes, format, max_pixels)
        });
        work.await.unwrap_or(Err(MediaError::Corrupt))
    }
}

/// As [`Media::process`], on this thread, for a format that was [checked](sniff::check).
///
/// # Errors
/// As [`Media::process`].
pub fn process(bytes: &[u8], format: Format, max_pixels: u64) -> Result<Processed, MediaError> {
    let facts = exif::read(bytes);
    let decoded = decode::decode(bytes, format, max_pixels)?;
    renditions::make(decoded, facts)
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
        let png = renditions::tests::png(&image::DynamicImage::new_rgb8(700, 500));
        let done = media.process(png.into(), "image/png").await.unwrap();
        assert_eq!((done.width, done.height), (700, 500));
        assert_eq!(media.memory.available_permits(), 1);
    }
}
