//! The canonical form of a request, and the key that signs it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::request::Parts;
use sha2::Sha256;

use super::{Claim, SignatureError, incomplete, mismatch};

pub(super) fn canonical_request(
    request: &Parts,
    claim: &Claim<'_>,
    payload_hash: &str,
) -> Result<String, SignatureError> {
    let mut canonical = format!(
        "{}\n{}\n{}\n",
        request.method,
        canonical_path(request.uri.path()),
        canonical_query(request.uri.query().unwrap_or_default()),
    );
    for name in &claim.signed_headers {
        let values: Vec<String> = request
            .headers
            .get_all(*name)
            .iter()
            .map(|value| value.to_str().map(squeeze))
            .collect::<Result<_, _>>()
            .map_err(|_| incomplete("A signed header is not ASCII."))?;
        if values.is_empty() {
            return Err(mismatch());
        }
        canonical.push_str(name);
        canonical.push(':');
        canonical.push_str(&values.join(","));
        canonical.push('\n');
    }
    canonical.push('\n');
    canonical.push_str(&claim.signed_headers.join(";"));
    canonical.push('\n');
    canonical.push_str(payload_hash);
    Ok(canonical)
}

/// Trims, and turns runs of spaces into one.
fn squeeze(value: &str) -> String {
    value
        .split(' ')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Outside S3 each segment of the (already encoded) path is encoded once more.
fn canonical_path(path: &str) -> String {
    if path.is_empty() {
        return "/".to_owned();
    }
    path.split('/').map(encode).collect::<Vec<_>>().join("/")
}

/// Pairs as they came over the wire, sorted by name and then by value.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    pairs.sort_unstable();
    pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("&")
}

/// RFC 3986 unreserved characters stay, everything else becomes `%XX`.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

pub(super) fn signing_key(secret: &str, claim: &Claim<'_>) -> [u8; 32] {
    [claim.date, claim.region, claim.service, "aws4_request"]
        .iter()
        .fold(None, |key: Option<[u8; 32]>, part| {
            let digest = match key {
                Some(key) => mac(&key, part.as_bytes()),
                None => mac(format!("AWS4{secret}").as_bytes(), part.as_bytes()),
            };
            Some(digest.finalize().into_bytes().into())
        })
        .unwrap_or_default()
}

pub(super) fn mac(key: &[u8], data: &[u8]) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length (RFC 2104)");
    mac.update(data);
    mac
}
