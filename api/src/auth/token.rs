//! Access tokens (JWT, HS256) of users and of guests, device tokens, and random tokens that are kept
//! as SHA-256.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::{GalleryId, ShareLinkId, Timestamp, UserId, user};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::access::{Guest, Viewer};
use crate::clock::Clock;
use crate::config::Tokens;
use crate::error::{Error, Result};

/// Seconds that the clocks of two servers may differ.
const LEEWAY_SECONDS: i64 = 5;
/// Fewest bytes of a secret: HS256's own width (RFC 7518, 3.2).
const MIN_SECRET_BYTES: usize = 32;
/// `typ` claim of access tokens, so that no other token of ours can be used as one.
const ACCESS: &str = "access";
/// `typ` claim of the access tokens of guests.
const GUEST: &str = "guest";
/// `typ` claim of device tokens.
const DEVICE: &str = "device";
/// Life of a device token in seconds: half a year.
const DEVICE_SECONDS: u32 = 180 * 24 * 3600;
/// Longest token that is looked at: those of other issuers list groups and more.
const MAX_TOKEN_BYTES: usize = 8192;

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// A user, a guest's share link, or a device.
    sub: Uuid,
    iat: i64,
    exp: i64,
    typ: String,
    /// The gallery that a guest's link shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gallery: Option<Uuid>,
    /// What a device signed in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<DeviceAccount>,
}

/// An account and its password as a device token names them: hashes, as the token outlives the
/// session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAccount {
    email: String,
    password: String,
}

impl DeviceAccount {
    /// Of this account. With another password it is another one: whoever knew the one of before has
    /// no attempts of their own at the next.
    #[must_use]
    pub fn new(user: &user::Model) -> Self {
        Self {
            email: secret_hash(&user.email_key),
            password: secret_hash(&user.password_hash),
        }
    }

    /// Whether this e-mail key is the account's.
    #[must_use]
    pub fn has(&self, email_key: &str) -> bool {
        self.email == secret_hash(email_key)
    }
}

/// Signs and verifies access tokens and device tokens.
#[derive(Clone)]
pub struct TokenKeys {
    encoding: EncodingKey,
    /// The secret's own, then those of secrets that were rotated out.
    decoding: Vec<DecodingKey>,
    validation: Validation,
    issuer: String,
    audience: String,
    access_seconds: u32,
}

impl std::fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKeys").finish_non_exhaustive()
    }
}

impl TokenKeys {
    /// Keys out of a secret of at least 32 bytes.
    ///
    /// # Errors
    /// When the secret is shorter.
    pub fn new(secret: &[u8], tokens: &Tokens) -> anyhow::Result<Self> {
        checked(secret)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[&tokens.issuer]);
        validation.set_audience(&[&tokens.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // Ours below goes by the injected clock; the library only knows the system's.
        validation.validate_exp = false;
        Ok(Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: vec![DecodingKey::from_secret(secret)],
            validation,
            issuer: tokens.issuer.clone(),
            audience: tokens.audience.clone(),
            access_seconds: tokens.access_seconds,
        })
    }

    /// Keys out of the configured secret, the configured file, or a secret that is made once and
    /// kept in `data_dir/jwt_secret`, readable by its owner only.
    ///
    /// # Errors
    /// When the secret is too short or its file cannot be read or written.
    pub fn from_config(tokens: &Tokens, data_dir: &Path, clock: &Clock) -> anyhow::Result<Self> {
        let (secret, file) = (&tokens.jwt_secret, &tokens.jwt_secret_file);
        let (secret, name) = match configured(secret.as_ref(), file.as_deref(), "JWT_SECRET")? {
            Some(configured) => configured,
            None => {
                let name = format!("the JWT secret in {}", data_dir.display());
                (
                    kept_secret(data_dir, clock).with_context(|| name.clone())?,
                    name,
                )
            }
        };
        let mut keys = Self::new(secret.trim().as_bytes(), tokens).context(name)?;
        let (secret, file) = (
            &tokens.jwt_secret_previous,
            &tokens.jwt_secret_previous_file,
        );
        let previous = configured(secret.as_ref(), file.as_deref(), "JWT_SECRET_PREVIOUS")?;
        if let Some((previous, name)) = previous {
            let previous = checked(previous.trim().as_bytes()).context(name)?;
            keys.decoding.push(DecodingKey::from_secret(previous));
        }
        Ok(keys)
    }

    /// An access token for `user`, and when it ends.
    ///
    /// # Errors
    /// `Internal`.
    pub fn issue(&self, user: UserId, now: Timestamp) -> Result<(String, Timestamp)> {
        self.sign(self.claims(ACCESS, user.0, now, self.access_seconds))
    }

    /// An access token for a guest, and when it ends: never after `end`, the end of its link.
    ///
    /// # Errors
    /// `Internal`.
    pub fn issue_guest(
        &self,
        guest: Guest,
        now: Timestamp,
        end: Option<Timestamp>,
    ) -> Result<(String, Timestamp)> {
        let claims = self.claims(GUEST, guest.link.0, now, self.access_seconds);
        self.sign(Claims {
            exp: end.map_or(claims.exp, |end| end.seconds().min(claims.exp)),
            gallery: Some(guest.gallery.0),
            ..claims
        })
    }

