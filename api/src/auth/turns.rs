//! Who hashes a password next.
//!
//! A hash takes a core for tens of milliseconds, so there are as many at a time as there are cores,
//! and everybody else waits. In one line they would wait behind whoever sends the most, and a flood of
//! sign-ins, of one's own accounts with their right passwords if need be, would keep everybody out. So
//! there are lines before the line: one of each account (as its failures are counted, by network or
//! device), then one of each network. Who stands alone in theirs waits behind few of each other
//! network. Networks can be had by the hundred, too; so devices that signed in before do not
//! wait behind all others, but behind those who have a turn.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::limiter::{Key, Network};
use crate::error::Result;
use crate::lines::{Lines, Place, next};

/// Gives out turns.
#[derive(Debug)]
pub struct Turns {
    cores: Arc<Semaphore>,
    /// Turns of those who are not known: a core is left to known devices, where there are several.
    strangers: Arc<Semaphore>,
    accounts: Lines<Key>,
    /// Of strangers (false) and of known devices (true) apart. None: whose address is not known. A core is
    /// left to the others, where there are several.
    networks: Lines<(bool, Option<Network>)>,
}

/// The right to hash on one core, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    /// In this order: the core is free before the next of the line asks for it.
    _core: Place,
    _stranger: Option<Place>,
    _network: Place,
    _account: Option<Place>,
}

impl Turns {
    /// For so many at a time.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        let most = cores.saturating_sub(1).max(1);
        Self {
            cores: Arc::new(Semaphore::new(cores)),
            strangers: Arc::new(Semaphore::new(most)),
            accounts: Lines::new(1),
            networks: Lines::new(most),
        }
    }

    /// Waits for a turn, for an attempt that counts by `keys` and comes from `address`.
    ///
    /// # Errors
    /// `Internal`.
    pub async fn take(&self, keys: &[Key], address: Option<IpAddr>) -> Result<Turn> {
        let is_account = |key: &&Key| matches!(key, Key::AccountFrom(..) | Key::Device(_));
        let account = match keys.iter().rfind(is_account) {
            Some(key) => Some(self.accounts.stand(key.clone()).await?),
            None => None,
        };
        let is_known = keys.iter().any(|key| matches!(key, Key::Device(_)));
        let network = (is_known, address.map(Network::widest));
        let network = self.networks.stand(network).await?;
        let stranger = match is_known {
            true => None,
            false => Some(next(&self.strangers).await?),
        };
        Ok(Turn {
            _core: next(&self.cores).await?,
            _stranger: stranger,
            _network: network,
            _account: account,
        })
    }
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
            self.join_with(name, Key::sign_in(account, from(last)), last);
        }

        fn join_with(&mut self, name: &'static str, keys: Vec<Key>, last: u8) {
            let turns = self.turns;
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

        /// How many have their turn before somebody, and how many there are.
        fn place_of(&mut self, name: &str) -> (Option<usize>, usize) {
            let order: Vec<_> = std::iter::from_fn(|| self.served()).collect();
            let place = order.iter().position(|served| *served == name);
            (place, order.len())
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
        assert_eq!(waiting.place_of("guest"), (Some(1), 5));
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
        assert_eq!(waiting.place_of("guest"), (Some(1), 5));
    }

    #[test]
    fn a_known_device_does_not_wait_behind_all_the_others() {
        let turns = Turns::new(1);
        let (busy, mut waiting) = waiting(&turns);
        for (n, account) in ["a", "b", "c", "d"].into_iter().enumerate() {
            waiting.join("stranger", account, u8::try_from(n).unwrap());
        }
        let device = Key::Device(uuid::Uuid::from_u128(1));
        // From a network in which others wait, too.
        waiting.join_with("device", vec![device], 3);
        drop(busy);
        let (device, all) = waiting.place_of("device");
        assert!(device <= Some(1) && all == 5, "{device:?} of {all}");
    }

    #[test]
    fn strangers_leave_one_core_to_known_devices() {
        let turns = Turns::new(3);
        let take = |keys: Vec<Key>, last| turns.take(&keys, from(last)).now_or_never();
        let stranger = |account: &str, last| take(Key::sign_in(account, from(last)), last);
        let held = [stranger("a", 1).unwrap(), stranger("b", 2).unwrap()];
        assert!(stranger("c", 3).is_none());
        let device = |id| take(vec![Key::Device(uuid::Uuid::from_u128(id))], 4);
        let known = device(1).unwrap();
        assert!(device(2).is_none(), "no core is left");
        drop(known);
        drop(held);
        assert!(stranger("c", 3).is_some());
    }
}
