//! Configuration: defaults, then `eventgallery.toml`, then the environment.
//!
//! The environment is read here and nowhere else. [`ENVIRONMENT`] lists every name.

pub(crate) mod address;
mod check;
mod environment;
mod literal;
mod message;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Format as _, Serialized, Toml};
use sea_orm::DbErr;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

pub use environment::{ENVIRONMENT, Kind, Variable};

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where SQLite and the local stand-ins keep their files.
    pub data_dir: PathBuf,
    /// How many proxies stand before this process that append to `X-Forwarded-For`.
    pub trusted_proxies: u8,
    /// Whether GraphiQL answers at `/graphql` in a browser.
    pub graphiql: bool,
    /// Whether logs are JSON, a line each.
    pub log_json: bool,
    /// After the signal to stop, running requests and jobs may go on for this many seconds.
    pub shutdown_seconds: u32,
    /// Documents.
    pub graphql: Graphql,
    /// The database.
    pub database: Database,
    /// AWS in general.
    pub aws: Aws,
    /// The object store.
    pub s3: S3,
    /// The analyses.
    pub rekognition: Rekognition,
    /// Accounts.
    pub accounts: Accounts,
    /// An issuer of tokens besides us.
    pub oidc: Oidc,
    /// Access and refresh tokens.
    pub tokens: Tokens,
    /// Uploads.
    pub uploads: Uploads,
    /// The worker.
    pub worker: Worker,
    /// What happened in galleries, as subscriptions replay it.
    pub events: Events,
    /// Prometheus.
    pub metrics: Metrics,
    /// OpenTelemetry.
    pub telemetry: Telemetry,
}

/// `[graphql]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Graphql {
    /// Which documents run: `off` those that come as text, `apq` also those that are known by a hash
    /// or id, `trusted-only` none but those of the manifest.
    pub persisted: String,
    /// Manifest of trusted documents, Apollo's or Relay's, or a folder of them.
    pub manifest: Option<PathBuf>,
    /// Mebibytes for documents that clients register.
    pub registered_mb: u32,
    /// Fields that the answer to one document may have at most.
    pub max_cost: u32,
}

/// `[database]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `mysql:`, `postgres:` or `sqlite:`; none: SQLite in the data folder.
    pub url: Option<SecretString>,
    /// Connections at most (MySQL and PostgreSQL).
    pub max_connections: u32,
    /// Seconds that a statement waits for a connection (MySQL and PostgreSQL).
    pub acquire_seconds: u32,
    /// Whether a start brings the schema up to date; with several replicas run
    /// `eventgallery migrate` once instead.
    pub migrate: bool,
}

/// `[aws]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aws {
    /// Region of bucket and Rekognition.
    pub region: String,
}

/// `[s3]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    /// Bucket; none: the local stand-ins serve S3 and Rekognition.
    pub bucket: Option<String>,
    /// Endpoint for the server's own calls; none: AWS.
    pub endpoint: Option<String>,
    /// Endpoint that is signed for clients; none: the same.
    pub public_endpoint: Option<String>,
    /// `true` for `https://endpoint/bucket/key`, as most S3 servers other than AWS want it.
    pub path_style: bool,
    /// Access key; none: the AWS chain (profile, IRSA, instance).
    pub access_key: Option<SecretString>,
    /// Its secret.
    pub secret_key: Option<SecretString>,
    /// Life of a signed GET in seconds; URLs stay the same for half of it.
    pub get_url_seconds: u32,
}

/// `[rekognition]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rekognition {
    /// Endpoint; none: AWS.
    pub endpoint: Option<String>,
    /// Access key; none: as S3.
    pub access_key: Option<SecretString>,
    /// Its secret.
    pub secret_key: Option<SecretString>,
    /// Matcher of new galleries: `compare` or `collection`; none: `compare` on AWS, `collection` locally.
    pub matcher: Option<String>,
    /// Similarity from which two faces are one person, 0 to 100; none: 90 on AWS, 86 locally.
    pub similarity_threshold: Option<f32>,
    /// Labels below this confidence are not kept.
    pub min_label_confidence: f32,
    /// DetectFaces and CompareFaces a second (quota of the account; AWS default 25, 100 in the
    /// three big regions).
    pub faces_per_second: f64,
    /// DetectLabels, IndexFaces and SearchFaces a second (AWS default 5, 50 in the big regions).
    pub labels_per_second: f64,
}

/// `[accounts]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// Registrations that one address may try in a minute.
    pub registrations_per_minute: u32,
    /// Whether people register and sign in here with a password.
    pub own: bool,
}

/// `[oidc]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// `iss` of its tokens: the URL under which its discovery document is; none: only our own count.
    pub issuer: Option<String>,
    /// `aud` that its tokens must name.
    pub audience: Option<String>,
}

/// `[tokens]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// HS256 secret, at least 32 bytes; none: one is made and kept in the data folder.
    pub jwt_secret: Option<SecretString>,
    /// File that holds it.
    pub jwt_secret_file: Option<PathBuf>,
    /// The secret of before a rotation: its tokens are taken, none is signed with it.
    pub jwt_secret_previous: Option<SecretString>,
    /// File that holds it.
    pub jwt_secret_previous_file: Option<PathBuf>,
    /// `iss` of our tokens.
    pub issuer: String,
    /// `aud` of our tokens.
    pub audience: String,
    /// Life of an access token in seconds.
    pub access_seconds: u32,
    /// Life of a refresh token in seconds.
    pub refresh_seconds: u32,
}

