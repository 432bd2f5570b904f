//! One time for all processes: the database server's.
//!
//! Whether a job is due, a lease has run out or a session has ended is written by one process and read
//! by others. With the machines' own clocks, one that is two minutes ahead would take the jobs of all
//! the others out of their hands. So the clock of the services and workers is shifted to the server's.
//! URLs are signed with the machine's own: S3 compares them with its time, not with the database's.

use std::time::Duration;

use entity::Timestamp;
use sea_orm::{ConnectionTrait as _, DbBackend, DbErr, Statement};
use tokio_util::task::AbortOnDropHandle;

use super::Db;
use crate::clock::Clock;

/// How often the clocks are compared again: they drift by milliseconds in this time.
const EVERY: Duration = Duration::from_secs(60);
/// Answers that took longer say too little.
const SLOW: i64 = 1_000_000;
/// Differences from here on are somebody's mistake, and worth a line in the log.
const WORTH_SAYING: i64 = 5_000_000;

/// A clock that shows the database server's time, for as long as the handle lives.
///
/// # Errors
/// The database's.
pub async fn shared_time(
    db: &Db,
    own: &Clock,
) -> Result<(Clock, Option<AbortOnDropHandle<()>>), DbErr> {
    // SQLite's clock is ours; a test's clock goes where the test wants it.
    if db.backend() == DbBackend::Sqlite || own.is_manual() {
        return Ok((own.clone(), None));
    }
    let shared = own.ahead(0);
    set_right(db, &shared).await?;
    let (followed, db) = (shared.clone(), db.clone());
    let follow = tokio::spawn(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = set_right(&db, &followed).await {
                tracing::debug!(%error, "the database's clock was not read");
            }
        }
    });
    Ok((shared, Some(AbortOnDropHandle::new(follow))))
}

async fn set_right(db: &Db, clock: &Clock) -> Result<(), DbErr> {
    // The first statement of a fresh pool connects, too: the second one is quick.
    for _ in 0..3 {
        let before = clock.now().0;
        let server = server_now(db).await?.0;
        let after = clock.now().0;
        if after - before > SLOW {
            continue;
        }
        let ahead = i64::midpoint(before, after) - server;
        if ahead.abs() >= WORTH_SAYING {
            let seconds = ahead / 1_000_000;
            tracing::warn!(
                seconds,
                "this machine's clock is ahead of the database's (negative: behind); its time is \
                 used for jobs and sessions, but set the clocks right (NTP)"
            );
        }
        clock.set_ahead(-ahead);
        break;
    }
    Ok(())
}

async fn server_now(db: &Db) -> Result<Timestamp, DbErr> {
    let backend = db.backend();
    let sql = match backend {
        // Not NOW(): inside a transaction that stands still on PostgreSQL.
        DbBackend::MySql => "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)",
        _ => "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
    };
    let statement = Statement::from_string(backend, sql);
    let row = db.read().query_one_raw(statement).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the server's time".into()))?;
    Ok(Timestamp(row.try_get_by_index(0)?))
}
