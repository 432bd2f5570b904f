//! What the metadata of a picture says: EXIF, and whether anything in the file tells a location.
//!
//! The container is walked here, in place and without inflating anything, so that no file can make
//! its metadata larger than itself.

use chrono::{DateTime, Utc};
use image::metadata::Orientation;

use crate::{Format, jpeg_markers, png_chunks, riff_chunks};

pub(crate) mod exif;
mod stray;
mod tiff;
mod words;

#[cfg(test)]
mod tests;

/// What the metadata says.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// How to turn the stored pixels for showing.
    pub orientation: Orientation,
    /// When the shutter opened. Cameras that write no time zone tell local time: it is taken for UTC.
    pub taken_at: Option<DateTime<Utc>>,
    /// Maker and model.
    pub camera: Option<String>,
    /// Degrees north and east.
    pub location: Option<(f64, f64)>,
    /// The file tells a location, or holds metadata that may and that is not understood in full:
    /// `location` can be none all the same.
    pub may_tell_location: bool,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            orientation: Orientation::NoTransforms,
            taken_at: None,
            camera: None,
            location: None,
            may_tell_location: false,
        }
    }
}

/// Reads what a file of this format carries beside its pixels. Where EXIF stands more than once,
/// the first counts.
#[must_use]
pub fn read(bytes: &[u8], format: Format) -> Facts {
    let mut found = Found::default();
    match format {
        Format::Jpeg => jpeg(bytes, &mut found),
        Format::Png => png(bytes, &mut found),
        Format::Webp => webp(bytes, &mut found),
    }
    let mut facts = found.facts.unwrap_or_default();
    // Anywhere, not only where text belongs: no picture's data look like such a name.
    facts.may_tell_location = found.may_tell_location || words::name_in_full(bytes);
    facts
}

#[derive(Default)]
struct Found {
    facts: Option<Facts>,
    /// Blocks of EXIF that were walked.
    blocks: usize,
    may_tell_location: bool,
}

/// Most blocks of EXIF that are walked, in the file and again behind its picture. A file could have
/// millions; cameras write one, and one more for each picture that they append.
const MAX_BLOCKS: usize = 8;

impl Found {
    /// EXIF, beginning with the TIFF header.
    fn exif(&mut self, block: &[u8]) {
        if block.is_empty() {
            return;
        }
        self.blocks += 1;
        if self.facts.is_some() || self.blocks > MAX_BLOCKS {
            // Which one a program shows is its own choice.
            self.may_tell_location = true;
            return;
        }
        let structure = tiff::structure(block);
        self.may_tell_location |= structure.may_tell_location;
        if structure.readable {
            self.facts = Some(exif::read(block));
        }
    }

    /// What is not for EXIF, and is no picture's data either.
    fn other(&mut self, block: &[u8]) {
        if let Some(exif) = stray::block(block) {
            self.blocks += 1;
            self.may_tell_location |=
                self.blocks > MAX_BLOCKS || tiff::structure(exif).may_tell_location;
        }
        self.text(block);
    }

    fn text(&mut self, block: &[u8]) {
        self.may_tell_location |= words::tell_location(block);
    }
}

const EXIF_PREFIX: &[u8] = b"Exif\0\0";
/// Behind this stands one byte for padding, whatever it is.
const EXIF_NAME: &[u8] = b"Exif\0";
const XMP_KEYWORD: &[u8] = b"XML:com.adobe.xmp";

fn jpeg(bytes: &[u8], found: &mut Found) {
    const APP1: u8 = 0xe1;
    const APP13: u8 = 0xed;
    let mut segments = jpeg_markers::segments(bytes);
    for segment in segments.by_ref() {
        if let (APP1, Some(block)) = (segment.marker, segment.payload.strip_prefix(EXIF_NAME)) {
            found.exif(block.get(1..).unwrap_or_default());
            continue;
        }
        // Application segments and comments; the others belong to the coding.
        if matches!(segment.marker, 0xe0..=0xef | 0xfe) {
            found.other(segment.payload);
        }
        if segment.marker == APP13 {
            found.may_tell_location |= words::iptc_tells(segment.payload);
        }
    }
    trailer(segments.trailer(), found);
}

/// What follows the picture: cameras append previews, depth maps and videos.
fn trailer(bytes: &[u8], found: &mut Found) {
    found.may_tell_location |= words::trailer_tells(bytes);
    for (number, block) in stray::blocks_behind(bytes).enumerate() {
        if found.may_tell_location {
            return;
        }
        if number == MAX_BLOCKS {
            found.may_tell_location = true;
            return;
        }
        found.may_tell_location = tiff::structure(block).may_tell_location;
    }
}

fn png(bytes: &[u8], found: &mut Found) {
    for chunk in png_chunks::chunks(bytes) {
        let data = chunk.data;
        match chunk.kind {
            b"eXIf" => found.exif(data.strip_prefix(EXIF_PREFIX).unwrap_or(data)),
            b"IHDR" | b"PLTE" | b"IDAT" | b"fdAT" | b"iCCP" => {}
            // EXIF, compressed.
            b"zxIf" => found.may_tell_location = true,
            b"zTXt" | b"iTXt" | b"tEXt" => png_text(chunk.kind, data, found),
            b"IEND" => trailer(chunk.after, found),
            _ => found.other(data),
        }
    }
}

/// XMP has its own keyword; ImageMagick writes EXIF, XMP and IPTC in hexadecimal digits as "Raw
/// profile type". What is compressed is not inflated: under such a name it counts as telling.
fn png_text(kind: &[u8; 4], data: &[u8], found: &mut Found) {
    let raw = data
        .strip_prefix(b"Raw profile type ")
        .is_some_and(|name| !name.starts_with(b"icc"));
    let compressed = match kind {
        b"zTXt" => true,
        // Behind the keyword and its NUL.
        b"iTXt" => data.get(XMP_KEYWORD.len() + 1) != Some(&0),
        _ => false,
    };
    let named = words::names_location(data);
    if raw || named || (compressed && data.starts_with(XMP_KEYWORD)) {
        found.may_tell_location = true;
    } else {
        found.text(data);
    }
}

fn webp(bytes: &[u8], found: &mut Found) {
    for (kind, data) in riff_chunks::of_file(bytes) {
        match kind {
            b"EXIF" => found.exif(data.strip_prefix(EXIF_PREFIX).unwrap_or(data)),
            b"VP8 " | b"VP8L" | b"VP8X" | b"ALPH" | b"ANMF" | b"ANIM" | b"ICCP" => {}
            // XMP, and what we do not know; bytes behind the last chunk look like one.
            _ => found.other(data),
        }
    }
    trailer(riff_chunks::behind(bytes), found);
}
