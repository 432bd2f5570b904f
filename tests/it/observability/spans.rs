//! Spans arrive at a collector that speaks OTLP over HTTP, and a worker shows its metrics.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::routing::post;
use harness::database::TestDatabase;
use harness::{Actor, app, aws, pictures};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use serde_json::json;
use tokio::net::TcpListener;

use super::exposition::Exposition;
use super::process::{Process, analysed};

/// A collector that keeps what it is sent.
struct Collector {
    url: String,
    received: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

impl Collector {
    async fn start() -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&received);
        let take = async move |body: Bytes| {
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            keep.lock().unwrap().push(request);
        };
        let routes = axum::Router::new().route("/v1/traces", post(take));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, received }
    }

    /// Every span, with the attributes of its resource.
    fn spans(&self) -> Vec<(Span, Vec<KeyValue>)> {
        let received = self.received.lock().unwrap();
        let resources = received.iter().flat_map(|request| &request.resource_spans);
        resources
            .flat_map(|of_resource| {
                let resource = of_resource.resource.clone().unwrap_or_default();
                of_resource
                    .scope_spans
                    .iter()
                    .flat_map(|scope| scope.spans.clone())
                    .map(move |span| (span, resource.attributes.clone()))
            })
            .collect()
    }
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

#[tokio::test]
async fn requests_jobs_and_calls_arrive_as_spans() {
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::create(folder.path()).await;
    let environment = [
        ("DATABASE_URI", database.url.as_str()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
        ("OTEL_SERVICE_NAME", "gallery-under-test"),
    ];
    let mut server = Process::start("serve", folder.path(), &environment);
    let ada = Actor::at(&server.url, "ada").await;
    let gallery = ada.gallery("g").await;
    let ids = ada.upload(&gallery, &[pictures::samples().remove(0)]).await;
    assert_eq!(analysed(&ada, &ids[0]).await, "READY");
    // Confirming again looks at the store again, within the caller's trace.
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let document = "mutation($input: ConfirmPhotoUploadsInput!) { confirmPhotoUploads(input: $input) { results { photoId } } }";
    let answer = ada
        .http()
        .post(format!("{}/graphql", server.url))
        .bearer_auth(ada.token.as_ref().unwrap())
        .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"))
        .json(&json!({ "query": document, "variables": { "input": { "photoIds": ids } } }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    // What is still here is sent at the end.
    server.stop().await;

    let spans = collector.spans();
    for (_, resource) in &spans {
        assert_eq!(
            attribute(resource, "service.name").as_deref(),
            Some("gallery-under-test")
        );
    }
    let named = |name: &str| {
        spans
            .iter()
            .map(|(span, _)| span)
            .filter(|span| span.name == name)
            .collect::<Vec<_>>()
    };
    let continued: Vec<_> = named("request")
        .into_iter()
        .filter(|span| hex::encode(&span.trace_id) == trace)
        .collect();
    assert_eq!(continued.len(), 1, "{spans:#?}");
    let request = continued[0];
    assert_eq!(hex::encode(&request.parent_span_id), "b7ad6b7169203331");
    assert_eq!(request.kind, SpanKind::Server as i32);
    assert_eq!(
        attribute(&request.attributes, "route").as_deref(),
        Some("/graphql")
    );
    assert_eq!(
        attribute(&request.attributes, "status").as_deref(),
        Some("200")
    );

    let jobs = named("job");
    let job = jobs
        .iter()
        .find(|span| attribute(&span.attributes, "kind").as_deref() == Some("analyse"))
        .unwrap();
    assert!(attribute(&job.attributes, "job_id").is_some());
    for (name, operation) in [
        ("rekognition", "DetectFaces"),
        ("s3", "GetObject"),
        ("s3", "PutObject"),
    ] {
        let calls = named(name);
        let call = calls
            .iter()
            .find(|span| attribute(&span.attributes, "operation").as_deref() == Some(operation))
            .unwrap_or_else(|| panic!("no {operation}"));
        assert_eq!(
            call.parent_span_id, job.span_id,
            "{operation} within the job"
        );
        assert_eq!(
            attribute(&call.attributes, "outcome").as_deref(),
            Some("ok")
        );
    }
    let text = format!("{spans:?}");
    for secret in [
        ada.email.as_str(),
        ada.token.as_ref().unwrap(),
        "X-Amz-Signature",
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
    database.drop().await;
}

#[test]
fn an_endpoint_that_cannot_work_is_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let ended = std::process::Command::new(harness::process::binary())
        .arg("worker")
        .current_dir(folder.path())
        .env("DATA_DIR", folder.path())
        .env(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "https://collector.example.com",
        )
        .output()
        .unwrap();
    assert!(!ended.status.success());
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(
        said.contains("telemetry.otlp_endpoint") && said.contains("http://"),
        "{said}"
    );
}

#[tokio::test]
async fn a_worker_shows_its_metrics_and_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::create(folder.path()).await;
    let bucket = aws::bucket(&aws::s3()).await;
    let settings = app::settings(&folder.path().join("data"), &database.url, &bucket);
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut worker = Process::start("worker", folder.path(), &settings);
    let url = worker.operations().await;
    let ready = super::process::until("ready worker", async || {
        let answer = reqwest::get(format!("{url}/health/ready")).await.ok()?;
        answer.status().is_success().then_some(())
    });
    ready.await;
    super::process::until("run of the reaper", async || {
        let found = Exposition::fetch(&url).await;
        let runs = found.get(r#"eventgallery_job_runs_total{kind="reap_uploads",outcome="again"}"#);
        (runs >= Some(2.0)).then_some(())
    })
    .await;
    worker.stop().await;
    let lines = worker.lines();
    let last = lines.iter().rfind(|line| {
        line["target"]
            .as_str()
            .is_some_and(|t| t.starts_with("eventgallery"))
    });
    assert_eq!(last.unwrap()["message"], "the worker has stopped");
    database.drop().await;
}
