//! TODO

/// TODO
#[derive(Debug)]
pub struct GalleryService;
