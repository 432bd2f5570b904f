//! Decoding, with the header looked at first.

use std::io::Cursor;

use image::{
    ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage,
    RgbaImage,
};

use crate::{Format, MediaError, jpeg_markers};

/// Longest ICC profile that is carried over to renditions; Display P3 of phones has some 500 bytes.
const MAX_PROFILE: usize = 16 * 1024;

/// What the header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Width in pixels as stored (orientation not applied).
    pub width: u32,
    /// Height in pixels as stored.
    pub height: u32,
    /// Bytes a decoded pixel takes at the worst moment.
    bytes_per_pixel: u64,
}

impl Header {
    /// Bytes that decoding takes at the worst moment, for a file of `file` bytes. The decoder of
    /// JPEG holds a copy of the file.
    #[must_use]
    pub fn peak_memory(&self, file: u64) -> u64 {
        u64::from(self.width) * u64::from(self.height) * self.bytes_per_pixel + 2 * file
    }
}

/// A decoded picture in one of two layouts.
#[derive(Debug)]
pub enum Pixels {
    /// Without transparency.
    Rgb(RgbImage),
    /// With transparency.
    Rgba(RgbaImage),
}

/// A decoded picture, as stored: its orientation is not applied yet.
#[derive(Debug)]
pub struct Decoded {
    /// The pixels.
    pub pixels: Pixels,
    /// ICC profile, if it fits RGB.
    pub profile: Option<Vec<u8>>,
}

/// Reads the dimensions, and nothing else, of the file.
///
/// # Errors
/// [`MediaError::TooManyPixels`]; [`MediaError::Truncated`] or [`MediaError::Corrupt`] where the
/// header cannot be read.
pub fn header(bytes: &[u8], format: Format, max_pixels: u64) -> Result<Header, MediaError> {
    let mut bytes_per_pixel = 0;
    if format == Format::Jpeg {
        let mut segments = jpeg_markers::segments(bytes);
        let progressive = segments
            .by_ref()
            .any(|segment| matches!(segment.marker, 0xc2 | 0xc6 | 0xca | 0xce));
        segments.by_ref().for_each(drop);
        if !segments.is_complete() {
            return Err(MediaError::Truncated);
        }
        if progressive {
            // Three components of 16-bit coefficients.
            bytes_per_pixel += 6;
        }
    }
    let decoder = decoder(bytes, format, max_pixels)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > max_pixels {
        return Err(MediaError::TooManyPixels {
            pixels,
            limit: max_pixels,
        });
    }
    if pixels == 0 {
        return Err(MediaError::Corrupt);
    }
    let color = decoder.color_type();
    bytes_per_pixel += u64::from(color.bytes_per_pixel());
    if !matches!(color, ColorType::Rgb8 | ColorType::Rgba8) {
        // The converted copy stands beside the original for a moment.
        bytes_per_pixel += if color.has_alpha() { 4 } else { 3 };
    }
    Ok(Header {
        width,
        height,
        bytes_per_pixel,
    })
}

/// Decodes the picture; of an animation its first frame.
///
/// # Errors
/// As [`header`].
pub fn decode(bytes: &[u8], format: Format, max_pixels: u64) -> Result<Decoded, MediaError> {
    header(bytes, format, max_pixels)?;
    let mut decoder = decoder(bytes, format, max_pixels)?;
    let profile = decoder
        .icc_profile()
        .ok()
        .flatten()
        .filter(|profile| profile.len() <= MAX_PROFILE && profile.get(16..20) == Some(b"RGB "));
    let image = DynamicImage::from_decoder(decoder).map_err(|error| typed(&error))?;
    let pixels = match image {
        DynamicImage::ImageRgb8(image) => Pixels::Rgb(image),
        DynamicImage::ImageRgba8(image) => Pixels::Rgba(image),
        other if other.color().has_alpha() => Pixels::Rgba(other.into_rgba8()),
        other => Pixels::Rgb(other.into_rgb8()),
    };
    Ok(Decoded { pixels, profile })
}

