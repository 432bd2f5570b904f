//! Photos as people see them: pages with filters, single photos, signed images, deletion.

pub mod document;
pub mod service;
