//! Lines in which those wait who may have few places at a time, each by what they count as.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Result};

/// Lines kept before those are dropped in which nobody stands.
const SWEEP_AT: usize = 1_000;

/// A place at the head of a line, until it is dropped.
pub type Place = OwnedSemaphorePermit;

/// One line for each `K`. In each it is first come, first served.
pub struct Lines<K> {
    places: usize,
    known: Mutex<HashMap<K, Weak<Semaphore>>>,
}

impl<K> std::fmt::Debug for Lines<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lines(of {} places)", self.places)
    }
}

impl<K: Eq + Hash> Lines<K> {
    /// Lines whose first `places` are served.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self {
            places,
            known: Mutex::default(),
        }
    }

    /// Waits in the line of `key`. Who is dropped meanwhile leaves it.
    ///
    /// # Errors
    /// `Internal`.
    pub async fn stand(&self, key: K) -> Result<Place> {
        next(&self.line(key)).await
    }

    /// A place in the line of `key`, if nobody has to wait for one.
    pub fn try_stand(&self, key: K) -> Option<Place> {
        self.line(key).try_acquire_owned().ok()
    }

    fn line(&self, key: K) -> Arc<Semaphore> {
        // A map of lines holds no invariant that a panic elsewhere could break.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = known.get(&key).and_then(Weak::upgrade) {
            return line;
        }
        if known.len() >= SWEEP_AT {
            known.retain(|_, line| line.strong_count() > 0);
        }
        let line = Arc::new(Semaphore::new(self.places));
        known.insert(key, Arc::downgrade(&line));
        line
    }
}

/// Waits in a line that stands by itself.
///
/// # Errors
/// `Internal`.
pub async fn next(line: &Arc<Semaphore>) -> Result<Place> {
    let place = Arc::clone(line).acquire_owned().await;
    place.map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn each_has_a_line_of_their_own() {
        let lines = Lines::new(2);
        let stand = |key: &'static str| lines.stand(key).now_or_never();
        let held = [stand("a"), stand("a")];
        assert!(held.iter().all(Option::is_some));
        assert!(stand("a").is_none());
        assert!(stand("b").is_some());
        drop(held);
        assert!(stand("a").is_some());
    }

    #[test]
    fn lines_in_which_nobody_stands_are_forgotten() {
        let lines = Lines::new(1);
        let held = lines.stand(0).now_or_never().unwrap().unwrap();
        for key in 1..5 * SWEEP_AT {
            drop(lines.stand(key).now_or_never().unwrap().unwrap());
        }
        assert!(lines.known.lock().unwrap().len() <= SWEEP_AT);
        assert!(lines.stand(0).now_or_never().is_none(), "somebody does");
        drop(held);
    }
}
