//! AWS Signature Version 4, the server's side: is this request signed by somebody we know?
//!
//! Header authentication only (`Authorization: AWS4-HMAC-SHA256 …`), for the JSON and query
//! services. S3 has its own rules (unsigned payloads, presigned queries, paths encoded once) and
//! its own verifier.
//!
//! Source: "Signing AWS requests with Signature Version 4" and "Troubleshoot signed requests" in
//! the IAM user guide, for the canonical form and the wording of the errors.

mod canonical;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use hmac::Mac as _;
use http::{HeaderMap, header, request::Parts};
use sha2::{Digest, Sha256};

use canonical::{canonical_request, mac, signing_key};

/// The only algorithm that is accepted.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How `X-Amz-Date` writes a time.
const TIMESTAMP: &str = "%Y%m%dT%H%M%SZ";

/// One access key: what the store knows about it.
#[derive(Clone)]
pub(crate) struct Credential {
    /// The secret that signs.
    pub(crate) secret_access_key: String,
    /// Present for temporary credentials (STS): the request must carry this very token.
    pub(crate) session_token: Option<String>,
    /// When temporary credentials end.
    pub(crate) expires_at: Option<DateTime<Utc>>,
    /// ARN of whoever holds the key, for logs and `GetCallerIdentity`.
    pub(crate) principal_arn: String,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("principal_arn", &self.principal_arn)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Where access keys are looked up, long-lived and temporary ones alike.
pub(crate) trait CredentialStore: Send + Sync {
    /// The credential with this access key id, also when it has expired: the verifier tells an
    /// expired token from an unknown one.
    fn find(&self, access_key_id: &str) -> Option<Credential>;
}

/// Who signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The access key id of the signature.
    pub(crate) access_key_id: String,
    /// [`Credential::principal_arn`].
    pub(crate) principal_arn: String,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    /// No `Authorization` header.
    #[error("Missing Authentication Token")]
    Missing,
    /// The header is there and does not parse, or lacks a part.
    #[error("{0}")]
    Incomplete(String),
    /// Nobody has this access key, or the session token is not its own.
    #[error("The security token included in the request is invalid.")]
    UnrecognizedClient,
    /// Temporary credentials past their end.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// Wrong secret, changed request, wrong scope or a clock that is off.
    #[error("{0}")]
    Invalid(String),
}

impl SignatureError {
    /// The exception's name in AWS's JSON services.
    #[must_use]
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Missing => "MissingAuthenticationTokenException",
            Self::Incomplete(_) => "IncompleteSignatureException",
            Self::UnrecognizedClient => "UnrecognizedClientException",
            Self::ExpiredToken => "ExpiredTokenException",
            Self::Invalid(_) => "InvalidSignatureException",
        }
    }
}

/// Checks signatures for one service.
#[derive(Clone)]
pub(crate) struct Verifier {
    service: &'static str,
    region: Option<String>,
    skew: TimeDelta,
    store: Arc<dyn CredentialStore>,
}

impl Verifier {
    /// A verifier for `service` (the name in the credential scope: `rekognition`, `sts`). With a
    /// `region`, signatures for another one are refused, as a regional endpoint does; `None`
    /// accepts any (a global endpoint).
    #[must_use]
    pub(crate) fn new(
        service: &'static str,
        region: Option<String>,
        store: Arc<dyn CredentialStore>,
    ) -> Self {
        Self {
            service,
            region,
            // AWS answers "Signature expired: … (… - 5 min.)" in its JSON services.
            skew: TimeDelta::minutes(5),
            store,
        }
    }

    /// The same with another tolerance for the client's clock: S3 and STS grant 15 minutes.
    #[must_use]
    pub(crate) fn with_skew(mut self, skew: TimeDelta) -> Self {
        self.skew = skew;
        self
    }

    /// Checks the signature of a request whose body has been read.
    ///
    /// # Errors
    /// [`SignatureError`] says which check failed. None of its messages names a secret or the
    /// signature that would have been right.
    pub(crate) fn verify(
        &self,
        request: &Parts,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Identity, SignatureError> {
        let authorization = match request.headers.get(header::AUTHORIZATION) {
            None => return Err(SignatureError::Missing),
            Some(value) => value
                .to_str()
                .map_err(|_| incomplete("Authorization header is not ASCII."))?,
        };
        let claim = Claim::parse(authorization)?;
        let (timestamp, signed_at) = request_time(&request.headers)?;
        self.check_scope(&claim, timestamp)?;
        check_signed_headers(&claim, &request.headers)?;
        self.check_clock(timestamp, signed_at, now)?;

        let credential = self
            .store
            .find(claim.access_key_id)
            .ok_or(SignatureError::UnrecognizedClient)?;
        check_session(&credential, &request.headers, now)?;

        let canonical = canonical_request(request, &claim, &payload_hash(&request.headers, body)?)?;
        let to_sign = format!(
            "{ALGORITHM}\n{timestamp}\n{}\n{}",
            claim.scope(),
            hex::encode(Sha256::digest(canonical.as_bytes()))
        );
        let key = signing_key(&credential.secret_access_key, &claim);
        let given = hex::decode(claim.signature).map_err(|_| mismatch())?;
        // `verify_slice` compares in constant time.
        mac(&key, to_sign.as_bytes())
            .verify_slice(&given)
            .map_err(|_| mismatch())?;
        Ok(Identity {
            access_key_id: claim.access_key_id.to_owned(),
            principal_arn: credential.principal_arn,
        })
    }

    fn check_scope(&self, claim: &Claim<'_>, timestamp: &str) -> Result<(), SignatureError> {
        if !timestamp.starts_with(claim.date) || claim.date.len() != 8 {
            return Err(invalid(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
                 from HTTP: '{}' != '{timestamp}'.",
                claim.date
            )));
        }
        if claim.service != self.service {
            return Err(invalid(format!(
                "Credential should be scoped to correct service: '{}'.",
                self.service
            )));
        }
        if let Some(region) = &self.region
            && claim.region != region
        {
            return Err(invalid(format!(
                "Credential should be scoped to a valid region, not '{}'.",
                claim.region
            )));
        }
        Ok(())
    }

