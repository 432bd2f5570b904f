//! Metadata in whole files.

use ::exif::{Rational, Tag, Value};
use image::DynamicImage;

use super::exif::tests::{field, text, tiff};
use super::tiff::tests::bomb;
use super::*;
use crate::decode::tests::LIMITS;
use crate::process;
use crate::renditions::tests::{jpeg, png, webp};

fn small() -> DynamicImage {
    DynamicImage::new_rgb8(100, 80)
}

/// A JPEG with these segments behind its first marker.
fn jpeg_with(segments: &[(u8, &[u8])]) -> Vec<u8> {
    let picture = jpeg(&small(), None);
    let mut file = picture[..2].to_vec();
    for (marker, payload) in segments {
        file.extend([0xff, *marker]);
        file.extend(u16::try_from(payload.len() + 2).unwrap().to_be_bytes());
        file.extend(*payload);
    }
    file.extend(&picture[2..]);
    file
}

fn with_exif(block: &[u8]) -> Vec<u8> {
    jpeg_with(&[(0xe1, &[EXIF_PREFIX, block].concat())])
}

/// A PNG with this chunk behind its header.
fn png_with(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let picture = png(&small());
    let mut file = picture[..33].to_vec();
    file.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    file.extend(kind);
    file.extend(data);
    file.extend(crate::decode::tests::crc32(&[kind, data].concat()).to_be_bytes());
    file.extend(&picture[33..]);
    file
}

/// A WebP with this chunk at its end.
fn webp_with(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut file = webp(&small());
    file.extend(kind);
    file.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    file.extend(data);
    file.extend(&[0][..data.len() % 2]);
    let length = u32::try_from(file.len() - 8).unwrap();
    file[4..8].copy_from_slice(&length.to_le_bytes());
    file
}

fn rationals(tag: Tag, parts: [(u32, u32); 3]) -> ::exif::Field {
    let parts = parts.map(|(num, denom)| Rational { num, denom });
    field(tag, Value::Rational(parts.to_vec()))
}

fn place() -> Vec<u8> {
    tiff(&[
        text(Tag::GPSLatitudeRef, "N"),
        rationals(Tag::GPSLatitude, [(48, 1), (51, 1), (0, 1)]),
        text(Tag::GPSLongitudeRef, "E"),
        rationals(Tag::GPSLongitude, [(2, 1), (17, 1), (0, 1)]),
    ])
}

fn camera() -> Vec<u8> {
    tiff(&[
        text(Tag::Model, "Camera"),
        field(Tag::GPSVersionID, Value::Byte(vec![2, 3, 0, 0])),
    ])
}

#[test]
fn of_many_blocks_of_exif_few_are_walked() {
    let picture = jpeg(&small(), None);
    let one = b"Exif\0\0II\x2a\0\x08\0\0\0\0\0\0\0\0\0";
    let few = read(&[&picture[..], &one.repeat(3)].concat(), Format::Jpeg);
    assert!(!few.may_tell_location);
    let many = read(&[&picture[..], &one.repeat(3_000)].concat(), Format::Jpeg);
    assert!(many.may_tell_location);
}

#[test]
fn exif_bombs_are_no_exif_and_the_picture_stays() {
    let cases = [
        (with_exif(&bomb(2_300, 2_400)), "image/jpeg"),
        (png_with(b"eXIf", &bomb(2_000, 65_535)), "image/png"),
        (webp_with(b"EXIF", &bomb(2_000, 65_535)), "image/webp"),
    ];
    for (file, kind) in cases {
        let done = process(&file, kind, LIMITS).unwrap();
        assert_eq!((done.width, done.height), (100, 80), "{kind}");
        assert_eq!(done.facts.camera, None, "{kind}");
        assert!(done.facts.may_tell_location, "{kind}");
    }
}

