//! The two documents that an issuer publishes: where its keys are, and the keys.
//!
//! No redirect is followed, nothing long is read and nothing waited for; and unless the issuer is
//! this machine, nothing is asked without TLS.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use reqwest::Url;
use serde::Deserialize;

use crate::metrics::Metrics;

/// Longest document in bytes.
const MAX_BYTES: usize = 256 * 1024;
/// Longest wait for both documents together.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A document with the keys.
#[derive(Debug)]
pub struct Fetched {
    /// The JWK set.
    pub body: Bytes,
    /// Seconds for which the issuer wants it kept, if it says so.
    pub max_age: Option<i64>,
}

/// Where an issuer's keys come from.
#[async_trait]
pub trait Fetch: Send + Sync + std::fmt::Debug {
    /// Its keys as they are now.
    ///
    /// # Errors
    /// Whatever keeps us from having them.
    async fn keys(&self, issuer: &str) -> anyhow::Result<Fetched>;
}

/// How a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchOutcome {
    /// Keys came.
    Ok,
    /// None came.
    Failed,
}

impl FetchOutcome {
    /// Each.
    pub const ALL: [Self; 2] = [Self::Ok, Self::Failed];

    /// Its name in metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
        }
    }
}

/// Fetches over HTTP.
#[derive(Debug)]
pub struct Documents {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    metrics: Metrics,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Documents {
    /// Trusts whom the operating system trusts.
    ///
    /// # Errors
    /// Where it has no certificates.
    pub fn new(metrics: Metrics) -> anyhow::Result<Self> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .context("no root certificates to know the token issuer by")?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            metrics,
        })
    }

    async fn both(&self, issuer: &str) -> anyhow::Result<Fetched> {
        // OpenID Connect Discovery 1.0, 4.
        let address = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        let (body, _) = self
            .get(&address)
            .await
            .context("the issuer's discovery document")?;
        let discovery: Discovery =
            serde_json::from_slice(&body).context("the issuer's discovery document")?;
        ensure!(
            discovery.issuer == issuer,
            "the issuer calls itself {:?}, and OIDC_ISSUER says {issuer:?}",
            discovery.issuer
        );
        ensure!(
            is_loopback(issuer) || !is_loopback(&discovery.jwks_uri),
            "the issuer's keys cannot be on this machine"
        );
        let (body, headers) = self
            .get(&discovery.jwks_uri)
            .await
            .context("the issuer's keys")?;
        Ok(Fetched {
            body,
            max_age: max_age(&headers),
        })
    }

    async fn get(&self, address: &str) -> anyhow::Result<(Bytes, HeaderMap)> {
        ensure!(is_safe(address), "not a URL with https");
        let request = Request::get(address)
            .header(ACCEPT, "application/json")
            .body(Empty::new())?;
        let response = self.client.request(request).await?;
        if !response.status().is_success() {
            bail!("answered {}", response.status());
        }
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, MAX_BYTES).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
        Ok((body, parts.headers))
    }
}

#[async_trait]
impl Fetch for Documents {
    async fn keys(&self, issuer: &str) -> anyhow::Result<Fetched> {
        let fetched = match tokio::time::timeout(TIMEOUT, self.both(issuer)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(anyhow::anyhow!("no answer in time")),
        };
        self.metrics.issuer_fetch(match fetched {
            Ok(_) => FetchOutcome::Ok,
            Err(_) => FetchOutcome::Failed,
        });
        fetched
    }
}

/// Whether what comes from there is what was sent: over TLS, or from this machine.
pub(crate) fn is_safe(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| {
        url.username().is_empty()
            && url.password().is_none()
            && match url.scheme() {
                "https" => true,
                "http" => is_loopback(address),
                _ => false,
            }
    })
}

fn is_loopback(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || ip.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// Seconds that `Cache-Control` gives an answer of its own; 0 where it must not be kept.
fn max_age(headers: &HeaderMap) -> Option<i64> {
    let mut found = None;
    let lines = headers.get_all(CACHE_CONTROL).iter();
    for directive in lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
    {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Some(0),
            "max-age" => found = value.trim().trim_matches('"').parse().ok(),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tls_or_this_machine() {
        for good in [
            "https://id.example.com",
            "https://id.example.com:8443/realms/a",
            "http://127.0.0.1:1",
            "http://[::1]:1/x",
            "http://localhost:8080",
        ] {
            assert!(is_safe(good), "{good}");
        }
        for bad in [
            "http://id.example.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://10.0.0.1",
            "https://user:secret@id.example.com",
            "file:///etc/passwd",
            "id.example.com",
            "",
        ] {
            assert!(!is_safe(bad), "{bad}");
        }
    }

    #[test]
    fn lives_as_cache_control_says() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.append(CACHE_CONTROL, http::HeaderValue::from_static(text));
            max_age(&headers)
        };
        assert_eq!(of("public, max-age=600, must-revalidate"), Some(600));
        assert_eq!(of("Max-Age=\"7\""), Some(7));
        assert_eq!(of("max-age=600, no-store"), Some(0));
        assert_eq!(of("max-age=soon"), None);
        assert_eq!(of("public"), None);
        assert_eq!(max_age(&HeaderMap::new()), None);
    }
}
