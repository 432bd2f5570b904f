//! What happens in galleries, for whoever looks on.
//!
//! Who changes something records a [`Happening`] with the transaction that changes it
//! ([`crate::db::Transaction::record`]); the commit numbers it within its gallery and writes it to the
//! table `gallery_event`, the outbox. [`hub`] tells the subscriptions of a process what any process
//! wrote; [`service`] lets a viewer follow a gallery from any place in its history that is still kept.

use entity::gallery_event::Kind;
use entity::{GalleryId, PersonId, PhotoId, Timestamp};
use uuid::Uuid;

pub mod cursor;
pub mod graphql;
pub mod hub;
pub mod job;
pub mod outbox;
pub mod service;

/// One change, before it has its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happening {
    /// Where.
    pub gallery: GalleryId,
    /// What.
    pub kind: Kind,
    /// To which photo, person or gallery.
    pub subject: Uuid,
    /// When.
    pub at: Timestamp,
}

impl Happening {
    /// A photo changed.
    #[must_use]
    pub fn photo_changed(gallery: GalleryId, photo: PhotoId, at: Timestamp) -> Self {
        Self::new(gallery, Kind::PhotoChanged, photo.0, at)
    }

    /// A photo went.
    #[must_use]
    pub fn photo_deleted(gallery: GalleryId, photo: PhotoId, at: Timestamp) -> Self {
        Self::new(gallery, Kind::PhotoDeleted, photo.0, at)
    }

    /// A person changed.
    #[must_use]
    pub fn person_changed(gallery: GalleryId, person: PersonId, at: Timestamp) -> Self {
        Self::new(gallery, Kind::PersonChanged, person.0, at)
    }

    /// A person went.
    #[must_use]
    pub fn person_deleted(gallery: GalleryId, person: PersonId, at: Timestamp) -> Self {
        Self::new(gallery, Kind::PersonDeleted, person.0, at)
    }

    /// The gallery or its members changed.
    #[must_use]
    pub fn gallery_changed(gallery: GalleryId, at: Timestamp) -> Self {
        Self::new(gallery, Kind::GalleryChanged, gallery.0, at)
    }

    /// The gallery went.
    #[must_use]
    pub fn gallery_deleted(gallery: GalleryId, at: Timestamp) -> Self {
        Self::new(gallery, Kind::GalleryDeleted, gallery.0, at)
    }

    fn new(gallery: GalleryId, kind: Kind, subject: Uuid, at: Timestamp) -> Self {
        Self {
            gallery,
            kind,
            subject,
            at,
        }
    }
}
