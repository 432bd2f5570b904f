//! The composition: the only place that names adapters.

mod wiring;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use entity::gallery::Matcher;
use local::{LocalAws, LocalConfig};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::descriptors::Shares;
use crate::graphql::Services;
use crate::graphql::documents::Documents;
use crate::http::LiveConnections;
use crate::http::server::Limits;
use crate::job::worker::{WakeUp, Worker};
use crate::metrics::{Metrics, Scrape};
use crate::people::MatcherSettings;
use crate::shutdown::Shutdown;
use crate::storage::ObjectStore;
use crate::storage::presign::GetSigner;
use crate::storage::s3::{S3Settings, S3Store};
use crate::vision::Analyser;
use crate::vision::rekognition::{Rekognition, RekognitionSettings};
use wiring::Wiring;

/// Bucket of the local stand-in.
const LOCAL_BUCKET: &str = "eventgallery";
/// Similarity from which Rekognition's CompareFaces and SearchFaces mean one person to us. AWS's
/// default threshold is 80; 90 keeps look-alikes of one event apart.
const AWS_THRESHOLD: f32 = 90.0;
/// The stand-in maps dlib's published distance of 0.6 to 80, and 0.48 to 86. At 0.6 its network
/// takes some people of one event for the same; at 0.48 hardly any.
const LOCAL_THRESHOLD: f32 = 86.0;

/// The whole system, wired. It works once it is served.
pub struct App {
    config: Arc<Config>,
    db: Db,
    services: Services,
    signer: Arc<GetSigner>,
    clock: Clock,
    /// The machine's, for what S3 compares with its own.
    own_clock: Clock,
    _time: Option<AbortOnDropHandle<()>>,
    worker: Worker,
    live: LiveConnections,
    limits: Limits,
    store: Arc<dyn ObjectStore>,
    metrics: Metrics,
    local: Option<LocalAws>,
    stop: CancellationToken,
}

impl App {
    /// Wires everything: starts the local stand-ins where no bucket is configured, migrates the
    /// database, connects.
    ///
    /// # Errors
    /// What does not answer or is set wrongly, in words.
    pub async fn start(config: Config, clock: Clock) -> Result<Self> {
        let config = Arc::new(config);
        crate::data_dir::make(&config.data_dir)?;
        let aws = Aws::of(&config).await?;
        let metrics = Metrics::new();
        let store = S3Store::new(&aws.s3, &metrics);
        if aws.local.is_some() {
            store
                .ensure_bucket(&["*"])
                .await
                .context("cannot make the local bucket")?;
        }
        let signer = GetSigner::new(&aws.s3).await.context("S3 settings")?;
        let signer = Arc::new(signer.counted(metrics.urls_signed("GET")));
        let store: Arc<dyn ObjectStore> = Arc::new(store);
        if let Some(bucket) = config.s3.bucket.clone() {
            tokio::spawn(crate::storage::look::look(Arc::clone(&store), bucket));
        }
        let analyser: Arc<dyn Analyser> = Arc::new(Rekognition::new(aws.rekognition, &metrics));

        let url = config.database_url();
        if config.database.migrate {
            crate::db::migrate(&url).await.map_err(|error| {
                config.database_failure("cannot bring the schema up to date in the database", error)
            })?;
        }
        let acquire = Duration::from_secs(u64::from(config.database.acquire_seconds));
        let db = Db::connect_within(&url, config.database.max_connections, acquire)
            .await
            .map_err(|error| config.database_failure("cannot connect to the database", error))?;
        let own_clock = clock;
        let (clock, time) = crate::db::shared_time(&db, &own_clock)
            .await
            .context("cannot read the database's clock")?;
        if aws.local.is_some() && config.is_database_in_folder() {
            // The stand-ins hold the folder's lock: whoever worked on this database is gone.
            take_jobs_back(&db, &clock)
                .await
                .context("cannot take jobs back from the process of before")?;
        }

        let wiring = Wiring {
            config: &config,
            db: &db,
            clock: &clock,
            store: &store,
            analyser: &analyser,
            faces: MatcherSettings::new(aws.threshold, config.worker.lease_seconds),
            wake_up: WakeUp::default(),
            metrics: &metrics,
        };
        let limits = Limits::new(Shares::of_process().api);
        let services = wiring.services(aws.matcher)?;
        let worker = wiring.worker(&services);
        crate::upload::job::schedule(&db, &clock)
            .await
            .context("cannot schedule the reaper")?;
        crate::event::job::schedule(&db, &clock)
            .await
            .context("cannot schedule the sweep of events")?;
        crate::auth::job::schedule(&db, &clock)
            .await
            .context("cannot schedule the sweep of refresh tokens")?;
        Ok(Self {
            config,
            db,
            services,
            signer,
            clock,
            own_clock,
            _time: time,
            worker,
            live: LiveConnections::among(limits.connections),
            limits,
            store,
            metrics,
            local: aws.local,
            stop: CancellationToken::new(),
        })
    }

