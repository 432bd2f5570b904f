//! Pictures: what they are, what EXIF says of them, and the renditions made of them.
//!
//! Pure: bytes in, bytes out, no IO, no clock. A crate of its own because the resizer and the JPEG
//! encoder are generic: they are compiled where they are used, and this crate is optimised in the
//! dev profile too.

pub mod decode;
mod jpeg_markers;
pub mod metadata;
mod parts;
mod png_chunks;
pub mod renditions;
mod riff_chunks;
pub mod sniff;

pub use metadata::Facts;
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
    /// Decoding takes more memory than allowed, however it is done.
    #[error(
        "decoding the picture takes {needed} MB of memory, more than the {limit} MB allowed; \
         baseline JPEG takes least"
    )]
    TooMuchMemory {
        /// In mebibytes.
        needed: u64,
        /// In mebibytes.
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
            Self::TooMuchMemory { .. } => "PIXELS_EXCEED_MEMORY",
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

/// What a picture may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels by the file's header.
    pub max_pixels: u64,
    /// Most bytes of memory while it is decoded and its renditions are made; the file itself is not
    /// counted.
    pub memory: u64,
}

/// Checks the bytes and makes the renditions, on this thread.
///
/// # Errors
/// Why the picture is not taken.
pub fn process(bytes: &[u8], declared: &str, limits: Limits) -> Result<Processed, MediaError> {
    let format = sniff::check(bytes, declared)?;
    let plan = decode::plan(bytes, format, limits)?;
    let facts = metadata::read(bytes, format);
    renditions::make(plan.decode()?, facts)
}

/// Checks format and headers, and tells how many bytes of memory [`process`] takes at the worst
/// moment, the file itself not counted. As long as the file may be, this walks over it: not for an
/// async thread.
///
/// # Errors
/// As [`process`], as far as the headers tell.
pub fn peak_memory(bytes: &[u8], declared: &str, limits: Limits) -> Result<u64, MediaError> {
    let format = sniff::check(bytes, declared)?;
    Ok(decode::plan(bytes, format, limits)?.memory())
}
