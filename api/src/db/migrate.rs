//! Bringing the schema up to date, by one process at a time.

use std::sync::Arc;
use std::time::Duration;

use migration::MigratorTrait as _;
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};

use super::{reach, sqlite};

/// How long one process waits for another that migrates.
const WAIT: Duration = Duration::from_secs(600);
/// Name of the lock: "event", in ASCII. PostgreSQL knows locks by number, one set per database.
const LOCK: i64 = 0x65_76_65_6e_74;

/// Brings the schema of `url` up to date, over a connection of its own: a migration may change
/// settings of the connection that it runs on. Several processes may do it at once: the migrations
/// themselves take no lock, so they take turns here.
///
/// # Errors
/// The database's; that another process migrates for more than ten minutes.
pub async fn migrate(url: &str) -> Result<(), DbErr> {
    if url.starts_with("sqlite:") {
        return migrate_sqlite(url).await;
    }
    let mut options = ConnectOptions::new(url);
    // One connection, that is one session: it holds the lock, and the lock ends with it.
    options.max_connections(1).sqlx_logging(false);
    let connection = reach::connect(options).await?;
    let migrated = match lock(&connection).await {
        Ok(()) => migration::Migrator::up(&connection, None).await,
        Err(error) => Err(error),
    };
    connection.close().await?;
    migrated
}

/// All in one transaction, which is SQLite's lock: the others wait for it, and see what it did.
async fn migrate_sqlite(url: &str) -> Result<(), DbErr> {
    let connection = sqlite::connect(url, 1, &Arc::default()).await?;
    let wait = format!("PRAGMA busy_timeout = {}", WAIT.as_millis());
    connection.execute_unprepared(&wait).await?;
    let transaction = connection
        .begin_with_options(TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        })
        .await?;
    migration::Migrator::up(&transaction, None).await?;
    transaction.commit().await?;
    connection.close().await
}

/// Takes the lock of this database for this session.
async fn lock(connection: &DatabaseConnection) -> Result<(), DbErr> {
    let seconds = WAIT.as_secs();
    let busy = || {
        DbErr::Migration(format!(
            "another process migrates for more than {seconds} s"
        ))
    };
    if connection.get_database_backend() == DbBackend::MySql {
        // Locks are the server's, not the database's; a name has at most 64 characters.
        let statement =
            format!("SELECT GET_LOCK(CONCAT('eventgallery ', MD5(DATABASE())), {seconds})");
        let row = connection
            .query_one_raw(sea_orm::Statement::from_string(DbBackend::MySql, statement))
            .await?;
        return match row.map(|row| row.try_get_by_index::<Option<i64>>(0)) {
            Some(Ok(Some(1))) => Ok(()),
            Some(Err(error)) => Err(error),
            _ => Err(busy()),
        };
    }
    let statement = format!("SELECT pg_advisory_lock({LOCK})");
    tokio::time::timeout(WAIT, connection.execute_unprepared(&statement))
        .await
        .map_err(|_| busy())??;
    Ok(())
}
