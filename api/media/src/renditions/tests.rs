//! Renditions of generated pictures.

use exif::{Tag, Value};
use image::ImageFormat;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageEncoder as _, Rgb, RgbImage, Rgba, RgbaImage};

use super::*;
use crate::metadata::exif::tests::{field, text, tiff};
use crate::{Limits, process};

const LIMIT: Limits = Limits {
    max_pixels: 10_000_000,
    memory: 100 << 20,
};

/// A JPEG file, with EXIF if given (beginning with the TIFF header).
pub(crate) fn jpeg(image: &DynamicImage, exif: Option<Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    if let Some(exif) = exif {
        encoder.set_exif_metadata(exif).unwrap();
    }
    image.write_with_encoder(encoder).unwrap();
    bytes
}

pub(crate) fn png(image: &DynamicImage) -> Vec<u8> {
    encoded(image, ImageFormat::Png)
}

pub(crate) fn webp(image: &DynamicImage) -> Vec<u8> {
    encoded(image, ImageFormat::WebP)
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn shown(rendition: &Rendition) -> RgbImage {
    let image = image::load_from_memory_with_format(&rendition.bytes, ImageFormat::Jpeg).unwrap();
    assert_eq!(
        (image.width(), image.height()),
        (rendition.width, rendition.height)
    );
    image.into_rgb8()
}

/// 120 by 80 as shown: red top left, green top right, blue bottom left, white bottom right.
fn upright() -> RgbImage {
    RgbImage::from_fn(120, 80, |x, y| match (x < 60, y < 40) {
        (true, true) => Rgb([255, 0, 0]),
        (false, true) => Rgb([0, 255, 0]),
        (true, false) => Rgb([0, 0, 255]),
        (false, false) => Rgb([255, 255, 255]),
    })
}

fn near(actual: Rgb<u8>, expected: [u8; 3]) -> bool {
    actual
        .0
        .iter()
        .zip(expected)
        .all(|(a, b)| a.abs_diff(b) < 12)
}

#[test]
fn every_orientation_is_shown_upright() {
    use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};
    let upright = upright();
    // What a camera stores for each orientation, so that turning it gives the upright picture.
    let stored = [
        upright.clone(),
        flip_horizontal(&upright),
        rotate180(&upright),
        flip_vertical(&upright),
        flip_horizontal(&rotate90(&upright)),
        rotate270(&upright),
        flip_horizontal(&rotate270(&upright)),
        rotate90(&upright),
    ];
    for (number, stored) in (1_u16..).zip(stored) {
        let exif = tiff(&[field(Tag::Orientation, Value::Short(vec![number]))]);
        let file = jpeg(&DynamicImage::ImageRgb8(stored), Some(exif));
        let done = process(&file, "image/jpeg", LIMIT).unwrap();
        assert_eq!((done.width, done.height), (120, 80), "orientation {number}");
        let shown = shown(&done.preview);
        for (x, y, color) in [
            (20, 15, [255, 0, 0]),
            (100, 15, [0, 255, 0]),
            (20, 65, [0, 0, 255]),
            (100, 65, [255, 255, 255]),
        ] {
            let actual = *shown.get_pixel(x, y);
            assert!(
                near(actual, color),
                "orientation {number} at {x},{y}: {actual:?}"
            );
        }
    }
}

#[test]
fn renditions_carry_no_exif() {
    let exif = tiff(&[
        text(Tag::Make, "SecretMaker"),
        text(Tag::GPSLatitudeRef, "N"),
    ]);
    let file = jpeg(&DynamicImage::ImageRgb8(upright()), Some(exif));
    let done = process(&file, "image/jpeg", LIMIT).unwrap();
    assert_eq!(done.facts.camera.as_deref(), Some("SecretMaker"));
    for rendition in [&done.preview, &done.thumbnail] {
        for secret in [&b"Exif"[..], b"SecretMaker"] {
            let found = rendition
                .bytes
                .windows(secret.len())
                .any(|part| part == secret);
            assert!(!found);
        }
    }
}

