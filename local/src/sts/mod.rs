//! AWS STS on this machine: `AssumeRole`, which does check the external id, and
//! `GetCallerIdentity`.
//!
//! Shapes and error codes are those of the AWS Security Token Service API reference (query
//! protocol, XML answers). Which roles exist, and which external id each asks for, is
//! configuration; by default there is none.

pub mod credentials;
pub(crate) mod keyring;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{SecondsFormat, TimeDelta};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};

use crate::clock;
use crate::sigv4::{CredentialStore, Identity, SignatureError, Verifier};
use keyring::{Keyring, Session};

/// The account that everything on this machine belongs to.
pub const ACCOUNT_ID: &str = "000000000000";

/// A request of this service is a form of a few hundred bytes.
pub(crate) const MAX_BODY_BYTES: usize = 64 << 10;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The STS endpoint.
pub(crate) struct Sts {
    keyring: Arc<Keyring>,
    verifier: Verifier,
    trusted_roles: HashMap<String, String>,
}

struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn denied(message: String) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            code: "AccessDenied",
            message,
        }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "ValidationError",
            message: message.into(),
        }
    }
}

impl From<SignatureError> for Refusal {
    fn from(error: SignatureError) -> Self {
        // The query protocol has the same refusals under other names than the JSON services.
        let (status, code) = match &error {
            SignatureError::Missing => (StatusCode::FORBIDDEN, "MissingAuthenticationToken"),
            SignatureError::Incomplete(_) => (StatusCode::BAD_REQUEST, "IncompleteSignature"),
            SignatureError::UnrecognizedClient => (StatusCode::FORBIDDEN, "InvalidClientTokenId"),
            SignatureError::ExpiredToken => (StatusCode::FORBIDDEN, "ExpiredToken"),
            SignatureError::Invalid(_) => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
        };
        Self {
            status,
            code,
            message: error.to_string(),
        }
    }
}

/// The operation that a form asks for, for counters and faults.
pub(crate) fn operation(body: &[u8]) -> &'static str {
    match parameter(body, "Action").as_deref() {
        Some("AssumeRole") => "AssumeRole",
        Some("GetCallerIdentity") => "GetCallerIdentity",
        _ => "Unsupported",
    }
}

fn parameter(body: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(body)
        .find(|(other, _)| other == name)
        .map(|(_, value)| value.into_owned())
        .filter(|value| !value.is_empty())
}

impl Sts {
    pub(crate) fn new(keyring: Arc<Keyring>, trusted_roles: HashMap<String, String>) -> Self {
        let store: Arc<dyn CredentialStore> = Arc::<Keyring>::clone(&keyring);
        Self {
            keyring,
            // STS answers in every region, also to clients that sign for the global endpoint.
            verifier: Verifier::new("sts", None, store).with_skew(TimeDelta::minutes(15)),
            trusted_roles,
        }
    }

    /// Answers one request.
    pub(crate) fn call(&self, request: &Parts, body: &[u8]) -> Response<Bytes> {
        match self.dispatch(request, body) {
            Ok(xml) => answer(StatusCode::OK, xml),
            Err(refusal) => error_response(refusal.status, refusal.code, &refusal.message),
        }
    }

    fn dispatch(&self, request: &Parts, body: &[u8]) -> Result<String, Refusal> {
        let caller = self.verifier.verify(request, body, clock::now_utc())?;
        let action = parameter(body, "Action").unwrap_or_default();
        let result = match action.as_str() {
            "AssumeRole" => self.assume_role(&caller, body)?,
            "GetCallerIdentity" => identity(&caller),
            _ => {
                return Err(Refusal {
                    status: StatusCode::BAD_REQUEST,
                    code: "InvalidAction",
                    message: format!("Could not find operation {action} for version 2011-06-15"),
                });
            }
        };
        Ok(format!(
            "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>{result}</{action}Result>\
             <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{action}Response>",
            clock::new_id()
        ))
    }

    fn assume_role(&self, caller: &Identity, body: &[u8]) -> Result<String, Refusal> {
        let required = |name: &str| {
            parameter(body, name).ok_or_else(|| {
                Refusal::invalid(format!(
                    "1 validation error detected: Value null at '{name}' failed to satisfy \
                     constraint: Member must not be null"
                ))
            })
        };
        let role = required("RoleArn")?;
        let name = required("RoleSessionName")?;
        let named_well = (2..=64).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte));
        if !named_well {
            return Err(Refusal::invalid(
                "Value at 'roleSessionName' failed to satisfy constraint: Member must satisfy \
                 regular expression pattern: [\\w+=,.@-]*, 2 to 64 characters",
            ));
        }
        let seconds: i64 = match parameter(body, "DurationSeconds") {
            None => 3600,
            Some(text) => text
                .parse()
                .ok()
                .filter(|seconds| (900..=43_200).contains(seconds))
                .ok_or_else(|| {
                    Refusal::invalid(
                        "Value at 'durationSeconds' failed to satisfy constraint: 900 to 43200",
                    )
                })?,
        };
        // The same refusal whether the role is unknown or the external id is wrong, as AWS does:
        // the caller learns nothing about roles that are not theirs.
        let trusted = match (self.trusted_roles.get(&role), parameter(body, "ExternalId")) {
            (Some(expected), Some(given)) => *expected == given,
            _ => false,
        };
        let Some(role_name) = role.rsplit('/').next().filter(|_| trusted) else {
            return Err(Refusal::denied(format!(
                "User: {} is not authorized to perform: sts:AssumeRole on resource: {role}",
                caller.principal_arn
            )));
        };
        let account = role.split(':').nth(4).unwrap_or(ACCOUNT_ID);
        let session = Session {
            access_key_id: clock::access_key_id("ASIA"),
            secret_access_key: clock::secret_access_key(),
            session_token: clock::session_token(),
            expires_at: clock::now_utc() + TimeDelta::seconds(seconds),
            principal_arn: format!("arn:aws:sts::{account}:assumed-role/{role_name}/{name}"),
        };
        self.keyring.add(session.clone()).map_err(|error| Refusal {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: "InternalFailure",
            message: format!("the session could not be stored: {error}"),
        })?;
        Ok(format!(
            "<AssumedRoleUser><AssumedRoleId>{}:{}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser>\
             <Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
             <SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>",
            clock::access_key_id("AROA"),
            escape(&name),
            escape(&session.principal_arn),
            session.access_key_id,
            session.secret_access_key,
            session.session_token,
            session
                .expires_at
                .to_rfc3339_opts(SecondsFormat::Secs, true),
        ))
    }
}

fn identity(caller: &Identity) -> String {
    let account = caller.principal_arn.split(':').nth(4).unwrap_or(ACCOUNT_ID);
    format!(
        "<Arn>{}</Arn><UserId>{}</UserId><Account>{}</Account>",
        escape(&caller.principal_arn),
        escape(&caller.access_key_id),
        escape(account)
    )
}

/// The answer that stands for an error.
pub(crate) fn error_response(status: StatusCode, code: &str, message: &str) -> Response<Bytes> {
    let blame = if status.is_server_error() {
        "Receiver"
    } else {
        "Sender"
    };
    answer(
        status,
        format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{blame}</Type><Code>{code}</Code>\
             <Message>{}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
            escape(message),
            clock::new_id()
        ),
    )
}

fn answer(status: StatusCode, xml: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(xml));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
