//! An issuer of tokens (OpenID Connect) on a loopback port, with real keys, that tests let fail.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use eventgallery::clock::Clock;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What tokens of the tests are meant for.
pub const AUDIENCE: &str = "photos";

/// An issuer.
pub struct Issuer {
    /// `iss` of its tokens.
    pub url: String,
    state: Arc<Published>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Published {
    url: String,
    /// As discovery tells it, where that is not the truth.
    alias: Mutex<Option<String>>,
    keys: Mutex<Vec<Value>>,
    cache_control: Mutex<Option<String>>,
    is_down: Mutex<bool>,
    hangs: Mutex<bool>,
    fetches: AtomicUsize,
}

impl Issuer {
    /// One that publishes these keys.
    pub async fn start(keys: &[&SigningKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Published {
            url: url.clone(),
            ..Published::default()
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(jwks))
            .with_state(Arc::clone(&state));
        let serving = axum::serve(listener, router);
        let server = tokio::spawn(async move { serving.await.expect("it serves") });
        let issuer = Self { url, state, server };
        issuer.publish(keys);
        issuer
    }

    /// Settings of an application that trusts it.
    #[must_use]
    pub fn settings(&self) -> [(&str, &str); 2] {
        [("OIDC_ISSUER", &self.url), ("OIDC_AUDIENCE", AUDIENCE)]
    }

    /// Publishes these keys and no others.
    pub fn publish(&self, keys: &[&SigningKey]) {
        self.publish_raw(keys.iter().map(|key| key.jwk()).collect());
    }

    /// Publishes whatever this is.
    pub fn publish_raw(&self, keys: Vec<Value>) {
        *self.state.keys.lock().expect("its keys") = keys;
    }

    /// How long its keys say that they may be kept.
    pub fn cache_control(&self, value: &str) {
        *self.state.cache_control.lock().expect("it") = Some(value.to_owned());
    }

    /// What its discovery document calls it; none: the truth.
    pub fn call_itself(&self, name: Option<&str>) {
        *self.state.alias.lock().expect("it") = name.map(str::to_owned);
    }

    /// Answers every request with an error, or no longer.
    pub fn set_down(&self, is_down: bool) {
        *self.state.is_down.lock().expect("it") = is_down;
    }

    /// Takes requests and answers none.
    pub fn hang(&self) {
        *self.state.hangs.lock().expect("it") = true;
    }

    /// Requests for its discovery document so far: one for each time that somebody wants its keys.
    #[must_use]
    pub fn fetches(&self) -> usize {
        self.state.fetches.load(Ordering::SeqCst)
    }

    /// What it says of a subject now, for an hour.
    #[must_use]
    pub fn claims(&self, subject: &str, clock: &Clock) -> Value {
        let now = clock.now().seconds();
        json!({
            "iss": self.url, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 3600,
        })
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn discovery(State(state): State<Arc<Published>>) -> Response {
    state.fetches.fetch_add(1, Ordering::SeqCst);
    let hangs = *state.hangs.lock().expect("it");
    if hangs {
        std::future::pending::<()>().await;
    }
    let name = state.alias.lock().expect("it").clone();
    let document = json!({
        "issuer": name.unwrap_or_else(|| state.url.clone()),
        "jwks_uri": format!("{}/keys", state.url),
    });
    answer(&state, &document)
}

async fn jwks(State(state): State<Arc<Published>>) -> Response {
    let keys = state.keys.lock().expect("its keys").clone();
    answer(&state, &json!({ "keys": keys }))
}

fn answer(state: &Published, document: &Value) -> Response {
    if *state.is_down.lock().expect("it") {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let kept = state.cache_control.lock().expect("it").clone();
    let kept = kept.unwrap_or_else(|| "max-age=600".to_owned());
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CACHE_CONTROL, kept),
    ];
    (headers, document.to_string()).into_response()
}

enum Pair {
    Rsa(Box<rsa::KeyPair>),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A key pair with its name.
pub struct SigningKey {
    /// `kid`.
    pub kid: String,
    pair: Pair,
}

impl SigningKey {
    /// RSA, 2048 bits, for RS256.
    #[must_use]
    pub fn rsa(kid: &str) -> Self {
        let pair = rsa::KeyPair::generate(KeySize::Rsa2048).expect("a key pair");
        Self::named(kid, Pair::Rsa(Box::new(pair)))
    }

    /// P-256, for ES256.
    #[must_use]
    pub fn ec(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Self::named(kid, Pair::Ec(pair.expect("a key pair")))
    }

    /// Ed25519, for EdDSA.
    #[must_use]
    pub fn ed(kid: &str) -> Self {
        Self::named(
            kid,
            Pair::Ed(Ed25519KeyPair::generate().expect("a key pair")),
        )
    }

    fn named(kid: &str, pair: Pair) -> Self {
        let kid = kid.to_owned();
        Self { kid, pair }
    }

    /// `alg` of its signatures.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::Ec(_) => "ES256",
            Pair::Ed(_) => "EdDSA",
        }
    }

    /// The public key as it is published.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                // RSAPublicKey (RFC 8017, A.1.1): nine bytes before the modulus, of which the last is
                // its sign; then two and the exponent 65537.
                let der = pair.public_key().as_ref();
                json!({ "kty": "RSA", "n": text(&der[9..265]), "e": text(&der[267..]) })
            }
            Pair::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..]) })
            }
            Pair::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) })
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// The public key's own bytes, which anybody can have.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// A token with its own header.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        let header = json!({ "alg": self.algorithm(), "typ": "JWT", "kid": self.kid });
        self.token_with(&header, claims)
    }

    /// A token with this header, signed as the key signs, whatever the header says.
    #[must_use]
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let text = unsigned(header, claims);
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
                    .expect("signed");
                signature
            }
            Pair::Ec(pair) => {
                let signature = pair.sign(&random, text.as_bytes()).expect("signed");
                signature.as_ref().to_vec()
            }
            Pair::Ed(pair) => pair.sign(text.as_bytes()).as_ref().to_vec(),
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Header and claims as a signature is made of them.
#[must_use]
pub fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// A token that is authenticated with a shared secret (HS256).
#[must_use]
pub fn with_secret(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let text = unsigned(header, claims);
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
    let tag = aws_lc_rs::hmac::sign(&key, text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}
