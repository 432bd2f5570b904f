//! Counts failed sign-ins by account and by address.
//!
//! It sits in the service and not in front of HTTP, because aliases multiply inside one request.
//! Each process counts for itself: behind `n` replicas the limits are `n` times as wide.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use entity::Timestamp;

/// Failures that one account may have in a window.
pub const ACCOUNT_FAILURES: u32 = 10;
/// Failures that one address may have in a window: wider, as the guests of an event share one.
pub const ADDRESS_FAILURES: u32 = 50;
/// Length of a window in seconds, counted from its first failure.
pub const WINDOW_SECONDS: i64 = 15 * 60;
/// Entries kept; beyond them the oldest windows go first.
const CAPACITY: usize = 50_000;

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// Failures at one account, known or not, by its e-mail key.
    Account(String),
    /// Failures from one address.
    Address(IpAddr),
}

impl Key {
    /// The key of an address. IPv6 hosts own a /64 and could change within it at will.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }

    fn limit(&self) -> u32 {
        match self {
            Self::Account(_) => ACCOUNT_FAILURES,
            Self::Address(_) => ADDRESS_FAILURES,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Window {
    since: Timestamp,
    failures: u32,
}

impl Window {
    fn end(&self) -> Timestamp {
        self.since.plus_seconds(WINDOW_SECONDS)
    }
}

/// Failures of the last windows.
#[derive(Debug, Default)]
pub struct Limiter {
    windows: Mutex<HashMap<Key, Window>>,
}

impl Limiter {
    /// Counts an attempt as failed before it is made, so that parallel attempts cannot slip
    /// through together; [`Limiter::succeeded`] takes it back.
    ///
    /// # Errors
    /// Seconds to wait, when one of the keys has used up its window; nothing is counted then.
    pub fn attempt(&self, keys: &[Key], now: Timestamp) -> Result<(), u64> {
        let mut windows = self.windows();
        for key in keys {
            if let Some(window) = windows.get(key)
                && window.end() > now
                && window.failures >= key.limit()
            {
                let seconds = window.end().seconds() - now.seconds();
                return Err(u64::try_from(seconds).unwrap_or_default().max(1));
            }
        }
        if windows.len() + keys.len() > CAPACITY {
            make_room(&mut windows, now);
        }
        for key in keys {
            let fresh = Window {
                since: now,
                failures: 0,
            };
            let window = windows.entry(key.clone()).or_insert(fresh);
            if window.end() <= now {
                *window = fresh;
            }
            window.failures += 1;
        }
        Ok(())
    }

    /// Takes an attempt back that succeeded, and forgets the account's failures.
    pub fn succeeded(&self, keys: &[Key]) {
        let mut windows = self.windows();
        for key in keys {
            match key {
                Key::Account(_) => {
                    windows.remove(key);
                }
                Key::Address(_) => {
                    if let Some(window) = windows.get_mut(key) {
                        window.failures = window.failures.saturating_sub(1);
                    }
                }
            }
        }
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<Key, Window>> {
        // Counters hold no invariant that a panic elsewhere could break.
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(windows: &mut HashMap<Key, Window>, now: Timestamp) {
    windows.retain(|_, window| window.end() > now);
    if windows.len() > CAPACITY / 2 {
        let mut starts: Vec<Timestamp> = windows.values().map(|window| window.since).collect();
        let middle = starts.len() / 2;
        let (_, median, _) = starts.select_nth_unstable(middle);
        let median = *median;
        windows.retain(|_, window| window.since > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    fn account(name: &str) -> Key {
        Key::Account(name.to_owned())
    }

    #[test]
    fn eleventh_failure_waits_until_the_window_ends() {
        let limiter = Limiter::default();
        for _ in 0..ACCOUNT_FAILURES {
            limiter.attempt(&[account("a")], NOW).unwrap();
        }
        assert_eq!(limiter.attempt(&[account("a")], NOW), Err(900));
        assert_eq!(limiter.attempt(&[account("b")], NOW), Ok(()));
        let later = NOW.plus_seconds(WINDOW_SECONDS);
        assert_eq!(limiter.attempt(&[account("a")], later), Ok(()));
    }

    #[test]
    fn success_forgives_the_account_but_not_the_address() {
        let limiter = Limiter::default();
        let keys = [account("a"), Key::address("2001:db8::1".parse().unwrap())];
        for _ in 0..9 {
            limiter.attempt(&keys, NOW).unwrap();
        }
        limiter.attempt(&keys, NOW).unwrap();
        limiter.succeeded(&keys);
        let windows = limiter.windows();
        assert!(!windows.contains_key(&keys[0]));
        assert_eq!(windows[&keys[1]].failures, 9);
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let of = |text: &str| Key::address(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = Limiter::default();
        for n in 0..(CAPACITY as i64 + 10) {
            let now = Timestamp(NOW.0 + n);
            limiter.attempt(&[account(&n.to_string())], now).unwrap();
        }
        assert!(limiter.windows().len() <= CAPACITY);
    }
}
