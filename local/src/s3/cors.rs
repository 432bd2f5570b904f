//! Cross-origin requests, as a bucket's CORS configuration allows them.
//!
//! Source: "Using cross-origin resource sharing (CORS)" in the S3 user guide: the first rule
//! that fits origin, method and (for a preflight) every requested header decides. Preflights
//! carry no signature, so they are answered before authentication.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use s3s::dto::CORSRule;
use s3s::{S3Error, S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::error::custom;

/// One rule of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CorsRule {
    id: Option<String>,
    origins: Vec<String>,
    methods: Vec<String>,
    headers: Vec<String>,
    expose: Vec<String>,
    max_age: Option<i32>,
}

/// The rules of the buckets that were asked for, so that a request costs no query.
#[derive(Debug, Default)]
pub(super) struct CorsCache {
    state: RwLock<CacheState>,
}

#[derive(Debug, Default)]
struct CacheState {
    rules: HashMap<String, Arc<[CorsRule]>>,
    /// Counts changes, so that what was read before one is not remembered after it.
    generation: u64,
}

impl CorsCache {
    /// The rules, or the generation to pass to [`CorsCache::insert`].
    pub(super) fn get(&self, bucket: &str) -> Result<Arc<[CorsRule]>, u64> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let found = state.rules.get(bucket).cloned();
        found.ok_or(state.generation)
    }

    pub(super) fn insert(
        &self,
        bucket: &str,
        found: Vec<CorsRule>,
        generation: u64,
    ) -> Arc<[CorsRule]> {
        let found: Arc<[CorsRule]> = found.into();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.generation == generation {
            state.rules.insert(bucket.to_owned(), Arc::clone(&found));
        }
        found
    }

    pub(super) fn forget(&self, bucket: &str) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.rules.remove(bucket);
        state.generation += 1;
    }
}