fn decoder<'a>(
    bytes: &'a [u8],
    format: Format,
    max_pixels: u64,
) -> Result<impl ImageDecoder + 'a, MediaError> {
    let mut reader = ImageReader::with_format(
        Cursor::new(bytes),
        match format {
            Format::Jpeg => ImageFormat::Jpeg,
            Format::Png => ImageFormat::Png,
            Format::Webp => ImageFormat::WebP,
        },
    );
    // The pixel limit holds for the header; this one for decoders that allocate on the way.
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(max_pixels.saturating_mul(8).saturating_add(64 << 20));
    reader.limits(limits);
    reader.into_decoder().map_err(|error| typed(&error))
}

fn typed(error: &ImageError) -> MediaError {
    match error {
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            MediaError::Truncated
        }
        ImageError::Decoding(decoding) if ends_early(decoding) => MediaError::Truncated,
        _ => MediaError::Corrupt,
    }
}

/// PNG and WebP report an early end within their own errors.
fn ends_early(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::UnexpectedEof)
        {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::renditions::tests::{jpeg, png, webp};

    fn picture() -> DynamicImage {
        DynamicImage::ImageRgb8(RgbImage::from_fn(300, 200, |x, y| {
            image::Rgb([
                (x * 7 % 256) as u8,
                (y * 5 % 256) as u8,
                (x * y % 256) as u8,
            ])
        }))
    }

    /// A PNG whose header promises far more than its few bytes hold.
    fn bomb(side: u32) -> Vec<u8> {
        let mut file = png(&DynamicImage::new_luma8(1, 1));
        file[16..20].copy_from_slice(&side.to_be_bytes());
        file[20..24].copy_from_slice(&side.to_be_bytes());
        let crc = crc32(&file[12..29]);
        file[29..33].copy_from_slice(&crc.to_be_bytes());
        file
    }

    pub(crate) fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
            })
        })
    }

    #[test]
    fn a_bomb_is_refused_by_its_header() {
        let error = decode(&bomb(50_000), Format::Png, 120_000_000).unwrap_err();
        assert_eq!(
            error,
            MediaError::TooManyPixels {
                pixels: 2_500_000_000,
                limit: 120_000_000
            }
        );
        // The same file within the limit is only cut off: the limit is what refused it.
        let error = decode(&bomb(1_000), Format::Png, 120_000_000).unwrap_err();
        assert!(matches!(error, MediaError::Truncated | MediaError::Corrupt));
    }

    #[test]
    fn cut_off_files_are_refused_in_every_format() {
        for (format, file) in [
            (Format::Jpeg, jpeg(&picture(), None)),
            (Format::Png, png(&picture())),
            (Format::Webp, webp(&picture())),
        ] {
            assert!(decode(&file, format, 1_000_000).is_ok(), "{format:?}");
            for part in [3, 8, 10] {
                let cut = &file[..file.len() * part / 11];
                let error = decode(cut, format, 1_000_000).unwrap_err();
                assert!(
                    matches!(error, MediaError::Truncated | MediaError::Corrupt),
                    "{format:?} {part}/11: {error}"
                );
            }
        }
        let cut = &jpeg(&picture(), None)[..2_000];
        assert_eq!(
            decode(cut, Format::Jpeg, 1_000_000).unwrap_err().code(),
            "TRUNCATED"
        );
    }

    #[test]
    fn memory_is_estimated_from_the_header() {
        let file = jpeg(&picture(), None);
        let header = header(&file, Format::Jpeg, 1_000_000).unwrap();
        assert_eq!((header.width, header.height), (300, 200));
        assert_eq!(header.peak_memory(0), 300 * 200 * 3);
        let gray = png(&DynamicImage::new_luma16(10, 10));
        let header = super::header(&gray, Format::Png, 1_000).unwrap();
        assert_eq!(header.peak_memory(7), 100 * (2 + 3) + 14);
    }
}
