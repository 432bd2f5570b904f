//! `eventgallery demo`: against a running server, or one that it starts itself.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::demo::Demo;

/// Flags of `eventgallery demo`.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Folder of JPEG, PNG or WebP files; none: sample pictures.
    folder: Option<PathBuf>,
    /// Base URL of a running server; none: the configured address if one answers there, else one
    /// is started for the demo.
    #[arg(long)]
    server: Option<String>,
    /// Where the contact sheet goes.
    #[arg(long, default_value = "demo.html")]
    output: PathBuf,
    /// Seconds to wait for the analysis.
    #[arg(long, default_value_t = 900)]
    timeout: u64,
}

/// Runs the demo.
///
/// # Errors
/// The first thing that went wrong, in words.
pub async fn run(mut config: Config, arguments: Arguments) -> Result<()> {
    crate::telemetry::log(&config);
    let mut demo = Demo {
        server: String::new(),
        shown_at: format!("http://{}", config.listen),
        folder: arguments.folder,
        output: arguments.output,
        timeout: Duration::from_secs(arguments.timeout),
        nonce: Clock::system()
            .new_token()
            .simple()
            .to_string()
            .split_off(20),
    };
    let configured = format!("http://{}", config.listen);
    if let Some(server) = arguments.server {
        demo.server = server.trim_end_matches('/').to_owned();
        demo.shown_at.clone_from(&demo.server);
        return crate::demo::run(&demo).await;
    }
    if answers(&configured).await {
        demo.server = configured;
        return crate::demo::run(&demo).await;
    }
    config.worker.enabled = true;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    demo.server = format!("http://{}", listener.local_addr()?);
    let app = App::start(config, Clock::system()).await?;
    let stop = CancellationToken::new();
    let server = tokio::spawn(app.serve(listener, stop.clone()));
    let result = crate::demo::run(&demo).await;
    stop.cancel();
    server.await??;
    result
}

async fn answers(server: &str) -> bool {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(2))
        .build();
    match client {
        Ok(client) => client
            .get(format!("{server}/health/live"))
            .send()
            .await
            .is_ok_and(|response| response.status().is_success()),
        Err(_) => false,
    }
}

/// Writes the sample pictures into `folder`.
///
/// # Errors
/// The file system's.
pub fn write_samples(folder: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    for photo in assets::samples::PHOTOS {
        std::fs::write(folder.join(photo.name), photo.bytes)?;
    }
    Ok(())
}
