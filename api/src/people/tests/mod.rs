//! The rules of grouping, on SQLite, with a Rekognition whose faces are colours.

mod collection;
mod compare;
mod fake;
mod overdue;
mod service;
mod sheet;
mod world;
