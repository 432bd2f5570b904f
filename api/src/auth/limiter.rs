//! Counts failed sign-ins, and registrations, so that nobody guesses passwords or addresses.
//!
//! Failures at an account are counted by the network that they come from: whoever guesses locks
//! themselves out, and not the owner. Where many networks guess at one account together, each of them
//! is left one attempt: the owner with the right password still comes in from any network that has
//! not failed.
//!
//! Owner and guesser may share a network: the guests of an event have one address. So a device that
//! signed in before is counted for itself, by the token it was given then ([`Key::Device`], the "device
//! cookies" of OWASP), and what others fail at the account or from the network does not concern it.
//!
//! Failures are forgotten one by one, at an even pace, so that a burst of somebody else's shuts a
//! network for seconds, not until the end of a long window.
//!
//! It sits in the service and not in front of HTTP, because aliases multiply inside one request.
//! Each process counts for itself: behind `n` replicas the limits are `n` times as wide.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use entity::{Timestamp, UserId};
use uuid::Uuid;

/// So many attempts in so many seconds, failures where not said otherwise. They may come at once, and
/// are forgotten one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Attempts.
    pub attempts: u32,
    /// Seconds in which all of them are forgotten.
    pub seconds: i64,
}

/// Of one account from one network, or from one device.
pub const ACCOUNT: Limit = Limit {
    attempts: 5,
    seconds: 60 * 60,
};
/// Of one account from all networks: above it, each network may have [`FEW_FAILURES`].
pub const MANY: Limit = Limit {
    attempts: 50,
    seconds: 15 * 60,
};
/// See [`MANY`].
pub const FEW_FAILURES: u32 = 1;
/// From one network: wider, as the guests of an event share one.
pub const NETWORK: Limit = Limit {
    attempts: 50,
    seconds: 15 * 60,
};
/// Sign-ins and changes of the password that succeed at one account: each costs password hashes,
/// which others wait for. Exchanges of refresh tokens, too, apart from them.
pub const SIGN_INS: Limit = Limit {
    attempts: 60,
    seconds: 60,
};
/// Members that one user names by their e-mail address: the answer tells who has an account.
pub const MEMBERS: Limit = Limit {
    attempts: 100,
    seconds: 60 * 60,
};
/// How much wider the limits at one account are for a whole IPv6 site: one subscriber may have it
/// (RFC 6177), or many of a mobile carrier's.
const SITE_ACCOUNT: u32 = 2;
/// How much wider those of a network are, failures and registrations.
const SITE_NETWORK: u32 = 10;
/// Entries kept; beyond them those that are forgotten first go first.
const CAPACITY: usize = 50_000;

impl Limit {
    fn times(self, factor: u32) -> Self {
        let attempts = self.attempts.saturating_mul(factor);
        Self { attempts, ..self }
    }

    /// Microseconds in which this many are forgotten.
    fn micros(self, attempts: u32) -> i64 {
        self.seconds * MICROS * i64::from(attempts) / i64::from(self.attempts.max(1))
    }
}

const MICROS: i64 = 1_000_000;

/// What stands for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// An IPv4 address, or an IPv6 /64: a host owns that and could change within it at will.
    Host(IpAddr),
    /// An IPv6 /48: whoever is given one has 65,536 of the above.
    Site(Ipv6Addr),
}

impl Network {
    /// The narrowest.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        Self::Host(match address.to_canonical() {
            IpAddr::V6(v6) => prefix(v6, 64).into(),
            v4 @ IpAddr::V4(_) => v4,
        })
    }

    fn of(address: IpAddr) -> Vec<Self> {
        let (host, widest) = (Self::host(address), Self::widest(address));
        if host == widest {
            vec![host]
        } else {
            vec![host, widest]
        }
    }

    /// The site where there is one, or else the host.
    #[must_use]
    pub fn widest(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => Self::Site(prefix(v6, 48)),
            IpAddr::V4(_) => Self::host(address),
        }
    }
}

fn prefix(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - bits)))
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// Failures at one account, known or not, by its e-mail key. It never refuses by itself.
    Account(String),
    /// Failures at one account from one network; none: whose address is not known.
    AccountFrom(String, Option<Network>),
    /// Failures from one network.
    Network(Network),
    /// Failures of one device at the account that it has signed in to before.
    Device(Uuid),
    /// Sign-ins at one account, by its e-mail key, and changes of its password that succeeded.
    SignIns(String),
    /// Exchanges of refresh tokens by a user: each writes a row.
    Refreshes(UserId),
    /// Members that a user names.
    Members(UserId),
    /// Registrations from one network.
    Registrations(Network),
}

