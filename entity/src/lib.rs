//! The tables of EventGallery, one file each: columns, relations and scoped finders.
//!
//! Ids are typed ([`id`]), times are microseconds since the epoch ([`Timestamp`]). The migrations,
//! not these types, create the tables.

pub mod analysis_step;
pub mod document;
pub mod event_sequence;
pub mod external_identity;
pub mod face;
pub mod gallery;
pub mod gallery_event;
pub mod gallery_member;
pub mod id;
pub mod job;
pub mod person;
pub mod photo;
pub mod photo_label;
pub mod refresh_token;
pub mod share_link;
pub mod sheet;
pub mod timestamp;
pub mod upload_request;
pub mod user;

pub use id::{
    FaceId, GalleryId, JobId, PersonId, PhotoId, ShareLinkId, SheetId, UploadRequestId, UserId,
};
pub use timestamp::Timestamp;
