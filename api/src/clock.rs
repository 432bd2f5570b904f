//! Time, ids and randomness: the one place that asks the system for them.
//!
//! Everything else gets a [`Clock`], so that a test can hold time still and move it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use entity::Timestamp;
use rand::RngExt;
use uuid::{ContextV7, Timestamp as UuidTimestamp, Uuid};

/// Tells the time and makes ids. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clock({})", self.now().0)
    }
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at the system's present time until it is moved.
    #[must_use]
    pub fn manual() -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(system_now().0))))
    }

    /// Now, in microseconds.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => system_now(),
            Source::Manual(micros) => Timestamp(micros.load(Ordering::SeqCst)),
        }
    }

    /// Moves a [manual](Clock::manual) clock; the system's does not move. Seconds may be negative.
    pub fn advance(&self, seconds: i64) {
        if let Source::Manual(micros) = &self.0 {
            micros.fetch_add(seconds.saturating_mul(1_000_000), Ordering::SeqCst);
        }
    }

    /// A UUIDv7 of this clock's time: later ids sort after earlier ones.
    #[must_use]
    pub fn new_id<T: From<Uuid>>(&self) -> T {
        static ORDER: std::sync::LazyLock<std::sync::Mutex<ContextV7>> =
            std::sync::LazyLock::new(|| std::sync::Mutex::new(ContextV7::new()));
        let now = self.now();
        let seconds = u64::try_from(now.0.div_euclid(1_000_000)).unwrap_or_default();
        let nanos = u32::try_from(now.0.rem_euclid(1_000_000)).unwrap_or_default() * 1_000;
        Uuid::new_v7(UuidTimestamp::from_unix(&*ORDER, seconds, nanos)).into()
    }

    /// A random id for what must not be guessed or ordered, such as a lease.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place for it")]
    pub fn new_token(&self) -> Uuid {
        Uuid::new_v4()
    }

    /// `N` bytes from the system's secure random source.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place for it")]
    pub fn random_bytes<const N: usize>(&self) -> [u8; N] {
        rand::rng().random()
    }

    /// A number from 0 (included) to 1 (excluded), for jitter.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place for it")]
    pub fn random_share(&self) -> f64 {
        rand::rng().random()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place for it")]
fn system_now() -> Timestamp {
    chrono::Utc::now().into()
}