impl Key {
    /// What a sign-in counts by.
    #[must_use]
    pub fn sign_in(account: &str, address: Option<IpAddr>) -> Vec<Self> {
        let mut keys = Self::account(account, address);
        let networks = address.into_iter().flat_map(Network::of);
        keys.extend(networks.map(Self::Network));
        keys
    }

    /// What a change of the password counts by. What was failed at signing in does not keep the owner
    /// from it: without a token of theirs nobody comes here.
    #[must_use]
    pub fn password_change(user: UserId, address: Option<IpAddr>) -> Vec<Self> {
        // No e-mail address is an id.
        Self::account(&user.to_string(), address)
    }

    /// What a registration counts by.
    #[must_use]
    pub fn registrations(address: IpAddr) -> Vec<Self> {
        let networks = Network::of(address).into_iter();
        networks.map(Self::Registrations).collect()
    }

    fn account(account: &str, address: Option<IpAddr>) -> Vec<Self> {
        let from = |network| Self::AccountFrom(account.to_owned(), network);
        let mut keys = vec![Self::Account(account.to_owned())];
        match address {
            None => keys.push(from(None)),
            Some(address) => keys.extend(Network::of(address).into_iter().map(Some).map(from)),
        }
        keys
    }
}

/// When which count is empty again.
type Counts = HashMap<Key, Timestamp>;

/// What happened lately.
#[derive(Debug)]
pub struct Limiter {
    counts: Mutex<Counts>,
    registrations: Limit,
}

impl Limiter {
    /// One that lets a network make so many registrations a minute.
    #[must_use]
    pub fn new(registrations: u32) -> Self {
        Self {
            counts: Mutex::default(),
            registrations: Limit {
                attempts: registrations,
                seconds: 60,
            },
        }
    }

    /// Counts an attempt as failed before it is made, so that parallel attempts cannot slip
    /// through together; [`Limiter::succeeded`] takes it back.
    ///
    /// # Errors
    /// Seconds to wait, when one of the keys has used up its limit; nothing is counted then.
    pub fn attempt(&self, keys: &[Key], now: Timestamp) -> Result<(), u64> {
        let mut counts = self.counts();
        self.room(keys, &counts, now)?;
        if counts.len() + keys.len() > CAPACITY {
            make_room(&mut counts, now);
        }
        for key in keys {
            let limit = self.limit(key);
            let empty = counts.entry(key.clone()).or_insert(now);
            // A key that never refuses has an end, too: a flood is not remembered for days.
            let next = (*empty).max(now).0 + limit.micros(1);
            *empty = Timestamp(next.min(now.0 + limit.micros(limit.attempts)));
        }
        Ok(())
    }

    /// Whether there is room for an attempt, which [`Limiter::attempt`] counts once it has succeeded.
    ///
    /// # Errors
    /// As [`Limiter::attempt`].
    pub fn check(&self, keys: &[Key], now: Timestamp) -> Result<(), u64> {
        self.room(keys, &self.counts(), now)
    }

    fn room(&self, keys: &[Key], counts: &Counts, now: Timestamp) -> Result<(), u64> {
        let waits = keys.iter().map(|key| self.wait(key, counts, now));
        match waits.max() {
            Some(micros @ 1..) => Err(micros.unsigned_abs().div_ceil(MICROS.unsigned_abs())),
            _ => Ok(()),
        }
    }

    /// Takes an attempt back that succeeded, and forgets what the network or the device failed at the
    /// account.
    pub fn succeeded(&self, keys: &[Key]) {
        let mut counts = self.counts();
        for key in keys {
            if matches!(key, Key::AccountFrom(..) | Key::Device(_)) {
                counts.remove(key);
            } else if let Some(empty) = counts.get_mut(key) {
                empty.0 -= self.limit(key).micros(1);
            }
        }
    }

    /// Microseconds until there is room for one more; zero or less where there is.
    fn wait(&self, key: &Key, counts: &Counts, now: Timestamp) -> i64 {
        let Some(empty) = counts.get(key) else {
            return 0;
        };
        let limit = self.limit(key);
        let attempts = match key {
            Key::Account(_) => return 0,
            Key::AccountFrom(account, _) if is_guessed_at(account, counts, now) => {
                limit.attempts / ACCOUNT.attempts * FEW_FAILURES
            }
            _ => limit.attempts,
        };
        empty.0 - now.0 - limit.micros(attempts.saturating_sub(1))
    }

