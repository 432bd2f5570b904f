//! Documents at the door, on every transport: how they are named, what they cost, what is refused.

mod attacks;
mod cost;
mod lists;
mod persisted;

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// Fragments that spread the next one `width` times, `levels` deep: `width` to the power of `levels`
/// fields.
fn bomb(levels: usize, width: usize) -> String {
    let mut text = String::from("{ ...F0 }");
    for level in 0..levels {
        let spreads = format!(" ...F{}", level + 1).repeat(width);
        write!(text, " fragment F{level} on Query {{{spreads} }}").unwrap();
    }
    write!(text, " fragment F{levels} on Query {{ __typename }}").unwrap();
    text
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
