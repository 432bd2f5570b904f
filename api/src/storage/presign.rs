//! Signed GET URLs, many a page.
//!
//! The SDK takes about 33 µs and 330 allocations for a URL; a page of photos needs hundreds. This
//! is Signature Version 4 in the query (Amazon S3 API reference, "Authenticating Requests: Using
//! Query Parameters") with the day's key and the query's beginning made once a page. The tests hold
//! it against the SDK.

use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;
use entity::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::answer::classify;
use super::credentials::SigningCredentials;
use super::s3::S3Settings;
use super::{ObjectKey, SignedUrl, StorageError};
use crate::metrics::Count;

/// Makes [`PageSigner`]s.
#[derive(Debug)]
pub struct GetSigner {
    origin: Arc<Origin>,
    credentials: SigningCredentials,
    signed: Count,
}

/// What is the same in all URLs of a bucket.
#[derive(Debug)]
struct Origin {
    /// URL up to the key.
    base: String,
    /// Where the path begins in `base`.
    path: usize,
    /// `Host` as clients send it.
    host: String,
    /// `region/s3/aws4_request`.
    scope: String,
}

impl GetSigner {
    /// A signer for the public endpoint of the bucket. Nothing is called.
    ///
    /// # Errors
    /// [`StorageError::Refused`] for a bucket or endpoint that the SDK finds impossible.
    pub async fn new(settings: &S3Settings) -> Result<Self, StorageError> {
        Ok(Self {
            origin: Arc::new(Origin::resolve(settings).await?),
            credentials: SigningCredentials::new(settings.credentials.clone()),
            signed: Count::default(),
        })
    }

    /// Counts the URLs that it signs there.
    #[must_use]
    pub fn counted(mut self, signed: Count) -> Self {
        self.signed = signed;
        self
    }

    /// A signer for one page at `now`. Its URLs live from half of `ttl_seconds` to all of it and are
    /// the same, byte for byte, for half of it, so that browsers find pictures in their cache; those
    /// of session credentials end with the session.
    ///
    /// # Errors
    /// Where the credentials cannot be had.
    pub async fn page(&self, now: Timestamp, ttl_seconds: u32) -> Result<PageSigner, StorageError> {
        let ttl = i64::from(ttl_seconds);
        let window = (ttl / 2).max(1);
        let signed_at = Timestamp::default()
            .plus_seconds(now.seconds().div_euclid(window).saturating_mul(window));
        let least = Duration::from_secs(u64::from(ttl_seconds / 2));
        let held = self.credentials.current(now, least).await?;
        let wanted = signed_at.plus_seconds(ttl);
        let end = held.expires_at.map_or(wanted, |end| end.min(wanted));
        let life = end.seconds() - signed_at.seconds();
        let page = PageSigner::new(
            Arc::clone(&self.origin),
            &held.credentials,
            signed_at,
            life.max(1),
            self.signed.clone(),
        )?;
        Ok(PageSigner {
            current_until: signed_at.plus_seconds(window).min(page.expires_at),
            ..page
        })
    }
}

impl Origin {
    /// Asks the SDK's endpoint rules (partitions, dotted buckets, path style, endpoints with a path)
    /// by presigning once, instead of having rules of our own.
    async fn resolve(settings: &S3Settings) -> Result<Self, StorageError> {
        let client = settings
            .builder(settings.signed_endpoint())
            .credentials_provider(Credentials::from_keys("probe", "probe", None))
            .build();
        let config = PresigningConfig::expires_in(Duration::from_secs(60))
            .map_err(|error| StorageError::Refused(error.into()))?;
        let request = Client::from_conf(client)
            .get_object()
            .bucket(&settings.bucket)
            .key("k")
            .presigned(config)
            .await
            .map_err(|error| classify("presigned GET", error))?;
        Self::parse(request.uri()).ok_or_else(|| {
            StorageError::Refused(anyhow::anyhow!(
                "URLs of bucket `{}` cannot be signed with Signature Version 4",
                settings.bucket
            ))
        })
    }

    fn parse(uri: &str) -> Option<Self> {
        let (base, query) = uri.split_once('?')?;
        let base = base.strip_suffix('k')?;
        let (scheme, rest) = base.split_once("://")?;
        let (authority, _) = rest.split_once('/')?;
        let default_port = match scheme {
            "http" => ":80",
            _ => ":443",
        };
        let credential = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
        // key/date/region/service/aws4_request
        let mut parts = credential.split("%2F").skip(2);
        let (region, service) = (parts.next()?, parts.next()?);
        query
            .contains("X-Amz-Algorithm=AWS4-HMAC-SHA256&")
            .then(|| Self {
                path: scheme.len() + "://".len() + authority.len(),
                // Clients leave out the scheme's own port.
                host: authority
                    .strip_suffix(default_port)
                    .unwrap_or(authority)
                    .to_owned(),
                scope: format!("{region}/{service}/aws4_request"),
                base: base.to_owned(),
            })
    }
}

/// Signs the URLs of one page.
#[derive(Clone)]
pub struct PageSigner {
    origin: Arc<Origin>,
    /// The query up to `X-Amz-SignedHeaders`, in canonical order and encoding.
    query: String,
    /// What follows the query in the canonical request.
    canonical_tail: String,
    /// The string to sign up to the canonical request's hash.
    string_to_sign: String,
    /// HMAC with the day's key.
    key: Hmac<Sha256>,
    expires_at: Timestamp,
    /// From when on other URLs are due.
    current_until: Timestamp,
    signed: Count,
}