    fn limit(&self, key: &Key) -> Limit {
        match key {
            Key::Account(_) => MANY,
            Key::AccountFrom(_, Some(Network::Site(_))) => ACCOUNT.times(SITE_ACCOUNT),
            Key::AccountFrom(..) | Key::Device(_) => ACCOUNT,
            Key::Network(Network::Site(_)) => NETWORK.times(SITE_NETWORK),
            Key::Network(Network::Host(_)) => NETWORK,
            Key::SignIns(_) | Key::Refreshes(_) => SIGN_INS,
            Key::Members(_) => MEMBERS,
            Key::Registrations(Network::Site(_)) => self.registrations.times(SITE_NETWORK),
            Key::Registrations(Network::Host(_)) => self.registrations,
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Counters hold no invariant that a panic elsewhere could break.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether so many fail at an account that it is more than its owner.
fn is_guessed_at(account: &str, counts: &Counts, now: Timestamp) -> bool {
    let all = counts.get(&Key::Account(account.to_owned()));
    all.is_some_and(|empty| empty.0 - now.0 > MANY.micros(MANY.attempts - 1))
}

fn make_room(counts: &mut Counts, now: Timestamp) {
    counts.retain(|_, empty| *empty > now);
    if counts.len() > CAPACITY / 2 {
        let mut ends: Vec<Timestamp> = counts.values().copied().collect();
        let middle = ends.len() / 2;
        let (_, median, _) = ends.select_nth_unstable(middle);
        let median = *median;
        counts.retain(|_, empty| *empty > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    fn from(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    fn v6(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn limiter() -> Limiter {
        Limiter::new(3)
    }

    /// How many of `attempts` are let through.
    fn passed(limiter: &Limiter, keys: &[Key], attempts: usize, now: Timestamp) -> usize {
        let tried = (0..attempts).map(|_| limiter.attempt(keys, now));
        tried.filter(Result::is_ok).count()
    }

    #[test]
    fn failures_are_forgotten_one_by_one() {
        let limiter = limiter();
        let (a, b) = (Key::sign_in("a", from(1)), Key::sign_in("b", from(1)));
        assert_eq!(passed(&limiter, &a, 9, NOW), 5);
        assert_eq!(limiter.attempt(&a, NOW), Err(720));
        assert_eq!(passed(&limiter, &b, 1, NOW), 1);
        assert_eq!(limiter.attempt(&a, NOW.plus_seconds(719)), Err(1));
        assert_eq!(passed(&limiter, &a, 9, NOW.plus_seconds(720)), 1);
        assert_eq!(passed(&limiter, &a, 9, NOW.plus_seconds(2 * 3600)), 5);
    }

    #[test]
    fn who_guesses_locks_themselves_out_and_not_the_owner() {
        let limiter = limiter();
        assert_eq!(passed(&limiter, &Key::sign_in("a", from(1)), 9, NOW), 5);
        assert_eq!(passed(&limiter, &Key::sign_in("a", from(2)), 1, NOW), 1);
    }

    #[test]
    fn what_others_fail_does_not_concern_a_known_device_nor_a_change_of_the_password() {
        let limiter = limiter();
        for account in 0..20 {
            passed(
                &limiter,
                &Key::sign_in(&account.to_string(), from(1)),
                9,
                NOW,
            );
        }
        let owner = UserId(Uuid::from_u128(1));
        assert!(limiter.attempt(&Key::sign_in("a", from(1)), NOW).is_err());
        assert_eq!(
            passed(&limiter, &Key::password_change(owner, from(1)), 9, NOW),
            5
        );
        let device = [Key::Device(Uuid::from_u128(2))];
        assert_eq!(
            passed(&limiter, &device, 9, NOW),
            5,
            "nobody guesses without end"
        );
        limiter.succeeded(&device);
        assert_eq!(passed(&limiter, &device, 1, NOW), 1);
    }

    #[test]
    fn a_burst_shuts_a_network_for_seconds() {
        let limiter = limiter();
        let failed: usize = (0..20)
            .map(|n| passed(&limiter, &Key::sign_in(&n.to_string(), from(1)), 5, NOW))
            .sum();
        assert_eq!(failed, 50);
        assert_eq!(limiter.attempt(&Key::sign_in("x", from(1)), NOW), Err(18));
        let later = NOW.plus_seconds(18);
        assert_eq!(passed(&limiter, &Key::sign_in("x", from(1)), 2, later), 1);
    }

    #[test]
    fn many_networks_at_one_account_have_one_attempt_each() {
        let limiter = limiter();
        for address in 1..=10 {
            assert_eq!(
                passed(&limiter, &Key::sign_in("a", from(address)), 5, NOW),
                5
            );
        }
        assert_eq!(passed(&limiter, &Key::sign_in("a", from(11)), 5, NOW), 1);
        // The owner, whose first attempt is right, any number of times.
        for _ in 0..3 {
            let keys = Key::sign_in("a", from(12));
            limiter.attempt(&keys, NOW).unwrap();
            limiter.succeeded(&keys);
        }
        // Others are not concerned.
        assert_eq!(passed(&limiter, &Key::sign_in("b", from(13)), 2, NOW), 2);
        let later = NOW.plus_seconds(MANY.seconds);
        assert_eq!(passed(&limiter, &Key::sign_in("a", from(13)), 2, later), 2);
    }

    #[test]
    fn a_flood_at_an_account_is_forgotten_in_its_time() {
        let limiter = limiter();
        for address in 0..200 {
            passed(&limiter, &Key::sign_in("a", from(address)), 5, NOW);
        }
        let later = NOW.plus_seconds(MANY.seconds);
        assert_eq!(passed(&limiter, &Key::sign_in("a", from(250)), 9, later), 5);
    }

    #[test]
    fn success_forgives_the_account_but_not_the_network() {
        let limiter = limiter();
        let keys = Key::sign_in("a", from(1));
        passed(&limiter, &keys, 5, NOW);
        limiter.succeeded(&keys);
        let counts = limiter.counts();
        let left = |key: &Key| Some(counts.get(key)?.0 - NOW.0);
        let four = Some(MANY.micros(4));
        assert_eq!(
            keys.iter().map(left).collect::<Vec<_>>(),
            [four, None, four]
        );
    }

    #[test]
    fn registrations_are_counted_by_the_minute() {
        let limiter = limiter();
        let key = |last| Key::registrations(from(last).unwrap());
        assert_eq!(passed(&limiter, &key(1), 9, NOW), 3);
        assert_eq!(limiter.attempt(&key(1), NOW), Err(20));
        assert_eq!(passed(&limiter, &key(2), 1, NOW), 1);
        assert_eq!(passed(&limiter, &key(1), 9, NOW.plus_seconds(60)), 3);
        let site = (0..100).map(|n: u32| {
            let address = format!("2001:db8:0:{n:x}::1").parse().unwrap();
            passed(&limiter, &Key::registrations(address), 1, NOW)
        });
        assert_eq!(site.sum::<usize>(), 30);
    }

    #[test]
    fn an_ipv6_site_counts_as_a_whole_too() {
        let host = |text: &str| Network::host(text.parse().unwrap());
        assert_eq!(host("2001:db8::1"), host("2001:db8::ffff:1"));
        assert_ne!(host("2001:db8::1"), host("2001:db8:0:1::1"));
        assert_eq!(host("::ffff:192.0.2.1"), host("192.0.2.1"));
        let limiter = limiter();
        let from = |n: u32| v6(&format!("2001:db8:0:{n:x}::1"));
        let guesses = (0..300).map(|n| passed(&limiter, &Key::sign_in("a", from(n)), 5, NOW));
        assert_eq!(guesses.sum::<usize>(), 10);
        let sprayed =
            (0..3000).map(|n| passed(&limiter, &Key::sign_in(&n.to_string(), from(n)), 1, NOW));
        assert_eq!(sprayed.sum::<usize>(), 490);
        let elsewhere = Key::sign_in("a", v6("2001:db8:1::1"));
        assert_eq!(passed(&limiter, &elsewhere, 9, NOW), 5);
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = limiter();
        for n in 0..(CAPACITY as i64 + 10) {
            let now = Timestamp(NOW.0 + n);
            let keys = Key::sign_in(&n.to_string(), None);
            limiter.attempt(&keys, now).unwrap();
        }
        assert!(limiter.counts().len() <= CAPACITY);
    }
}
