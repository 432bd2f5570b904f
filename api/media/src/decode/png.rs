//! PNG, row by row: only what is interlaced is held in full.

use image::RgbImage;
use png::{BitDepth, ColorType, Decoder, Transformations};

use super::reduce::{Layout, Reducer, reduced};
use super::{MAX_PROFILE, Need, typed};
use crate::MediaError;
use crate::parts::Parts;
use crate::png_chunks::chunks;

/// Buffers of the decoder that do not grow with the rows, and its tables.
const OVERHEAD: u64 = 2 << 20;

/// What the chunks before the pixels tell. The decoder sees these alone: of others some can be
/// inflated to a thousand times their length.
#[derive(Debug)]
pub(super) struct Png<'a> {
    pub(super) size: (u32, u32),
    bits_per_pixel: u64,
    /// Bytes a pixel of 8 bits a channel, with transparency if there is any.
    channels: u64,
    interlaced: bool,
    /// Deflated.
    profile: Option<&'a [u8]>,
    parts: Parts<'a>,
}

impl<'a> Png<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, MediaError> {
        let mut parts = Parts::default();
        parts.push(bytes.get(..8).unwrap_or_default());
        let (mut header, mut palette, mut transparency, mut profile) = (None, false, false, None);
        for chunk in chunks(bytes) {
            match chunk.kind {
                b"IHDR" if header.is_none() => {
                    header = chunk.data.first_chunk::<13>();
                    parts.push(chunk.whole());
                }
                b"PLTE" if !palette => {
                    palette = true;
                    parts.push(chunk.whole());
                }
                b"tRNS" if !transparency => {
                    transparency = true;
                    parts.push(chunk.whole());
                }
                b"iCCP" if profile.is_none() => profile = deflated(chunk.data),
                b"IDAT" => {
                    parts.push(chunk.from_here);
                    let header = header.ok_or(MediaError::Corrupt)?;
                    return Self::parse(header, transparency, profile, parts);
                }
                _ => {}
            }
        }
        Err(MediaError::Truncated)
    }

    fn parse(
        header: &[u8; 13],
        transparency: bool,
        profile: Option<&'a [u8]>,
        parts: Parts<'a>,
    ) -> Result<Self, MediaError> {
        let &[
            w3,
            w2,
            w1,
            w0,
            h3,
            h2,
            h1,
            h0,
            depth,
            color,
            _,
            _,
            interlace,
        ] = header;
        let (samples, channels) = match color {
            0 => (1, 1),
            2 => (3, 3),
            3 => (1, 3),
            4 => (2, 2),
            6 => (4, 4),
            _ => return Err(MediaError::Corrupt),
        };
        Ok(Self {
            size: (
                u32::from_be_bytes([w3, w2, w1, w0]),
                u32::from_be_bytes([h3, h2, h1, h0]),
            ),
            bits_per_pixel: samples * u64::from(depth),
            channels: channels + u64::from(transparency),
            interlaced: interlace != 0,
            profile,
            parts,
        })
    }

    /// What decoding needs when it is made smaller by this factor on the way.
    pub(super) fn need(&self, factor: u32) -> Need {
        let size = reduced(self.size, factor);
        let (width, height) = (u64::from(self.size.0), u64::from(self.size.1));
        let raw_row = (width * self.bits_per_pixel).div_ceil(8) + 1;
        let row = width * self.channels;
        let all = if self.interlaced { row * height } else { 0 };
        let out = u64::from(size.0) * u64::from(size.1) * 3;
        // Some rows wait to be unfiltered; the sums of the reducer.
        let rows = raw_row * 6 + row * 2 + u64::from(size.0) * 12;
        Need {
            decoding: all + rows + out + OVERHEAD,
            size,
        }
    }

    pub(super) fn profile(&self) -> Option<Vec<u8>> {
        fdeflate::decompress_to_vec_bounded(self.profile?, MAX_PROFILE).ok()
    }

    pub(super) fn decode(self, factor: u32) -> Result<RgbImage, MediaError> {
        let mut decoder = Decoder::new(self.parts);
        decoder.set_transformations(Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(|error| typed(&error))?;
        let layout = match reader.output_color_type() {
            (ColorType::Grayscale, BitDepth::Eight) => Layout::Gray,
            (ColorType::GrayscaleAlpha, BitDepth::Eight) => Layout::GrayAlpha,
            (ColorType::Rgb, BitDepth::Eight) => Layout::Rgb,
            (ColorType::Rgba, BitDepth::Eight) => Layout::Rgba,
            _ => return Err(MediaError::Corrupt),
        };
        let info = reader.info();
        // The estimate was made of what the header said.
        if (info.width, info.height) != self.size || layout.channels() as u64 > self.channels {
            return Err(MediaError::Corrupt);
        }
        let mut reducer = Reducer::new(self.size, factor, layout);
        if self.interlaced {
            let length = reader.output_buffer_size().ok_or(MediaError::Corrupt)?;
            let mut pixels = vec![0; length];
            let frame = reader.next_frame(&mut pixels);
            let line = frame.map_err(|error| typed(&error))?.line_size;
            for row in pixels.chunks_exact(line) {
                reducer.row(row);
            }
        } else {
            while let Some(row) = reader.next_row().map_err(|error| typed(&error))? {
                reducer.row(row.data());
            }
        }
        reducer.finish()
    }
}

/// Behind the profile's name, its NUL and the method.
fn deflated(data: &[u8]) -> Option<&[u8]> {
    let name = data.iter().take(80).position(|byte| *byte == 0)?;
    data.get(name + 2..)
}
