//! What a connection must show before it goes back to the pool.
//!
//! The pool itself sends a ping and waits for as long as TCP does: after requests that ended in a silent
//! network, every place in the pool could be taken for a quarter of an hour. Nor does it know of a
//! transaction whose BEGIN was given up while it was under way.

use std::panic::resume_unwind;
use std::time::Duration;

use sea_orm::ConnectOptions;
use sea_orm::sqlx::{self, MySqlConnection, PgConnection, Row as _};

/// A connection to a server is made anew after so long, so that after a failover none stays with a
/// server that only reads now.
const MAX_AGE: Duration = Duration::from_secs(600);

/// Drops connections that do not answer within this time when they come back, ends transactions that
/// nobody knows of, and closes what has grown old.
pub(super) fn look_at_release(options: &mut ConnectOptions, within: Duration) {
    options
        .map_sqlx_mysql_pool_opts(move |pool| {
            // The pool would close what is old without a bound, before anybody looks at it.
            let pool = pool.max_lifetime(None);
            pool.after_release(move |connection, found| {
                Box::pin(async move {
                    let clean = bounded(within, is_clean_mysql(connection)).await?;
                    Ok(clean && found.age < MAX_AGE)
                })
            })
        })
        .map_sqlx_postgres_pool_opts(move |pool| {
            let pool = pool.max_lifetime(None);
            pool.after_release(move |connection, found| {
                Box::pin(async move {
                    let clean = bounded(within, is_clean_postgres(connection)).await?;
                    Ok(clean && found.age < MAX_AGE)
                })
            })
        });
}

async fn bounded(
    within: Duration,
    look: impl Future<Output = Result<bool, sqlx::Error>>,
) -> Result<bool, sqlx::Error> {
    match tokio::time::timeout(within, look).await {
        Ok(found) => found,
        Err(elapsed) => {
            tracing::warn!("a database connection does not answer and is dropped");
            // Unwinds the task in which the pool takes this connection back: that drops it and frees its
            // place. An error would have the pool close it, and over TLS sqlx waits without a
            // bound for the other side to say goodbye too.
            resume_unwind(Box::new(elapsed))
        }
    }
}

async fn is_clean_mysql(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
    // Does nothing where no transaction is open.
    sqlx::raw_sql("ROLLBACK").execute(connection).await?;
    Ok(true)
}

async fn is_clean_postgres(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // A ROLLBACK without a transaction would be a warning in the server's log each time. Both are the
    // same in the first statement of a transaction, so in one of its own.
    sqlx::raw_sql("SELECT transaction_timestamp() = statement_timestamp()")
        .fetch_one(connection)
        .await?
        .try_get(0)
}
