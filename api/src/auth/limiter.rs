//! Counts failed sign-ins, and registrations, so that nobody guesses passwords or addresses.
//!
//! Failures at an account are counted by the address that they come from: whoever guesses locks
//! themselves out, and not the owner. Where many addresses guess at one account together, each of them
//! is left one attempt: the owner with the right password still comes in from any address that has
//! not failed.
//!
//! It sits in the service and not in front of HTTP, because aliases multiply inside one request.
//! Each process counts for itself: behind `n` replicas the limits are `n` times as wide.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use entity::Timestamp;

/// Failures at one account that one address may have in a window.
pub const ACCOUNT_FAILURES: u32 = 5;
/// Failures at one account, from all addresses, above which an address may have
/// [`FEW_FAILURES`] only.
pub const MANY_FAILURES: u32 = 50;
/// See [`MANY_FAILURES`].
pub const FEW_FAILURES: u32 = 1;
/// Failures that one address may have in a window: wider, as the guests of an event share one.
pub const ADDRESS_FAILURES: u32 = 50;
/// Length of a window of failures in seconds, counted from its first one.
pub const WINDOW_SECONDS: i64 = 15 * 60;
/// Length of a window of registrations in seconds.
const REGISTRATION_SECONDS: i64 = 60;
/// Entries kept; beyond them the oldest windows go first.
const CAPACITY: usize = 50_000;

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// Failures at one account, known or not, by its e-mail key. It never refuses by itself.
    Account(String),
    /// Failures at one account from one address; none: whose address is not known.
    AccountFrom(String, Option<IpAddr>),
    /// Failures from one address.
    Address(IpAddr),
    /// Registrations from one address.
    Registrations(IpAddr),
}

impl Key {
    /// What a sign-in counts by.
    #[must_use]
    pub fn sign_in(account: &str, address: Option<IpAddr>) -> Vec<Self> {
        let address = address.map(network);
        let mut keys = vec![
            Self::Account(account.to_owned()),
            Self::AccountFrom(account.to_owned(), address),
        ];
        keys.extend(address.map(Self::Address));
        keys
    }

    /// What a registration counts by.
    #[must_use]
    pub fn registrations(address: IpAddr) -> Self {
        Self::Registrations(network(address))
    }

    fn seconds(&self) -> i64 {
        match self {
            Self::Registrations(_) => REGISTRATION_SECONDS,
            _ => WINDOW_SECONDS,
        }
    }
}

/// What stands for an address. IPv6 hosts own a /64 and could change within it at will.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[derive(Clone, Copy, Debug)]
struct Window {
    end: Timestamp,
    count: u32,
}

/// What happened in the last windows.
#[derive(Debug)]
pub struct Limiter {
    windows: Mutex<HashMap<Key, Window>>,
    /// Of one address in a window.
    registrations: u32,
}

impl Limiter {
    /// One that lets an address make so many registrations a minute.
    #[must_use]
    pub fn new(registrations: u32) -> Self {
        Self {
            windows: Mutex::default(),
            registrations,
        }
    }

    /// Counts an attempt as failed before it is made, so that parallel attempts cannot slip
    /// through together; [`Limiter::succeeded`] takes it back.
    ///
    /// # Errors
    /// Seconds to wait, when one of the keys has used up its window; nothing is counted then.
    pub fn attempt(&self, keys: &[Key], now: Timestamp) -> Result<(), u64> {
        let mut windows = self.windows();
        for key in keys {
            if let Some(window) = windows.get(key)
                && window.end > now
                && window.count >= self.limit(key, &windows, now)
            {
                let seconds = window.end.seconds() - now.seconds();
                return Err(u64::try_from(seconds).unwrap_or_default().max(1));
            }
        }
        if windows.len() + keys.len() > CAPACITY {
            make_room(&mut windows, now);
        }
        for key in keys {
            let fresh = Window {
                end: now.plus_seconds(key.seconds()),
                count: 0,
            };
            let window = windows.entry(key.clone()).or_insert(fresh);
            if window.end <= now {
                *window = fresh;
            }
            window.count = window.count.saturating_add(1);
        }
        Ok(())
    }

    /// Takes an attempt back that succeeded, and forgets what the address failed at the account.
    pub fn succeeded(&self, keys: &[Key]) {
        let mut windows = self.windows();
        for key in keys {
            if matches!(key, Key::AccountFrom(..)) {
                windows.remove(key);
            } else if let Some(window) = windows.get_mut(key) {
                window.count = window.count.saturating_sub(1);
            }
        }
    }

