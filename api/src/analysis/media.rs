//! Pictures off the async threads, within bounded memory.

use std::sync::Arc;

use bytes::Bytes;
use media::Limits;
pub use media::{Facts, Format, MediaError, Processed, Rendition};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Limits for pictures.
#[derive(Clone, Copy, Debug)]
pub struct MediaSettings {
    /// Most pixels a picture may have.
    pub max_pixels: u64,
    /// Bytes that all pictures being decoded in this process may take together. A picture that needs
    /// more by itself is decoded smaller, or refused.
    pub memory: u64,
    /// Bytes that all files held in this process for that may have together; one file at most.
    pub files: u64,
}

/// Makes renditions on the blocking pool. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Media {
    limits: Limits,
    decoding: Budget,
    files: Budget,
}

/// Memory that is handed out. Files and pixels have one each: whoever waits for memory to decode
/// holds a file, and could otherwise wait for those who wait behind it.
#[derive(Clone, Debug)]
struct Budget {
    /// A permit is a mebibyte.
    permits: Arc<Semaphore>,
    all: u32,
}

const MEBIBYTE: u64 = 1 << 20;

impl Budget {
    fn new(bytes: u64) -> Self {
        let all = u32::try_from(bytes.div_ceil(MEBIBYTE).clamp(1, 1 << 20)).unwrap_or(1);
        Self {
            permits: Arc::new(Semaphore::new(all as usize)),
            all,
        }
    }

    async fn take(&self, bytes: u64) -> Room {
        let wanted = u32::try_from(bytes.div_ceil(MEBIBYTE)).unwrap_or(self.all);
        let permits = Arc::clone(&self.permits);
        let permits = permits.acquire_many_owned(wanted.clamp(1, self.all)).await;
        // It is never closed.
        Room(permits.ok())
    }
}

/// Memory that was handed out; given back when dropped.
#[derive(Debug)]
pub struct Room(#[expect(dead_code, reason = "held, never read")] Option<OwnedSemaphorePermit>);

impl Media {
    /// With these limits.
    #[must_use]
    pub fn new(settings: MediaSettings) -> Self {
        Self {
            limits: Limits {
                max_pixels: settings.max_pixels,
                memory: settings.memory,
            },
            decoding: Budget::new(settings.memory),
            files: Budget::new(settings.files),
        }
    }

    /// Waits until a file of this length may be held.
    pub async fn room_for(&self, file: u64) -> Room {
        self.files.take(file).await
    }

    /// Checks the bytes, for which there is room, and makes the renditions.
    ///
    /// # Errors
    /// Why the picture is not taken. A decoder that panics counts as [`MediaError::Corrupt`].
    pub async fn process(
        &self,
        bytes: Bytes,
        room: Room,
        declared: &str,
    ) -> Result<Processed, MediaError> {
        let limits = self.limits;
        let (file, announced) = (bytes.clone(), declared.to_owned());
        let look = move || media::peak_memory(&file, &announced, limits);
        let needed = off_thread(look).await?;
        let memory = self.decoding.take(needed).await;
        let declared = declared.to_owned();
        off_thread(move || {
            // Held here, not by the caller: a caller that is stopped leaves this running.
            let _held = (room, memory);
            media::process(&bytes, &declared, limits)
        })
        .await
    }
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MediaError> + Send + 'static,
) -> Result<T, MediaError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or(Err(MediaError::Corrupt))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(memory: u64) -> Media {
        Media::new(MediaSettings {
            max_pixels: 10_000_000,
            memory,
            files: 3 * MEBIBYTE,
        })
    }

    fn png(width: u32, height: u32) -> Bytes {
        let mut png = std::io::Cursor::new(Vec::new());
        image::DynamicImage::new_rgb8(width, height)
            .write_to(&mut png, image::ImageFormat::Png)
            .unwrap();
        png.into_inner().into()
    }

    async fn process(media: &Media, png: Bytes) -> Result<Processed, MediaError> {
        let room = media.room_for(png.len() as u64).await;
        media.process(png, room, "image/png").await
    }

    #[tokio::test]
    async fn what_needs_more_than_there_is_never_waits() {
        let media = media(8 * MEBIBYTE);
        let done = process(&media, png(700, 500)).await.unwrap();
        assert_eq!((done.width, done.height), (700, 500));
        let error = process(&media, png(2000, 2000)).await.unwrap_err();
        assert_eq!(error.code(), "PIXELS_EXCEED_MEMORY");
        assert_eq!(media.decoding.permits.available_permits(), 8);
        assert_eq!(media.files.permits.available_permits(), 3);
    }

    #[tokio::test]
    async fn files_wait_for_each_other() {
        let media = media(8 * MEBIBYTE);
        let first = media.room_for(2 * MEBIBYTE).await;
        // Longer than all there is: alone.
        let mut second = std::pin::pin!(media.room_for(99 * MEBIBYTE));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        assert!(futures::poll!(&mut second).is_ready());
    }
}
