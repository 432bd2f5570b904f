//! The harness: the whole application over real HTTP, a real object store, real models, a real
//! database and a clock that only tests move.
//!
//! `TEST_DATABASE_URL` puts it on MariaDB or PostgreSQL (a database of its own for each
//! [`TestApp`]), `TEST_S3_ENDPOINT`, `TEST_S3_KEY` and `TEST_S3_SECRET` on another S3 server. What is
//! not set runs on SQLite and the local stand-ins.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a broken premise ends the test"
)]

pub mod actor;
pub mod app;
pub mod aws;
pub mod bombs;
pub mod database;
pub mod disk;
pub mod document;
pub mod events;
pub mod failover;
pub mod gate;
pub mod issuer;
pub mod line;
pub mod meter;
pub mod pictures;
pub mod process;
pub mod socket;
pub mod transport;
pub mod upload;

pub use actor::Actor;
pub use app::TestApp;
pub use pictures::Picture;
pub use socket::Socket;
