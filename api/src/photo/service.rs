//! TODO

/// TODO
#[derive(Debug)]
pub struct PhotoService;
