//! A gate before S3 and Rekognition that does what networks and services do on bad days.
//!
//! Requests pass as they are, host included, since it is signed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use eventgallery::clock::Clock;
use futures::{StreamExt as _, stream};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connection ends before the request is passed on.
    Reset,
    /// The request is passed on and done; the connection ends without the answer.
    ResetAfter,
    /// The connection ends in the middle of the answer's body.
    CutAnswer,
    /// No answer comes.
    Hang,
    /// The request waits, then passes.
    Delay(Duration),
    /// Another answer: status, type, more headers, body. The request is not passed on.
    Answer(u16, &'static str, Vec<(&'static str, String)>, String),
}

impl Fault {
    /// Its name, for counts.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Reset => "reset".into(),
            Self::ResetAfter => "reset after".into(),
            Self::CutAnswer => "cut answer".into(),
            Self::Hang => "hang".into(),
            Self::Delay(_) => "delay".into(),
            Self::Answer(status, ..) => format!("answer {status}"),
        }
    }

    /// An error of S3, in its shape.
    #[must_use]
    pub fn s3(status: u16, code: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
             <Message>injected</Message><RequestId>0</RequestId></Error>"
        );
        Self::Answer(status, "application/xml", Vec::new(), body)
    }

    /// An error of Rekognition, in its shape.
    #[must_use]
    pub fn rekognition(status: u16, code: &str) -> Self {
        let body = format!("{{\"__type\":\"{code}\",\"message\":\"injected\"}}");
        let kind = "application/x-amz-json-1.1";
        Self::Answer(status, kind, Vec::new(), body)
    }
}

/// Which requests meet a fault, and how often.
#[derive(Clone, Debug)]
pub struct Rule {
    method: &'static str,
    part: &'static str,
    target: &'static str,
    fault: Fault,
    left: Option<u64>,
    share: f64,
}

impl Rule {
    /// Requests to S3 of this method (empty: any) whose path and query contain `part`.
    #[must_use]
    pub fn s3(method: &'static str, part: &'static str, fault: Fault) -> Self {
        Self {
            method,
            part,
            target: "",
            fault,
            left: None,
            share: 1.0,
        }
    }

    /// Requests to Rekognition of this operation (empty: any).
    #[must_use]
    pub fn rekognition(operation: &'static str, fault: Fault) -> Self {
        Self {
            target: if operation.is_empty() {
                "RekognitionService."
            } else {
                operation
            },
            ..Self::s3("POST", "", fault)
        }
    }

    /// No more often than this.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self {
            left: Some(times),
            ..self
        }
    }

    /// This share of the requests, 0 to 1.
    #[must_use]
    pub fn share(self, share: f64) -> Self {
        Self { share, ..self }
    }

    fn meets(&self, request: &Request<Incoming>) -> bool {
        let target = request.headers().get("x-amz-target");
        let target = target.and_then(|value| value.to_str().ok());
        let right_service = match (self.target, target) {
            ("", None) => true,
            ("", Some(_)) | (_, None) => false,
            (wanted, Some(target)) => target.contains(wanted),
        };
        let path = request.uri().path_and_query();
        right_service
            && (self.method.is_empty() || request.method().as_str() == self.method)
            && path.is_some_and(|path| path.as_str().contains(self.part))
            && self.left != Some(0)
            && (self.share >= 1.0 || Clock::system().random_share() < self.share)
    }
}

#[derive(Default)]
struct Book {
    rules: Vec<Rule>,
    injected: BTreeMap<String, u64>,
    passed: u64,
}

/// The gate.
#[derive(Clone)]
pub struct Gate {
    /// Base URL for the client.
    pub url: String,
    server: String,
    http: reqwest::Client,
    book: Arc<Mutex<Book>>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gate({} before {})", self.url, self.server)
    }
}

type Body = BoxBody<Bytes, std::io::Error>;

/// The connection is to end.
#[derive(Debug)]
struct End;

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the gate ends the connection")
    }
}

impl std::error::Error for End {}