#[test]
fn pictures_shrink_to_their_limits_and_never_grow() {
    let large = DynamicImage::new_rgb8(4000, 1000);
    let done = process(&png(&large), "image/png", LIMIT).unwrap();
    assert_eq!((done.width, done.height), (4000, 1000));
    assert_eq!((done.preview.width, done.preview.height), (2048, 512));
    assert_eq!((done.thumbnail.width, done.thumbnail.height), (320, 80));
    let small = DynamicImage::new_rgb8(50, 30);
    let done = process(&webp(&small), "image/webp", LIMIT).unwrap();
    assert_eq!((done.preview.width, done.preview.height), (50, 30));
    assert_eq!((done.thumbnail.width, done.thumbnail.height), (50, 30));
    let line = process(&png(&DynamicImage::new_rgb8(5000, 1)), "image/png", LIMIT).unwrap();
    assert_eq!((line.thumbnail.width, line.thumbnail.height), (320, 1));
}

#[test]
fn transparency_becomes_white() {
    let image = RgbaImage::from_fn(100, 100, |x, _| {
        Rgba([0, 0, 0, if x < 50 { 0 } else { 255 }])
    });
    for side in [100, 3000] {
        let image = image::imageops::resize(&image, side, 90, image::imageops::Nearest);
        let file = png(&DynamicImage::ImageRgba8(image));
        let preview = shown(&process(&file, "image/png", LIMIT).unwrap().preview);
        let (width, middle) = (preview.width(), preview.height() / 2);
        assert!(near(*preview.get_pixel(width / 5, middle), [255; 3]));
        assert!(near(*preview.get_pixel(width * 4 / 5, middle), [0; 3]));
    }
}

#[test]
fn gray_and_sixteen_bit_pictures_are_taken() {
    for image in [
        DynamicImage::new_luma8(90, 90),
        DynamicImage::new_luma_a16(90, 90),
        DynamicImage::new_rgb16(90, 90),
    ] {
        assert!(process(&png(&image), "image/png", LIMIT).is_ok());
    }
}

#[test]
fn the_worst_noise_stays_within_what_rekognition_takes() {
    let mut state = 1_u32;
    let noise = RgbImage::from_fn(2048, 2048, |_, _| {
        Rgb([(); 3].map(|()| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 8) as u8
        }))
    });
    let preview = encode_within(&noise, None).unwrap();
    assert!(
        preview.bytes.len() <= PREVIEW_BYTES,
        "{}",
        preview.bytes.len()
    );
}

#[test]
fn a_profile_of_the_colours_goes_along() {
    let mut profile = vec![0_u8; 200];
    profile[16..20].copy_from_slice(b"RGB ");
    let decoded = Decoded {
        pixels: upright(),
        size: (120, 80),
        profile: Some(profile.clone()),
    };
    let done = make(decoded, Facts::default()).unwrap();
    let mut decoder =
        image::codecs::jpeg::JpegDecoder::new(std::io::Cursor::new(done.thumbnail.bytes.as_ref()))
            .unwrap();
    let found = image::ImageDecoder::icc_profile(&mut decoder).unwrap();
    assert_eq!(found, Some(profile));
}

#[test]
fn the_thumbhash_shows_the_average_colour() {
    let blue = DynamicImage::ImageRgb8(RgbImage::from_pixel(640, 480, Rgb([20, 40, 200])));
    let done = process(&png(&blue), "image/png", LIMIT).unwrap();
    let hash = STANDARD.decode(done.thumbhash).unwrap();
    let (r, g, b, a) = thumbhash::thumb_hash_to_average_rgba(&hash).unwrap();
    assert!(r < 0.2 && g < 0.3 && b > 0.7 && a > 0.99, "{r} {g} {b} {a}");
}
