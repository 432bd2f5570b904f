//! Uploads: rows first, then presigned URLs, then a look into the store.
//!
//! A URL without a row cannot exist, so nothing can be sent that nobody will clean up. The row says
//! what was promised (length, type, SHA-256), the URL binds it, and confirming compares it with what
//! stands in the store before the photo goes to analysis.

pub mod graphql;
pub mod job;
pub mod rules;
pub mod service;

mod cancel;
mod confirm;
mod orphans;
mod placing;
mod request;

use entity::PhotoId;

/// `dedup_key` of a photo that no longer counts for duplicates (failed, cancelled, deleted): its own
/// id, which no SHA-256 equals.
#[must_use]
pub fn released_dedup_key(photo: PhotoId) -> String {
    photo.to_string()
}
