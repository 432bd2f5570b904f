//! Against signatures that botocore 1.44 made, with its clock held at [`NOW`].

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use http::Request;
use http::request::Parts;

use super::{Credential, CredentialStore, SignatureError, Verifier};

const NOW: &str = "2026-11-22T03:30:00Z";
const SIGNATURE: &str = "a0d9a6c8be4713263cdfb88e080d59e71a085012232d25becd63aeabbb403b90";

struct Known;

impl CredentialStore for Known {
    fn find(&self, access_key_id: &str) -> Option<Credential> {
        match access_key_id {
            "AKIDEXAMPLE" => Some(Credential {
                secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
                session_token: None,
                expires_at: None,
                principal_arn: "arn:aws:iam::000000000000:root".to_owned(),
            }),
            "ASIDEXAMPLE" => Some(Credential {
                secret_access_key: "secret".to_owned(),
                session_token: Some("the/session+token==".to_owned()),
                expires_at: Some(at(NOW) + TimeDelta::minutes(3)),
                principal_arn: "arn:aws:sts::000000000000:assumed-role/a/b".to_owned(),
            }),
            _ => None,
        }
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn rekognition() -> Verifier {
    Verifier::new("rekognition", Some("us-east-1".to_owned()), Arc::new(Known))
}

fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::post(uri)
        .header("host", "127.0.0.1:9000")
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "RekognitionService.ListCollections")
        .header("x-amz-date", "20261122T033000Z");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a request").into_parts().0
}

fn authorization(key: &str, scope: &str, signed: &str, signature: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20261122/{scope}/aws4_request, \
         SignedHeaders={signed}, Signature={signature}"
    )
}

/// A plain request, right in every respect.
fn plain() -> Parts {
    let signed = "content-type;host;x-amz-date;x-amz-target";
    let value = authorization("AKIDEXAMPLE", "us-east-1/rekognition", signed, SIGNATURE);
    parts("/", &[("authorization", &value)])
}

fn code(result: Result<super::Identity, SignatureError>) -> (&'static str, String) {
    let error = result.expect_err("refused");
    (error.code(), error.to_string())
}

#[test]
fn a_foreign_signer_is_understood() {
    let identity = rekognition()
        .verify(&plain(), b"{}", at(NOW))
        .expect("signed");
    assert_eq!(identity.access_key_id, "AKIDEXAMPLE");
    assert_eq!(identity.principal_arn, "arn:aws:iam::000000000000:root");
}

#[test]
fn paths_queries_and_spaces_are_put_into_canonical_form() {
    let value = authorization(
        "AKIDEXAMPLE",
        "us-east-1/rekognition",
        "content-type;host;x-amz-date;x-amz-meta-spaces;x-amz-target",
        "60ef421066b7297f5fb470c6738ab8aa9134527631c2c98deb84ddc138a1b5f3",
    );
    let headers = [
        ("authorization", value.as_str()),
        ("x-amz-meta-spaces", "  a   b  "),
    ];
    let parts = parts("/a%20b/c?b=2&a=1%2B1&a=0", &headers);
    rekognition()
        .verify(&parts, b"{\"MaxResults\":  3}", at(NOW))
        .expect("signed");
}

#[test]
fn temporary_credentials_need_their_own_token_and_end() {
    let verifier = Verifier::new("sts", None, Arc::new(Known)).with_skew(TimeDelta::minutes(15));
    let value = authorization(
        "ASIDEXAMPLE",
        "eu-central-1/sts",
        "content-type;host;x-amz-date;x-amz-security-token;x-amz-target",
        "336bbf8d93dd77aa98a23380d95e2ab22d6dd68d1df8c1223bfe708a1bec8f2d",
    );
    let token = ("x-amz-security-token", "the/session+token==");
    let right = parts("/", &[("authorization", &value), token]);
    verifier.verify(&right, b"{}", at(NOW)).expect("signed");

    let late = at(NOW) + TimeDelta::minutes(4);
    assert_eq!(
        code(verifier.verify(&right, b"{}", late)).0,
        "ExpiredTokenException"
    );
    let other = ("x-amz-security-token", "another");
    let wrong = parts("/", &[("authorization", &value), other]);
    assert_eq!(
        code(verifier.verify(&wrong, b"{}", at(NOW))).0,
        "UnrecognizedClientException"
    );
    let none = parts("/", &[("authorization", &value)]);
    assert_eq!(
        code(verifier.verify(&none, b"{}", at(NOW))).0,
        "UnrecognizedClientException"
    );
}

