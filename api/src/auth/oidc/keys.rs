//! The issuer's keys as they were last fetched.
//!
//! They are fetched when a token needs them: when the time for which they were to be kept is over,
//! or for a key that is not among them, as after a rotation. Anybody can send us tokens with keys
//! that do not exist, so there is a pause between two fetches whatever comes; and while the issuer
//! does not answer, the keys of before go on being taken for a day. Whoever comes within the pause with
//! a key that may be newer than the fetch is asked to come again: of what is refused, clients sign
//! their users out.

use std::sync::{Arc, Mutex, PoisonError};

use entity::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey};

use super::LEEWAY_SECONDS;
use super::fetch::Fetch;
use super::jwk::{self, PublicKey};
use crate::clock::Clock;
use crate::error::{Error, Result};

/// Seconds between two fetches at least.
pub const PAUSE_SECONDS: i64 = 30;
/// Seconds after a fetch that failed before the next one.
pub const FAILED_PAUSE_SECONDS: i64 = 10;
/// Seconds for which keys are taken while none can be fetched.
pub const STALE_SECONDS: i64 = 24 * 3_600;
/// Bounds of the seconds for which keys count as fresh, whatever `Cache-Control` says.
const FRESH_SECONDS: std::ops::RangeInclusive<i64> = 60..=24 * 3_600;
/// The same where it says nothing.
const DEFAULT_FRESH_SECONDS: i64 = 3_600;

/// The keys of one issuer.
pub(super) struct Keys(Arc<Inner>);

struct Inner {
    issuer: String,
    fetch: Arc<dyn Fetch>,
    clock: Clock,
    held: Mutex<Held>,
    /// Held by whoever fetches.
    fetching: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone, Default)]
struct Held {
    keys: Arc<[PublicKey]>,
    fresh_until: Timestamp,
    stale_until: Timestamp,
    /// When the fetch began that brought them.
    fetched_at: Timestamp,
    /// Nothing is fetched before.
    next_fetch: Timestamp,
    /// The last fetch brought nothing.
    failed: bool,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys(of {})", self.0.issuer)
    }
}

impl Held {
    /// The key with this id. A token that names none means the only key of its algorithm.
    fn find(&self, kid: Option<&str>, algorithm: Algorithm, now: Timestamp) -> Option<DecodingKey> {
        if self.stale_until <= now {
            return None;
        }
        let mut fitting = self.keys.iter().filter(|key| {
            key.algorithm == algorithm && (kid.is_none() || key.kid.as_deref() == kid)
        });
        let found = fitting.next()?;
        if kid.is_none() && fitting.next().is_some() {
            return None;
        }
        Some(found.key.clone())
    }

    /// Whether a key that is not among these may be one that is there by now: no token is signed with a
    /// key before it is published, give or take the clocks' difference.
    fn may_be_newer(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        issued_at: Option<Timestamp>,
    ) -> bool {
        // Without an id it is one too many of its algorithm that are known.
        let is_known = self.keys.iter().any(|key| match kid {
            Some(_) => key.kid.as_deref() == kid,
            None => key.algorithm == algorithm,
        });
        let fetched = self.fetched_at.plus_seconds(-LEEWAY_SECONDS);
        !is_known && issued_at.is_none_or(|issued| issued > fetched)
    }
}

impl Keys {
    pub(super) fn new(issuer: &str, fetch: Arc<dyn Fetch>, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            issuer: issuer.to_owned(),
            fetch,
            clock,
            held: Mutex::default(),
            fetching: Arc::default(),
        }))
    }

    /// The key that a token names. `issued_at` says when the token claims to be of, if it says so.
    ///
    /// # Errors
    /// `Unauthenticated` where there is none; `Unavailable` where nobody knows.
    pub(super) async fn find(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        issued_at: impl FnOnce() -> Option<Timestamp>,
    ) -> Result<DecodingKey> {
        let inner = &self.0;
        let now = inner.clock.now();
        let held = inner.held();
        let found = held.find(kid, algorithm, now);
        if found.is_some() && now < held.fresh_until.max(held.next_fetch) {
            return held.answer(found);
        }
        if now < held.next_fetch {
            return held.answer_unless_newer(found, kid, algorithm, issued_at);
        }
        let fetching = Arc::clone(&inner.fetching);
        let turn = match Arc::clone(&fetching).try_lock_owned() {
            Ok(turn) => turn,
            // Somebody fetches. Whose key was good until now does not wait for it.
            Err(_) if found.is_some() => return held.answer(found),
            Err(_) => fetching.lock_owned().await,
        };
        if inner.clock.now() >= inner.held().next_fetch {
            // A task of its own: it goes on, and counts, where the client gives up.
            let fetcher = Arc::clone(inner);
            let fetched = tokio::spawn(async move {
                fetcher.refresh().await;
                drop(turn);
            });
            fetched.await.map_err(Error::internal)?;
        }
        let held = inner.held();
        let found = held.find(kid, algorithm, inner.clock.now());
        if held.fetched_at < now {
            // Of somebody else, who had begun before this one came.
            return held.answer_unless_newer(found, kid, algorithm, issued_at);
        }
        held.answer(found)
    }
}

impl Held {
    /// The same for those whose key may be newer than these: they come again.
    fn answer_unless_newer(
        &self,
        found: Option<DecodingKey>,
        kid: Option<&str>,
        algorithm: Algorithm,
        issued_at: impl FnOnce() -> Option<Timestamp>,
    ) -> Result<DecodingKey> {
        if found.is_none() && !self.failed && self.may_be_newer(kid, algorithm, issued_at()) {
            return Err(unavailable("a key that is newer than what was fetched"));
        }
        self.answer(found)
    }

    fn answer(&self, found: Option<DecodingKey>) -> Result<DecodingKey> {
        match found {
            Some(key) => Ok(key),
            None if self.failed => Err(unavailable("the issuer's keys could not be fetched")),
            None => Err(Error::Unauthenticated),
        }
    }
}

fn unavailable(why: &'static str) -> Error {
    Error::Unavailable {
        what: "the token issuer",
        source: anyhow::anyhow!(why),
    }
}

impl Inner {
    async fn refresh(&self) {
        let began = self.clock.now();
        let fetched = self.keys().await;
        let now = self.clock.now();
        match fetched {
            Ok((keys, max_age)) => {
                let fresh = max_age
                    .unwrap_or(DEFAULT_FRESH_SECONDS)
                    .clamp(*FRESH_SECONDS.start(), *FRESH_SECONDS.end());
                self.hold(Held {
                    keys: keys.into(),
                    fresh_until: now.plus_seconds(fresh),
                    stale_until: now.plus_seconds(fresh.saturating_add(STALE_SECONDS)),
                    fetched_at: began,
                    next_fetch: now.plus_seconds(PAUSE_SECONDS),
                    failed: false,
                });
            }
            Err(error) => {
                tracing::warn!("the keys of the token issuer cannot be had: {error:#}");
                self.hold(Held {
                    next_fetch: now.plus_seconds(FAILED_PAUSE_SECONDS),
                    failed: true,
                    ..self.held()
                });
            }
        }
    }

    async fn keys(&self) -> anyhow::Result<(Vec<PublicKey>, Option<i64>)> {
        let fetched = self.fetch.keys(&self.issuer).await?;
        let keys = jwk::parse(&fetched.body)?;
        anyhow::ensure!(!keys.is_empty(), "the set has no key that we can use");
        Ok((keys, fetched.max_age))
    }

    fn held(&self) -> Held {
        // Nothing in it could be half written.
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }

    fn hold(&self, held: Held) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }
}
