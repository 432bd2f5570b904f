//! Password hashing: Argon2id with OWASP's parameters, off the async threads and bounded.

use std::net::IpAddr;
use std::sync::Arc;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};

use super::limiter::Key;
use super::turns::{Turn, Turns};
use crate::clock::Clock;
use crate::error::{Error, Result};

/// Memory in KiB, passes and lanes: OWASP's Password Storage Cheat Sheet, Argon2id.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Longest password that is hashed, in bytes: 256 characters of four bytes.
const MAX_BYTES: usize = 1024;

/// Hashes and verifies. Cheap to clone.
#[derive(Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    /// As many at a time as there are cores: more would only take each other's memory.
    turns: Arc<Turns>,
    /// Verified for accounts that do not exist, so that both answers take the same time.
    decoy: Arc<str>,
    clock: Clock,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

impl Passwords {
    /// Makes the decoy hash, which takes as long as any other.
    ///
    /// # Errors
    /// `Internal` when Argon2 refuses its parameters.
    pub fn new(clock: Clock) -> Result<Self> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(Error::internal)?;
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = phc(
            &argon2,
            &clock.random_bytes::<16>(),
            &clock.random_bytes::<16>(),
        )?;
        Ok(Self {
            argon2,
            turns: Arc::new(Turns::new(cores)),
            decoy: decoy.into(),
            clock,
        })
    }

    /// Waits for a turn to hash, for an attempt that counts by `keys` and comes from `address`.
    ///
    /// # Errors
    /// `Internal`.
    pub async fn turn(&self, keys: &[Key], address: Option<IpAddr>) -> Result<Turn> {
        self.turns.take(keys, address).await
    }

    /// The PHC string of a password.
    ///
    /// # Errors
    /// `Internal`.
    pub async fn hash(&self, turn: Turn, password: String) -> Result<String> {
        let salt = self.clock.random_bytes::<16>();
        let argon2 = self.argon2.clone();
        run(turn, move || phc(&argon2, password.as_bytes(), &salt)).await?
    }

    /// Whether the password belongs to the hash. Without a hash the answer is no, after the same
    /// work.
    ///
    /// # Errors
    /// `Internal`.
    pub async fn verify(&self, turn: Turn, password: String, hash: Option<String>) -> Result<bool> {
        let known = hash.is_some() && password.len() <= MAX_BYTES;
        let hash = hash
            .filter(|_| known)
            .unwrap_or_else(|| self.decoy.to_string());
        let argon2 = self.argon2.clone();
        let matches = run(turn, move || {
            let end = password.floor_char_boundary(MAX_BYTES);
            argon2
                .verify_password(&password.as_bytes()[..end], hash.as_str())
                .is_ok()
        })
        .await?;
        Ok(known && matches)
    }
}

async fn run<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    // The turn moves along: a caller that goes away must not free a core that is still busy.
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    })
    .await
    .map_err(Error::internal)
}

fn phc(argon2: &Argon2<'_>, password: &[u8], salt: &[u8]) -> Result<String> {
    argon2
        .hash_password_with_salt(password, salt)
        .map(|hash| hash.to_string())
        .map_err(Error::internal)
}
