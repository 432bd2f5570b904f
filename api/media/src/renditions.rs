//! Preview, thumbnail and ThumbHash of a decoded picture.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder as _, RgbImage};

use super::decode::Decoded;
use super::{Facts, MediaError, Processed};

/// Longest side of the preview in pixels.
pub const PREVIEW_SIDE: u32 = 2048;

/// Longest side of the thumbnail in pixels.
pub const THUMBNAIL_SIDE: u32 = 320;

/// Most bytes of a preview: what Rekognition takes as bytes ("Guidelines and quotas": 5 MB, and
/// 15 MB as an S3 object).
const PREVIEW_BYTES: usize = 5_000_000;

/// Qualities tried for the preview until it is small enough. The last is taken as it is: noise of
/// 2048 by 2048 pixels stays below the limit with it.
const PREVIEW_QUALITIES: [u8; 4] = [85, 75, 60, 40];

const THUMBNAIL_QUALITY: u8 = 80;

/// Longest side that ThumbHash takes.
const HASH_SIDE: u32 = 100;

/// A JPEG without EXIF, so without place and time.
#[derive(Clone, Debug)]
pub struct Rendition {
    /// The file.
    pub bytes: Bytes,
    /// Width in pixels as shown.
    pub width: u32,
    /// Height in pixels as shown.
    pub height: u32,
}

/// Makes all renditions. The full picture is dropped once the preview exists: what turns, flattens
/// and shrinks further works on the small one.
pub(super) fn make(decoded: Decoded, facts: Facts) -> Result<Processed, MediaError> {
    let Decoded {
        pixels,
        size: stored,
        profile,
    } = decoded;
    let decoded = pixels.dimensions();
    let (width, height) = fit(stored, PREVIEW_SIDE);
    let raw = resize(pixels.into_raw(), decoded, (width, height))?;
    let small = RgbImage::from_raw(width, height, raw).ok_or(MediaError::Corrupt)?;
    let mut preview = DynamicImage::ImageRgb8(small);
    preview.apply_orientation(facts.orientation);
    let preview = preview.into_rgb8();
    let turned = facts.orientation.to_exif() >= 5;
    let (width, height) = if turned { (stored.1, stored.0) } else { stored };
    let thumbnail = shrink(&preview, THUMBNAIL_SIDE)?;
    let hash = thumbhash(&shrink(&thumbnail, HASH_SIDE)?);
    Ok(Processed {
        width,
        height,
        preview: encode_within(&preview, profile.as_deref())?,
        thumbnail: encode(&thumbnail, profile.as_deref(), THUMBNAIL_QUALITY)?,
        thumbhash: hash,
        facts,
    })
}

/// The size with its longest side at most `side`, never larger than it was.
fn fit((width, height): (u32, u32), side: u32) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= side {
        return (width, height);
    }
    let scaled = |length: u32| {
        let scaled =
            (u64::from(length) * u64::from(side) + u64::from(longest) / 2) / u64::from(longest);
        u32::try_from(scaled).unwrap_or(side).max(1)
    };
    (scaled(width), scaled(height))
}

fn shrink(image: &RgbImage, side: u32) -> Result<RgbImage, MediaError> {
    let size = image.dimensions();
    let (width, height) = fit(size, side);
    if (width, height) == size {
        return Ok(image.clone());
    }
    let raw = resized(image.as_raw(), size, (width, height))?;
    RgbImage::from_raw(width, height, raw).ok_or(MediaError::Corrupt)
}

/// Takes the picture, so that it is gone before anything else is made.
fn resize(raw: Vec<u8>, from: (u32, u32), to: (u32, u32)) -> Result<Vec<u8>, MediaError> {
    if from == to {
        return Ok(raw);
    }
    resized(&raw, from, to)
}

fn resized(raw: &[u8], from: (u32, u32), to: (u32, u32)) -> Result<Vec<u8>, MediaError> {
    let pixel = PixelType::U8x3;
    let source = ImageRef::new(from.0, from.1, raw, pixel).map_err(|_| MediaError::Corrupt)?;
    let mut target = Image::new(to.0, to.1, pixel);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new()
        .resize(&source, &mut target, &options)
        .map_err(|_| MediaError::Corrupt)?;
    Ok(target.into_vec())
}

/// Bytes that making the renditions of a decoded picture takes at the worst moment, the picture
/// counted: while it is resized (first in one direction), or while the preview is encoded.
pub(super) fn memory((width, height): (u32, u32)) -> u64 {
    let (to_width, to_height) = fit((width, height), PREVIEW_SIDE);
    let bytes = |width: u32, height: u32| u64::from(width) * u64::from(height) * 3;
    let preview = bytes(to_width, to_height);
    let between = bytes(to_width, height).max(bytes(width, to_height));
    let weights = weights(width, to_width) + weights(height, to_height);
    (bytes(width, height) + between + preview + weights).max(preview * 4)
}

/// Bytes that the resizer takes for the weights of all pixels of a side. A pixel of the result is
/// made of three times the ratio to the left and to the right; a weight is held as an f64, and as an
/// i32 of the same at most. That is next to nothing, but for a picture that is millions of pixels long.
fn weights(from: u32, to: u32) -> u64 {
    if from == to {
        return 0;
    }
    (u64::from(from) * 6 + u64::from(to) * 3) * 12
}

fn encode_within(image: &RgbImage, profile: Option<&[u8]>) -> Result<Rendition, MediaError> {
    let mut last = None;
    for quality in PREVIEW_QUALITIES {
        let rendition = encode(image, profile, quality)?;
        if rendition.bytes.len() <= PREVIEW_BYTES {
            return Ok(rendition);
        }
        last = Some(rendition);
    }
    last.ok_or(MediaError::Corrupt)
}

fn encode(image: &RgbImage, profile: Option<&[u8]>, quality: u8) -> Result<Rendition, MediaError> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    if let Some(profile) = profile {
        encoder
            .set_icc_profile(profile.to_vec())
            .map_err(|_| MediaError::Corrupt)?;
    }
    let (width, height) = image.dimensions();
    encoder
        .write_image(image.as_raw(), width, height, ExtendedColorType::Rgb8)
        .map_err(|_| MediaError::Corrupt)?;
    Ok(Rendition {
        bytes: bytes.into(),
        width,
        height,
    })
}

fn thumbhash(image: &RgbImage) -> String {
    let rgba: Vec<u8> = image
        .pixels()
        .flat_map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2], 255])
        .collect();
    let (width, height) = (image.width() as usize, image.height() as usize);
    STANDARD.encode(thumbhash::rgba_to_thumb_hash(width, height, &rgba))
}

#[cfg(test)]
pub(crate) mod tests;
