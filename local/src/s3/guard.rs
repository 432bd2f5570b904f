//! What S3 demands of a signature that s3s 0.14 does not check.
//!
//! Runs before s3s, and only ever refuses: whether the signature is right stays with s3s. Both
//! read the same fields, and a field that stands twice is refused here, so that they cannot
//! disagree about which one counts. Sources: "Authenticating Requests (AWS Signature Version
//! 4)" and "Error responses" in the S3 API reference.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use s3s::{S3Error, S3Result, s3_error};

use super::error::custom;
use crate::clock;
use crate::sigv4::CredentialStore;

/// Seven days: the longest life of a presigned URL.
const MAX_EXPIRES: u64 = 604_800;

/// A thousand of the longest keys, every character of them escaped, have less.
const MAX_DELETE_BYTES: u64 = 10 << 20;

/// Refuses a request that S3 would refuse whatever its signature.
///
/// # Errors
/// The S3 error that says why.
pub(super) fn check(
    request: &Parts,
    region: &str,
    credentials: &dyn CredentialStore,
) -> S3Result<()> {
    if request.method == Method::POST && is_form(&request.headers) {
        // s3s would gather the whole file in memory before it asks who sent it.
        return Err(s3_error!(
            NotImplemented,
            "Uploads by HTML form are not implemented"
        ));
    }
    let query = Query::parse(request.uri.query().unwrap_or_default());
    check_request(request, &query)?;
    let authorization = authorization(&request.headers)?;
    if query.has("Signature") || authorization.is_some_and(|value| value.starts_with("AWS ")) {
        return Err(s3_error!(
            InvalidRequest,
            "The authorization mechanism you have provided is not supported. Please use \
             AWS4-HMAC-SHA256."
        ));
    }
    let presigned = query.has("X-Amz-Signature");
    let claim = match authorization {
        Some(_) if presigned => {
            return Err(s3_error!(
                InvalidArgument,
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, \
                 Signature query string parameter or the Authorization header should be specified"
            ));
        }
        Some(value) => Claim::of_header(value, &request.headers),
        None if presigned => Some(Claim::of_query(&query)?),
        // Anonymous: s3s refuses it.
        None => None,
    };
    let Some(claim) = claim else { return Ok(()) };
    claim.check_scope(region)?;
    claim.check_signed_headers(&request.headers)?;
    claim.check_session(credentials)
}

/// What s3s answers with 500, or not at all.
fn check_request(request: &Parts, query: &Query<'_>) -> S3Result<()> {
    if query
        .optional("encoding-type")?
        .is_some_and(|kind| kind != "url")
    {
        return Err(s3_error!(
            InvalidArgument,
            "Invalid Encoding Method specified in Request"
        ));
    }
    let length = request.headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if request.method == Method::POST
        && query.has("delete")
        && length.is_some_and(|length| length > MAX_DELETE_BYTES)
    {
        return Err(s3_error!(
            MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published schema"
        ));
    }
    Ok(())
}

/// Presigners may put `x-amz-*` headers into the (signed) query instead; S3 reads them there.
/// s3s does not, so they become headers, behind the checks above.
pub(super) fn read_hoisted_headers(request: &mut Parts) {
    let Some(query) = request.uri.query() else {
        return;
    };
    let query = Query::parse(query);
    if !query.has("X-Amz-Signature") {
        return;
    }
    for (name, value) in &query.pairs {
        let name = name.to_ascii_lowercase();
        let about_the_signature = matches!(
            name.as_str(),
            "x-amz-algorithm"
                | "x-amz-credential"
                | "x-amz-date"
                | "x-amz-expires"
                | "x-amz-signedheaders"
                | "x-amz-signature"
                | "x-amz-security-token"
                | "x-amz-content-sha256"
        );
        if name.starts_with("x-amz-")
            && !about_the_signature
            && let Ok(name) = HeaderName::from_bytes(name.as_bytes())
            && let Ok(value) = HeaderValue::from_str(value)
        {
            request.headers.entry(name).or_insert(value);
        }
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| {
            kind.trim_start()
                .to_ascii_lowercase()
                .starts_with("multipart/form-data")
        })
}

fn authorization(headers: &HeaderMap) -> S3Result<Option<&str>> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    match (value.to_str(), values.next()) {
        (Ok(text), None) => Ok(Some(text)),
        _ => Err(s3_error!(
            InvalidArgument,
            "Authorization header is invalid"
        )),
    }
}

