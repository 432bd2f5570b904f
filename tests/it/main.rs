//! The behaviour suite: GraphQL over HTTP, real signatures, real databases, a clock that only the
//! tests move.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a broken premise ends the test; what was left out and what was counted is said"
)]

mod access_coverage;
mod analysis;
mod architecture;
mod auth;
mod bad_input;
mod chaos;
mod config;
mod confirmations;
mod connections;
mod crash;
mod deletion;
mod documents;
mod door;
mod events;
mod faults;
mod gallery;
mod grouping;
mod guessing;
mod issuer;
mod jobs;
mod kubernetes;
mod leaks;
mod migration;
mod nul;
mod observability;
mod orphans;
mod page;
mod proxy;
mod reaper;
mod schema;
mod share;
mod slow_clients;
mod sockets;
mod sse;
mod starting;
mod stopping;
mod upgrade;
mod upload;
mod worker;
