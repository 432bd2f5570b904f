//! Files that are small, or look harmless, and grow when they are opened.

use crate::pictures::{self, crc32, gradient, jpeg};

/// EXIF in which `pointers` pointers name overlapping directories of `entries` entries each.
#[must_use]
pub fn exif(pointers: u16, entries: u16) -> Vec<u8> {
    let base = 8 + 2 + 12 * u32::from(pointers) + 4;
    let mut block = Vec::from(*b"II\x2a\0\x08\0\0\0");
    block.extend(pointers.to_le_bytes());
    for index in 0..u32::from(pointers) {
        block.extend([0x69, 0x87, 4, 0, 1, 0, 0, 0]);
        block.extend((base + 2 * index).to_le_bytes());
    }
    block.extend([0; 4]);
    let words = (12 * usize::from(entries) + 2 * usize::from(pointers) + 16) / 2;
    block.extend(entries.to_le_bytes().repeat(words));
    block
}

/// A JPEG with that in a segment.
#[must_use]
pub fn exif_jpeg() -> Vec<u8> {
    let picture = pictures::plain("", 201).bytes;
    let segment = [&b"Exif\0\0"[..], &exif(2_300, 2_400)].concat();
    let length = u16::try_from(segment.len() + 2).expect("fits a segment");
    let head = [&picture[..2], &[0xff, 0xe1], &length.to_be_bytes()].concat();
    [&head[..], &segment, &picture[2..]].concat()
}

/// A PNG with that in a chunk.
#[must_use]
pub fn exif_png() -> Vec<u8> {
    png((100, 100, 8, 2, 0), &[(b"eXIf", exif(2_000, 65_535))])
}

/// A PNG whose colour profile inflates to `length` bytes.
#[must_use]
pub fn profile_png(length: usize) -> Vec<u8> {
    let profile = [&b"x\0\0"[..], &deflated_zeros(length)].concat();
    png((64, 64, 8, 2, 0), &[(b"iCCP", profile)])
}

/// A PNG of zeros of `side` by `side` pixels, 16 bits a channel and transparent; interlaced or not.
#[must_use]
pub fn deep_png(side: u32, interlaced: bool) -> Vec<u8> {
    png((side, side, 16, 6, interlaced.into()), &[])
}

/// Width, height, bits, colour type, interlace.
type Header = (u32, u32, u8, u8, u8);

fn png((width, height, depth, color, interlace): Header, more: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let samples = match color {
        2 => 3,
        6 => 4,
        _ => 1,
    };
    let row = 1 + width as usize * samples * usize::from(depth) / 8;
    // Interlaced pictures have more rows, each with its filter's byte: a little more than enough.
    let rows = height as usize + if interlace == 0 { 0 } else { 2_000 };
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([depth, color, 0, 0, interlace]);
    let mut chunks = vec![(b"IHDR", header)];
    chunks.extend(more.iter().map(|(kind, data)| (*kind, data.clone())));
    chunks.push((b"IDAT", deflated_zeros(row * rows)));
    chunks.push((b"IEND", Vec::new()));
    let mut file = Vec::from(*b"\x89PNG\r\n\x1a\n");
    for (kind, data) in chunks {
        let body = [&kind[..], &data].concat();
        file.extend(u32::try_from(data.len()).expect("short").to_be_bytes());
        file.extend(&body);
        file.extend(crc32(&body).to_be_bytes());
    }
    file
}

fn deflated_zeros(length: usize) -> Vec<u8> {
    let zeros = vec![0; 1 << 20];
    let mut compressor = fdeflate::Compressor::new(Vec::new()).expect("begun");
    let mut left = length;
    while left > 0 {
        let part = left.min(zeros.len());
        compressor.write_data(&zeros[..part]).expect("deflated");
        left -= part;
    }
    compressor.finish().expect("ended")
}

/// A small JPEG whose frame header claims another size; `marker` is the kind of frame.
#[must_use]
pub fn lying_jpeg(marker: u8, (width, height): (u16, u16)) -> Vec<u8> {
    let mut file = jpeg(&gradient(300, 200, 202));
    let place = file.windows(2).position(|part| part == [0xff, 0xc0]);
    let place = place.expect("a frame");
    file[place + 1] = marker;
    file[place + 5..place + 7].copy_from_slice(&height.to_be_bytes());
    file[place + 7..place + 9].copy_from_slice(&width.to_be_bytes());
    file
}

