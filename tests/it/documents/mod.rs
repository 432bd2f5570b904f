//! Documents at the door, on every transport: how they are named, what they cost, what is refused.

mod attacks;
mod cost;
mod lists;
mod persisted;

use sha2::{Digest as _, Sha256};

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
