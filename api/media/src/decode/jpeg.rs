//! JPEG, scaled while it is decoded where it is large.
//!
//! Scaling is done on the coefficients: a block of 8 by 8 becomes one of 4 by 4, 2 by 2 or 1. So
//! 60 megapixels of a camera take less memory than 12 of a phone that are decoded in full. The
//! coefficients of a progressive file have to be held for the whole picture, whatever the scale.

use image::RgbImage;

use super::reduce::{Layout, Reducer};
use super::{MAX_PROFILE, Need};
use crate::jpeg_markers::segments;
use crate::parts::Parts;
use crate::{MediaError, renditions};

/// Most scans. Encoders write some ten; each one costs a walk over the whole picture.
const MAX_SCANS: usize = 100;

/// Most segments before the first scan that the decoder needs, and most of metadata behind it: the
/// decoder keeps each of them. Cameras write some ten, and none.
const MAX_SEGMENTS: usize = 256;

/// Put in place of the end-of-image marker. A decoder that has all it needs reads at most eight bytes
/// ahead into the zeros; then it looks for a marker, passes over everything else and finds the end.
/// One that still wants data for its pixels meets what is no marker there, and says so, where it
/// would have taken an end-of-image marker for zeros without end.
const END: [&[u8]; 2] = [&[0; 16], b"\xff\xff\x00\xff\xd9"];

/// The decoder's own small things.
const OVERHEAD: u64 = 2 << 20;

#[derive(Debug)]
struct Component {
    id: u8,
    /// Sampling factors.
    horizontal: u64,
    vertical: u64,
}

/// What the markers tell.
#[derive(Debug)]
pub(super) struct Jpeg<'a> {
    pub(super) size: (u32, u32),
    components: Vec<Component>,
    progressive: bool,
    /// Some coefficient never comes in full: the decoder goes over all of them again, in a copy.
    unfinished: bool,
    /// Bytes of metadata between the scans: the decoder copies them.
    metadata: u64,
    profile: Option<&'a [u8]>,
    /// What the decoder is to see.
    parts: Parts<'a>,
}

impl<'a> Jpeg<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, MediaError> {
        let mut segments = segments(bytes);
        let (mut frame, mut profile) = (None, Profile::None);
        let (mut scans, mut metadata, mut kept) = (Vec::new(), 0, 0);
        let mut parts = Parts::default();
        parts.push(bytes.get(..2).unwrap_or_default());
        let mut scan = None;
        for segment in segments.by_ref() {
            let payload = segment.payload;
            let place = segment.start..segment.start + 4 + payload.len();
            match segment.marker {
                0xda => {
                    scans.push(payload);
                    scan = scan.or(Some(segment.start));
                }
                0xc0..=0xcf if !matches!(segment.marker, 0xc4 | 0xc8 | 0xcc) => {
                    frame = frame.or(Some((segment.marker, payload)));
                }
                0xe2 if scan.is_none() => profile.take(payload),
                _ => {}
            }
            match (scan, segment.marker) {
                (Some(_), 0xe0..=0xef | 0xfe) => {
                    metadata += payload.len() as u64;
                    kept += 1;
                }
                // JFIF and Adobe tell how colours are meant; the others are nothing to the decoder.
                (None, 0xe1..=0xed | 0xef | 0xfe) | (Some(_), _) => {}
                (None, _) => parts.push(bytes.get(place).ok_or(MediaError::Truncated)?),
            }
            if scans.len() > MAX_SCANS || parts.len().max(kept) > MAX_SEGMENTS {
                return Err(MediaError::Corrupt);
            }
        }
        if !segments.is_complete() {
            return Err(MediaError::Truncated);
        }
        let body = scan.and_then(|scan| bytes.get(scan..segments.end()));
        parts.push(body.ok_or(MediaError::Corrupt)?);
        for part in END {
            parts.push(part);
        }
        let (marker, payload) = frame.ok_or(MediaError::Corrupt)?;
        let (size, components) = parse_frame(payload).ok_or(MediaError::Corrupt)?;
        // Baseline, extended and progressive; the others are arithmetic, lossless or hierarchical.
        if !matches!(marker, 0xc0..=0xc2) {
            return Err(MediaError::Corrupt);
        }
        let progressive = marker == 0xc2;
        // One that is not progressive brings each component once; the decoder would go on and on.
        if !progressive && scans.len() > components.len() {
            return Err(MediaError::Corrupt);
        }
        let unfinished = components.iter().any(|component| {
            scans
                .iter()
                .fold(0, |all, scan| all | brings(scan, component))
                != u64::MAX
        });
        Ok(Self {
            size,
            components,
            progressive,
            unfinished,
            metadata,
            profile: profile.found(),
            parts,
        })
    }

    fn layout(&self) -> Layout {
        match self.components.len() {
            1 => Layout::Gray,
            3 => Layout::Rgb,
            _ => Layout::Cmyk,
        }
    }

    /// The scales in eighths at which it may be decoded, the best first.
    pub(super) fn scales(&self) -> Vec<u32> {
        let longest = self.size.0.max(self.size.1);
        let reaches = |scale: u32, side: u32| scaled(longest, scale) >= side;
        // A quarter more than the preview needs keeps it sharp.
        let best = [1, 2, 4]
            .into_iter()
            .find(|scale| reaches(*scale, renditions::PREVIEW_SIDE * 5 / 4));
        let best = best.unwrap_or(8);
        [8, 4, 2, 1]
            .into_iter()
            .filter(|scale| *scale <= best)
            .filter(|scale| *scale == best || reaches(*scale, renditions::PREVIEW_SIDE))
            .collect()
    }

    /// What decoding at this scale needs.
    pub(super) fn need(&self, scale: u32) -> Need {
        let (width, height) = self.scaled_size(scale);
        let pixels = u64::from(width) * u64::from(height);
        let (horizontal, vertical) = self.components.iter().fold((1, 1), |most, component| {
            (
                most.0.max(component.horizontal),
                most.1.max(component.vertical),
            )
        });
        let units = u64::from(self.size.0).div_ceil(8 * horizontal);
        let unit_rows = u64::from(self.size.1).div_ceil(8 * vertical);
        let of_a_row = |component: &Component| units * component.horizontal * component.vertical;
        let blocks_of_a_row: u64 = self.components.iter().map(of_a_row).sum();
        let blocks = blocks_of_a_row * unit_rows;
        let side = u64::from(scale);
        let planes = blocks * side * side;
        let coefficients = match (self.progressive, self.unfinished) {
            (false, _) => 0,
            (true, false) => blocks * 128,
            (true, true) => blocks * 256,
        };
        let rows = blocks_of_a_row * 64 * 2 * 3;
        let channels = self.components.len() as u64;
        let out = pixels * channels;
        let converted = if channels == 3 { 0 } else { pixels * 3 };
        Need {
            decoding: (coefficients + planes + out + rows).max(out + converted)
                + self.metadata
                + OVERHEAD,
            size: (width, height),
        }
    }

    fn scaled_size(&self, scale: u32) -> (u32, u32) {
        (scaled(self.size.0, scale), scaled(self.size.1, scale))
    }

    pub(super) fn profile(&self) -> Option<Vec<u8>> {
        self.profile.map(<[u8]>::to_vec)
    }

    pub(super) fn decode(mut self, scale: u32) -> Result<RgbImage, MediaError> {
        let (size, layout) = (self.scaled_size(scale), self.layout());
        let decoded = decode(&mut self.parts, size);
        let (actual, pixels) = decoded.map_err(|error| {
            let early = matches!(&error, jpeg_decoder::Error::Io(error)
                if error.kind() == std::io::ErrorKind::UnexpectedEof);
            if early || self.parts.is_in_last() {
                MediaError::Truncated
            } else {
                MediaError::Corrupt
            }
        })?;
        if actual != size {
            return Err(MediaError::Corrupt);
        }
        if layout == Layout::Rgb {
            return RgbImage::from_raw(size.0, size.1, pixels).ok_or(MediaError::Corrupt);
        }
        let mut reducer = Reducer::new(size, 1, layout);
        for row in pixels.chunks(size.0 as usize * layout.channels()) {
            reducer.row(row);
        }
        reducer.finish()
    }
}

