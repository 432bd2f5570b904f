//! Connections that stay open, sockets and event streams: how many there are, and their end when
//! the process stops.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Open connections of one process at most. An idle one holds some 20 kB.
const MAX_CONNECTIONS: usize = 10_000;

/// The open connections of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LiveConnections {
    places: Arc<Semaphore>,
    open: TaskTracker,
    stop: CancellationToken,
}

impl LiveConnections {
    /// As many as may stay open where there are so many connections at all: a quarter is left to
    /// those that come and go.
    #[must_use]
    pub fn among(connections: usize) -> Self {
        Self::with_places((connections - connections / 4).min(MAX_CONNECTIONS))
    }

    fn with_places(places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            open: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// A place for one more; none when all are taken, or when the process is about to stop.
    pub(super) fn enter(&self) -> Option<Place> {
        if self.stop.is_cancelled() {
            return None;
        }
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Place {
            stop: self.stop.clone(),
            _permit: permit,
            _open: self.open.token(),
        })
    }

    /// How many are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open.len()
    }

    /// Asks every connection to end, and waits until they have.
    pub async fn close(&self) {
        self.stop.cancel();
        self.open.close();
        self.open.wait().await;
    }
}

/// The place of one connection, for as long as it is open.
#[derive(Debug)]
pub(super) struct Place {
    stop: CancellationToken,
    _permit: OwnedSemaphorePermit,
    _open: TaskTrackerToken,
}

impl Place {
    /// Returns once the process is about to stop.
    pub(super) async fn stopping(&self) {
        self.stop.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_run_out_and_come_back() {
        let live = LiveConnections::with_places(2);
        let first = live.enter().unwrap();
        let second = live.enter().unwrap();
        assert!(live.enter().is_none());
        assert_eq!(live.count(), 2);
        drop(first);
        assert!(live.enter().is_some());
        let closed = tokio::spawn({
            let live = live.clone();
            async move { live.close().await }
        });
        second.stopping().await;
        assert!(live.enter().is_none(), "nobody comes in any more");
        assert!(!closed.is_finished());
        drop(second);
        closed.await.unwrap();
    }
}
