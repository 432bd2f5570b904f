//! Galleries: one event, its members, its photos. Also what a gallery's deletion takes along.

pub mod graphql;
mod input;
pub mod job;
pub mod loader;
pub mod member;
pub mod service;
