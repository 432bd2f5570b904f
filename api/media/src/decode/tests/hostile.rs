//! Files that would take far more than their headers seem to say.

use super::*;

fn code(file: &[u8], format: Format) -> &'static str {
    match plan(file, format, LIMITS) {
        Ok(_) => "",
        Err(error) => error.code(),
    }
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_le_bytes();
    let padding = &[0][..data.len() % 2];
    [kind, &length[..], data, padding].concat()
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    let length = u32::try_from(body.len() + 4).unwrap().to_le_bytes();
    [b"RIFF", &length[..], b"WEBP", &body].concat()
}

fn sides(width: u32, height: u32) -> Vec<u8> {
    let side = |length: u32| (length - 1).to_le_bytes()[..3].to_vec();
    [side(width), side(height)].concat()
}

fn extended(flags: u8, width: u32, height: u32) -> Vec<u8> {
    chunk(
        b"VP8X",
        &[&[flags, 0, 0, 0][..], &sides(width, height)].concat(),
    )
}

/// A lossy picture's data: its header, and nothing.
fn lossy(width: u16, height: u16) -> Vec<u8> {
    let mut data = b"\x10\0\0\x9d\x01\x2a".to_vec();
    data.extend(width.to_le_bytes());
    data.extend(height.to_le_bytes());
    data.extend([0; 20]);
    data
}

/// A lossless WebP of 64 by 64 pixels with this many groups of prefix codes, each of five codes of
/// ten bits.
pub(crate) fn groups_webp(groups: u32) -> Vec<u8> {
    riff(&[chunk(b"VP8L", &groups_data(groups))])
}

fn groups_data(groups: u32) -> Vec<u8> {
    let mut bits = Vec::new();
    let mut put =
        |value: u32, count: u32| bits.extend((0..count).map(|bit| (value >> bit & 1) as u8));
    put(0x2f, 8);
    put(63, 14);
    put(63, 14);
    // Opaque, version 0; no transform, no colour cache, groups by blocks of 4 by 4, no cache there.
    put(0b100_0000, 11);
    // All of them are of the last group: five codes of one symbol each.
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
    // Pixels of one bit a channel.
    put(0, 7);
    let bytes = bits.chunks_exact(8);
    let mut data: Vec<u8> = bytes
        .map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | *bit))
        .collect();
    data.resize(data.len() + 64 * 64 / 2 + 1, 0);
    data
}

#[test]
fn prefix_codes_count_wherever_they_stand() {
    assert_eq!(
        code(&groups_webp(6_000), Format::Webp),
        "PIXELS_EXCEED_MEMORY"
    );
    let few = decode(&groups_webp(500), Format::Webp, LIMITS).unwrap();
    assert_eq!(few.pixels.dimensions(), (64, 64));
    let many = groups_data(6_000);
    // Beside a lossy picture, its method before it; there it has no header.
    let alpha = chunk(b"ALPH", &[&[1], &many[5..]].concat());
    let picture = chunk(b"VP8 ", &lossy(64, 64));
    let still = riff(&[extended(0x10, 64, 64), alpha.clone(), picture.clone()]);
    assert_eq!(code(&still, Format::Webp), "PIXELS_EXCEED_MEMORY");
    let frame = |chunks: &[Vec<u8>]| {
        let header = [&[0; 6], &sides(64, 64)[..], &[0; 4]].concat();
        chunk(b"ANMF", &[header, chunks.concat()].concat())
    };
    let start = [extended(0x12, 64, 64), chunk(b"ANIM", &[0; 6])].concat();
    let moving = riff(&[start.clone(), frame(&[alpha, picture.clone()])]);
    assert_eq!(code(&moving, Format::Webp), "PIXELS_EXCEED_MEMORY");
    let moving = riff(&[start, frame(&[chunk(b"VP8L", &many)])]);
    assert_eq!(code(&moving, Format::Webp), "PIXELS_EXCEED_MEMORY");
    // In a frame of what does not move, whose end is before its picture's.
    let short = [b"ANMF\x18\0\0\0", &[0; 16][..]].concat();
    let hidden = [short, chunk(b"VP8L", &many)].concat();
    let hidden = riff(&[extended(0, 64, 64), picture, hidden]);
    assert_eq!(code(&hidden, Format::Webp), "CORRUPT");
}

