//! TODO

/// TODO
#[derive(Debug)]
pub struct AuthService;
