//! A fresh database for each test.

use std::path::Path;

use eventgallery::clock::Clock;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement,
};

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

    /// One connection to it, to do what the application does not.
    pub async fn connect(&self) -> DatabaseConnection {
        let mut options = ConnectOptions::new(&self.url);
        options.max_connections(1).sqlx_logging(false);
        Database::connect(options).await.expect("it answers")
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

/// Everything in a schema, a line each: tables, columns, indexes and constraints, whatever their order.
pub async fn schema(connection: &impl ConnectionTrait) -> Vec<String> {
    let queries: &[&str] = match connection.get_database_backend() {
        DbBackend::Sqlite => &["SELECT concat_ws(' ', type, name, sql) FROM sqlite_master"],
        DbBackend::Postgres => &[
            "SELECT concat_ws(' ', relname, relkind) FROM pg_class \
             WHERE relnamespace = 'public'::regnamespace",
            "SELECT concat_ws(' ', table_name, column_name, data_type, character_maximum_length, \
               is_nullable, column_default) \
             FROM information_schema.columns WHERE table_schema = 'public'",
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
            "SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) \
             FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
        ],
        _ => &[
            "SELECT CONCAT_WS(' ', table_name, engine, table_collation) \
             FROM information_schema.tables WHERE table_schema = DATABASE()",
            "SELECT CONCAT_WS(' ', table_name, column_name, column_type, is_nullable, \
               collation_name, column_default) \
             FROM information_schema.columns WHERE table_schema = DATABASE()",
            "SELECT CONCAT_WS(' ', table_name, index_name, seq_in_index, column_name, non_unique) \
             FROM information_schema.statistics WHERE table_schema = DATABASE()",
            "SELECT CONCAT_WS(' ', table_name, constraint_name, referenced_table_name, delete_rule) \
             FROM information_schema.referential_constraints \
             WHERE constraint_schema = DATABASE()",
        ],
    };
    let backend = connection.get_database_backend();
    let mut lines = Vec::new();
    for query in queries {
        let rows = connection
            .query_all_raw(Statement::from_string(backend, *query))
            .await
            .expect("a schema");
        lines.extend(
            rows.iter()
                .map(|row| row.try_get_by_index::<String>(0).expect("text")),
        );
    }
    lines.sort();
    lines
}

/// Which server that is, as it says itself.
pub async fn version(connection: &impl ConnectionTrait) -> String {
    let backend = connection.get_database_backend();
    let query = match backend {
        DbBackend::Sqlite => "SELECT 'SQLite ' || sqlite_version()",
        DbBackend::Postgres => "SELECT version()",
        _ => "SELECT CONCAT('MySQL protocol: ', VERSION())",
    };
    connection
        .query_one_raw(Statement::from_string(backend, query))
        .await
        .expect("an answer")
        .expect("a row")
        .try_get_by_index(0)
        .expect("text")
}