impl std::fmt::Debug for PageSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageSigner")
            .field("origin", &self.origin)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl PageSigner {
    fn new(
        origin: Arc<Origin>,
        credentials: &Credentials,
        signed_at: Timestamp,
        life_seconds: i64,
        signed: Count,
    ) -> Result<Self, StorageError> {
        let time = signed_at.to_utc().format("%Y%m%dT%H%M%SZ").to_string();
        let day = &time[..8];
        let scope = format!("{day}/{}", origin.scope);

        let mut query = String::with_capacity(256);
        query.push_str("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=");
        encode(&mut query, credentials.access_key_id(), false);
        query.push_str("%2F");
        encode(&mut query, &scope, false);
        query.push_str(&format!("&X-Amz-Date={time}&X-Amz-Expires={life_seconds}"));
        if let Some(token) = credentials.session_token() {
            query.push_str("&X-Amz-Security-Token=");
            encode(&mut query, token, false);
        }
        query.push_str("&X-Amz-SignedHeaders=host");

        let secret = format!("AWS4{}", credentials.secret_access_key());
        let mut key = hmac(secret.as_bytes())?.chain_update(day);
        for part in origin.scope.split('/') {
            key = hmac(&key.finalize().into_bytes())?.chain_update(part);
        }
        Ok(Self {
            canonical_tail: format!("\nhost:{}\n\nhost\nUNSIGNED-PAYLOAD", origin.host),
            string_to_sign: format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n"),
            key: hmac(&key.finalize().into_bytes())?,
            expires_at: signed_at.plus_seconds(life_seconds),
            current_until: signed_at.plus_seconds(life_seconds),
            query,
            origin,
            signed,
        })
    }

    /// Whether its URLs are the ones that a page of `now` shows. Whoever holds a signer for longer than
    /// one page asks this.
    #[must_use]
    pub fn is_current(&self, now: Timestamp) -> bool {
        now < self.current_until
    }

    /// A URL that reads the object. With a `disposition` (see [`attachment`]) the store answers with
    /// that `Content-Disposition`.
    #[must_use]
    pub fn get(&self, key: &ObjectKey, disposition: Option<&str>) -> SignedUrl {
        let key = key.as_str();
        let mut url = String::with_capacity(
            self.origin.base.len()
                + key.len()
                + self.query.len()
                + 3 * disposition.map_or(0, str::len)
                + 160,
        );
        url.push_str(&self.origin.base);
        encode(&mut url, key, true);
        let path_end = url.len();
        url.push('?');
        url.push_str(&self.query);
        if let Some(disposition) = disposition {
            url.push_str("&response-content-disposition=");
            encode(&mut url, disposition, false);
        }
        // S3 ignores it; the SDK signs it, and so the tests can compare signatures.
        url.push_str("&x-id=GetObject");

        let canonical = Sha256::new()
            .chain_update("GET\n")
            .chain_update(&url[self.origin.path..path_end])
            .chain_update("\n")
            .chain_update(&url[path_end + 1..])
            .chain_update(&self.canonical_tail)
            .finalize();
        let mut hash = [0u8; 64];
        hex_into(&canonical, &mut hash);
        let signature = self
            .key
            .clone()
            .chain_update(&self.string_to_sign)
            .chain_update(hash)
            .finalize()
            .into_bytes();
        url.push_str("&X-Amz-Signature=");
        for byte in signature {
            push_hex(&mut url, byte, HEX_LOWER);
        }
        self.signed.add(1);
        SignedUrl {
            url,
            expires_at: self.expires_at,
        }
    }

    /// When the page's URLs end.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// `Content-Disposition` that saves the object under a file's name: in ASCII for old clients, and
/// in full by RFC 5987.
#[must_use]
pub fn attachment(filename: &str) -> String {
    let ascii: String = filename
        .chars()
        .map(|c| match c {
            '"' | '\\' | '/' | '%' => '_',
            c if c.is_ascii() && !c.is_ascii_control() => c,
            _ => '_',
        })
        .collect();
    let mut value = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''");
    encode(&mut value, filename, false);
    value
}

const HEX_LOWER: &[u8; 16] = b"0123456789abcdef";
const HEX_UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// Percent-encodes as S3 does for signatures: everything but RFC 3986's unreserved characters, and
/// the slash in paths.
fn encode(out: &mut String, text: &str, slash: bool) {
    for &byte in text.as_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            b'/' if slash => out.push('/'),
            _ => {
                out.push('%');
                push_hex(out, byte, HEX_UPPER);
            }
        }
    }
}

fn push_hex(out: &mut String, byte: u8, digits: &[u8; 16]) {
    out.push(char::from(digits[usize::from(byte >> 4)]));
    out.push(char::from(digits[usize::from(byte & 15)]));
}

fn hex_into(bytes: &[u8], out: &mut [u8; 64]) {
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = HEX_LOWER[usize::from(byte >> 4)];
        pair[1] = HEX_LOWER[usize::from(byte & 15)];
    }
}

fn hmac(key: &[u8]) -> Result<Hmac<Sha256>, StorageError> {
    // HMAC takes keys of any length; the error exists for other algorithms of the trait.
    Hmac::new_from_slice(key).map_err(|error| StorageError::Refused(error.into()))
}

#[cfg(test)]
#[path = "presign_tests.rs"]
mod tests;
