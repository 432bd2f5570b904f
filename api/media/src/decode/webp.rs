//! WebP: always held in full.

use std::io::Cursor;

use image::RgbImage;
use image_webp::WebPDecoder;

use super::reduce::{Layout, Reducer, reduced};
use super::{MAX_PROFILE, Need, typed};
use crate::MediaError;
use crate::riff_chunks::{self, of_file};

/// The decoder's own small things.
const OVERHEAD: u64 = 2 << 20;

/// What the chunks' headers tell.
#[derive(Debug)]
pub(super) struct Webp<'a> {
    bytes: &'a [u8],
    /// Of the canvas.
    pub(super) size: (u32, u32),
    animated: bool,
    profile: Option<&'a [u8]>,
    frames: Frames,
}

/// What is coded in the file, be it the picture or frames of an animation. Which of several the
/// decoder takes is its own choice: the worst counts.
#[derive(Clone, Copy, Debug, Default)]
struct Frames {
    first: Option<(u32, u32)>,
    /// Pixels of the largest, in blocks of 16 by 16.
    largest: u64,
    lossless: bool,
    /// Transparency is coded beside a lossy picture.
    alpha: bool,
}

impl<'a> Webp<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, MediaError> {
        let (mut canvas, mut profile) = (None, None);
        let mut frames = Frames::default();
        for (kind, data) in of_file(bytes) {
            match kind {
                b"VP8X" if canvas.is_none() => canvas = extended(data),
                b"ICCP" if profile.is_none() => profile = Some(data),
                b"ANMF" => {
                    let inner = data.get(16..).unwrap_or_default();
                    for (kind, data) in riff_chunks::chunks(inner) {
                        frames.add(kind, data);
                    }
                }
                _ => frames.add(kind, data),
            }
        }
        let first = frames.first.ok_or(MediaError::Truncated)?;
        Ok(Self {
            bytes,
            size: canvas.map_or(first, |(size, _)| size),
            animated: canvas.is_some_and(|(_, flags)| flags & 2 != 0),
            profile: profile.filter(|profile| profile.len() <= MAX_PROFILE),
            frames,
        })
    }

    /// What decoding needs when it is made smaller by this factor afterwards.
    pub(super) fn need(&self, factor: u32) -> Need {
        let canvas = u64::from(self.size.0) * u64::from(self.size.1);
        let frame = self.frames.largest;
        let out = canvas * 4;
        // Planes of a lossy picture; what its transparency, coded without loss, takes on the way;
        // transforms and prefix codes of a lossless one.
        let mut work = frame * 3 / 2;
        if self.frames.alpha {
            work += frame * 6;
        }
        if self.frames.lossless {
            work = work.max(frame * 5);
        }
        if self.animated {
            // The canvas, and the frame by itself.
            work += canvas * 4 + frame * 4;
        }
        let size = reduced(self.size, factor);
        let reduced = u64::from(size.0) * u64::from(size.1) * 3;
        Need {
            decoding: (out + work).max(out + reduced) + OVERHEAD,
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
        if decoder.dimensions() != self.size || decoder.is_animated() != self.animated {
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
    let width = u32::from_le_bytes([w0, w1, w2, 0]) + 1;
    let height = u32::from_le_bytes([h0, h1, h2, 0]) + 1;
    Some(((width, height), flags))
}

impl Frames {
    fn add(&mut self, kind: &[u8; 4], data: &[u8]) {
        let size = match (kind, data) {
            (b"ALPH", _) => {
                self.alpha = true;
                return;
            }
            (b"VP8 ", &[_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..]) => {
                let side = |bytes| u32::from(u16::from_le_bytes(bytes) & 0x3fff);
                (side([w0, w1]), side([h0, h1]))
            }
            (b"VP8L", &[0x2f, b0, b1, b2, b3, ..]) => {
                self.lossless = true;
                let bits = u32::from_le_bytes([b0, b1, b2, b3]);
                ((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)
            }
            _ => return,
        };
        let whole = |length: u32| u64::from(length.next_multiple_of(16));
        self.largest = self.largest.max(whole(size.0) * whole(size.1));
        self.first = self.first.or(Some(size));
    }
}
