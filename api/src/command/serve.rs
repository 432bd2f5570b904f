//! `eventgallery serve`, `worker` and `migrate`.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::graphql::documents::Documents;
use crate::http::server::{self, Limits};
use crate::telemetry;

/// Connections to the port for operators at a time.
const OPERATIONS_CONNECTIONS: usize = 64;

/// Serves the API until it is told to stop.
///
/// # Errors
/// Where it cannot start: the port is taken, the database does not answer, nobody would do the work.
#[expect(clippy::print_stdout, reason = "the one line that says where to look")]
pub async fn serve(mut config: Config, worker: bool) -> Result<()> {
    let telemetry = telemetry::start(&config)?;
    config.worker.enabled &= worker;
    if !config.worker.enabled {
        config.check_apart()?;
    }
    let listen = config.listen;
    // Taken before anything else starts: a port in use is the commonest reason to fail.
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen}; set EVENTGALLERY_LISTEN to another address, for example 127.0.0.1:8081")
    })?;
    let address = listener.local_addr()?;
    let graphiql = config.serves_graphiql();
    // A manifest that cannot be used is told before anything is migrated.
    Documents::of(&config.graphql)?;
    let operations = operations_listener(&config).await?;
    let app = App::start(config, Clock::system()).await?;
    if graphiql {
        println!("EventGallery is ready: GraphiQL is at http://{address}/graphql");
    } else {
        println!("EventGallery is ready at http://{address}/graphql");
    }
    let operations = serve_operations(operations, &app);
    let served = app.serve(listener, stop_signal()).await;
    drop(operations);
    telemetry.stop().await;
    served
}

/// Works on the queue until it is told to stop.
///
/// # Errors
/// Where it cannot start.
pub async fn work(config: Config) -> Result<()> {
    let telemetry = telemetry::start(&config)?;
    config.check_apart()?;
    let operations = operations_listener(&config).await?;
    let app = App::start(config, Clock::system()).await?;
    let operations = serve_operations(operations, &app);
    let worked = app.work(stop_signal()).await;
    drop(operations);
    telemetry.stop().await;
    worked
}

/// Brings the database's schema up to date.
///
/// # Errors
/// The database's.
pub async fn migrate(config: Config) -> Result<()> {
    let telemetry = telemetry::start(&config)?;
    crate::data_dir::make(&config.data_dir)?;
    let migrated = crate::db::migrate(&config.database_url())
        .await
        .map_err(|error| config.database_failure("cannot migrate the database", error));
    telemetry.stop().await;
    migrated
}

/// Cancelled by Ctrl-C and SIGTERM. At the second of them the process ends at once.
#[must_use]
pub fn stop_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        signal().await;
        stop.cancel();
        signal().await;
        std::process::exit(130);
    });
    token
}

async fn signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            },
            Err(_) => drop(interrupt.await),
        }
    }
    #[cfg(not(unix))]
    drop(interrupt.await);
}

/// Where `metrics.listen` says, if it does.
async fn operations_listener(config: &Config) -> Result<Option<TcpListener>> {
    let Some(listen) = config.metrics.listen else {
        return Ok(None);
    };
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen}; set METRICS_LISTEN to another address")
    })?;
    let address = listener.local_addr()?;
    tracing::info!(%address, "metrics and health checks");
    Ok(Some(listener))
}

/// Serves metrics and health checks until the answer is dropped: while the process comes to its end
/// it is still alive.
fn serve_operations(listener: Option<TcpListener>, app: &App) -> Option<AbortOnDropHandle<()>> {
    let (listener, routes) = (listener?, app.operations());
    let serving = async move {
        let limits = Limits::new(OPERATIONS_CONNECTIONS);
        // Until it is dropped.
        let stop = CancellationToken::new();
        server::serve(listener, routes, limits, stop, Duration::ZERO).await;
    };
    Some(AbortOnDropHandle::new(tokio::spawn(serving)))
}
