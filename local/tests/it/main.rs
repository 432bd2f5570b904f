//! The local AWS from outside.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crash;
mod rekognition;
mod s3;
mod signer;
