//! `eventgallery local`: the stand-ins alone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use local::{LocalAws, LocalConfig};
use serde_json::json;

use super::serve::stop_signal;
use crate::config::Config;
use crate::descriptors::Shares;

/// Flags of `eventgallery local`.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Port on 127.0.0.1; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Print one JSON line with endpoints, region and keys.
    #[arg(long)]
    json: bool,
    /// Where objects and collections are kept; none: the configuration's data folder.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Access key id; none: made once and kept in the data folder.
    #[arg(long, requires = "secret_access_key")]
    access_key_id: Option<String>,
    /// Secret access key.
    #[arg(long, requires = "access_key_id")]
    secret_access_key: Option<String>,
    /// Region that signatures must name; none: the configuration's.
    #[arg(long)]
    region: Option<String>,
}

/// Serves until it is told to stop.
///
/// # Errors
/// Where it cannot start.
#[expect(clippy::print_stdout, reason = "the line that other programs read")]
pub async fn run(config: Config, arguments: Arguments) -> Result<()> {
    crate::telemetry::log(&config);
    let data_dir = arguments.data_dir.unwrap_or(config.data_dir);
    crate::data_dir::make(&data_dir)?;
    let mut keys = local::load_or_create_credentials(&data_dir)?;
    if let (Some(id), Some(secret)) = (arguments.access_key_id, arguments.secret_access_key) {
        keys.access_key_id = id;
        keys.secret_access_key = secret;
    }
    let (id, secret) = (keys.access_key_id.clone(), keys.secret_access_key.clone());
    let region = arguments.region.unwrap_or(config.aws.region);
    let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), arguments.port);
    let settings = LocalConfig {
        listen,
        region: region.clone(),
        // Nothing else runs here.
        max_connections: Shares::of_process().api,
        ..LocalConfig::new(data_dir, keys)
    };
    let server = LocalAws::start(settings)
        .await
        .map_err(crate::data_dir::in_use)
        .context("cannot start (--port and --data-dir choose others)")?;
    let endpoint = server.endpoint();
    if arguments.json {
        let line = json!({
            "endpoints": { "s3": endpoint, "rekognition": endpoint, "sts": endpoint },
            "region": region,
            "accessKeyId": id,
            "secretAccessKey": secret,
        });
        println!("{line}");
    } else {
        println!(
            "S3, Rekognition and STS answer at {endpoint} (region {region}, path-style buckets)."
        );
        println!(
            "export AWS_ENDPOINT_URL={endpoint} AWS_REGION={region} AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret}"
        );
    }
    stop_signal().cancelled().await;
    server.shutdown().await;
    Ok(())
}
