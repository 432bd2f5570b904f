//! Keeps calls under the account's quotas, and counts them.
//!
//! Rekognition's quotas are transactions a second, per operation and region. A bucket per operation
//! spreads the calls evenly, so that the queue and not the service's throttling sets the speed.
//! Quotas are per account: with several workers give each its share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The operations that we call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// DetectFaces.
    DetectFaces,
    /// DetectLabels.
    DetectLabels,
    /// CompareFaces.
    CompareFaces,
    /// CreateCollection.
    CreateCollection,
    /// DeleteCollection.
    DeleteCollection,
    /// IndexFaces.
    IndexFaces,
    /// SearchFaces.
    SearchFaces,
    /// ListFaces.
    ListFaces,
    /// DeleteFaces.
    DeleteFaces,
}

impl Operation {
    /// Every operation, in the order of [`Calls`].
    pub const ALL: [Self; 9] = [
        Self::DetectFaces,
        Self::DetectLabels,
        Self::CompareFaces,
        Self::CreateCollection,
        Self::DeleteCollection,
        Self::IndexFaces,
        Self::SearchFaces,
        Self::ListFaces,
        Self::DeleteFaces,
    ];

    /// AWS's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DetectFaces => "DetectFaces",
            Self::DetectLabels => "DetectLabels",
            Self::CompareFaces => "CompareFaces",
            Self::CreateCollection => "CreateCollection",
            Self::DeleteCollection => "DeleteCollection",
            Self::IndexFaces => "IndexFaces",
            Self::SearchFaces => "SearchFaces",
            Self::ListFaces => "ListFaces",
            Self::DeleteFaces => "DeleteFaces",
        }
    }
}

/// Calls made since the start, per operation; the SDK's own retries are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls([u64; Operation::ALL.len()]);

impl Calls {
    /// Calls of one operation.
    #[must_use]
    pub fn of(&self, operation: Operation) -> u64 {
        self.0[operation as usize]
    }

    /// Calls of all operations.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// One bucket and one counter per operation.
#[derive(Debug)]
pub struct Pace {
    buckets: [Bucket; Operation::ALL.len()],
    calls: [AtomicU64; Operation::ALL.len()],
}

impl Pace {
    /// `faces_per_second` for DetectFaces and for CompareFaces, `labels_per_second` for
    /// DetectLabels, IndexFaces and SearchFaces; the rest may be called 5 times a second, which is
    /// AWS's default in every region ("Amazon Rekognition endpoints and quotas").
    #[must_use]
    pub fn new(faces_per_second: f64, labels_per_second: f64) -> Self {
        Self {
            buckets: Operation::ALL.map(|operation| {
                Bucket::new(match operation {
                    Operation::DetectFaces | Operation::CompareFaces => faces_per_second,
                    Operation::DetectLabels | Operation::IndexFaces | Operation::SearchFaces => {
                        labels_per_second
                    }
                    _ => 5.0,
                })
            }),
            calls: Default::default(),
        }
    }

    /// Waits for the operation's turn (first come, first served) and counts the call.
    pub async fn wait(&self, operation: Operation) {
        let at = self.buckets[operation as usize].reserve(Instant::now());
        tokio::time::sleep_until(at).await;
        self.calls[operation as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Calls so far.
    #[must_use]
    pub fn calls(&self) -> Calls {
        Calls(std::array::from_fn(|i| {
            self.calls[i].load(Ordering::Relaxed)
        }))
    }
}

/// A token bucket, kept as the time of the next free call.
#[derive(Debug)]
struct Bucket {
    interval: Duration,
    /// How far calls that were not made may be caught up: a quarter of a second's worth, so that
    /// a burst after a pause stays within the quota of any second.
    burst: Duration,
    next: Mutex<Option<Instant>>,
}

impl Bucket {
    fn new(per_second: f64) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / per_second.max(0.001))
            .unwrap_or(Duration::from_secs(1_000));
        Self {
            interval,
            burst: Duration::from_millis(250).saturating_sub(interval),
            next: Mutex::new(None),
        }
    }

    fn reserve(&self, now: Instant) -> Instant {
        let earliest = now.checked_sub(self.burst).unwrap_or(now);
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = next.map_or(now, |next| next.max(earliest));
        *next = Some(at + self.interval);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of `calls` calls made at `now` may go, in milliseconds after `now`.
    fn turns(bucket: &Bucket, now: Instant, calls: usize) -> Vec<u128> {
        (0..calls)
            .map(|_| {
                let at = bucket.reserve(now);
                at.saturating_duration_since(now).as_millis()
            })
            .collect()
    }

    #[test]
    fn calls_are_spread_evenly_in_turn() {
        let bucket = Bucket::new(20.0);
        let now = Instant::now();
        assert_eq!(turns(&bucket, now, 4), [0, 50, 100, 150]);
        // Who comes later waits behind those.
        let later = now + Duration::from_millis(120);
        assert_eq!(turns(&bucket, later, 2), [80, 130]);
    }

    #[test]
    fn a_pause_is_caught_up_by_a_quarter_second_only() {
        let bucket = Bucket::new(20.0);
        let now = Instant::now();
        turns(&bucket, now, 1);
        let later = now + Duration::from_secs(60);
        assert_eq!(turns(&bucket, later, 7), [0, 0, 0, 0, 0, 50, 100]);
    }

    #[test]
    fn a_slow_quota_has_no_burst() {
        let bucket = Bucket::new(0.5);
        let now = Instant::now();
        turns(&bucket, now, 1);
        let later = now + Duration::from_secs(60);
        assert_eq!(turns(&bucket, later, 3), [0, 2_000, 4_000]);
    }

    #[tokio::test]
    async fn operations_have_their_own_rate_and_count() {
        let pace = Pace::new(1_000.0, 2_000.0);
        pace.wait(Operation::DetectFaces).await;
        pace.wait(Operation::DetectFaces).await;
        pace.wait(Operation::SearchFaces).await;
        assert_eq!(pace.calls().of(Operation::DetectFaces), 2);
        assert_eq!(pace.calls().of(Operation::SearchFaces), 1);
        assert_eq!(pace.calls().total(), 3);
        let micros = |operation: Operation| pace.buckets[operation as usize].interval.as_micros();
        assert_eq!(micros(Operation::CompareFaces), 1_000);
        assert_eq!(micros(Operation::IndexFaces), 500);
        assert_eq!(micros(Operation::DeleteFaces), 200_000);
    }
}
