//! The one place that reads the time and draws randomness.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use uuid::Uuid;

/// The time now. The local servers live in real time: `s3s` checks signatures against the
/// system clock, so a movable clock here would only disagree with it.
#[must_use]
pub fn now() -> SystemTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "this module is the one place that reads the system clock"
    )]
    SystemTime::now()
}

/// [`now`] as a calendar time.
#[must_use]
pub fn now_utc() -> DateTime<Utc> {
    DateTime::from(now())
}

/// [`now`] in milliseconds since 1970.
#[must_use]
pub fn now_millis() -> i64 {
    let elapsed = now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// A random id that no other file or request has.
#[must_use]
pub fn new_id() -> Uuid {
    #[expect(
        clippy::disallowed_methods,
        reason = "this module is the one place that draws randomness"
    )]
    Uuid::new_v4()
}

/// An id in the shape of an AWS access key: `prefix` and sixteen characters of base 32.
pub(crate) fn access_key_id(prefix: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut id = String::from(prefix);
    for byte in random_bytes::<16>() {
        id.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    id
}

/// A secret in the shape of an AWS secret access key: forty characters.
pub(crate) fn secret_access_key() -> String {
    STANDARD.encode(random_bytes::<30>())
}

/// An opaque token that goes with temporary credentials.
pub(crate) fn session_token() -> String {
    STANDARD.encode(random_bytes::<96>())
}

/// A generator for fault probabilities, reproducible when `seed` is given.
pub(crate) fn generator(seed: Option<u64>) -> StdRng {
    seed.map_or_else(|| StdRng::from_seed(random_bytes()), StdRng::seed_from_u64)
}

/// True with the given probability (0..=1).
pub(crate) fn happens(rng: &mut StdRng, probability: f64) -> bool {
    probability > 0.0 && rng.random::<f64>() < probability
}

fn random_bytes<const N: usize>() -> [u8; N] {
    #[expect(
        clippy::disallowed_methods,
        reason = "this module is the one place that draws randomness"
    )]
    let mut rng = rand::rng();
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}
