//! TODO

pub mod service;
