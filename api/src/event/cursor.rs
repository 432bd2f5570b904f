//! The place of an event in its gallery's history, as clients keep it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::GalleryId;
use uuid::Uuid;

use crate::error::{Error, Result};

/// First byte, so that no other cursor of ours passes for one of these.
const TAG: u8 = b'e';

/// As clients see it.
#[must_use]
pub fn encode(gallery: GalleryId, seq: i64) -> String {
    let mut bytes = [0u8; 25];
    bytes[0] = TAG;
    bytes[1..17].copy_from_slice(gallery.0.as_bytes());
    bytes[17..].copy_from_slice(&seq.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The number of the event.
///
/// # Errors
/// [`Error::BadUserInput`] for anything that is no cursor of this gallery.
pub fn decode(gallery: GalleryId, text: &str) -> Result<i64> {
    let read = || {
        let bytes: [u8; 25] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (tag, rest) = bytes.split_first()?;
        let (id, seq) = rest.split_at(16);
        let seq = i64::from_be_bytes(seq.try_into().ok()?);
        let ours = *tag == TAG && Uuid::from_slice(id).ok()? == gallery.0 && seq >= 0;
        ours.then_some(seq)
    };
    read().ok_or_else(|| {
        Error::BadUserInput("`after` is not a cursor of this gallery's events".into())
    })
}