#[test]
fn whatever_is_changed_after_signing_is_noticed() {
    let verifier = rekognition();
    let refused = |parts: &Parts, body: &[u8]| code(verifier.verify(parts, body, at(NOW))).0;
    assert_eq!(refused(&plain(), b"{} "), "InvalidSignatureException");

    let mut target = plain();
    let value = "RekognitionService.DeleteCollection"
        .parse()
        .expect("a header");
    target.headers.insert("x-amz-target", value);
    assert_eq!(refused(&target, b"{}"), "InvalidSignatureException");

    let mut method = plain();
    method.method = http::Method::PUT;
    assert_eq!(refused(&method, b"{}"), "InvalidSignatureException");

    let mut path = plain();
    path.uri = "/?a".parse().expect("a path");
    assert_eq!(refused(&path, b"{}"), "InvalidSignatureException");

    let mut added = plain();
    added
        .headers
        .insert("x-amz-more", "unsigned".parse().expect("a header"));
    let (name, message) = code(verifier.verify(&added, b"{}", at(NOW)));
    assert_eq!(name, "InvalidSignatureException");
    assert!(
        message.contains("'x-amz-more' must be a 'SignedHeader'"),
        "{message}"
    );

    // A prefix of the signature is not the signature.
    let signed = "content-type;host;x-amz-date;x-amz-target";
    for signature in ["", "a0d9", "zz"] {
        let value = authorization("AKIDEXAMPLE", "us-east-1/rekognition", signed, signature);
        let short = parts("/", &[("authorization", &value)]);
        assert_eq!(
            refused(&short, b"{}"),
            "InvalidSignatureException",
            "{signature}"
        );
    }
}

#[test]
fn scope_and_clock_are_checked_and_explained() {
    let signed = "content-type;host;x-amz-date;x-amz-target";
    for (scope, expected) in [
        ("us-east-1/s3", "correct service: 'rekognition'"),
        ("eu-west-1/rekognition", "valid region, not 'eu-west-1'"),
    ] {
        let value = authorization("AKIDEXAMPLE", scope, signed, SIGNATURE);
        let parts = parts("/", &[("authorization", &value)]);
        let (name, message) = code(rekognition().verify(&parts, b"{}", at(NOW)));
        assert_eq!(name, "InvalidSignatureException");
        assert!(message.contains(expected), "{message}");
    }
    for (minutes, expected) in [
        (
            6,
            "Signature expired: 20261122T033000Z is now earlier than 20261122T033100Z \
             (20261122T033600Z - 5 min.)",
        ),
        (
            -6,
            "Signature not yet current: 20261122T033000Z is still later than 20261122T032900Z \
             (20261122T032400Z + 5 min.)",
        ),
    ] {
        let now = at(NOW) + TimeDelta::minutes(minutes);
        let (name, message) = code(rekognition().verify(&plain(), b"{}", now));
        assert_eq!(name, "InvalidSignatureException");
        assert_eq!(message, expected);
    }
    let edge = at(NOW) + TimeDelta::minutes(5);
    rekognition()
        .verify(&plain(), b"{}", edge)
        .expect("within the tolerance");
}

#[test]
fn strangers_and_broken_headers_have_their_own_errors() {
    let refused = |parts: &Parts| code(rekognition().verify(parts, b"{}", at(NOW))).0;
    assert_eq!(
        refused(&parts("/", &[])),
        "MissingAuthenticationTokenException"
    );
    let signed = "content-type;host;x-amz-date;x-amz-target";
    let stranger = authorization("AKIDNOBODY", "us-east-1/rekognition", signed, SIGNATURE);
    assert_eq!(
        refused(&parts("/", &[("authorization", &stranger)])),
        "UnrecognizedClientException"
    );
    for broken in [
        "Bearer abc",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/rekognition/aws4_request",
    ] {
        assert_eq!(
            refused(&parts("/", &[("authorization", broken)])),
            "IncompleteSignatureException",
            "{broken}"
        );
    }
    let unsigned_host = authorization("AKIDEXAMPLE", "us-east-1/rekognition", "x-amz-date", "00");
    assert_eq!(
        refused(&parts("/", &[("authorization", &unsigned_host)])),
        "InvalidSignatureException"
    );
}