/// Who signed what, as the request itself says.
struct Claim<'a> {
    presigned: bool,
    credential: Cow<'a, str>,
    signed_headers: Cow<'a, str>,
    token: Option<Cow<'a, str>>,
}

impl<'a> Claim<'a> {
    /// `None` for what s3s will not be able to read either.
    fn of_header(value: &'a str, headers: &'a HeaderMap) -> Option<Self> {
        let (_, fields) = value.split_once(' ')?;
        let field = |name: &str| {
            fields
                .split(',')
                .find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
        };
        Some(Self {
            presigned: false,
            credential: field("Credential")?.into(),
            signed_headers: field("SignedHeaders")?.into(),
            token: headers
                .get("x-amz-security-token")
                .and_then(|value| value.to_str().ok())
                .map(Cow::Borrowed),
        })
    }

    fn of_query(query: &Query<'a>) -> S3Result<Self> {
        let expires = query.required("X-Amz-Expires")?;
        match expires.parse::<u64>() {
            Ok(seconds) if seconds <= MAX_EXPIRES => {}
            Ok(_) => {
                return Err(query_error(
                    "X-Amz-Expires must be less than a week (in seconds); that is, the given \
                     X-Amz-Expires must be less than 604800 seconds",
                ));
            }
            Err(_) if expires.starts_with('-') => {
                return Err(query_error("X-Amz-Expires must be non-negative"));
            }
            Err(_) => return Err(query_error("X-Amz-Expires should be a number")),
        }
        for name in ["X-Amz-Algorithm", "X-Amz-Date", "X-Amz-Signature"] {
            query.required(name)?;
        }
        Ok(Self {
            presigned: true,
            credential: query.required("X-Amz-Credential")?,
            signed_headers: query.required("X-Amz-SignedHeaders")?,
            token: query.optional("X-Amz-Security-Token")?,
        })
    }

    fn check_scope(&self, region: &str) -> S3Result<()> {
        let wrong = |what: &str| {
            Err(if self.presigned {
                query_error(&format!(
                    "Error parsing the X-Amz-Credential parameter; {what}"
                ))
            } else {
                s3_error!(
                    AuthorizationHeaderMalformed,
                    "The authorization header is malformed; {what}"
                )
            })
        };
        let mut parts = self.credential.rsplit('/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("aws4_request"), Some("s3"), Some(given)) if given == region => Ok(()),
            (Some("aws4_request"), Some("s3"), Some(given)) => wrong(&format!(
                "the region '{given}' is wrong; expecting '{region}'"
            )),
            (Some("aws4_request"), Some(service), _) => wrong(&format!(
                "incorrect service \"{service}\". This endpoint belongs to \"s3\"."
            )),
            _ => wrong(
                "the Credential is mal-formed; expecting \
                 \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
            ),
        }
    }

    /// The holder of an upload URL may not add `x-amz-copy-source` or the like: what acts on
    /// the request must be what the signer meant.
    fn check_signed_headers(&self, headers: &HeaderMap) -> S3Result<()> {
        let signed = |name: &str| self.signed_headers.split(';').any(|other| other == name);
        let unsigned = headers
            .keys()
            .map(http::HeaderName::as_str)
            .find(|name| (*name == "host" || name.starts_with("x-amz-")) && !signed(name));
        match unsigned {
            None => Ok(()),
            Some(name) => Err(s3_error!(
                AccessDenied,
                "There were headers present in the request which were not signed: {name}"
            )),
        }
    }

    fn check_session(&self, credentials: &dyn CredentialStore) -> S3Result<()> {
        let access_key = self.credential.split('/').next().unwrap_or_default();
        // Unknown keys are s3s's business: it asks for the secret.
        let Some(found) = credentials.find(access_key) else {
            return Ok(());
        };
        if self.token.as_deref() != found.session_token.as_deref() {
            return Err(s3_error!(
                InvalidToken,
                "The provided token is malformed or otherwise invalid."
            ));
        }
        if found
            .expires_at
            .is_some_and(|expiry| expiry <= clock::now_utc())
        {
            return Err(s3_error!(ExpiredToken, "The provided token has expired."));
        }
        Ok(())
    }
}

fn query_error(message: &str) -> S3Error {
    custom(
        "AuthorizationQueryParametersError",
        StatusCode::BAD_REQUEST,
        message.to_owned(),
    )
}

