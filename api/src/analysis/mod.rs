//! What happens to a photo after its upload: renditions, faces, labels.
//!
//! The steps of a photo are rows of `analysis_step`; the job [`ANALYSE`] looks at them and does
//! what is missing. Putting faces to people is the next concept's work: this one leaves them
//! waiting and asks for it.

pub mod graphql;
pub mod job;
pub mod media;
pub mod quality;
pub mod service;
pub mod step;

mod detection;
mod rendering;

#[cfg(test)]
mod tests;

pub use job::KIND as ANALYSE;
