//! Documents that are small to send and large to answer.

use std::fmt::Write as _;

/// Fragments that spread the next one `width` times, `levels` deep: `width` to the power of `levels`
/// fields.
#[must_use]
pub fn bomb(levels: usize, width: usize) -> String {
    let mut text = String::from("{ ...F0 }");
    for level in 0..levels {
        let spreads = format!(" ...F{}", level + 1).repeat(width);
        write!(text, " fragment F{level} on Query {{{spreads} }}").expect("text grows");
    }
    write!(text, " fragment F{levels} on Query {{ __typename }}").expect("text grows");
    text
}
