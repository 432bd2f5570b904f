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

/// EXIF whose first IFD lies outside, or in the header, with GPS behind it.
fn astray(first: u32) -> Vec<u8> {
    let header = [&b"MM\0\x2a"[..], &first.to_be_bytes()].concat();
    [header, place()].concat()
}

#[test]
fn exif_whose_first_ifd_leads_nowhere_counts() {
    for first in [0, 7, 5_000, u32::MAX] {
        let block = astray(first);
        for (file, format) in [
            (with_exif(&block), Format::Jpeg),
            (png_with(b"eXIf", &block), Format::Png),
            (webp_with(b"EXIF", &block), Format::Webp),
        ] {
            let tells = read(&file, format).may_tell_location;
            assert!(tells, "{format:?}, IFD at {first}");
        }
    }
}

#[test]
fn exif_in_other_segments_counts_where_it_tells() {
    for (marker, name) in [
        (0xe2, &b"Exif\0\0"[..]),
        (0xe4, b"Exif\0\0"),
        (0xe4, b"foo\0Exif\0\0"),
        (0xe0, b"JFXX\0Exif\0\0"),
        (0xe1, b"exif\0\0"),
        (0xe1, b"\0\0EXIF\0\0"),
        (0xe3, b""),
        (0xe3, b"Meta\0\0"),
        (0xee, b"sixteen letters\0"),
        // Not what a multi-picture file has there.
        (0xe2, b"MPF\0"),
        (0xfe, b""),
    ] {
        for (block, tells) in [(place(), true), (camera(), false), (astray(5_000), true)] {
            let segment = [name, &block].concat();
            let file = jpeg_with(&[(marker, &segment)]);
            let facts = read(&file, Format::Jpeg);
            let whose = String::from_utf8_lossy(name);
            // The index of a multi-picture file may be damaged.
            let tells = tells && !(name == b"MPF\0" && block == astray(5_000));
            assert_eq!(facts.may_tell_location, tells, "{marker:#x} {whose:?}");
            assert_eq!((facts.camera, facts.location), (None, None), "{whose:?}");
        }
    }
    let unread = jpeg_with(&[(0xe5, b"exif\0\0no TIFF")]);
    assert!(read(&unread, Format::Jpeg).may_tell_location);
    let many: Vec<(u8, &[u8])> = vec![(0xe3, b"II\x2a\0\x08\0\0\0\0\0\0\0\0\0"); 100];
    assert!(read(&jpeg_with(&many), Format::Jpeg).may_tell_location);
    assert!(!read(&jpeg_with(&many[..3]), Format::Jpeg).may_tell_location);
}

#[test]
fn segments_that_every_camera_writes_do_not_count() {
    // An index of two pictures: version, number, entries; the next IFD has none.
    let mut index = b"MPF\0MM\0\x2a\0\0\0\x08\0\x03".to_vec();
    index.extend(b"\xb0\0\0\x07\0\0\0\x040100\xb0\x01\0\x04\0\0\0\x01\0\0\0\x02");
    index.extend(b"\xb0\x02\0\x07\0\0\0\x20\0\0\0\x32\0\0\0\0");
    index.extend([0; 32]);
    let exif = [EXIF_PREFIX, &camera()].concat();
    let profile = b"ICC_PROFILE\0\x01\x01\0\0\x02\x30ADBE\x02\x10\0\0mntrRGB XYZ ";
    let file = jpeg_with(&[
        (0xe0, b"JFIF\0\x01\x02\x01\0\x48\0\x48\0\0"),
        (0xe1, &exif),
        (0xe2, profile),
        (0xe2, &index),
        (0xee, b"Adobe\0\x64\0\0\0\0\x01"),
        (0xfe, b"at a latitude of 48 degrees, with the GPS off"),
    ]);
    let facts = read(&file, Format::Jpeg);
    assert_eq!(facts.camera.as_deref(), Some("Camera"));
    assert!(!facts.may_tell_location);
}

#[test]
fn exif_in_other_chunks_counts_where_it_tells() {
    for (block, tells) in [(place(), true), (camera(), false), (astray(5_000), true)] {
        let named = [EXIF_PREFIX, &block].concat();
        for (file, format) in [
            (png_with(b"exIf", &block), Format::Png),
            (png_with(b"meTa", &named), Format::Png),
            (webp_with(b"Exif", &block), Format::Webp),
            (webp_with(b"ABCD", &named), Format::Webp),
        ] {
            assert_eq!(read(&file, format).may_tell_location, tells, "{format:?}");
        }
    }
}

#[test]
fn what_follows_the_picture_counts_where_it_tells() {
    let appended = |kind: &[u8], block: &[u8]| [kind, block].concat();
    for (end, tells) in [
        (b"GPSLatitude=48.13 GPSLongitude=11.56".to_vec(), true),
        (br#"{"latitude": 48.13, "longitude": 11.56}"#.to_vec(), true),
        (b"com.apple.quicktime.location.ISO6709".to_vec(), true),
        (
            b"at a latitude of 48 degrees, with the GPS off".to_vec(),
            false,
        ),
        (appended(b"Exif\0\0", &place()), true),
        (appended(b"Exif\0\0", &camera()), false),
        (appended(b"Exif\0\0", &astray(5_000)), true),
        (appended(b"exif\0\0", &place()), true),
        // In a PNG and in a WebP.
        (appended(b"\0\0\0\xffeXIf", &place()), true),
        (appended(b"EXIF\xff\0\0\0", &place()), true),
        (appended(b"EXIF\xff\0\0\0", &camera()), false),
    ] {
        for (picture, format) in [
            (jpeg(&small(), None), Format::Jpeg),
            (png(&small()), Format::Png),
            (webp(&small()), Format::Webp),
        ] {
            let file = [picture, end.clone()].concat();
            let text = String::from_utf8_lossy(&end);
            assert_eq!(
                read(&file, format).may_tell_location,
                tells,
                "{format:?} {text}"
            );
        }
    }
}

#[test]
fn names_of_a_place_count_in_every_text() {
    let text = b"GPSLatitude=48.13 GPSLongitude=11.56";
    let png_text = [&b"Comment\0"[..], text].concat();
    for (file, format) in [
        (jpeg_with(&[(0xfe, text)]), Format::Jpeg),
        (jpeg_with(&[(0xe2, text)]), Format::Jpeg),
        (png_with(b"tEXt", &png_text), Format::Png),
        (webp_with(b"NOTE", text), Format::Webp),
    ] {
        assert!(read(&file, format).may_tell_location, "{format:?}");
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