    /// A token that says that `device` has signed in as `user`. It opens nothing.
    ///
    /// # Errors
    /// `Internal`.
    pub fn issue_device(&self, device: Uuid, user: &user::Model, now: Timestamp) -> Result<String> {
        let claims = Claims {
            account: Some(DeviceAccount::new(user)),
            ..self.claims(DEVICE, device, now, DEVICE_SECONDS)
        };
        Ok(self.sign(claims)?.0)
    }

    fn claims(&self, typ: &str, sub: Uuid, now: Timestamp, seconds: u32) -> Claims {
        let iat = now.seconds();
        Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub,
            iat,
            exp: iat.saturating_add(i64::from(seconds)),
            typ: typ.to_owned(),
            gallery: None,
            account: None,
        }
    }

    fn sign(&self, claims: Claims) -> Result<(String, Timestamp)> {
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(Error::internal)?;
        Ok((token, Timestamp::default().plus_seconds(claims.exp)))
    }

    fn decode(&self, token: &str) -> Option<Claims> {
        let decode = |key| jsonwebtoken::decode(token, key, &self.validation).ok();
        Some(self.decoding.iter().find_map(decode)?.claims)
    }

    /// The device that a live device token names, and its account.
    #[must_use]
    pub fn device(&self, token: &str, now: Timestamp) -> Option<(Uuid, DeviceAccount)> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let claims = self.decode(token)?;
        let is_live = claims.typ == DEVICE && claims.exp > now.seconds();
        Some((claims.sub, claims.account?)).filter(|_| is_live)
    }

    /// Whose access token this is, and from when on it is taken no longer.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for anything but a live access token of ours.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<(Viewer, Timestamp)> {
        let claims = self.decode(token).ok_or(Error::Unauthenticated)?;
        let (viewer, leeway) = match (claims.typ.as_str(), claims.gallery) {
            (ACCESS, None) => (Viewer::User(UserId(claims.sub)), LEEWAY_SECONDS),
            // Its owner chose the end of a link: not a second more.
            (GUEST, Some(gallery)) => {
                let (link, gallery) = (ShareLinkId(claims.sub), GalleryId(gallery));
                (Viewer::Guest(Guest { link, gallery }), 0)
            }
            _ => return Err(Error::Unauthenticated),
        };
        let until = Timestamp::default().plus_seconds(claims.exp.saturating_add(leeway));
        if until <= now {
            return Err(Error::Unauthenticated);
        }
        Ok((viewer, until))
    }
}

/// Who signed a token, as it says itself. Each verifier holds on to algorithms of its own, so a lie
/// leads to a verifier that refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// We did.
    Own,
    /// Somebody with a key pair.
    External,
}

/// Who signed a token.
///
/// # Errors
/// [`Error::Unauthenticated`] for what is no token.
pub fn origin(token: &str) -> Result<Origin> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Error::Unauthenticated);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| Error::Unauthenticated)?;
    Ok(match header.alg {
        Algorithm::HS256 => Origin::Own,
        _ => Origin::External,
    })
}

/// The secret that is set as the variable `name`, or that the file holds, and what to call it.
fn configured(
    secret: Option<&SecretString>,
    file: Option<&Path>,
    name: &str,
) -> anyhow::Result<Option<(String, String)>> {
    Ok(match (secret, file) {
        (Some(secret), _) => Some((secret.expose_secret().to_owned(), name.to_owned())),
        (None, Some(file)) => {
            let name = format!("{name}_FILE {}", file.display());
            let secret = fs::read_to_string(file).with_context(|| name.clone())?;
            Some((secret, name))
        }
        (None, None) => None,
    })
}

fn checked(secret: &[u8]) -> anyhow::Result<&[u8]> {
    anyhow::ensure!(
        secret.len() >= MIN_SECRET_BYTES,
        "a JWT secret must have at least {MIN_SECRET_BYTES} bytes"
    );
    Ok(secret)
}

/// A new refresh token or token of a share link: 32 random bytes.
#[must_use]
pub fn new_secret(clock: &Clock) -> String {
    URL_SAFE_NO_PAD.encode(clock.random_bytes::<32>())
}

/// What is kept of such a token. It is random, so a plain hash is as good as a slow one.
#[must_use]
pub fn secret_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

fn kept_secret(data_dir: &Path, clock: &Clock) -> anyhow::Result<String> {
    let path = data_dir.join("jwt_secret");
    if !path.exists() {
        fs::create_dir_all(data_dir)?;
        let draft = data_dir.join(format!(".jwt_secret-{}", clock.new_token()));
        write_private(&draft, &hex::encode(clock.random_bytes::<32>()))?;
        // Linking fails if another process was first; then its secret counts.
        let linked = fs::hard_link(&draft, &path);
        fs::remove_file(&draft)?;
        match linked {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(e.into()),
            _ => {}
        }
    }
    Ok(fs::read_to_string(&path)?)
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
