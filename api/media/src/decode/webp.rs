//! WebP: always held in full.

use std::io::Cursor;

use image::RgbImage;
use image_webp::WebPDecoder;

use super::reduce::{Layout, Reducer, reduced};
use super::vp8l::memory_before_pixels;
use super::{MAX_PROFILE, Need, typed};
use crate::MediaError;
use crate::riff_chunks::{self, of_file};

/// The decoder's own small things.
const OVERHEAD: u64 = 2 << 20;

/// What the chunks tell.
#[derive(Debug)]
pub(super) struct Webp<'a> {
    bytes: &'a [u8],
    /// Of the canvas.
    pub(super) size: (u32, u32),
    animated: bool,
    translucent: bool,
    profile: Option<&'a [u8]>,
    coded: Coded,
}

/// What is coded in the file: the picture, or the first frame of an animation.
#[derive(Clone, Copy, Debug, Default)]
struct Coded {
    /// Pixels, in blocks of 16 by 16.
    pixels: u64,
    lossless: bool,
    /// Transparency is coded beside a lossy picture.
    alpha: bool,
    /// What a lossy picture's data takes, and what is lossless before its pixels.
    data: u64,
}

impl<'a> Webp<'a> {
    /// Takes the chunks that the decoder takes, and refuses files of which it might take others.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, MediaError> {
        let mut chunks = of_file(bytes).peekable();
        let (kind, data) = *chunks.peek().ok_or(MediaError::Truncated)?;
        if kind != b"VP8X" {
            let (size, coded) = coded([(kind, data)], None)?;
            return Ok(Self {
                bytes,
                size,
                animated: false,
                // The last bit of a lossless picture's header but for its version's three.
                translucent: coded.lossless && data.get(4).is_some_and(|byte| byte & 0x10 != 0),
                profile: None,
                coded,
            });
        }
        let (size, flags) = extended(data).ok_or(MediaError::Truncated)?;
        let animated = flags & 2 != 0;
        let profile = of_file(bytes).find(|(kind, _)| *kind == b"ICCP");
        let frame = of_file(bytes).find(|(kind, _)| *kind == b"ANMF");
        let (_, coded) = match (animated, frame) {
            (false, None) => coded(chunks, Some(size))?,
            (true, Some((_, frame))) => {
                let size = frame_size(frame).ok_or(MediaError::Truncated)?;
                let inner = riff_chunks::chunks(&frame[FRAME_HEADER..]);
                coded(inner.take(2), Some(size))?
            }
            (true, None) => return Err(MediaError::Truncated),
            // The decoder would look into the frame, and beyond its end.
            (false, Some(_)) => return Err(MediaError::Corrupt),
        };
        let profile = profile.map(|(_, profile)| profile);
        Ok(Self {
            bytes,
            size,
            animated,
            translucent: flags & 0x10 != 0,
            profile: profile.filter(|profile| profile.len() <= MAX_PROFILE),
            coded,
        })
    }

    /// What decoding needs when it is made smaller by this factor afterwards.
    pub(super) fn need(&self, factor: u32) -> Need {
        let canvas = u64::from(self.size.0) * u64::from(self.size.1);
        let Coded {
            pixels,
            lossless,
            alpha,
            data,
        } = self.coded;
        let out = canvas * if self.translucent { 4 } else { 3 };
        // Planes of a lossy picture, and how its blocks are coded.
        let mut work = data + if lossless { 0 } else { pixels * 2 };
        if lossless && !self.translucent && !self.animated {
            // It is decoded with transparency all the same.
            work += pixels * 4;
        }
        if alpha {
            // As pixels first.
            work += pixels * 5;
        }
        if self.animated {
            // The canvas, and the frame by itself.
            work += canvas * 4 + pixels * 4;
        }
        let size = reduced(self.size, factor);
        let copied = if self.translucent || factor > 1 {
            u64::from(size.0) * u64::from(size.1) * 3
        } else {
            0
        };
        Need {
            decoding: (out + work).max(out + copied) + OVERHEAD,
            size,
        }
    }

    pub(super) fn profile(&self) -> Option<Vec<u8>> {
        self.profile.map(<[u8]>::to_vec)
    }

    pub(super) fn decode(self, factor: u32) -> Result<RgbImage, MediaError> {
        let decoder = WebPDecoder::new(Cursor::new(self.bytes));
        let mut decoder = decoder.map_err(|error| typed(&error))?;
        // The estimate was made of what the chunks said.
        let alike =
            decoder.is_animated() == self.animated && decoder.has_alpha() == self.translucent;
        if decoder.dimensions() != self.size || !alike {
            return Err(MediaError::Corrupt);
        }
        let layout = if decoder.has_alpha() {
            Layout::Rgba
        } else {
            Layout::Rgb
        };
        let length = decoder.output_buffer_size().ok_or(MediaError::Corrupt)?;
        let mut pixels = vec![0; length];
        decoder
            .read_image(&mut pixels)
            .map_err(|error| typed(&error))?;
        drop(decoder);
        if layout == Layout::Rgb && factor == 1 {
            let (width, height) = self.size;
            return RgbImage::from_raw(width, height, pixels).ok_or(MediaError::Corrupt);
        }
        let mut reducer = Reducer::new(self.size, factor, layout);
        for row in pixels.chunks_exact(self.size.0 as usize * layout.channels()) {
            reducer.row(row);
        }
        reducer.finish()
    }
}

