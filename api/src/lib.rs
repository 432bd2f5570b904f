//! EventGallery: the GraphQL backend for event photos.
//!
//! `docs/ARCHITECTURE.md` is the map. One folder per concept; in each, `graphql.rs` holds types and
//! thin resolvers, `service.rs` the rules, `job.rs` what runs in the background.

pub mod access;
pub mod analysis;
pub mod app;
pub mod auth;
pub mod clock;
pub mod command;
pub mod config;
pub mod data_dir;
pub mod db;
pub mod demo;
pub mod descriptors;
pub mod error;
pub mod event;
pub mod gallery;
pub mod graphql;
pub mod http;
pub mod job;
pub mod lines;
pub mod metrics;
pub mod page;
pub mod people;
pub mod photo;
pub mod share;
pub mod shutdown;
pub mod storage;
pub mod telemetry;
pub mod text;
pub mod upload;
pub mod vision;
