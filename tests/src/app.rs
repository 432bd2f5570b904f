//! The application under test.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use eventgallery::app::App;
use eventgallery::clock::Clock;
use eventgallery::config::Config;
use eventgallery::db::Db;
use eventgallery::http::server::{self, Limits};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::actor::{Actor, text};
use crate::aws::{self, Endpoint};
use crate::database::{TestDatabase, is_server};
use crate::line::Line;

/// The application, served on a loopback port.
pub struct TestApp {
    app: App,
    /// Moves only when a test moves it.
    pub clock: Clock,
    /// Base URL.
    pub url: String,
    /// Bucket of its own.
    pub bucket: String,
    /// Its object store.
    pub s3: Endpoint,
    database: TestDatabase,
    server: JoinHandle<()>,
    settings: HashMap<String, String>,
    folder: TempDir,
}

impl TestApp {
    /// Starts one with defaults.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts one with these names of the environment set.
    pub async fn with(environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = TestDatabase::create(folder.path()).await;
        Self::on(folder, database, environment).await
    }

    /// As [`TestApp::with`], on a database server behind a line that the test holds in its hands;
    /// none on SQLite, which has no connection to lose.
    pub async fn behind_a_line(environment: &[(&str, &str)]) -> Option<(Self, Line)> {
        if !is_server() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let database = TestDatabase::create(folder.path()).await;
        let (line, url) = Line::to_database(&database.url).await;
        let mut environment = environment.to_vec();
        environment.push(("DATABASE_URI", &url));
        Some((Self::on(folder, database, &environment).await, line))
    }

    async fn on(folder: TempDir, database: TestDatabase, environment: &[(&str, &str)]) -> Self {
        let s3 = aws::s3();
        let bucket = aws::bucket(&s3).await;
        let mut settings = settings(folder.path(), &database.url, &bucket);
        settings.extend(
            environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let clock = Clock::manual();
        let (app, url, server) = serve(&settings, clock.clone()).await;
        Self {
            app,
            clock,
            url,
            bucket,
            s3,
            database,
            server,
            settings,
            folder,
        }
    }

    /// Stops it and starts it again on the same data, as after a deployment.
    pub async fn restart(self) -> Self {
        self.server.abort();
        self.app.close().await.expect("closed");
        let (app, url, server) = serve(&self.settings, self.clock.clone()).await;
        Self {
            app,
            url,
            server,
            ..self
        }
    }

    /// Another process on the same database, bucket and clock.
    pub async fn replica(&self) -> Replica {
        self.replica_with(self.clock.clone()).await
    }

    /// Another process, with a clock of its own.
    pub async fn replica_with(&self, clock: Clock) -> Replica {
        let (app, url, server) = serve(&self.settings, clock).await;
        Replica { app, url, server }
    }

    /// Somebody without an account.
    #[must_use]
    pub fn anonymous(&self) -> Actor {
        Actor::anonymous(&self.url)
    }

    /// Somebody with a fresh account.
    pub async fn user(&self, name: &str) -> Actor {
        Actor::register(&self.url, name).await
    }

    /// Somebody signed in again: the clock has moved past their access token's end.
    pub async fn fresh(&self, actor: &Actor) -> Actor {
        let mut again = self.anonymous();
        again.email.clone_from(&actor.email);
        again.password.clone_from(&actor.password);
        again.id.clone_from(&actor.id);
        let input = json!({ "email": actor.email, "password": actor.password });
        let session = again
            .mutate("signIn", "SignInInput", input, "accessToken")
            .await;
        again.token = Some(text(&session["accessToken"]));
        again
    }

    /// Status and body of a plain GET.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("{}{path}", self.url)).await;
        let answer = answer.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.text().await.expect("a body"))
    }

    /// Runs every job that is due; answers how many ran.
    pub async fn run_jobs(&self) -> usize {
        self.app.worker().run_until_idle().await.expect("jobs run")
    }

    /// The database, to look behind the API.
    #[must_use]
    pub fn db(&self) -> &Db {
        self.app.db()
    }

    /// The application itself.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// As [`TestApp::replica`], but served as `eventgallery serve` does, until `stop` is cancelled; its
    /// URL, and how it ended.
    pub async fn serve_until(
        &self,
        stop: CancellationToken,
    ) -> (String, JoinHandle<anyhow::Result<()>>) {
        let app = wire(&self.settings, self.clock.clone()).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        (url, tokio::spawn(app.serve(listener, stop)))
    }

    /// Keys in the bucket, sorted.
    pub async fn objects(&self) -> Vec<String> {
        aws::keys(&self.s3, &self.bucket).await
    }

    /// Ends it and drops its database.
    pub async fn stop(self) {
        self.server.abort();
        self.app.close().await.expect("closed");
        self.database.drop().await;
        drop(self.folder);
    }
}

/// A second process of a [`TestApp`].
pub struct Replica {
    /// The application itself.
    pub app: App,
    /// Base URL.
    pub url: String,
    server: JoinHandle<()>,
}

impl Replica {
    /// Ends it; what it served is cut off, as when a process is killed.
    pub async fn stop(self) {
        self.server.abort();
        self.app.close().await.expect("closed");
    }
}

/// Settings by their names in the environment: this database, this bucket, the stand-ins or whatever
/// S3 the environment names.
#[must_use]
pub fn settings(folder: &Path, database: &str, bucket: &str) -> HashMap<String, String> {
    let (s3, rekognition) = (aws::s3(), aws::rekognition());
    [
        ("DATA_DIR", folder.display().to_string()),
        ("DATABASE_URI", database.to_owned()),
        ("S3_BUCKET", bucket.to_owned()),
        ("S3_ENDPOINT", s3.url),
        ("S3_PATH_STYLE", "true".into()),
        ("S3_KEY", s3.access_key_id),
        ("S3_SECRET", s3.secret_access_key),
        ("REKOGNITION_ENDPOINT", rekognition.url),
        ("AWS_REKOGNITION_KEY", rekognition.access_key_id),
        ("AWS_REKOGNITION_SECRET", rekognition.secret_access_key),
        ("REKOGNITION_MATCHER", "collection".into()),
        ("REKOGNITION_SIMILARITY_THRESHOLD", "86".into()),
        ("REKOGNITION_FACES_PER_SECOND", "10000".into()),
        ("REKOGNITION_LABELS_PER_SECOND", "10000".into()),
        ("DATABASE_MAX_CONNECTIONS", "5".into()),
        // All clients of a test share an address.
        ("REGISTRATIONS_PER_MINUTE", "10000".into()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn config(settings: &HashMap<String, String>) -> Config {
    let file = std::path::Path::new("eventgallery.toml");
    Config::from_sources(file, |name| settings.get(name).cloned()).expect("a configuration")
}

async fn serve(settings: &HashMap<String, String>, clock: Clock) -> (App, String, JoinHandle<()>) {
    let app = wire(settings, clock).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let router = app.router().expect("routes");
    // Until it is aborted.
    let stop = CancellationToken::new();
    let serving = server::serve(listener, router, Limits::new(1024), stop, Duration::ZERO);
    let server = tokio::spawn(serving);
    (app, url, server)
}

async fn wire(settings: &HashMap<String, String>, clock: Clock) -> App {
    App::start(config(settings), clock)
        .await
        .expect("the application starts")
}
