//! What only SQLite needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::sqlx::{self, Connection as _};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr};

/// Opens a pool on a file.
///
/// # Errors
/// The database's.
pub(super) async fn connect(
    url: &str,
    max_connections: u32,
    statements: &Arc<AtomicU64>,
) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(max_connections)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(30))
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|options| {
            use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
            options
                .create_if_missing(true)
                .foreign_keys(true)
                .journal_mode(SqliteJournalMode::Wal)
                // A confirmed upload must survive a power cut, not only a crash of ours.
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(10))
                // Rows cross a channel one by one otherwise: measured 0.76 of the time for a page.
                .row_buffer_size(2048)
        });
    let mut connection = Database::connect(options).await?;
    super::count(&mut connection, statements);
    Ok(connection)
}

/// Raised when a transaction ends, unless it is dispelled by a commit that worked.
pub(super) struct Suspicion {
    flag: Arc<AtomicBool>,
    raised: bool,
}

impl Suspicion {
    pub(super) fn new(flag: &Arc<AtomicBool>) -> Self {
        Self {
            flag: Arc::clone(flag),
            raised: true,
        }
    }

    pub(super) fn dispel(&mut self) {
        self.raised = false;
    }
}

impl Drop for Suspicion {
    fn drop(&mut self) {
        if self.raised {
            self.flag.store(true, Ordering::SeqCst);
        }
    }
}

/// Closes the writer's connection where driver and database no longer agree whether a transaction is
/// open. On a full disk SQLite rolls back by itself; the driver's own rollback then fails and it goes
/// on counting the transaction as open. From the next rollback on, every transaction would be a
/// savepoint in one that nobody ever commits.
///
/// Only for whoever holds the writer's lock: nobody else uses the connection.
///
/// # Errors
/// The database's.
pub(super) async fn renew_if_broken(write: &DatabaseConnection) -> Result<(), DbErr> {
    let error = |error: sqlx::Error| DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)));
    let pool = write.get_sqlite_connection_pool();
    let mut connection = pool.acquire().await.map_err(error)?;
    // A rollback of a moment ago may still wait for its turn; this waits for it.
    connection.ping().await.map_err(error)?;
    if connection.is_in_transaction() {
        tracing::warn!("a transaction ended without the driver's knowledge: SQLite is opened anew");
        connection.close().await.map_err(error)?;
    }
    Ok(())
}
