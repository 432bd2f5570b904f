//! Logs, and spans for OpenTelemetry where somebody collects them.
//!
//! Each line carries the spans that it was written in: those of a request its id, those of a job
//! the job's id, kind, subject and attempt.

use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HeaderExtractor, HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::Config;

/// What is logged where `RUST_LOG` says nothing else: warnings and our own news. The AWS SDK and
/// hyper would log signed URLs at lower levels. For s3s whatever a client of the local S3 does wrong is
/// two errors; `local` says what matters of that.
pub const DEFAULT_FILTER: &str =
    "warn,eventgallery=info,eventgallery::http=warn,local=info,s3s=off";
/// Longest time for a batch of spans to arrive at the collector.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// What was started; [`Telemetry::stop`] sends what is left.
#[derive(Debug)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

/// Starts the log, and the export of spans where a collector is configured. Within a runtime: the
/// export runs on it.
///
/// # Errors
/// For an endpoint that is no URL.
pub fn start(config: &Config) -> Result<Telemetry> {
    let provider = match &config.telemetry.otlp_endpoint {
        Some(endpoint) => Some(
            provider(endpoint, &config.telemetry.service_name).with_context(|| {
                format!("telemetry.otlp_endpoint (OTEL_EXPORTER_OTLP_ENDPOINT) {endpoint:?}")
            })?,
        ),
        None => None,
    };
    let export = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("eventgallery"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(is_exported))
    });
    // A second start within one process keeps the first log.
    let _ = tracing_subscriber::registry()
        .with(lines(config.log_json))
        .with(export)
        .try_init();
    Ok(Telemetry { provider })
}

/// Starts the log alone, for commands that run beside a server.
pub fn log(config: &Config) {
    // A second start within one process keeps the first log.
    let _ = tracing_subscriber::registry()
        .with(lines(config.log_json))
        .try_init();
}

impl Telemetry {
    /// Sends the spans that have not been sent yet.
    pub async fn stop(self) {
        let Some(provider) = self.provider else {
            return;
        };
        // It blocks its thread while the runtime sends.
        let stopped = tokio::task::spawn_blocking(move || provider.shutdown()).await;
        match stopped {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last spans were not sent"),
            Err(error) => tracing::warn!(%error, "the last spans were not sent"),
        }
    }
}

/// Makes the span of a request part of its caller's trace (W3C `traceparent`).
pub fn continue_trace(span: &Span, headers: &HeaderMap) {
    if headers.contains_key("traceparent") {
        let caller = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
        // It fails where nothing is exported.
        let _ = span.set_parent(caller);
    }
}

/// Lines on standard error, JSON or for people.
fn lines<S>(json: bool) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // On a terminal the layer has colours unless NO_COLOR is set; a file wants none.
    let lines = if std::io::stderr().is_terminal() {
        lines
    } else {
        lines.with_ansi(false)
    };
    let lines = if json {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed()
    } else {
        lines.boxed()
    };
    lines.with_filter(filter)
}

/// Our own spans, whatever the log shows; lines of the log are no part of them.
fn is_exported(metadata: &Metadata<'_>) -> bool {
    metadata.is_span()
        && metadata.target().starts_with("eventgallery")
        && *metadata.level() <= tracing::Level::INFO
}

fn provider(endpoint: &str, service_name: &str) -> Result<SdkTracerProvider> {
    anyhow::ensure!(
        endpoint.starts_with("http://"),
        "must begin with http://: a collector nearby encrypts what goes further"
    );
    let client = reqwest::Client::builder().timeout(EXPORT_TIMEOUT).build()?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_http_client(Collector {
            client,
            runtime: tokio::runtime::Handle::current(),
        })
        .build()?;
    let resource = Resource::builder()
        .with_service_name(service_name.to_owned())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build())
}

/// Sends on our runtime: the SDK exports from a thread of its own, where no runtime is.
#[derive(Debug)]
struct Collector {
    client: reqwest::Client,
    runtime: tokio::runtime::Handle,
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sending = async move {
            let answer = client.execute(request.try_into()?).await?;
            let mut response = http::Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                headers.clone_from(answer.headers());
            }
            Ok(response.body(answer.bytes().await?)?)
        };
        self.runtime.spawn(sending).await?
    }
}
