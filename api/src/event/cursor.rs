//! The place of an event in its gallery's history, as clients keep it.

use entity::GalleryId;
use wire::opaque;

use crate::error::{Error, Result};

/// As clients see it.
#[must_use]
pub fn encode(gallery: GalleryId, seq: i64) -> String {
    opaque::write_event(gallery.0, seq)
}

/// The number of the event.
///
/// # Errors
/// [`Error::BadUserInput`] for anything that is no cursor of this gallery.
pub fn decode(gallery: GalleryId, text: &str) -> Result<i64> {
    match opaque::read_event(text) {
        Some((id, seq)) if id == gallery.0 && seq >= 0 => Ok(seq),
        _ => Err(Error::BadUserInput(
            "`after` is not a cursor of this gallery's events".into(),
        )),
    }
}
