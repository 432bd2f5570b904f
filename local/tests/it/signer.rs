//! A presigner of the tests' own, so that the server is not checked by its own code.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

pub(crate) const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub(crate) const REGION: &str = "us-east-1";

/// A presigned S3 request: what is signed, and when.
pub(crate) struct Presigner<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) at: DateTime<Utc>,
    pub(crate) expires: u64,
}

impl<'a> Presigner<'a> {
    pub(crate) fn now(endpoint: &'a str) -> Self {
        Self {
            endpoint,
            secret: SECRET_KEY,
            at: local::clock::now_utc(),
            expires: 300,
        }
    }

    /// The URL for `path` (`/bucket/key`, decoded) under which the server accepts exactly these
    /// headers. Header names in lower case and in order.
    pub(crate) fn url(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let host = self.endpoint.trim_start_matches("http://");
        let mut signed: Vec<(&str, &str)> = headers.to_vec();
        signed.push(("host", host));
        signed.sort_unstable();
        let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
        let time = self.at.format("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!("{}/{REGION}/s3/aws4_request", &time[..8]);
        let path = encode(path, true);
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={time}\
             &X-Amz-Expires={}&X-Amz-SignedHeaders={}",
            encode(&format!("{ACCESS_KEY}/{scope}"), false),
            self.expires,
            encode(&names.join(";"), false)
        );
        let mut canonical = format!("{method}\n{path}\n{query}\n");
        for (name, value) in &signed {
            let _ = writeln!(canonical, "{name}:{value}");
        }
        let _ = write!(canonical, "\n{}\nUNSIGNED-PAYLOAD", names.join(";"));
        let digest = hex::encode(Sha256::digest(canonical));
        let key = scope
            .split('/')
            .fold(format!("AWS4{}", self.secret).into_bytes(), |key, part| {
                hmac(&key, part)
            });
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
        let signature = hex::encode(hmac(&key, &to_sign));
        format!(
            "{}{path}?{query}&X-Amz-Signature={signature}",
            self.endpoint
        )
    }
}

fn hmac(key: &[u8], data: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(data.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn encode(text: &str, path: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b'/' if path => out.push('/'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
