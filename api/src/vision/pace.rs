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

    #[tokio::test(start_paused = true)]
    async fn calls_keep_to_the_rate_of_their_operation() {
        let pace = Pace::new(20.0, 4.0);
        let start = Instant::now();
        for _ in 0..21 {
            pace.wait(Operation::DetectFaces).await;
        }
        assert_eq!(start.elapsed().as_millis(), 1_000);
        // Another bucket is not behind because of that; 4 a second from now on.
        let start = Instant::now();
        for _ in 0..5 {
            pace.wait(Operation::DetectLabels).await;
        }
        assert_eq!(start.elapsed().as_millis(), 1_000);
        assert_eq!(pace.calls().of(Operation::DetectFaces), 21);
        assert_eq!(pace.calls().of(Operation::DetectLabels), 5);
        assert_eq!(pace.calls().total(), 26);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_caught_up_by_a_quarter_second_only() {
        let pace = Pace::new(20.0, 4.0);
        pace.wait(Operation::CompareFaces).await;
        tokio::time::advance(Duration::from_secs(60)).await;
        let start = Instant::now();
        for _ in 0..25 {
            pace.wait(Operation::CompareFaces).await;
        }
        // 0.2 s of 20 calls a second are 4 calls at once, then one each 50 ms.
        assert_eq!(start.elapsed().as_millis(), 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_calls_are_served_in_turn() {
        let pace = Pace::new(1.0, 1.0);
        let start = Instant::now();
        let waits = (0..4).map(|_| async {
            pace.wait(Operation::DetectLabels).await;
            start.elapsed().as_secs()
        });
        assert_eq!(futures::future::join_all(waits).await, [0, 1, 2, 3]);
    }
}