/// The query string, decoded.
struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    fn parse(text: &'a str) -> Self {
        Self {
            pairs: form_urlencoded::parse(text.as_bytes()).collect(),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(other, _)| other == name)
    }

    fn optional(&self, name: &str) -> S3Result<Option<Cow<'a, str>>> {
        let mut values = self.pairs.iter().filter(|(other, _)| other == name);
        let value = values.next().map(|(_, value)| value.clone());
        match values.next() {
            Some(_) => Err(query_error(&format!("{name} must stand once"))),
            None => Ok(value),
        }
    }

    fn required(&self, name: &str) -> S3Result<Cow<'a, str>> {
        self.optional(name)?.ok_or_else(|| {
            query_error(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, \
                 X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and \
                 X-Amz-Expires parameters.",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::sigv4::Credential;

    /// `AKIALONG` for ever; `ASIATEMP` with the token `token`, for so many seconds more.
    struct Keys(i64);

    impl CredentialStore for Keys {
        fn find(&self, access_key_id: &str) -> Option<Credential> {
            let temporary = match access_key_id {
                "AKIALONG" => false,
                "ASIATEMP" => true,
                _ => return None,
            };
            let expires_at = clock::now_utc() + TimeDelta::seconds(self.0);
            Some(Credential {
                secret_access_key: "secret".to_owned(),
                session_token: temporary.then(|| "token".to_owned()),
                expires_at: temporary.then_some(expires_at),
                principal_arn: String::new(),
            })
        }
    }

    fn refusal(uri: &str, headers: &[(&str, &str)], keys: &Keys) -> Option<String> {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check(&parts, "us-east-1", keys)
            .err()
            .map(|error| error.code().as_str().to_owned())
    }

    fn presigned(key: &str, scope: &str, rest: &str) -> String {
        format!(
            "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={key}%2F20261122%2F{scope}\
             %2Faws4_request&X-Amz-Date=20261122T000000Z&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=0{rest}"
        )
    }

    #[test]
    fn a_session_needs_its_token_and_ends() {
        let url = |key: &str, token: &str| {
            presigned(key, "us-east-1%2Fs3", &format!("&X-Amz-Expires=60{token}"))
        };
        let token = "&X-Amz-Security-Token=token";
        for (key, token, life, expected) in [
            ("AKIALONG", "", 0, None),
            ("AKIALONG", token, 0, Some("InvalidToken")),
            ("ASIATEMP", token, 60, None),
            ("ASIATEMP", token, -1, Some("ExpiredToken")),
            ("ASIATEMP", "", 60, Some("InvalidToken")),
            (
                "ASIATEMP",
                "&X-Amz-Security-Token=other",
                60,
                Some("InvalidToken"),
            ),
        ] {
            let found = refusal(&url(key, token), &[], &Keys(life));
            assert_eq!(found.as_deref(), expected, "{key} {token} {life}");
        }
    }

    #[test]
    fn a_query_is_read_once_and_as_s3s_reads_it() {
        let good = "us-east-1%2Fs3";
        let wrong = Some("AuthorizationQueryParametersError");
        for (scope, rest, expected) in [
            (good, "&X-Amz-Expires=604800", None),
            (good, "&X-Amz-Expires=604801", wrong),
            (good, "&X-Amz-Expires=-1", wrong),
            (good, "&X-Amz-Expires=soon", wrong),
            (good, "", wrong),
            (good, "&X-Amz-Expires=60&X-Amz-Expires=600", wrong),
            (
                good,
                "&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-amz-acl",
                wrong,
            ),
            (
                good,
                "&X-Amz-Expires=60&Signature=x",
                Some("InvalidRequest"),
            ),
            ("eu-west-1%2Fs3", "&X-Amz-Expires=60", wrong),
            ("us-east-1%2Fsts", "&X-Amz-Expires=60", wrong),
        ] {
            let found = refusal(&presigned("AKIALONG", scope, rest), &[], &Keys(0));
            assert_eq!(found.as_deref(), expected, "{scope} {rest}");
        }
    }

    #[test]
    fn what_acts_on_the_request_must_be_signed() {
        let url = presigned("AKIALONG", "us-east-1%2Fs3", "&X-Amz-Expires=60");
        for (name, value, expected) in [
            ("x-amz-copy-source", "/b/other", Some("AccessDenied")),
            ("X-AMZ-META-A", "b", Some("AccessDenied")),
            ("range", "bytes=0-1", None),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=a",
                Some("InvalidArgument"),
            ),
        ] {
            let found = refusal(&url, &[(name, value)], &Keys(0));
            assert_eq!(found.as_deref(), expected, "{name}");
        }
    }
}
