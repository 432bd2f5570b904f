//! Processes, and what is between them.

use std::collections::HashMap;
use std::time::Duration;

use harness::app;
use harness::aws::{self, Endpoint};
use harness::database::TestDatabase;
use harness::gate::{Fault, Gate, Rule};
use harness::line::Line;
use harness::process::{Process, free_port};
use serde_json::Value;
use tempfile::TempDir;

use super::fleet::Fleet;

/// Two API processes, two workers, and the stand-ins as a process of their own.
pub(super) struct World {
    /// Of the API processes.
    pub(super) urls: Vec<String>,
    pub(super) database: TestDatabase,
    /// Between our processes and the database.
    pub(super) line: Line,
    /// Between our processes and S3 and Rekognition.
    pub(super) gate: Gate,
    /// Between clients and S3.
    pub(super) public: Gate,
    /// The stand-ins themselves.
    pub(super) aws: Endpoint,
    pub(super) bucket: String,
    pub(super) fleet: Fleet,
    stand_ins: Process,
    folder: TempDir,
}

impl World {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("aws").display().to_string();
        let arguments = ["local", "--port", "0", "--json", "--data-dir", &data];
        let none = HashMap::new();
        let mut stand_ins = Process::start(folder.path(), "aws", &arguments, &none);
        let line: Value = serde_json::from_str(&stand_ins.first_line()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let aws = Endpoint {
            url: text(&line["endpoints"]["s3"]),
            access_key_id: text(&line["accessKeyId"]),
            secret_access_key: text(&line["secretAccessKey"]),
        };
        let bucket = aws::bucket(&aws).await;
        let (gate, public) = (Gate::before(&aws.url).await, Gate::before(&aws.url).await);
        let database = TestDatabase::create(folder.path()).await;
        let (line, url) = Line::to_database(&database.url).await;

        let mut environment = app::settings(folder.path(), &url, &bucket);
        for (name, value) in [
            ("S3_ENDPOINT", gate.url.as_str()),
            ("S3_PUBLIC_ENDPOINT", &public.url),
            ("S3_KEY", &aws.access_key_id),
            ("S3_SECRET", &aws.secret_access_key),
            ("REKOGNITION_ENDPOINT", &gate.url),
            ("AWS_REKOGNITION_KEY", &aws.access_key_id),
            ("AWS_REKOGNITION_SECRET", &aws.secret_access_key),
            ("JWT_SECRET", "a secret that all replicas of this test know"),
            ("ACCESS_TOKEN_SECONDS", "3600"),
            ("WORKER_LEASE_SECONDS", "10"),
            ("DATABASE_MAX_CONNECTIONS", "8"),
        ] {
            environment.insert(name.to_owned(), value.to_owned());
        }
        let fleet = Fleet::new(folder.path());
        let mut urls = Vec::new();
        for number in 1..=2 {
            let address = format!("127.0.0.1:{}", free_port());
            let mut environment = environment.clone();
            environment.insert("EVENTGALLERY_LISTEN".into(), address.clone());
            fleet.add(
                &format!("api {number}"),
                &["serve", "--no-worker"],
                environment,
            );
            urls.push(format!("http://{address}"));
        }
        for number in 1..=2 {
            fleet.add(
                &format!("worker {number}"),
                &["worker"],
                environment.clone(),
            );
        }
        for url in &urls {
            let ready = async {
                while !is_ready(url).await {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), ready)
                .await
                .unwrap_or_else(|_| panic!("not ready\n{}", fleet.logs()));
        }
        Self {
            urls,
            database,
            line,
            gate,
            public,
            aws,
            bucket,
            fleet,
            stand_ins,
            folder,
        }
    }

    /// From now on much goes wrong.
    pub(super) fn break_things(&self) {
        let gate = &self.gate;
        gate.add(Rule::s3("", "", Fault::s3(503, "SlowDown")).share(0.06));
        gate.add(Rule::s3("", "", Fault::Reset).share(0.04));
        gate.add(Rule::s3("", "", Fault::ResetAfter).share(0.04));
        gate.add(Rule::s3("GET", "", Fault::CutAnswer).share(0.05));
        gate.add(Rule::s3("", "", Fault::Delay(Duration::from_millis(500))).share(0.02));
        let throttled = Fault::rekognition(400, "ThrottlingException");
        gate.add(Rule::rekognition("", throttled).share(0.25));
        let exceeded = Fault::rekognition(400, "ProvisionedThroughputExceededException");
        gate.add(Rule::rekognition("", exceeded).share(0.05));
        gate.add(Rule::rekognition("", Fault::rekognition(500, "InternalServerError")).share(0.03));
        gate.add(Rule::rekognition("", Fault::Reset).share(0.03));
        gate.add(Rule::rekognition("", Fault::ResetAfter).share(0.03));
        let public = &self.public;
        public.add(Rule::s3("PUT", "", Fault::s3(503, "SlowDown")).share(0.1));
        public.add(Rule::s3("PUT", "", Fault::Reset).share(0.05));
        public.add(Rule::s3("PUT", "", Fault::ResetAfter).share(0.1));
    }

    /// From now on nothing goes wrong.
    pub(super) async fn calm(&self) {
        self.gate.clear();
        self.public.clear();
        self.line.open().await;
        self.fleet.keep_up();
    }

    pub(super) async fn end(self) {
        self.fleet.end();
        drop(self.stand_ins);
        self.database.drop().await;
        drop(self.folder);
    }
}

async fn is_ready(url: &str) -> bool {
    let answer = reqwest::get(format!("{url}/health/ready")).await;
    answer.is_ok_and(|answer| answer.status() == 200)
}
