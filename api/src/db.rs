//! The database: one reading door, one writing door.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sea_orm::{
    ConnAcquireErr, ConnectOptions, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use crate::event::{self, Happening};

mod failure;
mod migrate;
mod reach;
mod release;
mod savepoint;
mod sqlite;
mod time;

pub use failure::{Failure, retried};
pub use migrate::migrate;
pub use savepoint::{is_taken, unless_taken};
pub use time::shared_time;

/// How long a statement waits for a connection where nobody says otherwise.
const ACQUIRE: Duration = Duration::from_secs(5);

/// Connections to the database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    read: DatabaseConnection,
    write: DatabaseConnection,
    /// SQLite has one writer: waiting here is fair, waiting in its busy handler is not.
    writer: Option<Arc<Mutex<()>>>,
    /// Whether a transaction ended otherwise than by a commit since SQLite's writer was looked at.
    suspect: Arc<AtomicBool>,
    /// How long a transaction of a server may take to begin, the wait for a connection included.
    begins_within: Option<Duration>,
    statements: Arc<AtomicU64>,
    /// Counts the events that this process wrote.
    news: watch::Sender<u64>,
}

/// What a pool holds.
#[derive(Clone, Copy, Debug)]
pub struct PoolUse {
    /// `read` or `write`; one that serves both is called `write`.
    pub name: &'static str,
    /// Connections that wait for work.
    pub idle: u32,
    /// Connections at work.
    pub used: u32,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Db({:?})", self.write.get_database_backend())
    }
}

/// A write transaction; dropped without [`Transaction::commit`] it rolls back.
pub struct Transaction {
    inner: DatabaseTransaction,
    happened: std::sync::Mutex<Vec<Happening>>,
    news: watch::Sender<u64>,
    suspicion: sqlite::Suspicion,
    _writer: Option<OwnedMutexGuard<()>>,
}

impl std::ops::Deref for Transaction {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

impl Transaction {
    /// Notes what this transaction does to a gallery. It goes into the outbox at the commit, and not
    /// before: the lock on the gallery's history is the last one that a transaction takes.
    pub fn record(&self, happening: Happening) {
        self.happened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(happening);
    }

    /// Writes what was [recorded](Self::record) into the outbox and commits.
    ///
    /// # Errors
    /// The database's, for example a serialisation failure; nothing is written then.
    pub async fn commit(mut self) -> Result<(), DbErr> {
        let happened = self
            .happened
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let written = event::outbox::append(&self.inner, happened).await?;
        self.inner.commit().await?;
        self.suspicion.dispel();
        if written > 0 {
            self.news.send_modify(|count| *count += written);
        }
        Ok(())
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
            let write = sqlite::connect(url, 1, &statements).await?;
            let read = sqlite::connect(url, cores.max(2), &statements).await?;
            let writer = Some(Arc::new(Mutex::new(())));
            return Ok(Self {
                read,
                write,
                writer,
                suspect: Arc::default(),
                begins_within: None,
                statements,
                news: watch::Sender::new(0),
            });
        }
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(max_connections)
            .acquire_timeout(acquire)
            .sqlx_logging(false);
        release::look_at_release(&mut options, acquire);
        let mut connection = reach::connect(options).await?;
        count(&mut connection, &statements);
        Ok(Self {
            read: connection.clone(),
            write: connection,
            writer: None,
            suspect: Arc::default(),
            begins_within: Some(acquire * 2),
            statements,
            news: watch::Sender::new(0),
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
        if sqlite && self.suspect.swap(false, Ordering::SeqCst) {
            sqlite::renew_if_broken(&self.write).await?;
        }
        let options = TransactionOptions {
            isolation_level: (!sqlite).then_some(IsolationLevel::ReadCommitted),
            access_mode: None,
            sqlite_transaction_mode: sqlite.then_some(SqliteTransactionMode::Immediate),
        };
        // In a task of its own: a caller that is dropped in the middle (a client that hangs up, a
        // worker that stops) would put a connection back whose BEGIN is under way, and sqlx does
        // not know of that transaction. So it begins in any case, and is rolled back.
        let write = self.write.clone();
        let news = self.news.clone();
        let suspicion = sqlite::Suspicion::new(&self.suspect);
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
                happened: std::sync::Mutex::default(),
                news,
                suspicion,
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

    /// How many events this process has written to the outbox: whoever waits for events looks when it
    /// changes.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// What the pools hold at this moment.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolUse> {
        let of = |name, size: u32, idle: usize| {
            let idle = u32::try_from(idle).unwrap_or(u32::MAX).min(size);
            let used = size - idle;
            PoolUse { name, idle, used }
        };
        match self.backend() {
            DbBackend::MySql => {
                let pool = self.write.get_mysql_connection_pool();
                vec![of("write", pool.size(), pool.num_idle())]
            }
            DbBackend::Postgres => {
                let pool = self.write.get_postgres_connection_pool();
                vec![of("write", pool.size(), pool.num_idle())]
            }
            DbBackend::Sqlite => [("read", &self.read), ("write", &self.write)]
                .into_iter()
                .map(|(name, connection)| {
                    let pool = connection.get_sqlite_connection_pool();
                    of(name, pool.size(), pool.num_idle())
                })
                .collect(),
            _ => Vec::new(),
        }
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

fn count(connection: &mut DatabaseConnection, statements: &Arc<AtomicU64>) {
    let statements = Arc::clone(statements);
    connection.set_metric_callback(move |_| {
        statements.fetch_add(1, Ordering::Relaxed);
    });
}
