//! EventGallery.
