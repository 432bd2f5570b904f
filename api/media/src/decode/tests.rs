//! Whole files, good and bad.

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, Luma, Rgb};

use super::*;
use crate::renditions::tests::{jpeg, png, webp};

pub(crate) mod hostile;

pub(crate) const LIMITS: Limits = Limits {
    max_pixels: 120_000_000,
    memory: 100 << 20,
};

fn decode(bytes: &[u8], format: Format, limits: Limits) -> Result<Decoded, MediaError> {
    plan(bytes, format, limits)?.decode()
}

fn picture(width: u32, height: u32) -> DynamicImage {
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |x, y| {
        Rgb([
            (x * 7 % 256) as u8,
            (y * 5 % 256) as u8,
            (x * y % 256) as u8,
        ])
    }))
}

/// Without detail, so that any way of making it smaller gives the same.
fn smooth(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([
            (x * 255 / width) as u8,
            (y * 255 / height) as u8,
            ((x + y) * 255 / (width + height)) as u8,
        ])
    })
}

/// The largest difference of a channel from what the picture would be in this size.
fn difference(actual: &RgbImage, whole: &RgbImage) -> u8 {
    let (width, height) = actual.dimensions();
    let expected =
        image::imageops::resize(whole, width, height, image::imageops::FilterType::Triangle);
    let pairs = actual.as_raw().iter().zip(expected.as_raw());
    pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

/// A PNG header that promises far more than the file's few bytes hold.
fn bomb(side: u32, depth: u8, color: u8, interlace: u8) -> Vec<u8> {
    let mut file = png(&DynamicImage::new_luma8(1, 1));
    file[16..20].copy_from_slice(&side.to_be_bytes());
    file[20..24].copy_from_slice(&side.to_be_bytes());
    file[24..29].copy_from_slice(&[depth, color, 0, 0, interlace]);
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

/// The JPEG with another size in its frame header, and another kind of frame.
fn with_frame(mut file: Vec<u8>, marker: u8, (width, height): (u16, u16)) -> Vec<u8> {
    let place = file.windows(2).position(|part| part == [0xff, 0xc0]);
    let place = place.unwrap();
    file[place + 1] = marker;
    file[place + 5..place + 7].copy_from_slice(&height.to_be_bytes());
    file[place + 7..place + 9].copy_from_slice(&width.to_be_bytes());
    file
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    let error = decode(&bomb(50_000, 8, 0, 0), Format::Png, LIMITS).unwrap_err();
    assert_eq!(
        error,
        MediaError::TooManyPixels {
            pixels: 2_500_000_000,
            limit: 120_000_000
        }
    );
    // The same file within the limit is only cut off: the limit is what refused it.
    let error = decode(&bomb(1_000, 8, 0, 0), Format::Png, LIMITS).unwrap_err();
    assert!(matches!(error, MediaError::Truncated | MediaError::Corrupt));
}

#[test]
fn what_does_not_fit_is_refused_by_its_header() {
    // Interlaced: all of it at once.
    let interlaced = bomb(10_950, 16, 6, 1);
    // Coefficients of the whole picture.
    let progressive = with_frame(jpeg(&picture(64, 64), None), 0xc2, (10_900, 10_900));
    // A canvas of 10,900 by 10,900 in some hundred bytes.
    let frame = &webp(&DynamicImage::new_rgba8(16, 16))[12..];
    let mut animation = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x12\0\0\0".to_vec();
    animation.extend([0x93, 0x2a, 0, 0x93, 0x2a, 0]);
    animation.extend(b"ANIM\x06\0\0\0\0\0\0\0\0\0ANMF");
    animation.extend(u32::try_from(frame.len() + 16).unwrap().to_le_bytes());
    animation.extend([0, 0, 0, 0, 0, 0, 15, 0, 0, 15, 0, 0, 100, 0, 0, 0]);
    animation.extend(frame);
    let length = u32::try_from(animation.len() - 8).unwrap();
    animation[4..8].copy_from_slice(&length.to_le_bytes());
    for (file, format) in [
        (&interlaced, Format::Png),
        (&progressive, Format::Jpeg),
        (&animation, Format::Webp),
    ] {
        let error = decode(file, format, LIMITS).unwrap_err();
        assert_eq!(error.code(), "PIXELS_EXCEED_MEMORY", "{format:?}: {error}");
        assert!(error.to_string().contains("100 MB"), "{error}");
    }
    // An operator with more memory may allow it.
    let roomy = Limits {
        memory: 4 << 30,
        ..LIMITS
    };
    assert!(plan(&interlaced, Format::Png, roomy).is_ok());
}

#[test]
fn cut_off_files_are_refused_in_every_format() {
    let picture = picture(300, 200);
    for (format, file) in [
        (Format::Jpeg, jpeg(&picture, None)),
        (Format::Png, png(&picture)),
        (Format::Webp, webp(&picture)),
    ] {
        assert!(decode(&file, format, LIMITS).is_ok(), "{format:?}");
        for part in [1, 3, 8, 10] {
            let cut = &file[..file.len() * part / 11];
            let error = decode(cut, format, LIMITS).unwrap_err();
            assert!(
                matches!(error, MediaError::Truncated | MediaError::Corrupt),
                "{format:?} {part}/11: {error}"
            );
        }
    }
}

#[test]
fn a_jpeg_that_ends_early_is_found_out_although_it_has_an_end() {
    let file = jpeg(&picture(300, 200), None);
    for part in [5, 8, 10] {
        let mut cut = file[..file.len() * part / 11].to_vec();
        cut.extend([0xff, 0xd9]);
        let error = decode(&cut, Format::Jpeg, LIMITS).unwrap_err();
        assert_eq!(error, MediaError::Truncated, "{part}/11");
    }
    // A header that promises more than there is.
    let lie = with_frame(file, 0xc0, (10_900, 10_900));
    let error = decode(&lie, Format::Jpeg, LIMITS).unwrap_err();
    assert_eq!(error, MediaError::Truncated);
    // The shortest scans: the decoder reads ahead, past their end.
    for (width, height) in [(1, 1), (8, 8), (9, 17), (16, 400), (400, 16)] {
        let flat = DynamicImage::ImageRgb8(RgbImage::from_pixel(width, height, Rgb([9, 9, 9])));
        for trailer in [&b""[..], b"trailer of a camera \xff\xd8\xff\xd9"] {
            let file = [&jpeg(&flat, None), trailer].concat();
            let decoded = decode(&file, Format::Jpeg, LIMITS).unwrap();
            assert_eq!(decoded.pixels.dimensions(), (width, height));
        }
    }
}

#[test]
fn large_pictures_are_decoded_smaller_and_look_the_same() {
    let whole = smooth(5_200, 2_600);
    let image = DynamicImage::ImageRgb8(whole.clone());
    let tight = Limits {
        memory: 48 << 20,
        ..LIMITS
    };
    for (format, file, limits, side) in [
        (Format::Jpeg, jpeg(&image, None), LIMITS, 2_600),
        (Format::Png, png(&image), LIMITS, 5_200),
        (Format::Png, png(&image), tight, 2_600),
    ] {
        let plan = plan(&file, format, limits).unwrap();
        assert!(plan.memory() <= limits.memory);
        let decoded = plan.decode().unwrap();
        assert_eq!(decoded.size, (5_200, 2_600));
        assert_eq!(decoded.pixels.dimensions(), (side, side / 2), "{format:?}");
        let difference = difference(&decoded.pixels, &whole);
        assert!(difference < 10, "{format:?}: {difference}");
    }
    let decoded = decode(
        &webp(&image),
        Format::Webp,
        Limits {
            memory: 160 << 20,
            ..LIMITS
        },
    );
    assert_eq!(decoded.unwrap().pixels.dimensions().1, 2_600);
}

#[test]
fn cameras_of_today_fit() {
    // 12, 24, 50 and 61 megapixels.
    let file = jpeg(&picture(64, 64), None);
    for (size, scaled) in [
        ((4_032, 3_024), (4_032, 3_024)),
        ((6_000, 4_000), (3_000, 2_000)),
        ((8_660, 5_773), (4_330, 2_887)),
        ((9_504, 6_336), (4_752, 3_168)),
    ] {
        let file = with_frame(file.clone(), 0xc0, size);
        let plan = plan(&file, Format::Jpeg, LIMITS).unwrap();
        let Source::Jpeg(jpeg) = &plan.source else {
            unreachable!()
        };
        assert_eq!(jpeg.need(plan.scale).size, scaled, "{size:?}");
    }
}

/// A JPEG of one block of four components, as Adobe's programs write it: 255 is no ink.
fn cmyk(inks: [u8; 4]) -> Vec<u8> {
    let mut file = b"\xff\xd8\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0\0".to_vec();
    file.extend(b"\xff\xdb\x00\x43\x00");
    file.extend([1; 64]);
    file.extend(b"\xff\xc0\x00\x14\x08\x00\x08\x00\x08\x04");
    for component in 1..=4 {
        file.extend([component, 0x11, 0]);
    }
    // Differences: twelve codes of four bits. Everything else: one code of one bit, the block's end.
    file.extend(b"\xff\xc4\x00\x1f\x00\0\0\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0");
    file.extend(0..12);
    file.extend(b"\xff\xc4\x00\x14\x10\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x00");
    file.extend(b"\xff\xda\x00\x0e\x04\x01\x00\x02\x00\x03\x00\x04\x00\x00\x3f\x00");
    let mut bits = String::new();
    for ink in inks {
        let value = (255 - i32::from(ink) - 128) * 8;
        let size = (32 - value.unsigned_abs().leading_zeros()) as usize;
        let code = if value < 0 {
            value + (1 << size) - 1
        } else {
            value
        };
        bits += &format!("{size:04b}");
        if size > 0 {
            bits += &format!("{code:0size$b}");
        }
        bits += "0";
    }
    for byte in bits.as_bytes().chunks(8) {
        let byte = byte.iter().chain(b"1111111").take(8);
        let byte = byte.fold(0, |byte, bit| byte << 1 | (bit & 1));
        file.push(byte);
        if byte == 0xff {
            file.push(0);
        }
    }
    file.extend([0xff, 0xd9]);
    file
}

#[test]
fn gray_and_cmyk_jpegs_have_their_colours() {
    for (inks, color) in [
        ([0, 0, 0, 0], [255, 255, 255]),
        ([0, 255, 255, 0], [255, 0, 0]),
        ([55, 155, 0, 0], [200, 100, 255]),
        ([0, 0, 0, 155], [100, 100, 100]),
        ([10, 20, 30, 255], [0, 0, 0]),
    ] {
        let decoded = decode(&cmyk(inks), Format::Jpeg, LIMITS).unwrap();
        let actual = decoded.pixels.get_pixel(3, 3).0;
        let near = actual.iter().zip(color).all(|(a, b)| a.abs_diff(b) < 2);
        assert!(near, "{inks:?}: {actual:?}");
    }
    let gray = DynamicImage::ImageLuma8(image::ImageBuffer::from_pixel(40, 30, Luma([77])));
    let decoded = decode(&jpeg(&gray, None), Format::Jpeg, LIMITS).unwrap();
    assert_eq!(decoded.pixels.get_pixel(20, 20).0, [77; 3]);
    let mut color = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut color, 100);
    let red = DynamicImage::ImageRgb8(RgbImage::from_pixel(40, 30, Rgb([200, 30, 40])));
    red.write_with_encoder(encoder).unwrap();
    let decoded = decode(&color, Format::Jpeg, LIMITS).unwrap();
    let [r, g, b] = decoded.pixels.get_pixel(20, 20).0;
    assert!(r.abs_diff(200) < 4 && g.abs_diff(30) < 4 && b.abs_diff(40) < 4);
}

#[test]
fn profiles_are_inflated_up_to_a_limit() {
    let with_profile = |profile: &[u8]| {
        let picture = png(&DynamicImage::new_rgb8(4, 4));
        let deflated = fdeflate::compress_to_vec(profile);
        let data = [b"iCCPname\0\0", &deflated[..]].concat();
        let mut file = picture[..33].to_vec();
        file.extend(u32::try_from(data.len() - 4).unwrap().to_be_bytes());
        file.extend(&data);
        file.extend(crc32(&data).to_be_bytes());
        file.extend(&picture[33..]);
        decode(&file, Format::Png, LIMITS).unwrap().profile
    };
    let mut profile = vec![0; 3_000];
    profile[16..20].copy_from_slice(b"RGB ");
    assert_eq!(with_profile(&profile), Some(profile.clone()));
    profile.resize(50 << 20, 0);
    assert_eq!(with_profile(&profile), None);
}
