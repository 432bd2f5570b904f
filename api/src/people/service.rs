//! TODO

/// TODO
#[derive(Debug)]
pub struct PeopleService;
