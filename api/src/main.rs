//! The one binary.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use eventgallery::command::{demo, local, report, schema, serve};
use eventgallery::config::Config;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the allocator is told: no huge pages, which cannot be given back in part, and what is freed
/// goes back at once. Without that the process holds 100 to 150 MB more after some pictures.
#[cfg(unix)]
const ALLOCATOR_OPTIONS: [(&str, &str); 2] =
    [("MIMALLOC_ALLOW_THP", "0"), ("MIMALLOC_PURGE_DELAY", "0")];

/// GraphQL backend for event photos: presigned uploads to S3, analysis with Rekognition.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    /// Configuration file; it need not exist.
    #[arg(long, global = true, default_value = "eventgallery.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API, and work on the queue (the default).
    Serve {
        /// Leave the queue to `eventgallery worker`; needs a bucket.
        #[arg(long)]
        no_worker: bool,
    },
    /// Work on the queue only; needs a bucket.
    Worker,
    /// Bring the database's schema up to date.
    Migrate,
    /// Print the GraphQL schema.
    Schema,
    /// Print every setting with its default, as eventgallery.toml.
    Defaults,
    /// Write the sample pictures that arrive with the models into a folder.
    Samples {
        /// The folder; it is made.
        folder: PathBuf,
    },
    /// Upload a folder of photos through the public API and show what comes back.
    Demo(demo::Arguments),
    /// Run only the local stand-ins of S3, Rekognition and STS, for any AWS client.
    Local(local::Arguments),
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

/// The allocator reads its options from the environment before `main`; to set them from here would be
/// unsafe code. So, unless they are set, the process begins anew with them: the same process with the
/// same arguments, once.
#[cfg(unix)]
fn begin_with_allocator_options() {
    use std::os::unix::process::CommandExt as _;
    let missing = ALLOCATOR_OPTIONS
        .iter()
        .filter(|(name, _)| std::env::var_os(name).is_none());
    let missing: Vec<_> = missing.copied().collect();
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut arguments = std::env::args_os();
    if let (false, Some(name)) = (missing.is_empty(), arguments.next()) {
        let mut again = std::process::Command::new(program);
        again.arg0(name).args(arguments).envs(missing);
        // Comes back only where it failed: then it goes on with what there is.
        let _ = again.exec();
    }
}

#[expect(
    clippy::print_stderr,
    reason = "why a command failed goes to standard error, log or no log"
)]
fn report(error: &anyhow::Error) {
    eprintln!("eventgallery: {}", report::line(error));
}

fn run(cli: Cli) -> anyhow::Result<()> {
    match &cli.command {
        Some(Command::Schema) => return schema::print(),
        Some(Command::Defaults) => return schema::print_defaults(),
        Some(Command::Samples { folder }) => return demo::write_samples(folder),
        _ => {}
    }
    #[cfg(unix)]
    begin_with_allocator_options();
    let config = Config::load(&cli.config)?;
    eventgallery::descriptors::raise_limit();
    let runtime = tokio::runtime::Runtime::new()?;
    let result = runtime.block_on(async {
        match cli.command {
            None => serve::serve(config, true).await,
            Some(Command::Serve { no_worker }) => serve::serve(config, !no_worker).await,
            Some(Command::Worker) => serve::work(config).await,
            Some(Command::Migrate) => serve::migrate(config).await,
            Some(Command::Demo(arguments)) => demo::run(config, arguments).await,
            Some(Command::Local(arguments)) => local::run(config, arguments).await,
            Some(Command::Schema | Command::Defaults | Command::Samples { .. }) => Ok(()),
        }
    });
    // A picture that is being decoded cannot be interrupted, only left.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    result
}
