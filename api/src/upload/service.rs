//! TODO

/// TODO
#[derive(Debug)]
pub struct UploadService;
