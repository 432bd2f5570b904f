//! The places for connections, and who gives theirs up when all are taken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// All places of a server.
pub(super) struct Places {
    free: Arc<Semaphore>,
    connections: Mutex<Connections>,
    /// Told when a connection begins to wait for a request.
    idle: Notify,
}

/// Those that HTTP is spoken on; sockets hold a place and are not among them.
#[derive(Default)]
struct Connections {
    /// Numbers connections, and the times at which they began to wait.
    serial: u64,
    open: HashMap<u64, Connection>,
}

struct Connection {
    /// Since when it waits for a request; none: a request runs.
    waits_since: Option<u64>,
    cut: CancellationToken,
}

impl Places {
    pub(super) fn new(count: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(count)),
            connections: Mutex::default(),
            idle: Notify::new(),
        }
    }

    /// A place for one more connection. Where all are taken the one that has waited longest for a
    /// request is cut; requests that run are not: the newcomer waits.
    pub(super) async fn take(&self) -> OwnedSemaphorePermit {
        loop {
            let idle = self.idle.notified();
            if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
                return place;
            }
            let cut = self.lock().cut_the_idlest();
            let free = Arc::clone(&self.free).acquire_owned();
            tokio::select! {
                // Nobody closes the semaphore.
                Ok(place) = free => return place,
                () = idle, if !cut => {}
            }
        }
    }

    /// A connection that waits for its first request. `cut` is cancelled when it must make room.
    pub(super) fn opened(&self, cut: CancellationToken) -> u64 {
        let id = self.lock().opened(cut);
        self.idle.notify_one();
        id
    }

    /// A request runs on it.
    pub(super) fn busy(&self, id: u64) {
        if let Some(connection) = self.lock().open.get_mut(&id) {
            connection.waits_since = None;
        }
    }

    /// It waits for its next request.
    pub(super) fn idle(&self, id: u64) {
        self.lock().idle(id);
        self.idle.notify_one();
    }

    /// No HTTP is spoken on it any more.
    pub(super) fn closed(&self, id: u64) {
        self.lock().open.remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn opened(&mut self, cut: CancellationToken) -> u64 {
        let id = self.next();
        let waits_since = Some(id);
        self.open.insert(id, Connection { waits_since, cut });
        id
    }

    fn idle(&mut self, id: u64) {
        let now = self.next();
        if let Some(connection) = self.open.get_mut(&id) {
            connection.waits_since = Some(now);
        }
    }

    /// Whether there was one to cut.
    fn cut_the_idlest(&mut self) -> bool {
        let waiting = self.open.iter().filter_map(|(id, connection)| {
            let since = connection.waits_since?;
            Some((since, *id))
        });
        let Some((_, id)) = waiting.min() else {
            return false;
        };
        if let Some(connection) = self.open.remove(&id) {
            connection.cut.cancel();
        }
        true
    }
}