#[test]
fn exif_is_found_in_every_container() {
    for (file, format) in [
        (with_exif(&place()), Format::Jpeg),
        (png_with(b"eXIf", &place()), Format::Png),
        (webp_with(b"EXIF", &place()), Format::Webp),
    ] {
        let facts = read(&file, format);
        let (latitude, longitude) = facts.location.unwrap();
        assert!((latitude - 48.85).abs() < 1e-9 && (longitude - 2.283_333).abs() < 1e-5);
        assert!(facts.may_tell_location, "{format:?}");
    }
    for (file, format) in [
        (with_exif(&camera()), Format::Jpeg),
        (png_with(b"eXIf", &camera()), Format::Png),
        (webp_with(b"EXIF", &camera()), Format::Webp),
    ] {
        let facts = read(&file, format);
        assert_eq!(facts.camera.as_deref(), Some("Camera"), "{format:?}");
        assert!(!facts.may_tell_location, "{format:?}");
    }
}

#[test]
fn places_that_are_not_understood_still_count() {
    let latitude = || rationals(Tag::GPSLatitude, [(48, 1), (51, 1), (0, 1)]);
    let zero = rationals(Tag::GPSLatitude, [(48, 1), (51, 1), (0, 0)]);
    let north = || text(Tag::GPSLatitudeRef, "N");
    for fields in [
        vec![latitude()],
        vec![north(), latitude()],
        vec![north(), zero],
        vec![rationals(Tag::GPSDestLatitude, [(48, 1), (51, 1), (0, 1)])],
        vec![field(
            Tag::GPSProcessingMethod,
            Value::Undefined(b"ASCII\0\0\0HOME".to_vec(), 0),
        )],
    ] {
        let facts = read(&with_exif(&tiff(&fields)), Format::Jpeg);
        assert_eq!(facts.location, None, "{fields:?}");
        assert!(facts.may_tell_location, "{fields:?}");
    }
}

#[test]
fn a_second_exif_counts() {
    let (first, second) = (
        [EXIF_PREFIX, &camera()].concat(),
        [EXIF_PREFIX, &place()].concat(),
    );
    let facts = read(&jpeg_with(&[(0xe1, &first), (0xe1, &second)]), Format::Jpeg);
    assert_eq!(facts.camera.as_deref(), Some("Camera"));
    assert!(facts.may_tell_location);
    // Appended: a preview with EXIF of its own.
    for (block, tells) in [(place(), true), (camera(), false)] {
        let file = [with_exif(&camera()), with_exif(&block)].concat();
        assert_eq!(read(&file, Format::Jpeg).may_tell_location, tells);
    }
}

#[test]
fn xmp_and_iptc_count() {
    let xmp = br#"<x:xmpmeta><rdf:Description exif:GPSLatitude="48,51.0N"/></x:xmpmeta>"#;
    let dull = br#"<x:xmpmeta><rdf:Description xmp:Rating="5"/></x:xmpmeta>"#;
    for (text, tells) in [(&xmp[..], true), (dull, false)] {
        let segment = [b"http://ns.adobe.com/xap/1.0/\0", text].concat();
        let chunk = [b"XML:com.adobe.xmp\0\0\0\0\0", text].concat();
        for (file, format) in [
            (jpeg_with(&[(0xe1, &segment)]), Format::Jpeg),
            (png_with(b"iTXt", &chunk), Format::Png),
            (webp_with(b"XMP ", text), Format::Webp),
        ] {
            assert_eq!(read(&file, format).may_tell_location, tells, "{format:?}");
        }
    }
    let iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0b\x1c\x02\x5a\0\x06Berlin";
    let file = jpeg_with(&[(0xed, iptc)]);
    assert!(read(&file, Format::Jpeg).may_tell_location);
    for text in [
        &b"XML:com.adobe.xmp\0\x01\0\0\0x\x9c"[..],
        b"Raw profile type exif\0\nexif\n 12\n",
    ] {
        let file = png_with(b"iTXt", text);
        assert!(read(&file, Format::Png).may_tell_location);
    }
}

#[test]
fn wild_containers_end() {
    for (start, format) in [
        (
            &b"\xff\xd8\xff\xe1\x00\x10Exif\0\0rubbish"[..],
            Format::Jpeg,
        ),
        (b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffeXIfII", Format::Png),
        (
            b"RIFF\xff\xff\xff\xffWEBPEXIF\xff\xff\xff\xff",
            Format::Webp,
        ),
    ] {
        for length in 0..=start.len() {
            let facts = read(&start[..length], format);
            assert_eq!((facts.camera, facts.location), (None, None));
        }
    }
}
