//! The image of a request: where it comes from, its limits, and its pixels the right way up.
//!
//! Limits are those of "Guidelines and quotas in Amazon Rekognition": 5 MB as bytes, 15 MB as S3
//! object, 80 pixels at least and 10,000 at most on either side, JPEG or PNG. Decoding has a limit of
//! ours besides: a large image is decoded smaller, which no box shows, since boxes are relative; one
//! that cannot be (interlaced or progressive, beyond some 30 megapixels) is `ImageTooLarge` here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use image::{DynamicImage, RgbImage};
use media::{Format, Limits, MediaError};
use sha2::{Digest, Sha256};

use super::error::ApiError;
use super::request::{Image, S3Object, required, violation};
use super::{ObjectError, Rekognition};

const MAX_INLINE_BYTES: usize = 5 << 20;
const MAX_OBJECT_BYTES: u64 = 15 << 20;
const MIN_SIDE: u32 = 80;
const MAX_SIDE: u32 = 10_000;
const LIMITS: Limits = Limits {
    max_pixels: MAX_SIDE as u64 * MAX_SIDE as u64,
    memory: 128 << 20,
};

/// The encoded image, not looked at yet.
pub(crate) struct SourceImage {
    bytes: Bytes,
    /// SHA-256 of the bytes: what an image is remembered by.
    pub(crate) digest: [u8; 32],
}

impl Rekognition {
    /// Fetches the bytes of an `Image`; `member` as errors spell it (`sourceImage`).
    pub(crate) async fn source_image(
        &self,
        image: Option<Image>,
        member: &str,
    ) -> Result<SourceImage, ApiError> {
        let image = required(image, member)?;
        let bytes = match (image.bytes, image.s3_object) {
            (Some(text), None) => inline(&text, member)?,
            (None, Some(object)) => self.object(object, member).await?,
            _ => return Err(ApiError::invalid_parameters()),
        };
        Ok(SourceImage::new(bytes))
    }

    async fn object(&self, object: S3Object, member: &str) -> Result<Bytes, ApiError> {
        let bucket = required(object.bucket, &format!("{member}.s3Object.bucket"))?;
        let name = required(object.name, &format!("{member}.s3Object.name"))?;
        let version = object.version.as_deref();
        self.objects
            .read(&bucket, &name, version, MAX_OBJECT_BYTES)
            .await
            .map_err(|error| match error {
                ObjectError::NotFound => ApiError::InvalidS3Object,
                ObjectError::TooLarge { size } => too_large(size, MAX_OBJECT_BYTES),
                ObjectError::Unreadable(cause) => ApiError::Internal(cause.to_string()),
            })
    }
}

fn inline(text: &str, member: &str) -> Result<Bytes, ApiError> {
    // Checked on the text, so that nothing large is decoded only to be refused.
    if text.len() / 4 * 3 > MAX_INLINE_BYTES + 2 {
        return Err(too_large(
            (text.len() / 4 * 3) as u64,
            MAX_INLINE_BYTES as u64,
        ));
    }
    let bytes = STANDARD
        .decode(text)
        .map_err(|error| ApiError::Serialization(format!("{member}.bytes: {error}")))?;
    if bytes.is_empty() {
        let member = format!("{member}.bytes");
        return Err(violation(
            "",
            &member,
            "have length greater than or equal to 1",
        ));
    }
    if bytes.len() > MAX_INLINE_BYTES {
        return Err(too_large(bytes.len() as u64, MAX_INLINE_BYTES as u64));
    }
    Ok(bytes.into())
}

fn too_large(size: u64, limit: u64) -> ApiError {
    ApiError::ImageTooLarge(format!(
        "Image size of {size} bytes exceeds the allowed limit of {limit} bytes"
    ))
}

impl SourceImage {
    pub(crate) fn new(bytes: Bytes) -> Self {
        let digest = Sha256::digest(&bytes).into();
        Self { bytes, digest }
    }

    /// The same image, remembered apart from itself as a whole: another look finds other faces.
    pub(crate) fn looked_at_in_parts(mut self) -> Self {
        self.digest = Sha256::new()
            .chain_update(b"parts")
            .chain_update(self.digest)
            .finalize()
            .into();
        self
    }

    /// Decodes, after the header has shown that the pixels are worth decoding.
    ///
    /// The EXIF orientation of a JPEG is applied, so that every box is relative to the image as
    /// shown; a PNG's is not looked at ("Getting image orientation and bounding box coordinates"
    /// in the developer guide). Takes some ten milliseconds: not for an async thread.
    ///
    /// # Errors
    /// [`ApiError::InvalidImageFormat`], [`ApiError::ImageTooLarge`], or invalid parameters for
    /// an image below 80 pixels, as the service answers it.
    pub(crate) fn decode(&self) -> Result<RgbImage, ApiError> {
        let format = match media::sniff::sniff(&self.bytes) {
            Ok(format @ (Format::Jpeg | Format::Png)) => format,
            _ => return Err(ApiError::InvalidImageFormat),
        };
        let plan = media::decode::plan(&self.bytes, format, LIMITS).map_err(unreadable)?;
        let (width, height) = plan.size();
        if width < MIN_SIDE || height < MIN_SIDE {
            return Err(ApiError::invalid_parameters());
        }
        if width > MAX_SIDE || height > MAX_SIDE {
            return Err(ApiError::ImageTooLarge(format!(
                "Image of {width} x {height} pixels exceeds the allowed limit of {MAX_SIDE} x {MAX_SIDE}"
            )));
        }
        let pixels = plan.decode().map_err(unreadable)?.pixels;
        if format == Format::Png {
            return Ok(pixels);
        }
        let mut image = DynamicImage::ImageRgb8(pixels);
        image.apply_orientation(media::metadata::read(&self.bytes, format).orientation);
        Ok(image.into_rgb8())
    }
}

fn unreadable(error: MediaError) -> ApiError {
    match error {
        MediaError::TooManyPixels { .. } | MediaError::TooMuchMemory { .. } => {
            ApiError::ImageTooLarge(format!("Image exceeds the allowed limit: {error}"))
        }
        _ => {
            tracing::debug!(%error, "an image that cannot be decoded");
            ApiError::InvalidImageFormat
        }
    }
}
