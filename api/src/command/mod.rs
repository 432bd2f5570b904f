//! What the binary's subcommands do.

pub mod demo;
pub mod local;
pub mod report;
pub mod schema;
pub mod serve;
