//! A fresh database for each test.

use std::path::Path;

use eventgallery::clock::Clock;
use sea_orm::{ConnectionTrait, Database, DbBackend};

/// Whether the tests run on a database server instead of SQLite.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "tests/run says which server to test against"
)]
pub fn is_server() -> bool {
    std::env::var("TEST_DATABASE_URL").is_ok()
}

/// A database that nobody else uses.
#[derive(Debug)]
pub struct TestDatabase {
    /// Address for the application.
    pub url: String,
    /// Server and name to drop at the end; none: a file that goes with its folder.
    server: Option<(String, String)>,
}

impl TestDatabase {
    /// Makes one in `folder`, or on the server of `TEST_DATABASE_URL`.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests/run says which server to test against"
    )]
    pub async fn create(folder: &Path) -> Self {
        let Ok(server) = std::env::var("TEST_DATABASE_URL") else {
            let url = format!("sqlite://{}?mode=rwc", folder.join("test.db").display());
            return Self { url, server: None };
        };
        let name = format!("eg_{}", Clock::system().new_token().simple());
        let connection = Database::connect(&server)
            .await
            .expect("the test server answers");
        // Whatever the server's default is: columns of ours say utf8mb4 themselves.
        let statement = match connection.get_database_backend() {
            DbBackend::MySql => format!("CREATE DATABASE {name} CHARACTER SET latin1"),
            _ => format!("CREATE DATABASE {name}"),
        };
        connection
            .execute_unprepared(&statement)
            .await
            .expect("a fresh database");
        connection.close().await.expect("closed");
        let (base, _) = server
            .rsplit_once('/')
            .expect("a database name at the end of TEST_DATABASE_URL");
        Self {
            url: format!("{base}/{name}"),
            server: Some((server.clone(), name)),
        }
    }

    /// Drops it; every connection to it must be closed.
    pub async fn drop(self) {
        if let Some((server, name)) = self.server {
            let connection = Database::connect(&server)
                .await
                .expect("the test server answers");
            let force = match connection.get_database_backend() {
                DbBackend::Postgres => " WITH (FORCE)",
                _ => "",
            };
            connection
                .execute_unprepared(&format!("DROP DATABASE {name}{force}"))
                .await
                .expect("dropped");
            connection.close().await.expect("closed");
        }
    }
}
