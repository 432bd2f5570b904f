//! Tokens of an external issuer (OpenID Connect): whom it vouches for, by keys that it publishes.
//!
//! Only signatures with a private key count, and of each algorithm only the one that the key's type
//! says: a key that everybody can read must never serve as a shared secret.

mod fetch;
mod jwk;
mod keys;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use entity::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::clock::Clock;
use crate::error::{Error, Result};

pub(crate) use fetch::is_safe;
pub use fetch::{Documents, Fetch, FetchOutcome, Fetched};
pub use keys::{FAILED_PAUSE_SECONDS, PAUSE_SECONDS, STALE_SECONDS};

use keys::Keys;

/// Seconds that the issuer's clock and ours may differ.
pub const LEEWAY_SECONDS: i64 = 30;
/// The algorithms that count. `none` and those of shared secrets are not among them.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
/// Longest `sub` (OpenID Connect Core, 2) and longest `kid` that is looked at.
const MAX_NAME_BYTES: usize = 255;

/// Whom the issuer vouches for, and until when.
#[derive(Clone)]
pub struct Identity {
    /// `iss`.
    pub issuer: String,
    /// `sub`: with `iss` the one thing that stays the same.
    pub subject: String,
    /// `email`, where the issuer says that it has verified it.
    pub email: Option<String>,
    /// What to call them, if the token says so.
    pub name: Option<String>,
    /// From when on the token is taken no longer.
    pub until: Timestamp,
}

impl std::fmt::Debug for Identity {
    /// Without what tells who it is.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity(of {}, until {})", self.issuer, self.until.0)
    }
}

/// Verifies tokens of one issuer.
#[derive(Debug)]
pub struct ExternalIssuer {
    issuer: String,
    audience: String,
    keys: Keys,
    clock: Clock,
    /// Whether the operator was told of tokens for somebody else.
    is_told: AtomicBool,
}

#[derive(Deserialize)]
struct Claims {
    /// One: the library would take a list that has it.
    iss: String,
    sub: String,
    exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
    email: Option<String>,
    email_verified: Option<Verified>,
    name: Option<String>,
    preferred_username: Option<String>,
    /// Notices of log-outs have it, security events too, and no token of a user (OpenID Connect
    /// Back-Channel Logout 1.0, 2.4). Some issuers give them no `typ` of their own.
    events: Option<IgnoredAny>,
    /// What kind of token it is, where the issuer says so in the payload: Keycloak does, and Amazon
    /// Cognito in `token_use`.
    typ: Option<String>,
    token_use: Option<String>,
    /// A token that is bound to a key of its client's (RFC 9449, RFC 8705) is no bearer token.
    cnf: Option<IgnoredAny>,
}

/// The one claim that is read before the signature.
#[derive(Deserialize)]
struct Issued {
    iat: Option<i64>,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::default().plus_seconds(seconds)
}

/// Some issuers write booleans as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Verified {
    Bool(bool),
    Text(String),
}

impl Verified {
    fn is_true(&self) -> bool {
        match self {
            Self::Bool(verified) => *verified,
            Self::Text(text) => text == "true",
        }
    }
}

impl ExternalIssuer {
    /// The issuer at this URL, whose tokens must be meant for `audience`. Nothing is fetched yet.
    #[must_use]
    pub fn new(issuer: &str, audience: &str, fetch: Arc<dyn Fetch>, clock: Clock) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            keys: Keys::new(issuer, fetch, clock.clone()),
            clock,
            is_told: AtomicBool::new(false),
        }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.issuer
    }

    /// Whom a token speaks for.
    ///
    /// # Errors
    /// `Unauthenticated` for anything but a live token of this issuer for this audience;
    /// `Unavailable` where its key is not known and the issuer does not answer.
    pub async fn verify(&self, token: &str) -> Result<Identity> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Error::Unauthenticated)?;
        if !is_acceptable(&header) {
            return Err(Error::Unauthenticated);
        }
        let issued_at = || {
            // Not verified: it only tells who may come again.
            let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Issued>(token);
            Some(at(claims.ok()?.iat?))
        };
        let key = self.keys.find(header.kid.as_deref(), header.alg, issued_at);
        let key = key.await?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // Ours below goes by the injected clock; the library only knows the system's.
        validation.validate_exp = false;
        let decoded = jsonwebtoken::decode::<Claims>(token, &key, &validation);
        self.identity(decoded.map_err(|error| self.refused(&error))?.claims)
    }

    /// A token that is refused. The first that the issuer did sign, but for somebody else, is told to the
    /// operator: with a wrong setting that is everybody's.
    fn refused(&self, error: &jsonwebtoken::errors::Error) -> Error {
        tracing::debug!("a token of the issuer is refused: {error}");
        let name = match error.kind() {
            ErrorKind::InvalidAudience => "OIDC_AUDIENCE",
            ErrorKind::InvalidIssuer => "OIDC_ISSUER",
            _ => return Error::Unauthenticated,
        };
        if !self.is_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a token that the issuer signed is refused, as every other like it: it does not say what {name} asks for"
            );
        }
        Error::Unauthenticated
    }

    fn identity(&self, claims: Claims) -> Result<Identity> {
        let now = self.clock.now();
        let until = at(claims.exp.saturating_add(LEEWAY_SECONDS));
        let begins = claims
            .nbf
            .max(claims.iat)
            .map_or(Timestamp::default(), |seconds| {
                at(seconds.saturating_sub(LEEWAY_SECONDS))
            });
        let is_subject = (1..=MAX_NAME_BYTES).contains(&claims.sub.len())
            && claims.sub.chars().all(|c| !c.is_control());
        let kinds = [&claims.typ, &claims.token_use];
        let is_another_kind = claims.events.is_some()
            || claims.cnf.is_some()
            || kinds
                .into_iter()
                .flatten()
                .any(|kind| is_for_the_issuer(kind));
        let is_ours = claims.iss == self.issuer;
        if until <= now || begins > now || !is_subject || is_another_kind || !is_ours {
            return Err(Error::Unauthenticated);
        }
        let verified = claims
            .email_verified
            .is_some_and(|verified| verified.is_true());
        Ok(Identity {
            issuer: self.issuer.clone(),
            subject: claims.sub,
            email: claims.email.filter(|_| verified),
            name: claims.name.or(claims.preferred_username),
            until,
        })
    }
}

/// Whether a payload's kind is one that only the issuer itself takes. Any other may be an access or ID
/// token: there is no list of what issuers call those.
fn is_for_the_issuer(kind: &str) -> bool {
    ["refresh", "offline", "logout"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known))
}

/// Whether a header is one of an ID token or access token that we understand: the same keys sign
/// other things, such as notices of a log-out, and what is critical to others must not be passed over.
fn is_acceptable(header: &Header) -> bool {
    let typ = header.typ.as_deref().unwrap_or("JWT");
    let typ = typ.strip_prefix("application/").unwrap_or(typ);
    ALGORITHMS.contains(&header.alg)
        && ["JWT", "at+jwt"]
            .iter()
            .any(|known| typ.eq_ignore_ascii_case(known))
        && header.crit.is_none()
        && header
            .kid
            .as_ref()
            .is_none_or(|kid| kid.len() <= MAX_NAME_BYTES)
}
