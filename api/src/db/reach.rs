//! The first connection to a database server, and why there is none yet.
//!
//! Where a server refuses, the pool tries again until its time is over: it may be starting, as we are.
//! What it then says is that the time is over. So where that takes a while, one attempt is made beside
//! the pool, and what comes of it is told at once, and at the end instead of "timed out".

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::{self, Connection, MySqlConnection, PgConnection};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr};

use crate::config::address;

/// Connections that take longer are worth a look.
const SLOW: Duration = Duration::from_millis(500);
/// Longest time for that look: nothing at all comes back from behind many a firewall.
const LOOK: Duration = Duration::from_secs(3);

/// Opens a pool on a server, for as long as the options allow that to take.
///
/// # Errors
/// Why there is no connection.
pub(super) async fn connect(options: ConnectOptions) -> Result<DatabaseConnection, DbErr> {
    let url = options.get_url().to_owned();
    let mut connecting = Box::pin(Database::connect(options));
    if let Ok(connected) = tokio::time::timeout(SLOW, &mut connecting).await {
        return connected;
    }
    let (connected, reason) = tokio::select! {
        biased;
        connected = &mut connecting => (connected, None),
        reason = look(&url) => {
            if let Some(reason) = &reason {
                let server = address::shown(&url);
                tracing::warn!(server, %reason, "no connection to the database yet; it is tried again");
            }
            (connecting.await, reason)
        }
    };
    match (connected, reason) {
        (Err(error), Some(reason)) if is_timeout(&error) => Err(reason),
        (connected, _) => connected,
    }
}

fn is_timeout(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) => true,
        DbErr::Conn(RuntimeErr::SqlxError(error)) => matches!(**error, sqlx::Error::PoolTimedOut),
        _ => false,
    }
}

/// Why no connection can be made at this moment; `None` where one can.
async fn look(url: &str) -> Option<DbErr> {
    let attempt = async {
        if url.starts_with("mysql:") {
            attempt::<MySqlConnection>(url).await
        } else {
            attempt::<PgConnection>(url).await
        }
    };
    let reason = match tokio::time::timeout(LOOK, attempt).await {
        Ok(Ok(())) => return None,
        Ok(Err(error)) => RuntimeErr::SqlxError(Arc::new(error)),
        Err(_) => RuntimeErr::Internal("the server does not answer".to_owned()),
    };
    Some(DbErr::Conn(reason))
}

async fn attempt<C: Connection>(url: &str) -> Result<(), sqlx::Error> {
    C::connect(url).await?.close().await
}
