//! Runs the local AWS until the process is interrupted.
//!
//! ```text
//! cargo run -p eventgallery-local --example serve -- FOLDER [PORT] [ROLE_ARN=EXTERNAL_ID …]
//! ```
//! Prints one line of JSON: the endpoint, the access key pair of the folder and the region.

use std::path::PathBuf;

use local::{LocalAws, LocalConfig, load_or_create_credentials};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .init();
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("the data folder is missing")?);
    let mut config = LocalConfig::new(&folder, load_or_create_credentials(&folder)?);
    for argument in arguments {
        match argument.split_once('=') {
            Some((role, external_id)) => {
                config
                    .trusted_roles
                    .insert(role.to_owned(), external_id.to_owned());
            }
            None => config.listen.set_port(argument.parse()?),
        }
    }
    let keys = serde_json::json!({
        "access_key_id": config.access_key_id,
        "secret_access_key": config.secret_access_key,
        "region": config.region,
    });
    let server = LocalAws::start(config).await?;
    let mut line = keys;
    line["endpoint"] = server.endpoint().into();
    #[expect(clippy::print_stdout, reason = "the line is this program's output")]
    {
        println!("{line}");
    }
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}
