//! What comes over the wire, read before anything is done with it: documents and what they would
//! cost, variables, ids, cursors.
//!
//! Pure: no I/O, no clock, no schema but the table made of its text. A crate of its own, small enough
//! to be fuzzed with instrumentation (`tests/fuzz`).

pub mod definitions;
pub mod document;
mod literals;
pub mod opaque;
pub mod price;
pub mod problem;
pub mod shape;
mod tokens;
pub mod unknown;
pub mod variables;
pub mod weight;
