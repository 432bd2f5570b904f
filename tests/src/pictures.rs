//! Pictures for tests: samples with faces out of packages, and made ones. None is committed.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _, Rgb, RgbImage};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A file to upload.
#[derive(Clone, Debug)]
pub struct Picture {
    /// File name.
    pub name: String,
    /// MIME type to announce.
    pub content_type: &'static str,
    /// Content.
    pub bytes: Vec<u8>,
}

impl Picture {
    /// A JPEG file.
    #[must_use]
    pub fn jpeg(name: &str, bytes: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            content_type: "image/jpeg",
            bytes,
        }
    }

    /// The entry for `requestPhotoUploads`.
    #[must_use]
    pub fn file(&self) -> Value {
        json!({
            "clientRef": self.name,
            "filename": self.name,
            "contentType": self.content_type,
            "byteSize": self.bytes.len(),
            "sha256": hex::encode(Sha256::digest(&self.bytes)),
        })
    }
}

/// Sample pictures with people in them.
#[must_use]
pub fn samples() -> Vec<Picture> {
    assets::samples::PHOTOS
        .iter()
        .map(|photo| Picture::jpeg(photo.name, photo.bytes.to_vec()))
        .collect()
}

/// A picture with a gradient; each `seed` gives other bytes.
#[must_use]
pub fn gradient(width: u32, height: u32, seed: u8) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, seed])
    })
}

/// Encodes as JPEG.
#[must_use]
pub fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 90)
        .encode_image(picture)
        .expect("encoded");
    bytes
}

/// Encodes as PNG.
#[must_use]
pub fn png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(
            picture.as_raw(),
            picture.width(),
            picture.height(),
            ExtendedColorType::Rgb8,
        )
        .expect("encoded");
    bytes
}

/// A small JPEG without faces; each `seed` gives other bytes.
#[must_use]
pub fn plain(name: &str, seed: u8) -> Picture {
    Picture::jpeg(name, jpeg(&gradient(320, 240, seed)))
}

/// A PNG whose header claims `width` × `height` one-bit pixels, in a few bytes.
#[must_use]
pub fn huge_png(width: u32, height: u32) -> Vec<u8> {
    let mut header = Vec::from(*b"IHDR");
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([1, 0, 0, 0, 0]);
    let mut bytes = Vec::from(*b"\x89PNG\r\n\x1a\n");
    for chunk in [
        header,
        Vec::from(*b"IDAT\x78\x9c\x03\x00\x00\x00\x00\x01"),
        Vec::from(*b"IEND"),
    ] {
        bytes.extend((u32::try_from(chunk.len() - 4).expect("short")).to_be_bytes());
        bytes.extend(&chunk);
        bytes.extend(crc32(&chunk).to_be_bytes());
    }
    bytes
}

pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            }
        })
    })
}

/// A JPEG with an EXIF segment: orientation, time, camera, and a place in Vienna.
#[must_use]
pub fn with_exif(jpeg: &[u8], orientation: u16) -> Vec<u8> {
    let tiff = tiff(orientation);
    let mut segment = Vec::from(*b"Exif\0\0");
    segment.extend(tiff);
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend([0xFF, 0xE1]);
    bytes.extend((u16::try_from(segment.len() + 2).expect("short")).to_be_bytes());
    bytes.extend(segment);
    bytes.extend(&jpeg[2..]);
    bytes
}

/// A little-endian TIFF structure: IFD0 with Make, Orientation, EXIF and GPS pointers.
fn tiff(orientation: u16) -> Vec<u8> {
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        let mut e = Vec::new();
        e.extend(tag.to_le_bytes());
        e.extend(kind.to_le_bytes());
        e.extend(count.to_le_bytes());
        e.extend(value.to_le_bytes());
        e
    };
    // Offsets: header 8, IFD0 8..62 (4 entries), EXIF IFD 62..80, GPS IFD 80..134, data from 134.
    let (exif, gps, data) = (62u32, 80u32, 134u32);
    let mut out = Vec::from(*b"II*\0\x08\0\0\0");
    out.extend(4u16.to_le_bytes());
    out.extend(entry(0x010F, 2, 6, data)); // Make: "Canon\0"
    out.extend(entry(0x0112, 3, 1, u32::from(orientation)));
    out.extend(entry(0x8769, 4, 1, exif));
    out.extend(entry(0x8825, 4, 1, gps));
    out.extend(0u32.to_le_bytes());
    out.extend(1u16.to_le_bytes());
    out.extend(entry(0x9003, 2, 20, data + 6)); // DateTimeOriginal
    out.extend(0u32.to_le_bytes());
    out.extend(4u16.to_le_bytes());
    out.extend(entry(1, 2, 2, u32::from(b'N')));
    out.extend(entry(2, 5, 3, data + 26));
    out.extend(entry(3, 2, 2, u32::from(b'E')));
    out.extend(entry(4, 5, 3, data + 50));
    out.extend(0u32.to_le_bytes());
    out.extend(b"Canon\0");
    out.extend(b"2026:06:20 14:30:00\0");
    for (number, divisor) in [(48u32, 1u32), (12, 1), (30, 1), (16, 1), (22, 1), (21, 1)] {
        out.extend(number.to_le_bytes());
        out.extend(divisor.to_le_bytes());
    }
    out
}
