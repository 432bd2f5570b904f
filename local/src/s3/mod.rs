//! Amazon S3 on this machine.

/// Largest body of one PUT, in bytes: S3's own limit of 5 GiB.
pub const MAX_OBJECT_BYTES: u64 = 5 << 30;
