//! AWS STS on this machine.

pub mod credentials;
