//! The database: one reading door, one writing door.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::{
    ConnAcquireErr, ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

mod failure;
mod migrate;
mod release;

pub use failure::{Failure, retried};
pub use migrate::migrate;

/// How long a statement waits for a connection where nobody says otherwise.
const ACQUIRE: Duration = Duration::from_secs(5);

/// Connections to the database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    read: DatabaseConnection,
    write: DatabaseConnection,
    /// SQLite has one writer: waiting here is fair, waiting in its busy handler is not.
    writer: Option<Arc<Mutex<()>>>,
    /// How long a transaction of a server may take to begin, the wait for a connection included.
    begins_within: Option<Duration>,
    statements: Arc<AtomicU64>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Db({:?})", self.write.get_database_backend())
    }
}

/// A write transaction; dropped without [`Transaction::commit`] it rolls back.
pub struct Transaction {
    inner: DatabaseTransaction,
    _writer: Option<OwnedMutexGuard<()>>,
}

impl std::ops::Deref for Transaction {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

impl Transaction {
    /// Commits.
    ///
    /// # Errors
    /// The database's, for example a serialisation failure; nothing is written then.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.inner.commit().await
    }
}

impl Db {
    /// Connects to `url` (`sqlite:`, `mysql:` or `postgres:`).
    ///
    /// # Errors
    /// The database's: wrong address, wrong password, unknown scheme.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, DbErr> {
        Self::connect_within(url, max_connections, ACQUIRE).await
    }

    /// As [`Self::connect`]; on a server, whoever waits longer than `acquire` for a connection gets
    /// an error. On SQLite readers never wait for each other, and writers wait in their order.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_within(
        url: &str,
        max_connections: u32,
        acquire: Duration,
    ) -> Result<Self, DbErr> {
        let statements = Arc::new(AtomicU64::new(0));
        if url.starts_with("sqlite:") {
            let cores = std::thread::available_parallelism().map_or(2, |n| n.get() as u32);
            let write = connect_sqlite(url, 1, &statements).await?;
            let read = connect_sqlite(url, cores.max(2), &statements).await?;
            let writer = Some(Arc::new(Mutex::new(())));
            return Ok(Self {
                read,
                write,
                writer,
                begins_within: None,
                statements,
            });
        }
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(max_connections)
            .acquire_timeout(acquire)
            .sqlx_logging(false);
        release::look_at_release(&mut options, acquire);
        let mut connection = Database::connect(options).await?;
        count(&mut connection, &statements);
        Ok(Self {
            read: connection.clone(),
            write: connection,
            writer: None,
            begins_within: Some(acquire * 2),
            statements,
        })
    }

    /// For reading.
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// Begins a write transaction: IMMEDIATE on SQLite (a deferred one fails at once when another
    /// writer came first), READ COMMITTED elsewhere (no gap locks on MySQL).
    ///
    /// # Errors
    /// The database's.
    pub async fn begin(&self) -> Result<Transaction, DbErr> {
        let writer = match &self.writer {
            Some(mutex) => Some(Arc::clone(mutex).lock_owned().await),
            None => None,
        };
        let sqlite = self.backend() == DbBackend::Sqlite;
        let options = TransactionOptions {
            isolation_level: (!sqlite).then_some(IsolationLevel::ReadCommitted),
            access_mode: None,
            sqlite_transaction_mode: sqlite.then_some(SqliteTransactionMode::Immediate),
        };
        // In a task of its own: a caller that is dropped in the middle (a client that hangs up, a
        // worker that stops) would put a connection back whose BEGIN is under way, and sqlx does
        // not know of that transaction. So it begins in any case, and is rolled back.
        let write = self.write.clone();
        let within = self.begins_within;
        let begin = tokio::spawn(async move {
            let begun = write.begin_with_options(options);
            let inner = match within {
                // The connection's release ends what may have begun.
                Some(within) => tokio::time::timeout(within, begun)
                    .await
                    .map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))??,
                None => begun.await?,
            };
            Ok(Transaction {
                inner,
                _writer: writer,
            })
        });
        begin
            .await
            .map_err(|error| DbErr::Custom(error.to_string()))?
    }

    /// Which database this is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.write.get_database_backend()
    }

    /// SQL statements sent so far, so that a test can count those of one query.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Closes every connection.
    ///
    /// # Errors
    /// The database's.
    pub async fn close(self) -> Result<(), DbErr> {
        self.read.close().await?;
        self.write.close().await
    }
}

async fn connect_sqlite(
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
    count(&mut connection, statements);
    Ok(connection)
}

fn count(connection: &mut DatabaseConnection, statements: &Arc<AtomicU64>) {
    let statements = Arc::clone(statements);
    connection.set_metric_callback(move |_| {
        statements.fetch_add(1, Ordering::Relaxed);
    });
}
