//! Who hashes a password next.
//!
//! A hash takes a core for tens of milliseconds, so there are as many at a time as there are cores,
//! and everybody else waits. In one line they would wait behind whoever sends the most, and a flood of
//! sign-ins, of one's own accounts with their right passwords if need be, would keep everybody out. So
//! there are lines before the line: one of each account (as its failures are counted, by network or
//! device), then one of each network. Who stands alone in theirs waits behind one of each other
//! network at most.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limiter::{Key, Network};
use crate::error::{Error, Result};

/// The line of one account from one network, or of one device.
const OF_ACCOUNT: usize = 1;
/// Lines kept before those are dropped in which nobody stands.
const SWEEP_AT: usize = 1_000;

#[derive(Clone, PartialEq, Eq, Hash)]
enum Line {
    Account(Key),
    /// None: whose address is not known.
    Network(Option<Network>),
}

/// Gives out turns.
pub struct Turns {
    cores: Arc<Semaphore>,
    /// Turns of one network at a time: a core is left to the others, where there are several.
    of_network: usize,
    lines: Mutex<HashMap<Line, Weak<Semaphore>>>,
}

/// The right to hash on one core, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    /// In this order: the core is free before the next of the line asks for it.
    _core: OwnedSemaphorePermit,
    _lines: Vec<OwnedSemaphorePermit>,
}

impl std::fmt::Debug for Turns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turns").finish_non_exhaustive()
    }
}

impl Turns {
    /// For so many at a time.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        Self {
            cores: Arc::new(Semaphore::new(cores)),
            of_network: cores.saturating_sub(1).max(1),
            lines: Mutex::default(),
        }
    }

    /// Waits for a turn, for an attempt that counts by `keys` and comes from `address`.
    ///
    /// # Errors
    /// `Internal`.
    pub async fn take(&self, keys: &[Key], address: Option<IpAddr>) -> Result<Turn> {
        let account = keys
            .iter()
            .rfind(|key| matches!(key, Key::AccountFrom(..) | Key::Device(_)));
        let network = Line::Network(address.map(Network::widest));
        let mut lines = Vec::with_capacity(2);
        if let Some(account) = account {
            let line = self.line(Line::Account(account.clone()), OF_ACCOUNT);
            lines.push(permit(line).await?);
        }
        lines.push(permit(self.line(network, self.of_network)).await?);
        Ok(Turn {
            _core: permit(Arc::clone(&self.cores)).await?,
            _lines: lines,
        })
    }

    fn line(&self, line: Line, places: usize) -> Arc<Semaphore> {
        // A map of lines holds no invariant that a panic elsewhere could break.
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lines.get(&line).and_then(Weak::upgrade) {
            return known;
        }
        if lines.len() >= SWEEP_AT {
            lines.retain(|_, line| line.strong_count() > 0);
        }
        let new = Arc::new(Semaphore::new(places));
        lines.insert(line, Arc::downgrade(&new));
        new
    }
}

async fn permit(line: Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
    line.acquire_owned().await.map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::future::BoxFuture;

    use super::*;

    fn from(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    /// Those who wait, in the order in which they came.
    struct Waiting<'a> {
        turns: &'a Turns,
        those: Vec<(&'static str, BoxFuture<'a, Result<Turn>>)>,
    }

    impl Waiting<'_> {
        fn join(&mut self, name: &'static str, account: &str, last: u8) {
            let (turns, keys) = (self.turns, Key::sign_in(account, from(last)));
            let turn = async move { turns.take(&keys, from(last)).await };
            self.those.push((name, turn.boxed()));
            assert_eq!(self.served(), None, "somebody holds every core");
        }

        /// Who has a turn now; it is over when this returns.
        fn served(&mut self) -> Option<&'static str> {
            let polled = |(_, turn): &mut (_, BoxFuture<'_, _>)| turn.now_or_never().is_some();
            let place = self.those.iter_mut().position(polled)?;
            Some(self.those.remove(place).0)
        }

        fn order(&mut self) -> Vec<&'static str> {
            std::iter::from_fn(|| self.served()).collect()
        }
    }

    fn waiting(turns: &Turns) -> (Turn, Waiting<'_>) {
        let busy = turns.take(&[], from(99)).now_or_never().unwrap().unwrap();
        let those = Vec::new();
        (busy, Waiting { turns, those })
    }

    #[test]
    fn a_flood_of_one_network_is_one_place_in_the_line() {
        let turns = Turns::new(1);
        let (busy, mut waiting) = waiting(&turns);
        for account in ["a", "b", "c", "d"] {
            waiting.join("flood", account, 1);
        }
        waiting.join("guest", "g", 2);
        drop(busy);
        let order = waiting.order();
        let guest = order.iter().position(|name| *name == "guest");
        assert_eq!(guest, Some(1), "{order:?}");
        assert_eq!(order.len(), 5);
    }

    #[test]
    fn a_flood_at_one_account_is_one_place_in_its_networks_line() {
        let turns = Turns::new(1);
        let (busy, mut waiting) = waiting(&turns);
        for _ in 0..4 {
            waiting.join("flood", "a", 1);
        }
        waiting.join("guest", "g", 1);
        drop(busy);
        let order = waiting.order();
        let guest = order.iter().position(|name| *name == "guest");
        assert_eq!(guest, Some(1), "{order:?}");
        assert_eq!(order.len(), 5);
    }

    #[test]
    fn a_network_leaves_one_core_to_the_others() {
        let turns = Turns::new(3);
        let take = |account: &str, last| {
            let keys = Key::sign_in(account, from(last));
            turns.take(&keys, from(last)).now_or_never()
        };
        let held = [take("a", 1).unwrap(), take("b", 1).unwrap()];
        assert!(take("c", 1).is_none());
        let other = take("d", 2).unwrap();
        assert!(take("e", 3).is_none(), "no core is left");
        drop(other);
        drop(held);
        assert!(take("c", 1).is_some());
    }

    #[test]
    fn lines_in_which_nobody_stands_are_forgotten() {
        let turns = Turns::new(1);
        for n in 0..5 * SWEEP_AT {
            let keys = Key::sign_in(&n.to_string(), from(1));
            turns.take(&keys, from(1)).now_or_never().unwrap().unwrap();
        }
        assert!(turns.lines.lock().unwrap().len() <= SWEEP_AT);
    }
}
