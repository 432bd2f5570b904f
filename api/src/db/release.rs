//! What a connection must show before it goes back to the pool.
//!
//! The pool itself sends a ping and waits for as long as TCP does: after requests that ended in a silent
//! network, every place in the pool could be taken for a quarter of an hour. Nor does it know of a
//! transaction whose BEGIN was given up while it was under way.

use std::time::Duration;

use sea_orm::ConnectOptions;
use sea_orm::sqlx::{self, MySqlConnection, PgConnection, Row as _};

/// Closes connections that do not answer within this time when they come back, and ends
/// transactions that nobody knows of.
pub(super) fn look_at_release(options: &mut ConnectOptions, within: Duration) {
    options
        .map_sqlx_mysql_pool_opts(move |pool| {
            pool.after_release(move |connection, _| {
                Box::pin(bounded(within, is_clean_mysql(connection)))
            })
        })
        .map_sqlx_postgres_pool_opts(move |pool| {
            pool.after_release(move |connection, _| {
                Box::pin(bounded(within, is_clean_postgres(connection)))
            })
        });
}

/// An error closes the connection without a word to the server.
async fn bounded(
    within: Duration,
    look: impl Future<Output = Result<bool, sqlx::Error>>,
) -> Result<bool, sqlx::Error> {
    tokio::time::timeout(within, look)
        .await
        .map_err(|_| sqlx::Error::PoolTimedOut)?
}

async fn is_clean_mysql(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
    // Does nothing where no transaction is open.
    sqlx::raw_sql("ROLLBACK").execute(connection).await?;
    Ok(true)
}

async fn is_clean_postgres(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // A ROLLBACK without a transaction would be a warning in the server's log each time. Both are the
    // same in the first statement of a transaction, so in one of its own. `false` closes.
    sqlx::raw_sql("SELECT transaction_timestamp() = statement_timestamp()")
        .fetch_one(connection)
        .await?
        .try_get(0)
}
