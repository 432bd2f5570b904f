//! Time, ids and randomness: the one place that asks the system for them.
//!
//! Everything else gets a [`Clock`], so that a test can hold time still and move it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use entity::Timestamp;
use rand::RngExt;
use tokio::sync::watch;
use uuid::{ContextV7, Timestamp as UuidTimestamp, Uuid};

/// Tells the time and makes ids. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    /// The system's, so many microseconds ahead.
    System(Arc<AtomicI64>),
    Manual(Arc<watch::Sender<i64>>),
}

/// Longest sleep before the system's clock is looked at again: it may have been set meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clock({})", self.now().0)
    }
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System(Arc::default()))
    }

    /// A clock that stands at the system's present time until it is moved.
    #[must_use]
    pub fn manual() -> Self {
        Self(Source::Manual(Arc::new(watch::Sender::new(system_now().0))))
    }

    /// Now, in microseconds.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System(ahead) => {
                Timestamp(system_now().0.saturating_add(ahead.load(Ordering::SeqCst)))
            }
            Source::Manual(micros) => Timestamp(*micros.borrow()),
        }
    }

    /// Moves a [manual](Clock::manual) clock; the system's does not move. Seconds may be negative.
    pub fn advance(&self, seconds: i64) {
        if let Source::Manual(micros) = &self.0 {
            let by = seconds.saturating_mul(1_000_000);
            micros.send_modify(|micros| *micros = micros.saturating_add(by));
        }
    }

    /// Whether it only moves when it is moved.
    #[must_use]
    pub fn is_manual(&self) -> bool {
        matches!(self.0, Source::Manual(_))
    }

    /// A system's clock so many microseconds ahead of this one. A manual clock stays itself: it goes
    /// where its test wants it.
    #[must_use]
    pub fn ahead(&self, micros: i64) -> Self {
        match &self.0 {
            Source::System(ahead) => {
                let ahead = ahead.load(Ordering::SeqCst).saturating_add(micros);
                Self(Source::System(Arc::new(AtomicI64::new(ahead))))
            }
            Source::Manual(_) => self.clone(),
        }
    }

    /// Sets a system's clock, and all its clones, ahead by so many microseconds.
    pub fn set_ahead(&self, micros: i64) {
        if let Source::System(ahead) = &self.0 {
            ahead.fetch_add(micros, Ordering::SeqCst);
        }
    }

    /// Waits until it is `moment`. A [manual](Clock::manual) clock gets there when it is moved.
    pub async fn reach(&self, moment: Timestamp) {
        match &self.0 {
            Source::System(_) => loop {
                let left = moment.0.saturating_sub(self.now().0);
                let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) else {
                    return;
                };
                tokio::time::sleep(Duration::from_micros(left).min(LOOK_AGAIN)).await;
            },
            Source::Manual(micros) => {
                // Fails only when the sender is gone, which this clock is.
                let _ = micros.subscribe().wait_for(|now| *now >= moment.0).await;
            }
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