/// `[uploads]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uploads {
    /// Longest file in bytes.
    pub max_byte_size: u64,
    /// Files one call may ask for.
    pub max_files_per_request: u32,
    /// Photos one gallery may hold.
    pub max_photos_per_gallery: u64,
    /// Life of a presigned PUT in seconds.
    pub put_url_seconds: u32,
    /// Seconds after the URL's end before an unconfirmed upload is removed.
    pub reap_after_seconds: u32,
    /// Most pixels a picture may have.
    pub max_pixels: u64,
}

/// `[worker]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// Whether `serve` also works.
    pub enabled: bool,
    /// Jobs at a time.
    pub concurrency: u32,
    /// Seconds a job is held without a sign of life.
    pub lease_seconds: u32,
    /// Attempts before a job is given up.
    pub max_attempts: u32,
    /// Mebibytes that all pictures being decoded in this process may take together.
    pub decode_memory_mb: u32,
}

/// `[events]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// How long events are kept for subscribers that reconnect.
    pub retention_seconds: u32,
    /// How often a process looks for events that others wrote.
    pub poll_milliseconds: u32,
}

/// `[metrics]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Where `/metrics` and the health checks answer, of `serve` and of `worker`; none: nowhere.
    pub listen: Option<SocketAddr>,
}

/// `[telemetry]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// OTLP endpoint that spans go to; none: nowhere.
    pub otlp_endpoint: Option<String>,
    /// `service.name` of the spans.
    pub service_name: String,
}

/// The defaults, with every key and a word on each.
pub const DEFAULTS: &str = include_str!("config.default.toml");

/// What `k8s/` says where whoever deploys it must give a value. Some of those settings would take it
/// for one: a bucket may be called anything.
pub const PLACEHOLDER: &str = "CHANGE_ME";

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[error("configuration: {0}")]
pub struct ConfigError(String);

impl Config {
    /// Reads the file (if it is there) and this process's environment.
    ///
    /// # Errors
    /// Each wrong value is named with its key.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        Self::from_sources(file, |name| std::env::var(name).ok())
    }

    /// As [`Config::load`], with a given environment.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_sources(
        file: &Path,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if file.exists() {
            figment = figment.merge(Toml::file_exact(file));
        }
        let mut left = Vec::new();
        for variable in ENVIRONMENT {
            let Some((name, value)) = variable.names.iter().find_map(|name| {
                environment(name)
                    .filter(|v| !v.is_empty())
                    .map(|v| (name, v))
            }) else {
                continue;
            };
            if value == PLACEHOLDER {
                left.push(*name);
                continue;
            }
            figment = match variable.kind {
                Kind::Text => figment.merge(Serialized::default(variable.key, value)),
                Kind::Literal => figment.merge(literal::value(variable.key, name, &value)?),
            };
        }
        if !left.is_empty() {
            let names = left.join(", ");
            return Err(ConfigError(format!("{PLACEHOLDER} is no value: {names}")));
        }
        let config: Self = figment.extract().map_err(|error| {
            ConfigError(
                error
                    .into_iter()
                    .map(|e| message::of(&e, &figment))
                    .collect::<Vec<_>>()
                    .join("; "),
            )
        })?;
        check::check(&config)?;
        Ok(config)
    }

    /// The database's address as sqlx wants it.
    #[must_use]
    pub fn database_url(&self) -> String {
        match &self.database.url {
            Some(url) => address::normal(url.expose_secret()),
            None => address::in_folder(&self.data_dir),
        }
    }

    /// What failed at the database, for people: which database, without user and password, and which
    /// setting names it. Drivers may show the whole address.
    #[must_use]
    pub fn database_failure(&self, what: &str, error: DbErr) -> anyhow::Error {
        let url = self.database_url();
        let given = self.database.url.as_ref();
        let clean = |text: String| {
            let text = address::without(&text, &url);
            given.map_or(text.clone(), |given| {
                address::without(&text, given.expose_secret())
            })
        };
        let setting = message::name(if given.is_some() {
            "database.url"
        } else {
            "data_dir"
        });
        let context = match address::shown(&url) {
            place if place.is_empty() => format!("{what} of {setting}"),
            place => format!("{what} {place} of {setting}"),
        };
        // Nobody answers to a piece of a password.
        let unreachable = matches!(error, DbErr::Conn(_) | DbErr::ConnectionAcquire(_));
        let hint = if unreachable && address::may_split_password(&url) {
            " (is the password percent-encoded? @ : / ? # % are %40 %3A %2F %3F %23 %25)"
        } else {
            ""
        };
        let context = context + hint;
        let error = anyhow::Error::from(error);
        let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
        let cleaned: Vec<String> = causes.iter().cloned().map(clean).collect();
        if causes == cleaned {
            return error.context(context);
        }
        anyhow::Error::msg(cleaned.join(": ")).context(context)
    }

    /// Whether browsers get GraphiQL. It writes documents of its own, which none runs where only
    /// trusted ones do.
    #[must_use]
    pub fn serves_graphiql(&self) -> bool {
        self.graphiql && self.graphql.persisted != "trusted-only"
    }

    /// Whether API and workers may be processes of their own.
    ///
    /// # Errors
    /// Without a bucket: each would have stand-ins of its own, and never see the other's objects.
    pub fn check_apart(&self) -> Result<(), ConfigError> {
        if !self.is_local() {
            return Ok(());
        }
        Err(ConfigError(format!(
            "{} is missing: an API without worker and a worker without API need a bucket that both \
             reach; without one run `eventgallery serve`, which is both",
            message::name("s3.bucket")
        )))
    }

    /// Whether the database is SQLite in the data folder, where nothing else is configured.
    #[must_use]
    pub fn is_database_in_folder(&self) -> bool {
        self.database.url.is_none()
    }

    /// Whether the local stand-ins serve S3 and Rekognition.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.s3.bucket.is_none()
    }
}