    fn limit(&self, key: &Key, windows: &HashMap<Key, Window>, now: Timestamp) -> u32 {
        match key {
            Key::Account(_) => u32::MAX,
            Key::AccountFrom(account, _) => {
                let all = windows.get(&Key::Account(account.clone()));
                match all {
                    Some(all) if all.end > now && all.count >= MANY_FAILURES => FEW_FAILURES,
                    _ => ACCOUNT_FAILURES,
                }
            }
            Key::Address(_) => ADDRESS_FAILURES,
            Key::Registrations(_) => self.registrations,
        }
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<Key, Window>> {
        // Counters hold no invariant that a panic elsewhere could break.
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(windows: &mut HashMap<Key, Window>, now: Timestamp) {
    windows.retain(|_, window| window.end > now);
    if windows.len() > CAPACITY / 2 {
        let mut ends: Vec<Timestamp> = windows.values().map(|window| window.end).collect();
        let middle = ends.len() / 2;
        let (_, median, _) = ends.select_nth_unstable(middle);
        let median = *median;
        windows.retain(|_, window| window.end > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    fn from(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    fn limiter() -> Limiter {
        Limiter::new(3)
    }

    #[test]
    fn a_failure_too_many_waits_until_the_window_ends() {
        let limiter = limiter();
        let (a, b) = (Key::sign_in("a", from(1)), Key::sign_in("b", from(1)));
        for _ in 0..ACCOUNT_FAILURES {
            limiter.attempt(&a, NOW).unwrap();
        }
        assert_eq!(limiter.attempt(&a, NOW), Err(900));
        assert_eq!(limiter.attempt(&b, NOW), Ok(()));
        let later = NOW.plus_seconds(WINDOW_SECONDS);
        assert_eq!(limiter.attempt(&a, later), Ok(()));
    }

    #[test]
    fn who_guesses_locks_themselves_out_and_not_the_owner() {
        let limiter = limiter();
        for _ in 0..ACCOUNT_FAILURES {
            limiter.attempt(&Key::sign_in("a", from(1)), NOW).unwrap();
        }
        assert!(limiter.attempt(&Key::sign_in("a", from(1)), NOW).is_err());
        assert_eq!(limiter.attempt(&Key::sign_in("a", from(2)), NOW), Ok(()));
    }

    #[test]
    fn many_addresses_at_one_account_have_one_attempt_each() {
        let limiter = limiter();
        for address in 1..=10 {
            for _ in 0..ACCOUNT_FAILURES {
                let keys = Key::sign_in("a", from(address));
                limiter.attempt(&keys, NOW).unwrap();
            }
        }
        let keys = Key::sign_in("a", from(11));
        limiter.attempt(&keys, NOW).unwrap();
        assert!(limiter.attempt(&keys, NOW).is_err());
        // The owner, whose first attempt is right, any number of times.
        for _ in 0..3 {
            let keys = Key::sign_in("a", from(12));
            limiter.attempt(&keys, NOW).unwrap();
            limiter.succeeded(&keys);
        }
        // Others are not concerned.
        for _ in 0..2 {
            limiter.attempt(&Key::sign_in("b", from(13)), NOW).unwrap();
        }
        let later = NOW.plus_seconds(WINDOW_SECONDS);
        for _ in 0..2 {
            limiter
                .attempt(&Key::sign_in("a", from(13)), later)
                .unwrap();
        }
    }

    #[test]
    fn success_forgives_the_account_but_not_the_address() {
        let limiter = limiter();
        let keys = Key::sign_in("a", Some("2001:db8::1".parse().unwrap()));
        for _ in 0..ACCOUNT_FAILURES {
            limiter.attempt(&keys, NOW).unwrap();
        }
        limiter.succeeded(&keys);
        let windows = limiter.windows();
        let count = |key: &Key| windows.get(key).map(|window| window.count);
        let counts: Vec<_> = keys.iter().map(count).collect();
        let left = Some(ACCOUNT_FAILURES - 1);
        assert_eq!(counts, [left, None, left]);
    }

    #[test]
    fn registrations_are_counted_by_the_minute() {
        let limiter = limiter();
        let key = |last| [Key::registrations(from(last).unwrap())];
        for _ in 0..3 {
            limiter.attempt(&key(1), NOW).unwrap();
        }
        assert_eq!(limiter.attempt(&key(1), NOW), Err(60));
        assert_eq!(limiter.attempt(&key(2), NOW), Ok(()));
        assert_eq!(limiter.attempt(&key(1), NOW.plus_seconds(60)), Ok(()));
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = limiter();
        for n in 0..(CAPACITY as i64 + 10) {
            let now = Timestamp(NOW.0 + n);
            let keys = Key::sign_in(&n.to_string(), None);
            limiter.attempt(&keys, now).unwrap();
        }
        assert!(limiter.windows().len() <= CAPACITY);
    }
}