    /// The HTTP routes.
    ///
    /// # Errors
    /// When a manifest of trusted documents cannot be used.
    pub fn router(&self) -> Result<Router> {
        Ok(crate::http::router(crate::http::Door {
            documents: Documents::of(&self.config.graphql)?,
            services: self.services.clone(),
            db: self.db.clone(),
            store: Arc::clone(&self.store),
            clock: self.clock.clone(),
            own_clock: self.own_clock.clone(),
            signer: Arc::clone(&self.signer),
            get_url_seconds: self.config.s3.get_url_seconds,
            graphiql: self.config.serves_graphiql(),
            stop: self.stop.clone(),
            live: self.live.clone(),
            metrics: self.metrics.clone(),
            trusted_proxies: self.config.trusted_proxies,
        }))
    }

    /// The routes of the port for whoever runs the process: `/metrics` and the health checks.
    pub fn operations(&self) -> Router {
        let (db, clock) = (self.db.clone(), self.clock.clone());
        let scrape = Scrape::new(self.metrics.clone(), db, clock, self.worker.kinds());
        let (db, store) = (self.db.clone(), Arc::clone(&self.store));
        crate::http::operations(scrape, db, store, self.stop.clone())
    }

    /// What the process counts.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The worker.
    #[must_use]
    pub fn worker(&self) -> &Worker {
        &self.worker
    }

    /// The database.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The services.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// The sockets and event streams that are open.
    #[must_use]
    pub fn live(&self) -> &LiveConnections {
        &self.live
    }

    /// The local stand-ins, where they run.
    #[must_use]
    pub fn local(&self) -> Option<&LocalAws> {
        self.local.as_ref()
    }

    /// Serves the API, and works on the queue if configured, until `stop` is cancelled. Requests,
    /// sockets, event streams and jobs then have `shutdown_seconds` to end.
    ///
    /// # Errors
    /// The worker's, and the database's when its connections are closed.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> Result<()> {
        let shutdown = Shutdown::of(self.config.shutdown_seconds);
        let stop = self.stopped_by(stop);
        let worker = self.config.worker.enabled.then(|| {
            let (worker, stop) = (self.worker.clone(), stop.clone());
            tokio::spawn(async move { worker.run(stop).await })
        });
        let router = self.router()?;
        let server =
            crate::http::server::serve(listener, router, self.limits, stop.clone(), shutdown.drain);
        let live = async {
            stop.cancelled().await;
            // Not before: who comes back here at once would be turned away.
            tokio::time::sleep(shutdown.drain).await;
            self.live.close().await;
        };
        let all = async {
            tokio::join!(server, live);
            if let Some(worker) = worker {
                worker.await?;
            }
            anyhow::Ok(())
        };
        shutdown.within(&stop, all).await?;
        self.close_within(shutdown.rest).await
    }

    /// Works on the queue until `stop` is cancelled, and for at most `shutdown_seconds` more.
    ///
    /// # Errors
    /// The database's, when its connections are closed.
    pub async fn work(self, stop: CancellationToken) -> Result<()> {
        let shutdown = Shutdown::of(self.config.shutdown_seconds);
        let stop = self.stopped_by(stop);
        let all = async {
            self.worker.run(stop.clone()).await;
            Ok(())
        };
        shutdown.within(&stop, all).await?;
        self.close_within(shutdown.rest).await
    }

    /// The application's own token, cancelled with `signal`.
    fn stopped_by(&self, signal: CancellationToken) -> CancellationToken {
        let stop = self.stop.clone();
        tokio::spawn(async move {
            signal.cancelled().await;
            stop.cancel();
        });
        self.stop.clone()
    }

    /// Closes what is open, as far as that goes in time: nothing is lost with an open connection.
    async fn close_within(self, time: Duration) -> Result<()> {
        match tokio::time::timeout(time, self.close()).await {
            Ok(closed) => closed,
            Err(_) => {
                tracing::warn!("connections were left open at the end");
                Ok(())
            }
        }
    }

    /// Closes what is open.
    ///
    /// # Errors
    /// The database's.
    pub async fn close(self) -> Result<()> {
        if let Some(local) = self.local {
            local.shutdown().await;
        }
        Ok(self.db.close().await?)
    }
}

