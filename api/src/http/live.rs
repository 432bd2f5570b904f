//! Connections that stay open, sockets and event streams: how many there are, and their end when
//! the process stops.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::auth::limiter::Network;
use crate::lines::{self, Lines};

/// Open connections of one process at most. An idle one holds some 20 kB.
const MAX_CONNECTIONS: usize = 10_000;

/// What part of the places one network may have: whoever opens them all would keep everybody else out.
const OF_NETWORK: usize = 4;

/// The open connections of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LiveConnections {
    places: Arc<Semaphore>,
    networks: Arc<Lines<Option<Network>>>,
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
            networks: Arc::new(Lines::new((places / OF_NETWORK).max(1))),
            open: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// A place for one more; none when all are taken, or all that its network may have, or when the
    /// process is about to stop.
    pub(super) fn enter(&self, address: Option<IpAddr>) -> Option<Place> {
        if self.stop.is_cancelled() {
            return None;
        }
        let network = self.networks.try_stand(address.map(Network::widest))?;
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Place {
            stop: self.stop.clone(),
            _permit: permit,
            _network: network,
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
    _network: lines::Place,
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
        let live = LiveConnections::with_places(4);
        let from = |last| Some(IpAddr::from([192, 0, 2, last]));
        let first = live.enter(from(1)).unwrap();
        assert!(live.enter(from(1)).is_none(), "its network has its part");
        let second = live.enter(from(2)).unwrap();
        let more = [live.enter(from(3)).unwrap(), live.enter(None).unwrap()];
        assert!(live.enter(from(4)).is_none());
        assert_eq!(live.count(), 4);
        drop(first);
        drop(live.enter(from(4)).unwrap());
        drop(more);
        let closed = tokio::spawn({
            let live = live.clone();
            async move { live.close().await }
        });
        second.stopping().await;
        assert!(live.enter(from(5)).is_none(), "nobody comes in any more");
        assert!(!closed.is_finished());
        drop(second);
        closed.await.unwrap();
    }
}
