//! Decoding within bounded memory: what it takes is known from the file's headers before anything is
//! decoded.

use image::RgbImage;

use crate::{Format, Limits, MediaError, renditions};

mod jpeg;
mod png;
mod reduce;
mod vp8l;
mod webp;

use jpeg::Jpeg;
use png::Png;
use webp::Webp;

/// Longest ICC profile that is carried over to renditions; Display P3 of phones has some 500 bytes.
const MAX_PROFILE: usize = 16 * 1024;

/// Factors tried for what is made smaller while its pixels come: 120 megapixels of a single row
/// shrink to some thousand.
const MAX_FACTOR: u32 = 64;

/// A decoded picture, as stored: its orientation is not applied yet, transparency is white.
#[derive(Debug)]
pub struct Decoded {
    /// The pixels, fewer than [`Self::size`] where all of them would not have fitted.
    pub pixels: RgbImage,
    /// Width and height by the file's header.
    pub size: (u32, u32),
    /// ICC profile, if it fits RGB.
    pub profile: Option<Vec<u8>>,
}

/// How a picture is decoded, and what it takes.
#[derive(Debug)]
pub struct Plan<'a> {
    source: Source<'a>,
    size: (u32, u32),
    /// Of JPEG in eighths; of the others what the sides are divided by.
    scale: u32,
    memory: u64,
}

#[derive(Debug)]
enum Source<'a> {
    Jpeg(Jpeg<'a>),
    Png(Png<'a>),
    Webp(Webp<'a>),
}

/// What decoding takes.
#[derive(Clone, Copy, Debug)]
struct Need {
    /// Bytes at the worst moment, until the pixels are there.
    decoding: u64,
    /// Of the pixels then.
    size: (u32, u32),
}

impl Need {
    /// Bytes at the worst moment, renditions included.
    fn memory(self) -> u64 {
        self.decoding.max(renditions::memory(self.size))
    }
}

impl<'a> Source<'a> {
    fn read(bytes: &'a [u8], format: Format) -> Result<Self, MediaError> {
        Ok(match format {
            Format::Jpeg => Self::Jpeg(Jpeg::read(bytes)?),
            Format::Png => Self::Png(Png::read(bytes)?),
            Format::Webp => Self::Webp(Webp::read(bytes)?),
        })
    }

    fn size(&self) -> (u32, u32) {
        match self {
            Self::Jpeg(jpeg) => jpeg.size,
            Self::Png(png) => png.size,
            Self::Webp(webp) => webp.size,
        }
    }

    /// The scales at which it may be decoded, the best first.
    fn scales(&self) -> Vec<u32> {
        match self {
            Self::Jpeg(jpeg) => jpeg.scales(),
            Self::Png(_) | Self::Webp(_) => {
                let (width, height) = self.size();
                let enough = width.max(height) / renditions::PREVIEW_SIDE;
                (1..=enough.clamp(1, MAX_FACTOR)).collect()
            }
        }
    }

    fn need(&self, scale: u32) -> Need {
        match self {
            Self::Jpeg(jpeg) => jpeg.need(scale),
            Self::Png(png) => png.need(scale),
            Self::Webp(webp) => webp.need(scale),
        }
    }
}

/// Reads the headers, and decides how the picture is decoded.
///
/// # Errors
/// [`MediaError::TooManyPixels`], [`MediaError::TooMuchMemory`]; [`MediaError::Truncated`] or
/// [`MediaError::Corrupt`] where the headers cannot be read.
pub fn plan(bytes: &[u8], format: Format, limits: Limits) -> Result<Plan<'_>, MediaError> {
    let source = Source::read(bytes, format)?;
    let size = source.size();
    let pixels = u64::from(size.0) * u64::from(size.1);
    if pixels > limits.max_pixels {
        return Err(MediaError::TooManyPixels {
            pixels,
            limit: limits.max_pixels,
        });
    }
    if pixels == 0 {
        return Err(MediaError::Corrupt);
    }
    let mut least = u64::MAX;
    for scale in source.scales() {
        let memory = source.need(scale).memory();
        if memory <= limits.memory {
            return Ok(Plan {
                source,
                size,
                scale,
                memory,
            });
        }
        least = least.min(memory);
    }
    Err(MediaError::TooMuchMemory {
        needed: least.div_ceil(MEBIBYTE),
        limit: limits.memory / MEBIBYTE,
    })
}

const MEBIBYTE: u64 = 1 << 20;

impl Plan<'_> {
    /// Width and height by the file's header.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Bytes that decoding and the renditions take at the worst moment; the file is not counted.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.memory
    }

    /// Decodes the picture; of an animation its first frame.
    ///
    /// # Errors
    /// [`MediaError::Truncated`], [`MediaError::Corrupt`].
    pub fn decode(self) -> Result<Decoded, MediaError> {
        let (size, scale) = (self.size, self.scale);
        let (profile, pixels) = match self.source {
            Source::Jpeg(jpeg) => (jpeg.profile(), jpeg.decode(scale)),
            Source::Png(png) => (png.profile(), png.decode(scale)),
            Source::Webp(webp) => (webp.profile(), webp.decode(scale)),
        };
        Ok(Decoded {
            pixels: pixels?,
            size,
            profile: profile.filter(|profile| profile.get(16..20) == Some(b"RGB ")),
        })
    }
}

/// Decoders report an early end within their own errors.
fn typed(error: &(dyn std::error::Error + 'static)) -> MediaError {
    let mut next = Some(error);
    while let Some(error) = next {
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::UnexpectedEof)
        {
            return MediaError::Truncated;
        }
        next = error.source();
    }
    MediaError::Corrupt
}

#[cfg(test)]
pub(crate) mod tests;