impl Gate {
    /// A gate before the server at `url`, with no faults.
    pub async fn before(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let gate = Self {
            url: format!("http://{}", listener.local_addr().expect("an address")),
            server: url.trim_end_matches('/').to_owned(),
            http: reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .expect("a client"),
            book: Arc::default(),
        };
        let served = gate.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let _ = client.set_nodelay(true);
                let gate = served.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let gate = gate.clone();
                        async move { gate.handle(request).await }
                    });
                    let connection =
                        http1::Builder::new().serve_connection(TokioIo::new(client), service);
                    // An error is a fault of ours, or the client hung up.
                    let _ = connection.await;
                });
            }
        });
        gate
    }

    /// Adds a rule behind the present ones; the first that meets a request counts.
    pub fn add(&self, rule: Rule) {
        self.lock().rules.push(rule);
    }

    /// Removes every rule.
    pub fn clear(&self) {
        self.lock().rules.clear();
    }

    /// Faults so far, by their names.
    #[must_use]
    pub fn injected(&self) -> BTreeMap<String, u64> {
        self.lock().injected.clone()
    }

    /// Faults so far.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.lock().injected.values().sum()
    }

    /// Requests that passed.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.lock().passed
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fate(&self, request: &Request<Incoming>) -> Option<Fault> {
        let mut book = self.lock();
        let Some(rule) = book.rules.iter_mut().find(|rule| rule.meets(request)) else {
            book.passed += 1;
            return None;
        };
        rule.left = rule.left.map(|left| left - 1);
        let fault = rule.fault.clone();
        *book.injected.entry(fault.name()).or_default() += 1;
        Some(fault)
    }

    async fn handle(&self, request: Request<Incoming>) -> Result<Response<Body>, End> {
        match self.fate(&request) {
            None => self.pass(request).await,
            Some(Fault::Delay(time)) => {
                tokio::time::sleep(time).await;
                self.pass(request).await
            }
            Some(Fault::Reset) => Err(End),
            Some(Fault::ResetAfter) => {
                let answer = self.pass(request).await?;
                let _ = answer.into_body().collect().await;
                Err(End)
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::CutAnswer) => {
                let (parts, body) = self.pass(request).await?.into_parts();
                let bytes = body.collect().await.map_err(|_| End)?.to_bytes();
                let half = bytes.slice(..bytes.len() / 2);
                let pieces = [Ok(half), Err(std::io::Error::other(End))];
                Ok(Response::from_parts(parts, piecewise(stream::iter(pieces))))
            }
            Some(Fault::Answer(status, kind, headers, body)) => {
                // What was on its way is taken in first: a client that still sends does not read.
                let _ = request.into_body().collect().await;
                let mut answer = Response::builder()
                    .status(status)
                    .header("content-type", kind);
                for (name, value) in headers {
                    answer = answer.header(name, value);
                }
                let body = Full::new(Bytes::from(body)).map_err(|never| match never {});
                answer.body(body.boxed()).map_err(|_| End)
            }
        }
    }

    async fn pass(&self, request: Request<Incoming>) -> Result<Response<Body>, End> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut forward = self
            .http
            .request(parts.method.clone(), format!("{}{path}", self.server))
            .headers(end_to_end(&parts.headers));
        let empty = parts.headers.get("content-length").is_none_or(|n| n == "0")
            && !parts.headers.contains_key("transfer-encoding");
        if !empty {
            let pieces = body.into_data_stream();
            forward = forward.body(reqwest::Body::wrap_stream(pieces));
        }
        let answer = forward.send().await.map_err(|_| End)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = if parts.method == Method::HEAD || status == StatusCode::NO_CONTENT {
            Full::default().map_err(|never| match never {}).boxed()
        } else {
            piecewise(
                answer
                    .bytes_stream()
                    .map(|piece| piece.map_err(std::io::Error::other)),
            )
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = end_to_end(&headers);
        Ok(response)
    }
}

/// Headers that are not about one connection.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in ["connection", "keep-alive", "transfer-encoding", "expect"] {
        headers.remove(name);
    }
    headers
}

fn piecewise(
    pieces: impl futures::Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static,
) -> Body {
    BodyExt::boxed(StreamBody::new(pieces.map(|piece| piece.map(Frame::data))))
}