    fn check_clock(
        &self,
        timestamp: &str,
        signed_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), SignatureError> {
        let minutes = self.skew.num_minutes();
        let clock = now.format(TIMESTAMP);
        if signed_at < now - self.skew {
            let edge = (now - self.skew).format(TIMESTAMP);
            return Err(invalid(format!(
                "Signature expired: {timestamp} is now earlier than {edge} ({clock} - {minutes} min.)"
            )));
        }
        if signed_at > now + self.skew {
            let edge = (now + self.skew).format(TIMESTAMP);
            return Err(invalid(format!(
                "Signature not yet current: {timestamp} is still later than {edge} ({clock} + {minutes} min.)"
            )));
        }
        Ok(())
    }
}

/// What an `Authorization` header states.
struct Claim<'a> {
    access_key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    fn parse(authorization: &'a str) -> Result<Self, SignatureError> {
        let fields = authorization
            .strip_prefix(ALGORITHM)
            .filter(|rest| rest.starts_with([' ', '\t']))
            .ok_or_else(|| incomplete("Unsupported AWS 'algorithm', only AWS4-HMAC-SHA256."))?;
        let (mut credential, mut headers, mut signature) = (None, None, None);
        for field in fields.split(',') {
            match field.trim().split_once('=') {
                Some(("Credential", value)) => credential = Some(value),
                Some(("SignedHeaders", value)) => headers = Some(value),
                Some(("Signature", value)) => signature = Some(value),
                _ => return Err(incomplete("Authorization header has an unknown part.")),
            }
        }
        let credential = credential.ok_or_else(|| lacks("Credential"))?;
        let headers = headers.ok_or_else(|| lacks("SignedHeaders"))?;
        let signature = signature.ok_or_else(|| lacks("Signature"))?;

        // The access key id comes first and could itself hold a '/', so read from the right.
        let mut parts = credential.rsplitn(5, '/');
        let (terminator, service, region, date, access_key_id) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        );
        match (terminator, service, region, date, access_key_id) {
            (
                Some("aws4_request"),
                Some(service),
                Some(region),
                Some(date),
                Some(access_key_id),
            ) => Ok(Self {
                access_key_id,
                date,
                region,
                service,
                signed_headers: headers.split(';').collect(),
                signature,
            }),
            _ => Err(incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/aws4_request.",
            )),
        }
    }

    fn scope(&self) -> String {
        format!(
            "{}/{}/{}/aws4_request",
            self.date, self.region, self.service
        )
    }
}

fn incomplete(message: &str) -> SignatureError {
    SignatureError::Incomplete(message.to_owned())
}

fn lacks(part: &str) -> SignatureError {
    SignatureError::Incomplete(format!("Authorization header requires '{part}' parameter."))
}

fn invalid(message: String) -> SignatureError {
    SignatureError::Invalid(message)
}

fn mismatch() -> SignatureError {
    invalid(
        "The request signature we calculated does not match the signature you provided. Check \
         your AWS Secret Access Key and signing method. Consult the service documentation for \
         details."
            .to_owned(),
    )
}

/// `X-Amz-Date` as text (it is signed as text) and as a time.
fn request_time(headers: &HeaderMap) -> Result<(&str, DateTime<Utc>), SignatureError> {
    let text = text(headers, "x-amz-date").ok_or_else(|| {
        incomplete("Authorization header requires existence of an 'X-Amz-Date' header.")
    })?;
    let time = NaiveDateTime::parse_from_str(text, TIMESTAMP)
        .map_err(|_| incomplete("Date must be in ISO-8601 'basic format'."))?;
    Ok((text, time.and_utc()))
}

/// The host, and whatever AWS itself acts upon, must be under the signature: otherwise a captured
/// signature could be sent with another `X-Amz-Target`.
fn check_signed_headers(claim: &Claim<'_>, headers: &HeaderMap) -> Result<(), SignatureError> {
    let must = std::iter::once("host").chain(
        headers
            .keys()
            .map(http::HeaderName::as_str)
            .filter(|name| name.starts_with("x-amz-")),
    );
    for name in must {
        if !claim.signed_headers.contains(&name) {
            return Err(invalid(format!(
                "'{name}' must be a 'SignedHeader' in the AWS Authorization."
            )));
        }
    }
    Ok(())
}

fn check_session(
    credential: &Credential,
    headers: &HeaderMap,
    now: DateTime<Utc>,
) -> Result<(), SignatureError> {
    let given = text(headers, "x-amz-security-token");
    if given != credential.session_token.as_deref() {
        return Err(SignatureError::UnrecognizedClient);
    }
    if credential.expires_at.is_some_and(|end| end <= now) {
        return Err(SignatureError::ExpiredToken);
    }
    Ok(())
}

/// The body's hash; a client that declares another one is refused before any HMAC.
fn payload_hash(headers: &HeaderMap, body: &[u8]) -> Result<String, SignatureError> {
    let hash = hex::encode(Sha256::digest(body));
    match text(headers, "x-amz-content-sha256") {
        Some(declared) if declared != hash => Err(mismatch()),
        _ => Ok(hash),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
