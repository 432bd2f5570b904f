//! `eventgallery serve`, `worker` and `migrate`.

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;

/// Serves the API until it is told to stop.
///
/// # Errors
/// Where it cannot start: the port is taken, the database does not answer.
#[expect(clippy::print_stdout, reason = "the one line that says where to look")]
pub async fn serve(mut config: Config, worker: bool) -> Result<()> {
    log(&config);
    config.worker.enabled &= worker;
    let listen = config.listen;
    // Taken before anything else starts: a port in use is the commonest reason to fail.
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen}; set EVENTGALLERY_LISTEN to another address, for example 127.0.0.1:8081")
    })?;
    let address = listener.local_addr()?;
    let graphiql = config.graphiql;
    let app = App::start(config, Clock::system()).await?;
    if graphiql {
        println!("EventGallery is ready: GraphiQL is at http://{address}/graphql");
    } else {
        println!("EventGallery is ready at http://{address}/graphql");
    }
    app.serve(listener, stop_signal()).await
}

/// Works on the queue until it is told to stop.
///
/// # Errors
/// Where it cannot start.
pub async fn work(config: Config) -> Result<()> {
    log(&config);
    let app = App::start(config, Clock::system()).await?;
    app.work(stop_signal()).await
}

/// Brings the database's schema up to date.
///
/// # Errors
/// The database's.
pub async fn migrate(config: Config) -> Result<()> {
    log(&config);
    std::fs::create_dir_all(&config.data_dir)?;
    crate::db::migrate(&config.database_url())
        .await
        .context("cannot migrate the database")
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

/// Starts the log: `RUST_LOG` decides what of it, by default warnings and our own news.
pub fn log(config: &Config) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        EnvFilter::new("warn,eventgallery=info,eventgallery::http=warn,local=info")
    });
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start within one process keeps the first log.
    let _ = if config.log_json {
        log.json().try_init()
    } else {
        log.try_init()
    };
}
