//! Putting jobs in and taking them out.
//!
//! Every statement here works alike on SQLite, MySQL/MariaDB and PostgreSQL. `available_at` is both
//! the time from which a job is due and, while it is leased, the end of its lease: a lease that ran
//! out needs nobody to reap it.

use std::time::Duration;

use entity::{Timestamp, job};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _, LockBehavior, LockType, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, ConnectionTrait, DbErr, EntityTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::{JobError, Lease, NewJob};
use crate::clock::Clock;
use crate::db::{Db, Failure};
use crate::error::Result;

/// Attempts of a job before its first claim; from then on the worker's setting counts.
const MAX_ATTEMPTS: i32 = 12;

/// How often a claim looks again after others took every candidate, or after a deadlock.
const CLAIM_ROUNDS: usize = 4;

/// Candidates of one look: more than workers of one moment, so that they seldom all collide.
const CANDIDATES: u64 = 16;

/// Longest text kept of a failure.
const ERROR_CHARS: usize = 2_000;

/// Asks for a job within the caller's transaction. One that stands already is raised by a
/// generation; unless it is leased it is made due at the earlier of both times, its attempts begin
/// anew, and it is dug up if buried.
///
/// # Errors
/// The database's.
pub async fn enqueue(connection: &impl ConnectionTrait, clock: &Clock, job: NewJob) -> Result<()> {
    let now = clock.now();
    let due = Timestamp(now.0.saturating_add(micros(job.delay)));
    // The update first: on MySQL an upsert that meets its row locks the gap beside it too, and two
    // of those can deadlock. The upsert is left for the first request, and for two of them at once.
    let mut update = job::Entity::update_many()
        .filter(job::Column::Kind.eq(job.kind))
        .filter(job::Column::Subject.eq(job.subject.as_str()));
    for (column, value) in raise(due, job.priority) {
        update = update.col_expr(column, value);
    }
    if update.exec(connection).await?.rows_affected > 0 {
        return Ok(());
    }
    let row = job::ActiveModel {
        id: Set(clock.new_id()),
        kind: Set(job.kind.to_owned()),
        subject: Set(job.subject),
        generation: Set(1),
        priority: Set(job.priority),
        available_at: Set(due),
        lease_token: Set(None),
        attempts: Set(0),
        crashes: Set(0),
        max_attempts: Set(MAX_ATTEMPTS),
        buried_at: Set(None),
        last_error: Set(None),
        place: Set(None),
        created_at: Set(now),
    };
    let mut conflict = OnConflict::columns([job::Column::Kind, job::Column::Subject]);
    for (column, value) in raise(due, job.priority) {
        conflict.value(column, value);
    }
    job::Entity::insert(row)
        .on_conflict(conflict)
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

/// What a further request changes on the row. MySQL assigns from left to right and reads what it
/// just wrote, the others read the old row: each value may only use columns that come later.
fn raise(due: Timestamp, priority: i32) -> [(job::Column, Expr); 6] {
    use job::Column::{Attempts, AvailableAt, BuriedAt, Crashes, Generation, Priority};
    let leased = || column(job::Column::LeaseToken).is_not_null();
    let available_at = CaseStatement::new()
        .case(leased(), column(AvailableAt))
        .case(
            column(BuriedAt)
                .is_null()
                .and(column(AvailableAt).lt(due.0)),
            column(AvailableAt),
        )
        .finally(due.0);
    let unless_leased = |counter| {
        CaseStatement::new()
            .case(leased(), column(counter))
            .finally(0)
            .into()
    };
    // What a leased job was preferred for is being done: its next run is as urgent as this request.
    let larger = CaseStatement::new()
        .case(leased(), priority)
        .case(column(Priority).gt(priority), column(Priority))
        .finally(priority);
    [
        (AvailableAt, available_at.into()),
        (Attempts, unless_leased(Attempts)),
        (Crashes, unless_leased(Crashes)),
        (Priority, larger.into()),
        (BuriedAt, Expr::value(None::<i64>)),
        (Generation, column(Generation).add(1)),
    ]
}

/// The column with its table's name: in an upsert PostgreSQL finds the bare name ambiguous.
fn column(column: job::Column) -> Expr {
    Expr::col((job::Entity, column))
}

/// Lets a job that stands, and is neither leased nor buried, run as early as this priority says.
///
/// # Errors
/// The database's.
pub async fn prefer(
    connection: &impl ConnectionTrait,
    kind: &str,
    subject: &str,
    priority: i32,
) -> Result<()> {
    let change = job::ActiveModel {
        priority: Set(priority),
        ..Default::default()
    };
    job::Entity::update_many()
        .set(change)
        .filter(job::Column::Kind.eq(kind))
        .filter(job::Column::Subject.eq(subject))
        .filter(job::Column::LeaseToken.is_null())
        .filter(job::Column::BuriedAt.is_null())
        .filter(job::Column::Priority.lt(priority))
        .exec(connection)
        .await?;
    Ok(())
}

/// Takes a due job of one of these kinds, if there is one. A job of another kind is left for the
/// workers that know it. The attempt is counted now, so that a crash counts too; a lease that
/// [is spent](Lease::is_spent) is only to be given up.
///
/// # Errors
/// The database's, after a few tries where it was a deadlock or a serialisation failure.
pub async fn claim(
    db: &Db,
    clock: &Clock,
    kinds: &[&'static str],
    lease_seconds: i64,
    max_attempts: i32,
) -> Result<Option<Lease>> {
    let mut rounds = CLAIM_ROUNDS;
    loop {
        rounds -= 1;
        match claim_once(db, clock, kinds, lease_seconds, max_attempts).await {
            Ok(Look::Claimed(lease)) => return Ok(Some(lease)),
            Ok(Look::Nothing) => return Ok(None),
            Ok(Look::Raced) if rounds == 0 => return Ok(None),
            Err(error) if rounds == 0 || Failure::of(&error) != Some(Failure::Conflict) => {
                return Err(error.into());
            }
            Ok(Look::Raced) | Err(_) => {}
        }
    }
}

enum Look {
    Claimed(Lease),
    Nothing,
    Raced,
}

async fn claim_once(
    db: &Db,
    clock: &Clock,
    kinds: &[&'static str],
    lease_seconds: i64,
    max_attempts: i32,
) -> Result<Look, DbErr> {
    let now = clock.now();
    let due = || {
        Condition::all()
            .add(job::Column::BuriedAt.is_null())
            .add(job::Column::AvailableAt.lte(now))
            .add(job::Column::Kind.is_in(kinds.iter().copied()))
    };
    // Looking takes no lock: an idle worker leaves SQLite's writer alone, and on MySQL a locking
    // read that sorts would lock every due row and so hide them all from the other workers.
    let candidates: Vec<entity::JobId> = job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .filter(due())
        .order_by_desc(job::Column::Priority)
        .order_by_asc(job::Column::AvailableAt)
        .limit(CANDIDATES)
        .into_tuple()
        .all(db.read())
        .await?;
    if candidates.is_empty() {
        return Ok(Look::Nothing);
    }
    let transaction = db.begin().await?;
    for id in candidates {
        // By primary key, so exactly this row is locked (sea-query writes no lock for SQLite, where
        // the transaction is the only writer anyway).
        let row = job::Entity::find_by_id(id)
            .filter(due())
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .one(&*transaction)
            .await?;
        let Some(row) = row else { continue };
        let lease = Lease {
            id: row.id,
            token: clock.new_token(),
            generation: row.generation,
            kind: row.kind,
            subject: row.subject,
            place: row.place,
            attempts: row.attempts.saturating_add(1),
            // A worker that reports back, whatever came of it, takes its token away.
            crashes: row.crashes.saturating_add(row.lease_token.is_some().into()),
            max_attempts,
            seconds: lease_seconds,
        };
        let change = job::ActiveModel {
            id: Set(lease.id),
            lease_token: Set(Some(lease.token)),
            available_at: Set(lease.until(now)),
            attempts: Set(lease.attempts),
            crashes: Set(lease.crashes),
            max_attempts: Set(max_attempts),
            ..Default::default()
        };
        // The condition once more: there are servers that read SKIP LOCKED and lock nothing (TiDB).
        let claimed = job::Entity::update_many()
            .set(change)
            .filter(job::Column::Id.eq(lease.id))
            .filter(due())
            .exec(&*transaction)
            .await?;
        if claimed.rows_affected == 0 {
            continue;
        }
        transaction.commit().await?;
        return Ok(Look::Claimed(lease));
    }
    Ok(Look::Raced)
}

/// Ends every lease: the jobs are due now. What a claim left on the rows stays, so that the next one
/// counts the worker's death. Only for whoever knows that no worker of this database is alive; one that
/// is after all writes nothing once its job is claimed again. Answers how many there were.
///
/// # Errors
/// The database's.
pub async fn end_leases(connection: &impl ConnectionTrait, now: Timestamp) -> Result<u64> {
    let change = job::ActiveModel {
        available_at: Set(now),
        ..Default::default()
    };
    let ended = job::Entity::update_many()
        .set(change)
        .filter(job::Column::LeaseToken.is_not_null())
        .filter(job::Column::AvailableAt.gt(now))
        .exec(connection)
        .await?;
    Ok(ended.rows_affected)
}

/// Finishes the lease within the transaction that holds the job's result: deletes the job, or puts
/// it back where a later generation was asked for meanwhile.
///
/// # Errors
/// [`JobError::LeaseLost`] where somebody else holds the job: roll back.
pub async fn finish(
    connection: &impl ConnectionTrait,
    lease: &Lease,
    now: Timestamp,
) -> Result<(), JobError> {
    let deleted = job::Entity::delete_many()
        .filter(held(lease))
        .filter(job::Column::Generation.eq(lease.generation))
        .exec(connection)
        .await?;
    if deleted.rows_affected > 0 {
        return Ok(());
    }
    put_back(connection, lease, now).await
}

/// Proves within a transaction that the lease still holds and extends it, for jobs that commit
/// several times.
///
/// # Errors
/// [`JobError::LeaseLost`].
pub async fn extend(
    connection: &impl ConnectionTrait,
    lease: &Lease,
    until: Timestamp,
) -> Result<(), JobError> {
    let change = job::ActiveModel {
        available_at: Set(until),
        ..Default::default()
    };
    update_held(connection, lease, change).await
}

/// As [`extend`], and keeps where the job goes on; none: at its beginning.
///
/// # Errors
/// [`JobError::LeaseLost`].
pub async fn remember(
    connection: &impl ConnectionTrait,
    lease: &Lease,
    until: Timestamp,
    place: Option<&str>,
) -> Result<(), JobError> {
    let change = job::ActiveModel {
        available_at: Set(until),
        place: Set(place.map(str::to_owned)),
        ..Default::default()
    };
    update_held(connection, lease, change).await
}

/// Lets the lease go after a failure; the job is due again at `at`.
///
/// # Errors
/// [`JobError::LeaseLost`].
pub async fn retry(
    connection: &impl ConnectionTrait,
    lease: &Lease,
    at: Timestamp,
    error: &str,
) -> Result<(), JobError> {
    let change = job::ActiveModel {
        lease_token: Set(None),
        available_at: Set(at),
        crashes: Set(0),
        last_error: Set(Some(shortened(error))),
        ..Default::default()
    };
    update_held(connection, lease, change).await
}

/// Lets the lease go without counting its attempt; the job is due again at `at`.
///
/// # Errors
/// [`JobError::LeaseLost`].
pub async fn again(
    connection: &impl ConnectionTrait,
    lease: &Lease,
    at: Timestamp,
) -> Result<(), JobError> {
    let change = job::ActiveModel {
        lease_token: Set(None),
        available_at: Set(at),
        attempts: Set(lease.attempts.saturating_sub(1)),
        crashes: Set(0),
        ..Default::default()
    };
    update_held(connection, lease, change).await
}

/// Buries the job: it never runs again unless somebody asks for it. One that was asked for
/// meanwhile is put back instead.
///
/// # Errors
/// [`JobError::LeaseLost`].
pub async fn bury(
    connection: &impl ConnectionTrait,
    lease: &Lease,
    now: Timestamp,
    error: &str,
) -> Result<(), JobError> {
    let change = job::ActiveModel {
        lease_token: Set(None),
        buried_at: Set(Some(now)),
        last_error: Set(Some(shortened(error))),
        ..Default::default()
    };
    let buried = job::Entity::update_many()
        .set(change)
        .filter(held(lease))
        .filter(job::Column::Generation.eq(lease.generation))
        .exec(connection)
        .await?;
    if buried.rows_affected > 0 {
        return Ok(());
    }
    put_back(connection, lease, now).await
}

async fn put_back(
    connection: &impl ConnectionTrait,
    lease: &Lease,
    now: Timestamp,
) -> Result<(), JobError> {
    let change = job::ActiveModel {
        lease_token: Set(None),
        available_at: Set(now),
        attempts: Set(0),
        crashes: Set(0),
        ..Default::default()
    };
    update_held(connection, lease, change).await
}

fn held(lease: &Lease) -> Condition {
    Condition::all()
        .add(job::Column::Id.eq(lease.id))
        .add(job::Column::LeaseToken.eq(lease.token))
}

/// MySQL counts matched rows, not changed ones, since sqlx connects with `CLIENT_FOUND_ROWS`; so
/// no row means on every database that the lease is gone.
async fn update_held(
    connection: &impl ConnectionTrait,
    lease: &Lease,
    change: job::ActiveModel,
) -> Result<(), JobError> {
    let updated = job::Entity::update_many()
        .set(change)
        .filter(held(lease))
        .exec(connection)
        .await?;
    if updated.rows_affected > 0 {
        Ok(())
    } else {
        Err(JobError::LeaseLost)
    }
}

/// How long to wait after the `attempts`-th failed attempt: 2 s, doubled with each, at most ten
/// minutes; `share` (0 to 1) takes up to half of it off, so that jobs that failed together do not
/// come back together.
#[must_use]
pub fn backoff(attempts: i32, share: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).clamp(0, 16);
    let seconds = f64::from(2_u32 << doublings).min(600.0);
    Duration::from_secs_f64(seconds * (1.0 - share.clamp(0.0, 1.0) / 2.0))
}

pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn shortened(text: &str) -> String {
    text.chars().take(ERROR_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_from_two_seconds_to_ten_minutes() {
        let seconds: Vec<u64> = (1..=11).map(|n| backoff(n, 0.0).as_secs()).collect();
        assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
        assert_eq!(backoff(i32::MAX, 0.0), Duration::from_secs(600));
        assert_eq!(backoff(0, 0.0), Duration::from_secs(2));
    }

    #[test]
    fn jitter_takes_at_most_half() {
        assert_eq!(backoff(3, 1.0), Duration::from_secs(4));
        assert_eq!(backoff(3, 0.5), Duration::from_secs(6));
    }
}