impl CorsRule {
    /// Takes over a rule of `PutBucketCors`.
    ///
    /// # Errors
    /// `InvalidRequest` for a method that S3 does not know here or two wildcards in a value.
    pub(super) fn parse(rule: CORSRule) -> S3Result<Self> {
        const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];
        if let Some(method) = rule
            .allowed_methods
            .iter()
            .find(|method| !METHODS.contains(&method.as_str()))
        {
            return Err(s3_error!(
                InvalidRequest,
                "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
            ));
        }
        let headers = rule.allowed_headers.unwrap_or_default();
        if let Some(value) = rule
            .allowed_origins
            .iter()
            .chain(&headers)
            .find(|value| value.matches('*').count() > 1)
        {
            return Err(s3_error!(
                InvalidRequest,
                "AllowedOrigin or AllowedHeader \"{value}\" can not have more than one wildcard."
            ));
        }
        Ok(Self {
            id: rule.id,
            origins: rule.allowed_origins,
            methods: rule.allowed_methods,
            headers,
            expose: rule.expose_headers.unwrap_or_default(),
            max_age: rule.max_age_seconds,
        })
    }

    /// Back into the shape of `GetBucketCors`.
    pub(super) fn to_dto(&self) -> CORSRule {
        let some = |values: &[String]| (!values.is_empty()).then(|| values.to_vec());
        CORSRule {
            id: self.id.clone(),
            allowed_origins: self.origins.clone(),
            allowed_methods: self.methods.clone(),
            allowed_headers: some(&self.headers),
            expose_headers: some(&self.expose),
            max_age_seconds: self.max_age,
        }
    }

    fn fits(&self, origin: &str, method: &str, requested: &[&str]) -> bool {
        let allows = |header: &&str| {
            let header = header.to_ascii_lowercase();
            self.headers
                .iter()
                .any(|pattern| wildcard(&pattern.to_ascii_lowercase(), &header))
        };
        self.origins.iter().any(|pattern| wildcard(pattern, origin))
            && self.methods.iter().any(|allowed| allowed == method)
            && requested.iter().all(allows)
    }

    fn describe(&self, origin: &str, into: &mut HeaderMap) {
        // S3 echoes the origin, and allows credentials, unless the rule says "any".
        if self.origins.iter().any(|pattern| pattern == "*") {
            put(into, ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        } else {
            put(into, ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            put(into, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        put(into, ACCESS_CONTROL_ALLOW_METHODS, &self.methods.join(", "));
        if !self.expose.is_empty() {
            put(into, ACCESS_CONTROL_EXPOSE_HEADERS, &self.expose.join(", "));
        }
        if let Some(seconds) = self.max_age {
            put(into, ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
        }
    }
}

/// One `*` in `pattern` stands for any text.
fn wildcard(pattern: &str, value: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == value,
        Some((head, tail)) => {
            value.len() >= head.len() + tail.len()
                && value.starts_with(head)
                && value.ends_with(tail)
        }
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Answers an `OPTIONS` request.
///
/// # Errors
/// S3's 400 without an origin, its 403 when no rule allows the request.
pub(super) fn preflight(rules: &[CorsRule], headers: &HeaderMap) -> S3Result<HeaderMap> {
    let Some(origin) = text(headers, &ORIGIN) else {
        return Err(custom(
            "BadRequest",
            StatusCode::BAD_REQUEST,
            "Insufficient information. Origin request header needed.",
        ));
    };
    let Some(method) = text(headers, &ACCESS_CONTROL_REQUEST_METHOD) else {
        return Err(custom(
            "BadRequest",
            StatusCode::BAD_REQUEST,
            "Invalid Access-Control-Request-Method: null",
        ));
    };
    let requested: Vec<&str> = text(headers, &ACCESS_CONTROL_REQUEST_HEADERS)
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    let rule = rules
        .iter()
        .find(|rule| rule.fits(origin, method, &requested))
        .ok_or_else(forbidden)?;
    let mut answer = HeaderMap::new();
    rule.describe(origin, &mut answer);
    if !requested.is_empty() {
        put(
            &mut answer,
            ACCESS_CONTROL_ALLOW_HEADERS,
            &requested.join(", "),
        );
    }
    vary(&mut answer);
    Ok(answer)
}

fn forbidden() -> S3Error {
    custom(
        "AccessForbidden",
        StatusCode::FORBIDDEN,
        "CORSResponse: This CORS request is not allowed. This is usually because the evaluation \
         of Origin, request method / Access-Control-Request-Method or \
         Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
    )
}

/// Adds to the answer of an actual request what lets a page of `origin` read it.
pub(super) fn annotate(
    rules: &[CorsRule],
    origin: &str,
    method: &Method,
    response: &mut HeaderMap,
) {
    if let Some(rule) = rules
        .iter()
        .find(|rule| rule.fits(origin, method.as_str(), &[]))
    {
        rule.describe(origin, response);
    }
    if !rules.is_empty() {
        vary(response);
    }
}

fn vary(headers: &mut HeaderMap) {
    headers.append(
        VARY,
        HeaderValue::from_static(
            "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origins: &[&str], headers: &[&str]) -> CorsRule {
        let strings = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        CorsRule {
            origins: strings(origins),
            methods: strings(&["PUT"]),
            headers: strings(headers),
            ..CorsRule::default()
        }
    }

    #[test]
    fn a_rule_fits_by_origin_method_and_every_header() {
        let rule = rule(&["https://*.example.com"], &["x-amz-*", "Content-Type"]);
        let fits =
            |origin: &str, method: &str, headers: &[&str]| rule.fits(origin, method, headers);
        assert!(fits(
            "https://a.example.com",
            "PUT",
            &["X-Amz-Checksum-Sha256", "content-type"]
        ));
        assert!(!fits("https://example.com", "PUT", &[]));
        assert!(!fits("https://a.example.com", "GET", &[]));
        assert!(!fits("https://a.example.com", "PUT", &["if-none-match"]));
        assert!(!fits("https://a.example.com.evil.net", "PUT", &[]));
    }

    #[test]
    fn a_wildcard_does_not_overlap_itself() {
        assert!(!wildcard("ab*ba", "aba"));
        assert!(wildcard("ab*ba", "abba"));
        assert!(wildcard("*", ""));
    }
}
