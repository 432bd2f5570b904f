//! Writes that a unique index may refuse.

use sea_orm::{DatabaseTransaction, DbErr, SqlErr};

/// Whether a unique index refused the write: somebody was faster.
#[must_use]
pub fn is_taken(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// Ends a savepoint by what came of its write: commits it, or rolls it back and answers `None` where
/// a [unique index refused](is_taken) it.
///
/// # Errors
/// The write's own, for which the transaction has to be given up. The savepoint is left alone then: at a
/// deadlock MySQL ends the whole transaction, and "SAVEPOINT does not exist" would hide from
/// [`retried`](super::retried) what happened.
pub async fn unless_taken<T>(
    savepoint: DatabaseTransaction,
    written: Result<T, DbErr>,
) -> Result<Option<T>, DbErr> {
    match written {
        Ok(written) => {
            savepoint.commit().await?;
            Ok(Some(written))
        }
        Err(error) if is_taken(&error) => {
            savepoint.rollback().await?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