type Decoded = ((u32, u32), Vec<u8>);

fn decode(parts: &mut Parts<'_>, size: (u32, u32)) -> Result<Decoded, jpeg_decoder::Error> {
    let mut decoder = jpeg_decoder::Decoder::new(parts);
    let side = |length: u32| u16::try_from(length).unwrap_or(u16::MAX);
    let (width, height) = decoder.scale(side(size.0), side(size.1))?;
    Ok(((width.into(), height.into()), decoder.decode()?))
}

fn scaled(length: u32, scale: u32) -> u32 {
    (length * scale).div_ceil(8)
}

/// Of the 64 coefficients of a component, those that a scan with this header brings in full.
fn brings(scan: &[u8], component: &Component) -> u64 {
    let Some((ids, [first, last, precision, ..])) = scan
        .split_first()
        .and_then(|(count, rest)| rest.split_at_checked(usize::from(*count) * 2))
    else {
        return 0;
    };
    let its_own = ids.chunks_exact(2).any(|id| id[0] == component.id);
    if !its_own || precision & 15 != 0 || first > last || *last > 63 {
        return 0;
    }
    (u64::MAX >> (63 - last)) & (u64::MAX << first)
}

type Frame = ((u32, u32), Vec<Component>);

/// Size and components of a frame header.
fn parse_frame(payload: &[u8]) -> Option<Frame> {
    let [_, h1, h0, w1, w0, count, components @ ..] = payload else {
        return None;
    };
    let size = (
        u32::from(u16::from_be_bytes([*w1, *w0])),
        u32::from(u16::from_be_bytes([*h1, *h0])),
    );
    let components: Vec<Component> = components
        .chunks_exact(3)
        .take((*count).into())
        .map(|component| Component {
            id: component[0],
            horizontal: u64::from(component[1] >> 4),
            vertical: u64::from(component[1] & 15),
        })
        .collect();
    let sane = components.iter().all(
        |Component {
             horizontal,
             vertical,
             ..
         }| { (1..=4).contains(horizontal) && (1..=4).contains(vertical) },
    );
    (components.len() == usize::from(*count) && matches!(count, 1 | 3 | 4) && sane)
        .then_some((size, components))
}

/// The ICC profile, if it stands in a single segment: longer ones are not carried over.
#[derive(Debug)]
enum Profile<'a> {
    None,
    One(&'a [u8]),
    Many,
}

impl<'a> Profile<'a> {
    fn take(&mut self, payload: &'a [u8]) {
        if let Some(part) = payload.strip_prefix(b"ICC_PROFILE\0") {
            *self = match (&self, part) {
                (Self::None, [1, 1, profile @ ..]) => Self::One(profile),
                _ => Self::Many,
            };
        }
    }

    fn found(self) -> Option<&'a [u8]> {
        match self {
            Self::One(profile) if profile.len() <= MAX_PROFILE => Some(profile),
            _ => None,
        }
    }
}
