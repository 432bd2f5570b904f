//! Configuration: defaults, then `eventgallery.toml`, then the environment.
//!
//! The environment is read here and nowhere else. [`ENVIRONMENT`] lists every name.

mod environment;
mod literal;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Format as _, Serialized, Toml};
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
                    .map(|e| e.to_string())
                    .collect::<Vec<_>>()
                    .join("; "),
            )
        })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let mut wrong: Vec<String> = Vec::new();
        let mut must = |ok: bool, text: &str| {
            if !ok {
                wrong.push(text.to_owned());
            }
        };
        must(
            self.s3.access_key.is_some() == self.s3.secret_key.is_some(),
            "s3.access_key and s3.secret_key go together (S3_KEY and S3_SECRET)",
        );
        must(
            self.rekognition.access_key.is_some() == self.rekognition.secret_key.is_some(),
            "rekognition.access_key and rekognition.secret_key go together",
        );
        must(
            matches!(
                self.rekognition.matcher.as_deref(),
                None | Some("compare" | "collection")
            ),
            "rekognition.matcher must be `compare` or `collection`",
        );
        must(
            self.rekognition
                .similarity_threshold
                .is_none_or(|t| (0.0..=100.0).contains(&t)),
            "rekognition.similarity_threshold must be from 0 to 100",
        );
        must(
            self.rekognition.faces_per_second > 0.0 && self.rekognition.labels_per_second > 0.0,
            "rekognition.faces_per_second and labels_per_second must be above 0",
        );
        must(
            self.tokens
                .jwt_secret
                .as_ref()
                .is_none_or(|s| s.expose_secret().len() >= 32),
            "tokens.jwt_secret (JWT_SECRET) must have at least 32 bytes",
        );
        must(
            self.tokens
                .jwt_secret_previous
                .as_ref()
                .is_none_or(|s| s.expose_secret().len() >= 32),
            "tokens.jwt_secret_previous (JWT_SECRET_PREVIOUS) must have at least 32 bytes",
        );
        must(
            (1..=604_800).contains(&self.uploads.put_url_seconds),
            "uploads.put_url_seconds must be from 1 to 604800, S3's longest",
        );
        must(
            (120..=604_800).contains(&self.s3.get_url_seconds),
            "s3.get_url_seconds must be from 120 to 604800, S3's longest",
        );
        must(
            (1..=1000).contains(&self.uploads.max_files_per_request),
            "uploads.max_files_per_request must be from 1 to 1000",
        );
        must(
            (1..=256).contains(&self.worker.concurrency),
            "worker.concurrency must be from 1 to 256",
        );
        must(
            self.worker.lease_seconds >= 10,
            "worker.lease_seconds must be at least 10",
        );
        must(
            self.worker.max_attempts >= 1,
            "worker.max_attempts must be at least 1",
        );
        must(
            self.accounts.registrations_per_minute >= 1,
            "accounts.registrations_per_minute must be at least 1",
        );
        must(
            self.database.acquire_seconds >= 1,
            "database.acquire_seconds must be at least 1",
        );
        must(
            self.events.retention_seconds >= 60,
            "events.retention_seconds must be at least 60",
        );
        must(
            (10..=60_000).contains(&self.events.poll_milliseconds),
            "events.poll_milliseconds must be from 10 to 60000",
        );
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(ConfigError(wrong.join("; ")))
        }
    }

    /// The database's address as sqlx wants it.
    #[must_use]
    pub fn database_url(&self) -> String {
        let Some(url) = &self.database.url else {
            return format!(
                "sqlite://{}?mode=rwc",
                self.data_dir.join("eventgallery.db").display()
            );
        };
        let url = url.expose_secret();
        // SQLAlchemy's spellings, which people have in their secrets already.
        for (prefix, ours) in [
            ("mysql+pymysql://", "mysql://"),
            ("mariadb://", "mysql://"),
            ("postgresql+psycopg2://", "postgres://"),
            ("postgresql://", "postgres://"),
        ] {
            if let Some(rest) = url.strip_prefix(prefix) {
                return format!("{ours}{rest}");
            }
        }
        url.to_owned()
    }

    /// Whether the local stand-ins serve S3 and Rekognition.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.s3.bucket.is_none()
    }
}
