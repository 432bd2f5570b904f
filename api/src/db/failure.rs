//! What a failed statement means to whoever asked: try at once, try later, or nothing of the kind.

use std::time::Duration;

use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::mysql::MySqlDatabaseError;
use sea_orm::sqlx::sqlite::SqliteError;
use sea_orm::{DbErr, RuntimeErr, sqlx};

use crate::clock::Clock;
use crate::error::{Error, Result};

/// How often a write that met another one is tried.
const ATTEMPTS: u32 = 6;
/// Longest pause before the second try; doubled with each.
const PAUSE: Duration = Duration::from_millis(10);

/// Why a statement failed, where it is not the statement's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Another transaction came first: a deadlock, a serialisation failure, a lock that was waited for
    /// too long. The same transaction may well succeed at once.
    Conflict,
    /// No connection, a server that stops or starts, one that has no room or only reads: later.
    Unavailable,
}

impl Failure {
    /// What `error` is; `None` where trying again changes nothing.
    #[must_use]
    pub fn of(error: &DbErr) -> Option<Self> {
        match error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(RuntimeErr::Internal(_)) => {
                Some(Self::Unavailable)
            }
            DbErr::Conn(RuntimeErr::SqlxError(error)) => {
                Some(of_driver(error).unwrap_or(Self::Unavailable))
            }
            DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => of_driver(error),
            _ => None,
        }
    }
}

fn of_driver(error: &sqlx::Error) -> Option<Failure> {
    match error {
        sqlx::Error::Database(error) => of_server(&**error),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        // What is left of an answer when its connection broke.
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Some(Failure::Unavailable),
        _ => None,
    }
}

fn of_server(error: &dyn DatabaseError) -> Option<Failure> {
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return of_mysql(error.number());
    }
    let code = error.code()?;
    if error.try_downcast_ref::<SqliteError>().is_some() {
        return of_sqlite(code.parse().ok()?);
    }
    of_sqlstate(&code)
}

/// Error numbers of MySQL, MariaDB and TiDB.
fn of_mysql(number: u16) -> Option<Failure> {
    match number {
        // Record changed since read (MariaDB), lock wait time-out, deadlock, certification failed
        // (group replication), write conflict or changed schema (TiDB).
        1020 | 1205 | 1213 | 3101 | 8022 | 8028 | 9007 => Some(Failure::Conflict),
        // Disk or table full, too many connections, shutting down, not in the cluster (Galera),
        // aborted or broken connections, interrupted, read-only, killed, too slow, idle too long.
        1021 | 1040 | 1047 | 1053 | 1077 | 1079 | 1080 | 1114 | 1152 | 1158..=1161 | 1184 | 1203
        | 1290 | 1317 | 1792 | 1836 | 1927 | 1969 | 2006 | 2013 | 3024 | 4031
        // Placement driver or storage does not answer (TiDB).
        | 9001..=9003 | 9005 => Some(Failure::Unavailable),
        _ => None,
    }
}

/// Result codes of SQLite; what is above the lowest byte only tells where it happened.
fn of_sqlite(code: u32) -> Option<Failure> {
    match code & 0xff {
        // BUSY, LOCKED: another process writes.
        5 | 6 => Some(Failure::Conflict),
        // IOERR, FULL, CANTOPEN.
        10 | 13 | 14 => Some(Failure::Unavailable),
        _ => None,
    }
}

/// SQLSTATE, as PostgreSQL and CockroachDB use it.
fn of_sqlstate(code: &str) -> Option<Failure> {
    match code {
        // Serialisation failure, deadlock, lock time-out.
        "40001" | "40P01" | "55P03" => Some(Failure::Conflict),
        // Only reads: a standby. Cancelled, for example by statement_timeout.
        "25006" | "57014" => Some(Failure::Unavailable),
        // Connection exceptions, no resources, stopped by an operator.
        _ if ["08", "53", "57P"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            Some(Failure::Unavailable)
        }
        _ => None,
    }
}

/// Runs a write, and again where another one came first: no client sees a deadlock. What `attempt`
/// does before its transaction commits must be safe to repeat.
///
/// # Errors
/// The attempt's; `Unavailable` where it met others again and again.
pub async fn retried<T, F>(mut attempt: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut pause = PAUSE;
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(error) if is_conflict(&error) => {
                tracing::debug!(error = %error, "a write met another one and is tried again");
            }
            other => return other,
        }
        // Those who met must not meet again.
        tokio::time::sleep(pause.mul_f64(Clock::system().random_share())).await;
        pause *= 2;
    }
    attempt().await
}

fn is_conflict(error: &Error) -> bool {
    matches!(error, Error::Unavailable { source, .. }
        if source.downcast_ref().and_then(Failure::of) == Some(Failure::Conflict))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn broken_connections_are_told_from_mistakes() {
        let gone = || Arc::new(sqlx::Error::Io(io::ErrorKind::ConnectionReset.into()));
        for error in [
            DbErr::Exec(RuntimeErr::SqlxError(gone())),
            DbErr::Query(RuntimeErr::SqlxError(gone())),
            DbErr::Conn(RuntimeErr::SqlxError(gone())),
            DbErr::Query(RuntimeErr::SqlxError(Arc::new(sqlx::Error::PoolTimedOut))),
        ] {
            assert_eq!(Failure::of(&error), Some(Failure::Unavailable), "{error}");
            assert!(matches!(Error::from(error), Error::Unavailable { .. }));
        }
        for error in [
            DbErr::Query(RuntimeErr::SqlxError(Arc::new(sqlx::Error::RowNotFound))),
            DbErr::Custom("a mistake".into()),
        ] {
            assert_eq!(Failure::of(&error), None, "{error}");
            assert!(matches!(Error::from(error), Error::Internal(_)));
        }
    }

    #[test]
    fn codes_of_each_server() {
        use Failure::{Conflict, Unavailable};
        assert_eq!([1213, 1205].map(of_mysql), [Some(Conflict); 2]);
        assert_eq!(
            [1053, 2006, 2013, 1290].map(of_mysql),
            [Some(Unavailable); 4]
        );
        assert_eq!([1062, 1064, 1452].map(of_mysql), [None; 3]);
        assert_eq!(["40001", "40P01"].map(of_sqlstate), [Some(Conflict); 2]);
        let stopped = ["57P01", "57P02", "57P03", "08006", "53300", "25006"];
        assert_eq!(stopped.map(of_sqlstate), [Some(Unavailable); 6]);
        assert_eq!(["23505", "42601", "25P02"].map(of_sqlstate), [None; 3]);
        // BUSY, BUSY_SNAPSHOT; FULL, IOERR_WRITE; CONSTRAINT_UNIQUE.
        assert_eq!([5, 517].map(of_sqlite), [Some(Conflict); 2]);
        assert_eq!([13, 778].map(of_sqlite), [Some(Unavailable); 2]);
        assert_eq!(of_sqlite(2067), None);
    }
}
