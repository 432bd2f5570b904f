//! `eventgallery demo`: against a running server, or one that it starts itself.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use tokio::net::{TcpListener, TcpStream};
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
#[expect(
    clippy::print_stderr,
    reason = "what is to be known goes to standard error, log or no log"
)]
pub async fn run(mut config: Config, arguments: Arguments) -> Result<()> {
    crate::telemetry::log(&config);
    let mut demo = Demo {
        server: String::new(),
        own_server: false,
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
    demo.check()?;
    let configured = format!("http://{}", config.listen);
    if let Some(server) = arguments.server {
        demo.server = base_url(&server)?;
        demo.shown_at.clone_from(&demo.server);
        return crate::demo::run(&demo).await;
    }
    if answers(&configured).await {
        demo.server = configured;
        return crate::demo::run(&demo).await;
    }
    if TcpStream::connect(config.listen).await.is_ok() {
        eprintln!(
            "another program holds {}: the demo starts a server of its own on a free port; \
             EVENTGALLERY_LISTEN (listen) chooses another address for yours",
            config.listen
        );
    }
    config.worker.enabled = true;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    demo.server = format!("http://{}", listener.local_addr()?);
    demo.own_server = true;
    let app = App::start(config, Clock::system()).await?;
    let stop = CancellationToken::new();
    let server = tokio::spawn(app.serve(listener, stop.clone()));
    let result = crate::demo::run(&demo).await;
    stop.cancel();
    server.await??;
    result
}

fn base_url(text: &str) -> Result<String> {
    match reqwest::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => bail!("--server {text:?} is not a URL like http://127.0.0.1:8080"),
    }
}

/// Whether an EventGallery does; another program may say 200 to anything.
async fn answers(server: &str) -> bool {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(2))
        .build();
    let Ok(client) = client else { return false };
    let health = format!("{server}/health/live");
    let Ok(response) = client.get(health).send().await else {
        return false;
    };
    let body: Result<serde_json::Value, _> = response.json().await;
    body.is_ok_and(|body| body["status"] == "ok")
}

/// Writes the sample pictures into `folder`.
///
/// # Errors
/// The file system's, with the path.
pub fn write_samples(folder: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for photo in assets::samples::PHOTOS {
        let file = folder.join(photo.name);
        std::fs::write(&file, photo.bytes)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