/// Size of the canvas, and flags.
fn extended(data: &[u8]) -> Option<((u32, u32), u8)> {
    let &[flags, _, _, _, w0, w1, w2, h0, h1, h2, ..] = data else {
        return None;
    };
    Some((size([w0, w1, w2], [h0, h1, h2]), flags))
}

/// Place, size, duration and flags of a frame, before its chunks.
const FRAME_HEADER: usize = 16;

fn frame_size(frame: &[u8]) -> Option<(u32, u32)> {
    let header: &[u8; FRAME_HEADER] = frame.first_chunk()?;
    let &[_, _, _, _, _, _, w0, w1, w2, h0, h1, h2, ..] = header;
    Some(size([w0, w1, w2], [h0, h1, h2]))
}

fn size([w0, w1, w2]: [u8; 3], [h0, h1, h2]: [u8; 3]) -> (u32, u32) {
    let side = |bytes| u32::from_le_bytes(bytes) + 1;
    (side([w0, w1, w2, 0]), side([h0, h1, h2, 0]))
}

/// Size and needs of a picture in these chunks; `declared` is what the container says of its size.
fn coded<'a>(
    chunks: impl IntoIterator<Item = (&'a [u8; 4], &'a [u8])>,
    declared: Option<(u32, u32)>,
) -> Result<((u32, u32), Coded), MediaError> {
    let (mut lossy, mut lossless, mut alpha) = (None, None, None);
    for (kind, data) in chunks {
        match kind {
            b"VP8 " => lossy = lossy.or(Some(data)),
            b"VP8L" => lossless = lossless.or(Some(data)),
            b"ALPH" => alpha = alpha.or(Some(data)),
            _ => {}
        }
    }
    let mut coded = Coded::default();
    let found = match (lossy, lossless) {
        (Some(data), None) => {
            // The decoder copies it, and what it read of it until then.
            coded.data = data.len() as u64 * 2;
            lossy_size(data)?
        }
        (None, Some(data)) if alpha.is_none() => {
            let (size, stream) = lossless_size(data)?;
            coded.lossless = true;
            coded.data = memory_before_pixels(stream, size)?;
            size
        }
        (None, None) => return Err(MediaError::Truncated),
        (_, Some(_)) => return Err(MediaError::Corrupt),
    };
    if declared.is_some_and(|declared| declared != found) {
        return Err(MediaError::Corrupt);
    }
    if let Some([how, stream @ ..]) = alpha {
        coded.alpha = true;
        // Without the bit it is not compressed.
        if how & 1 != 0 {
            coded.data += memory_before_pixels(stream, found)?;
        }
    }
    let whole = |length: u32| u64::from(length.next_multiple_of(16));
    coded.pixels = whole(found.0) * whole(found.1);
    Ok((found, coded))
}

fn lossy_size(data: &[u8]) -> Result<(u32, u32), MediaError> {
    let &[_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = data else {
        return Err(MediaError::Truncated);
    };
    let side = |bytes| u32::from(u16::from_le_bytes(bytes) & 0x3fff);
    Ok((side([w0, w1]), side([h0, h1])))
}

/// And what follows it.
fn lossless_size(data: &[u8]) -> Result<((u32, u32), &[u8]), MediaError> {
    let &[0x2f, b0, b1, b2, b3, ref stream @ ..] = data else {
        return Err(MediaError::Truncated);
    };
    let bits = u32::from_le_bytes([b0, b1, b2, b3]);
    Ok((((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1), stream))
}
