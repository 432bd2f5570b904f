//! Published keys (RFC 7517): those that verify with an algorithm of ours; the others are passed over.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// Keys of a set that are kept.
const MAX_KEYS: usize = 100;
/// Fewest bytes of an RSA modulus: 2048 bits (RFC 7518, 3.3).
const MIN_MODULUS_BYTES: usize = 256;
/// Most: verifying takes longer with every bit.
const MAX_MODULUS_BYTES: usize = 1024;

/// One key and the one algorithm that it verifies.
#[derive(Clone)]
pub(super) struct PublicKey {
    pub(super) kid: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

#[derive(Deserialize)]
struct Set {
    /// Read one by one: a kind of key that nobody has heard of must not hide the others.
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The usable keys of a set.
///
/// # Errors
/// What is no set at all.
pub(super) fn parse(body: &[u8]) -> anyhow::Result<Vec<PublicKey>> {
    let set: Set = serde_json::from_slice(body)?;
    let keys = set.keys.into_iter().filter_map(|value| {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        usable(jwk)
    });
    Ok(keys.take(MAX_KEYS).collect())
}

fn usable(jwk: Jwk) -> Option<PublicKey> {
    let signs = jwk
        .purpose
        .as_deref()
        .is_none_or(|purpose| purpose == "sig")
        && jwk
            .key_ops
            .as_ref()
            .is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
    if !signs {
        return None;
    }
    let (algorithm, name, key) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => {
            let (n, e) = (jwk.n.as_deref()?, jwk.e.as_deref()?);
            let modulus = URL_SAFE_NO_PAD.decode(n).ok()?;
            let length = modulus.iter().skip_while(|byte| **byte == 0).count();
            if !(MIN_MODULUS_BYTES..=MAX_MODULUS_BYTES).contains(&length) {
                return None;
            }
            (
                Algorithm::RS256,
                "RS256",
                DecodingKey::from_rsa_components(n, e),
            )
        }
        ("EC", Some("P-256")) => (
            Algorithm::ES256,
            "ES256",
            DecodingKey::from_ec_components(jwk.x.as_deref()?, jwk.y.as_deref()?),
        ),
        ("OKP", Some("Ed25519")) => (
            Algorithm::EdDSA,
            "EdDSA",
            DecodingKey::from_ed_components(jwk.x.as_deref()?),
        ),
        _ => return None,
    };
    if jwk.alg.is_some_and(|alg| alg != name) {
        return None;
    }
    Some(PublicKey {
        kid: jwk.kid,
        algorithm,
        key: key.ok()?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn algorithms(keys: Value) -> Vec<Algorithm> {
        let body = json!({ "keys": keys }).to_string();
        let keys = parse(body.as_bytes()).unwrap();
        keys.into_iter().map(|key| key.algorithm).collect()
    }

    fn coordinate(byte: u8) -> String {
        URL_SAFE_NO_PAD.encode([byte; 32])
    }

    #[test]
    fn each_key_verifies_the_algorithm_of_its_type() {
        let modulus = URL_SAFE_NO_PAD.encode([0xC5; 256]);
        let (x, y) = (coordinate(1), coordinate(2));
        let found = algorithms(json!([
            { "kty": "RSA", "n": modulus, "e": "AQAB" },
            { "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig" },
            { "kty": "OKP", "crv": "Ed25519", "x": x, "key_ops": ["verify"] },
        ]));
        assert_eq!(found, ALL);
    }

    const ALL: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

    #[test]
    fn what_cannot_verify_is_passed_over() {
        let short = URL_SAFE_NO_PAD.encode([0xC5; 128]);
        let padded = URL_SAFE_NO_PAD.encode([[0; 128], [0xC5; 128]].concat());
        let modulus = URL_SAFE_NO_PAD.encode([0xC5; 256]);
        let (x, y) = (coordinate(1), coordinate(2));
        let found = algorithms(json!([
            { "kty": "oct", "k": "c2VjcmV0" },
            { "kty": "RSA", "n": short, "e": "AQAB" },
            { "kty": "RSA", "n": padded, "e": "AQAB" },
            { "kty": "RSA", "n": modulus, "e": "AQAB", "alg": "HS256" },
            { "kty": "RSA", "n": modulus, "e": "AQAB", "alg": "PS256" },
            { "kty": "RSA", "n": modulus, "e": "AQAB", "use": "enc" },
            { "kty": "RSA", "n": modulus },
            { "kty": "EC", "crv": "P-384", "x": x, "y": y },
            { "kty": "OKP", "crv": "X25519", "x": x },
            { "kty": "OKP", "crv": "Ed25519", "x": x, "key_ops": ["sign"] },
            { "kty": 7 },
            "no object",
        ]));
        assert_eq!(found, []);
        assert!(parse(b"{}").is_err());
        assert!(parse(b"<html>").is_err());
    }
}
