//! Streams of hand-written bits, and those of an encoder.

use super::*;
use crate::decode::tests::hostile::groups_webp;

#[test]
fn groups_are_counted_before_they_are_built() {
    // Five tables of 1,024 entries a group.
    for groups in [1, 300, 2_000] {
        let file = groups_webp(groups);
        let memory = memory_before_pixels(&file[25..], (64, 64)).unwrap();
        let tables = u64::from(groups) * 5 * 4096;
        // And 16 by 16 blocks.
        assert_eq!(
            memory,
            tables + u64::from(groups) * GROUP + 256 * SMALL_PIXEL
        );
    }
}

#[test]
fn what_ends_early_is_truncated() {
    let file = groups_webp(20);
    for end in [25, 26, 30, 100, 1_000] {
        let error = memory_before_pixels(&file[25..end], (64, 64)).unwrap_err();
        assert_eq!(error, MediaError::Truncated, "{end}");
    }
}

#[test]
fn codes_are_read_as_they_are_written() {
    // Lengths 1, 2, 3 and 3: 0, 10, 110 and 111, the first bit first.
    let code = Code::of(&Lengths::of(vec![1, 0, 2, 3, 3])).unwrap();
    let mut bits = Bits::new(&[0b1011_0111, 0b0000_0010]);
    let symbols: Vec<u16> = (0..4).map(|_| code.symbol(&mut bits).unwrap()).collect();
    assert_eq!(symbols, [4, 0, 3, 2]);
    for lengths in [
        vec![],
        vec![0, 0],
        vec![1, 1, 1],
        vec![2, 2, 2],
        vec![1, 15],
    ] {
        let code = Code::of(&Lengths::of(lengths));
        assert_eq!(code.err(), Some(MediaError::Corrupt));
    }
    let mut bits = Bits::new(&[0b101]);
    assert_eq!(bits.number(3).unwrap(), 4);
    // Two more bits: 16 + 1 + 1.
    assert_eq!(bits.number(6).unwrap(), 8 + 1 + 1);
}
