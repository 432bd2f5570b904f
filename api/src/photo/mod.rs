//! Photos as people see them: pages with filters, single photos, signed images, deletion.

pub mod document;
pub mod graphql;
pub mod image;
pub mod input;
pub mod job;
pub mod query;
pub mod service;