/// An animated WebP with a canvas of 10,900 by 10,900 pixels in some hundred bytes.
#[must_use]
pub fn animated_webp() -> Vec<u8> {
    let mut still = std::io::Cursor::new(Vec::new());
    image::DynamicImage::new_rgba8(16, 16)
        .write_to(&mut still, image::ImageFormat::WebP)
        .expect("encoded");
    let frame = &still.get_ref()[12..];
    let mut file = Vec::from(*b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x12\0\0\0");
    file.extend([0x93, 0x2a, 0, 0x93, 0x2a, 0]);
    file.extend(b"ANIM\x06\0\0\0\0\0\0\0\0\0ANMF");
    file.extend(
        u32::try_from(frame.len() + 16)
            .expect("short")
            .to_le_bytes(),
    );
    file.extend([0, 0, 0, 0, 0, 0, 15, 0, 0, 15, 0, 0, 100, 0, 0, 0]);
    file.extend(frame);
    let length = u32::try_from(file.len() - 8).expect("short");
    file[4..8].copy_from_slice(&length.to_le_bytes());
    file
}

/// The JPEG cut in half, with an end marker put behind.
#[must_use]
pub fn half(jpeg: &[u8]) -> Vec<u8> {
    [&jpeg[..jpeg.len() / 2], &[0xff, 0xd9]].concat()
}

/// A PNG of a single column: what resizes it would need a gigabyte.
#[must_use]
pub fn narrow_png() -> Vec<u8> {
    png((1, 119_000_000, 8, 0, 0), &[])
}

/// A lossless WebP of 64 by 64 pixels in which this many groups of prefix codes are described, each
/// of five codes of ten bits: the decoder would build 20 KB of tables for each.
#[must_use]
pub fn groups_webp(groups: u32) -> Vec<u8> {
    let mut bits = Vec::new();
    let mut put =
        |value: u32, count: u32| bits.extend((0..count).map(|bit| (value >> bit & 1) as u8));
    put(0x2f, 8);
    put(63, 14);
    put(63, 14);
    // Opaque, version 0; no transform, no colour cache, groups by blocks of 4 by 4, no cache there.
    put(0b100_0000, 11);
    // All blocks are of the last group: five codes of one symbol each.
    for symbol in [(groups - 1) & 255, (groups - 1) >> 8, 0, 255, 0] {
        put(0b101, 3);
        put(symbol, 8);
    }
    for _ in 0..groups * 5 {
        // Lengths are written in four bits each, but for those that repeat others.
        put(0, 1);
        put(15, 4);
        for place in 0..19 {
            put(if matches!(place, 0 | 1 | 8) { 0 } else { 4 }, 3);
        }
        // Eleven of them.
        put(1, 1);
        put(1, 3);
        put(9, 4);
        for length in [1_u32, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10] {
            put(length.reverse_bits() >> 28, 4);
        }
    }
    // The pixels: a bit a channel, all zero.
    bits.resize(bits.len() + 64 * 64 * 4, 0);
    let bytes = bits.chunks(8);
    let data: Vec<u8> = bytes
        .map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | *bit))
        .collect();
    let length = u32::try_from(data.len()).expect("short");
    let padding = &[0][..data.len() % 2];
    let riff = length + length % 2 + 12;
    let mut file = Vec::from(*b"RIFF");
    file.extend(riff.to_le_bytes());
    file.extend(b"WEBPVP8L");
    file.extend(length.to_le_bytes());
    file.extend([&data, padding].concat());
    file
}

/// A JPEG whose only scan is followed by as many segments of colour profiles as 30 MB hold.
#[must_use]
pub fn segments_jpeg(picture: &[u8]) -> Vec<u8> {
    let segment = b"\xff\xe2\x00\x11ICC_PROFILE\0\x01\x01x";
    let body = &picture[..picture.len() - 2];
    [
        body,
        &segment.repeat((30 << 20) / segment.len()),
        b"\xff\xd9",
    ]
    .concat()
}
