//! EXIF where none belongs: in another segment or chunk, under another name, behind the picture.
//! Readers that are lenient, or that search, find it there.

use super::tiff;

/// Longest identifier, in bytes, behind which a TIFF header still counts as the beginning.
const MAX_NAME: usize = 16;

/// Most bytes before EXIF's own name.
const MAX_BEFORE: usize = 4;

/// Most bytes between EXIF's name and the TIFF header behind a picture: a length, and the name again.
const MAX_BETWEEN: usize = 10;

const NAME: &[u8] = b"exif";

/// Multi-picture format: an index in the form of TIFF, as phones write it.
const MULTI_PICTURE: &[u8] = b"MPF\0";

/// EXIF in a segment or chunk that is not for it. Without a TIFF header it is what stands behind
/// the name.
pub(super) fn block(payload: &[u8]) -> Option<&[u8]> {
    let block = from_header(payload, MAX_NAME).or_else(|| {
        let start = (0..=MAX_BEFORE).find(|start| {
            let rest = payload.get(*start..).unwrap_or_default();
            is_name(rest) && rest.get(NAME.len()) == Some(&0)
        })?;
        // One NUL, and one byte for padding.
        payload.get(start + NAME.len() + 2..)
    })?;
    let index = payload.starts_with(MULTI_PICTURE) && !tiff::points_to_exif(block);
    (!index && !block.is_empty()).then_some(block)
}

/// EXIF behind a picture, where whole files may follow: each as long as EXIF may be.
pub(super) fn blocks_behind(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let names = bytes.windows(NAME.len()).enumerate();
    let names = names.filter(|(_, part)| is_name(part));
    names.filter_map(|(place, _)| {
        let rest = &bytes[place + NAME.len()..];
        let block = from_header(rest, MAX_BETWEEN).or_else(|| rest.strip_prefix(b"\0\0"))?;
        Some(&block[..block.len().min(tiff::MAX_LENGTH)])
    })
}

fn is_name(bytes: &[u8]) -> bool {
    let start = bytes.get(..NAME.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(NAME))
}

/// From the first TIFF header on that has at most so many bytes before it.
fn from_header(bytes: &[u8], most: usize) -> Option<&[u8]> {
    (0..=most)
        .filter_map(|start| bytes.get(start..))
        .find(|rest| tiff::begins(rest))
}