/// Takes back the jobs that a process was at when it was killed, instead of waiting for their leases
/// to run out.
async fn take_jobs_back(db: &Db, clock: &Clock) -> crate::error::Result<()> {
    let transaction = db.begin().await?;
    let jobs = crate::job::queue::end_leases(&*transaction, clock.now()).await?;
    transaction.commit().await?;
    if jobs > 0 {
        tracing::warn!(
            jobs,
            "the process of before did not stop by itself: its jobs begin anew"
        );
    }
    Ok(())
}

/// Where S3 and Rekognition are.
struct Aws {
    s3: S3Settings,
    rekognition: RekognitionSettings,
    matcher: Matcher,
    threshold: f32,
    local: Option<LocalAws>,
}

impl Aws {
    async fn of(config: &Config) -> Result<Self> {
        let region = config.aws.region.clone();
        let local = if config.is_local() {
            Some(start_local(config).await?)
        } else {
            None
        };
        let keys = keys(config.s3.access_key.as_ref(), config.s3.secret_key.as_ref());
        let s3_credentials = match (&local, keys) {
            (Some((_, credentials)), _) => credentials.clone(),
            (None, Some(credentials)) => credentials,
            (None, None) => chain(&region).await?,
        };
        let own = self::keys(
            config.rekognition.access_key.as_ref(),
            config.rekognition.secret_key.as_ref(),
        );
        let rekognition_credentials = own
            .filter(|_| local.is_none())
            .unwrap_or_else(|| s3_credentials.clone());
        let endpoint = local
            .as_ref()
            .map(|(server, _)| server.endpoint().to_owned());
        let bucket = config
            .s3
            .bucket
            .clone()
            .unwrap_or_else(|| LOCAL_BUCKET.to_owned());
        // The stand-in has no quota: it is as fast as this machine.
        let (faces, labels) = match local {
            Some(_) => (f64::from(u16::MAX), f64::from(u16::MAX)),
            None => (
                config.rekognition.faces_per_second,
                config.rekognition.labels_per_second,
            ),
        };
        let matcher = match config.rekognition.matcher.as_deref() {
            Some("compare") => Matcher::Compare,
            Some(_) => Matcher::Collection,
            None if local.is_some() => Matcher::Collection,
            None => Matcher::Compare,
        };
        let default_threshold = if local.is_some() {
            LOCAL_THRESHOLD
        } else {
            AWS_THRESHOLD
        };
        Ok(Self {
            s3: S3Settings {
                bucket: bucket.clone(),
                region: region.clone(),
                endpoint: endpoint.clone().or_else(|| config.s3.endpoint.clone()),
                public_endpoint: if local.is_some() {
                    None
                } else {
                    config.s3.public_endpoint.clone()
                },
                path_style: local.is_some() || config.s3.path_style,
                credentials: s3_credentials,
            },
            rekognition: RekognitionSettings {
                region,
                endpoint: endpoint.or_else(|| config.rekognition.endpoint.clone()),
                credentials: rekognition_credentials,
                bucket,
                faces_per_second: faces,
                labels_per_second: labels,
                min_label_confidence: config.rekognition.min_label_confidence,
            },
            matcher,
            threshold: config
                .rekognition
                .similarity_threshold
                .unwrap_or(default_threshold),
            local: local.map(|(server, _)| server),
        })
    }
}

async fn start_local(config: &Config) -> Result<(LocalAws, SharedCredentialsProvider)> {
    let credentials = local::load_or_create_credentials(&config.data_dir)?;
    let shared = fixed(&credentials.access_key_id, &credentials.secret_access_key);
    let mut settings = LocalConfig::new(&config.data_dir, credentials);
    settings.region.clone_from(&config.aws.region);
    settings.max_connections = Shares::of_process().stand_ins;
    let server = LocalAws::start(settings)
        .await
        .map_err(crate::data_dir::in_use)
        .context("cannot start the local S3 and Rekognition")?;
    Ok((server, shared))
}

fn keys(
    id: Option<&SecretString>,
    secret: Option<&SecretString>,
) -> Option<SharedCredentialsProvider> {
    Some(fixed(id?.expose_secret(), secret?.expose_secret()))
}

fn fixed(id: &str, secret: &str) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new(id, secret, None, None, "configuration"))
}

/// Profile, IRSA, instance: whatever the AWS SDK finds.
async fn chain(region: &str) -> Result<SharedCredentialsProvider> {
    aws_config::defaults(BehaviorVersion::latest())
        .region(aws_config::Region::new(region.to_owned()))
        .load()
        .await
        .credentials_provider()
        .context("no AWS credentials: set S3_KEY and S3_SECRET, a profile or a role")
}