#[test]
fn a_frame_is_as_large_as_its_picture() {
    // The decoder makes room for transparency by the frame's size.
    let header = [&[0; 6], &sides(3_300, 3_300)[..], &[0; 4]].concat();
    let alpha = chunk(b"ALPH", &[0; 40]);
    let frame = [header, alpha, chunk(b"VP8 ", &lossy(16, 16))].concat();
    let start = [extended(0x12, 3_300, 3_300), chunk(b"ANIM", &[0; 6])].concat();
    let file = riff(&[start, chunk(b"ANMF", &frame)]);
    assert_eq!(code(&file, Format::Webp), "CORRUPT");
}

#[test]
fn the_data_of_a_lossy_webp_counts() {
    let mut data = lossy(64, 64);
    let small = plan(&riff(&[chunk(b"VP8 ", &data)]), Format::Webp, LIMITS)
        .unwrap()
        .memory();
    data.resize(30 << 20, 0);
    let file = riff(&[chunk(b"VP8 ", &data)]);
    let large = plan(&file, Format::Webp, LIMITS).unwrap().memory();
    assert!(large - small >= 59 << 20, "{small} {large}");
}

#[test]
fn jpegs_have_the_scans_of_their_kind() {
    let file = jpeg(&picture(64, 64), None);
    let start = file
        .windows(2)
        .position(|part| part == [0xff, 0xda])
        .unwrap();
    let (head, scan) = (&file[..start], &file[start..file.len() - 2]);
    let with = |scans: usize, between: &[u8]| {
        let again = [between, scan].concat();
        [head, scan, &again.repeat(scans - 1), b"\xff\xd9"].concat()
    };
    assert_eq!(code(&with(3, b""), Format::Jpeg), "");
    assert_eq!(code(&with(4, b""), Format::Jpeg), "CORRUPT");
    let progressive = |scans| with_frame(with(scans, b""), 0xc2, (64, 64));
    assert_eq!(code(&progressive(90), Format::Jpeg), "");
    assert_eq!(code(&progressive(110), Format::Jpeg), "CORRUPT");
    // The decoder keeps every one of them.
    let segment = b"\xff\xe2\x00\x11ICC_PROFILE\0\x01\x01x";
    assert_eq!(code(&with(2, &segment.repeat(200)), Format::Jpeg), "");
    assert_eq!(
        code(&with(2, &segment.repeat(300)), Format::Jpeg),
        "CORRUPT"
    );
}

#[test]
fn coefficients_that_never_come_in_full_count_twice() {
    let mut file = with_frame(jpeg(&picture(64, 64), None), 0xc2, (4_000, 3_000));
    let memory = |file: &[u8]| {
        let jpeg = Jpeg::read(file).unwrap();
        jpeg.need(4).decoding
    };
    let finished = memory(&file);
    let start = file
        .windows(2)
        .position(|part| part == [0xff, 0xda])
        .unwrap();
    // The last coefficient is the first; what stands there says all 64 of the three components.
    assert_eq!(file[start + 11..start + 14], [0, 63, 0]);
    file[start + 12] = 0;
    assert_eq!(memory(&file) - finished, 500 * 375 * 3 * 128);
    file[start + 12] = 63;
    // In all but the last bit.
    file[start + 13] = 1;
    assert_eq!(memory(&file) - finished, 500 * 375 * 3 * 128);
}

#[test]
fn the_weights_of_a_long_picture_count() {
    let memory = |height| renditions::memory((1, height)) / u64::from(height);
    assert_eq!(memory(2_000), 12);
    assert!(memory(15_000_000) > 72);
    // Such a picture shrinks as it is decoded, or is refused.
    let mut file = png(&DynamicImage::new_luma8(1, 1));
    let mut refused = |width: u32, height: u32| {
        file[16..20].copy_from_slice(&width.to_be_bytes());
        file[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = crc32(&file[12..29]);
        file[29..33].copy_from_slice(&crc.to_be_bytes());
        code(&file, Format::Png)
    };
    assert_eq!(refused(1, 119_000_000), "PIXELS_EXCEED_MEMORY");
    assert_eq!(refused(20, 5_900_000), "");
}
