//! What a lossless WebP picture takes beside its pixels, found without decoding them.
//!
//! A picture may have 65,536 groups of five codes. The file describes a group in some sixty bytes, or
//! less; the decoder builds tables of up to 100 KB of it, and does so for all groups before the first
//! pixel. So the stream is walked up to there. Of the small pictures that stand in between (what the
//! transforms need, and which block has which group) nothing is kept: a colour that is repeated was
//! spelled out before, so the highest group is known from those that are spelled out.

use crate::MediaError;

/// What the decoder takes for a pixel of a small picture: its colour, and the number of a group.
const SMALL_PIXEL: u64 = 6;

/// What a group takes without its tables, while the list of them grows.
const GROUP: u64 = 1024;

/// Of a node of a tree, and there are two for each symbol that the first table does not reach.
const NODE: u64 = 16;

/// Bits that the first table of a code is indexed with, if it has that long ones.
const TABLE_BITS: usize = 10;

/// The order in which the lengths of the code are written that all other lengths are written in.
const LENGTH_ORDER: [usize; 19] = [
    17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
];

/// Bytes that the decoder takes for this stream, which begins behind width and height, before it
/// decodes the first pixel.
pub(super) fn memory_before_pixels(stream: &[u8], size: (u32, u32)) -> Result<u64, MediaError> {
    let mut bits = Bits::new(stream);
    let (mut width, height) = size;
    let mut transforms = [false; 4];
    let mut memory = 0;
    while bits.take(1)? == 1 {
        let transform = bits.take(2)?;
        if std::mem::replace(&mut transforms[transform as usize], true) {
            return Err(MediaError::Corrupt);
        }
        match transform {
            // Of prediction and colours: one value a block.
            0 | 1 => {
                memory += small_picture(&mut bits, (width, height), true)?.memory();
            }
            // Green is added to red and blue.
            2 => {}
            // A palette; few colours are packed into one pixel.
            _ => {
                let colors = bits.take(8)? + 1;
                memory += small_picture(&mut bits, (colors, 1), false)?.memory();
                let packed = match colors {
                    0..=2 => 8,
                    3..=4 => 4,
                    5..=16 => 2,
                    _ => 1,
                };
                width = width.div_ceil(packed);
            }
        }
    }
    let alphabets = alphabets(&mut bits)?;
    let mut groups = 1;
    if bits.take(1)? == 1 {
        let picture = small_picture(&mut bits, (width, height), true)?;
        memory += picture.memory();
        groups = u64::from(picture.highest_group) + 1;
    }
    memory += groups * GROUP;
    for _ in 0..groups {
        for alphabet in alphabets {
            memory += Lengths::read(&mut bits, alphabet)?.memory();
        }
    }
    Ok(memory)
}

struct SmallPicture {
    pixels: u64,
    /// The group that a pixel names stands in its red and green.
    highest_group: u16,
}

impl SmallPicture {
    fn memory(&self) -> u64 {
        self.pixels * SMALL_PIXEL
    }
}

/// Walks over a small picture, of blocks of a larger one or not.
fn small_picture(
    bits: &mut Bits<'_>,
    (width, height): (u32, u32),
    blocks: bool,
) -> Result<SmallPicture, MediaError> {
    let side = if blocks { 1 << (bits.take(3)? + 2) } else { 1 };
    let pixels = u64::from(width.div_ceil(side)) * u64::from(height.div_ceil(side));
    let mut codes = Vec::with_capacity(5);
    for alphabet in alphabets(bits)? {
        codes.push(Code::of(&Lengths::read(bits, alphabet)?)?);
    }
    let [green, red, blue, alpha, distance] = &codes[..] else {
        return Err(MediaError::Corrupt);
    };
    let (mut position, mut highest_group) = (0, 0);
    while position < pixels {
        match green.symbol(bits)? {
            low @ 0..256 => {
                highest_group = highest_group.max(red.symbol(bits)? << 8 | low);
                blue.symbol(bits)?;
                alpha.symbol(bits)?;
                position += 1;
            }
            length @ 256..280 => {
                position += bits.number(length - 256)?;
                let distance = distance.symbol(bits)?;
                bits.number(distance)?;
            }
            // Of the colour cache.
            _ => position += 1,
        }
    }
    if position > pixels {
        return Err(MediaError::Corrupt);
    }
    Ok(SmallPicture {
        pixels,
        highest_group,
    })
}

/// How many symbols the five codes of a group have; those of the colour cache join the first.
fn alphabets(bits: &mut Bits<'_>) -> Result<[usize; 5], MediaError> {
    let cache = match bits.take(1)? {
        0 => 0,
        _ => match bits.take(4)? {
            size @ 1..=11 => 1 << size,
            _ => return Err(MediaError::Corrupt),
        },
    };
    Ok([280 + cache, 256, 256, 256, 40])
}

/// The lengths that describe a prefix code, by symbol.
enum Lengths {
    /// The code of no bits at all.
    One(u16),
    /// Codes of one bit.
    Two(u16, u16),
    Many(Vec<u8>),
}

impl Lengths {
    fn read(bits: &mut Bits<'_>, alphabet: usize) -> Result<Self, MediaError> {
        if bits.take(1)? == 1 {
            let two = bits.take(1)? == 1;
            let long = bits.take(1)? == 1;
            let first = bits.take(if long { 8 } else { 1 })? as u16;
            if !two {
                return Ok(Self::One(first));
            }
            return Ok(Self::Two(first, bits.take(8)? as u16));
        }
        let mut lengths = vec![0; LENGTH_ORDER.len()];
        let written = bits.take(4)? as usize + 4;
        for symbol in LENGTH_ORDER.iter().take(written) {
            lengths[*symbol] = bits.take(3)? as u8;
        }
        let code = Code::of(&Self::of(lengths))?;
        // Counted in what is read, not in lengths: that is how all decoders do it.
        let mut left = alphabet;
        if bits.take(1)? == 1 {
            let size = 2 + 2 * bits.take(3)?;
            left = bits.take(size)? as usize + 2;
        }
        let mut lengths = Vec::with_capacity(alphabet);
        let mut last = 8;
        while lengths.len() < alphabet && left > 0 {
            left -= 1;
            let (length, times) = match code.symbol(bits)? {
                16 => (last, bits.take(2)? + 3),
                17 => (0, bits.take(3)? + 3),
                18 => (0, bits.take(7)? + 11),
                length => (length as u8, 1),
            };
            if length > 0 {
                last = length;
            }
            let end = lengths.len() + times as usize;
            if end > alphabet {
                return Err(MediaError::Corrupt);
            }
            lengths.resize(end, length);
        }
        Ok(Self::of(lengths))
    }

    fn of(lengths: Vec<u8>) -> Self {
        let mut used = lengths
            .iter()
            .enumerate()
            .filter(|(_, length)| **length > 0);
        match (used.next(), used.next()) {
            (Some((symbol, _)), None) => Self::One(symbol as u16),
            _ => Self::Many(lengths),
        }
    }

    /// Bytes of the decoder's tables.
    fn memory(&self) -> u64 {
        let Self::Many(lengths) = self else {
            return 0;
        };
        let longest = lengths.iter().max().copied().unwrap_or_default();
        let beyond = lengths
            .iter()
            .filter(|length| **length as usize > TABLE_BITS);
        (4 << TABLE_BITS.min(longest.into())) + beyond.count() as u64 * 2 * NODE
    }
}

/// A prefix code, ready to be read.
struct Code {
    /// Symbol and length by the next bits.
    table: Vec<(u16, u8)>,
}

impl Code {
    fn of(lengths: &Lengths) -> Result<Self, MediaError> {
        let lengths = match lengths {
            Lengths::One(symbol) => {
                return Ok(Self {
                    table: vec![(*symbol, 0)],
                });
            }
            Lengths::Two(zero, one) => {
                let table = vec![(*zero, 1), (*one, 1)];
                return Ok(Self { table });
            }
            Lengths::Many(lengths) => lengths,
        };
        let longest: usize = lengths.iter().max().copied().unwrap_or_default().into();
        let mut table = vec![(0, 0); 1 << longest];
        let mut code = 0_usize;
        for length in 1..=longest {
            code <<= 1;
            for (symbol, _) in lengths
                .iter()
                .enumerate()
                .filter(|(_, of)| **of as usize == length)
            {
                if code >> length > 0 {
                    return Err(MediaError::Corrupt);
                }
                // The first bit of a code is the lowest that is read.
                let first = code.reverse_bits() >> (usize::BITS as usize - length);
                for entry in table[first..].iter_mut().step_by(1 << length) {
                    *entry = (symbol as u16, length as u8);
                }
                code += 1;
            }
        }
        // Every sequence of bits means something, or the decoder would refuse it.
        if code != 1 << longest {
            return Err(MediaError::Corrupt);
        }
        Ok(Self { table })
    }

    fn symbol(&self, bits: &mut Bits<'_>) -> Result<u16, MediaError> {
        let (symbol, length) = self.table[bits.next() as usize & (self.table.len() - 1)];
        bits.take(length.into())?;
        Ok(symbol)
    }
}

/// Bits, of every byte the lowest first.
struct Bits<'a> {
    bytes: &'a [u8],
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let (held, count) = (0, 0);
        Self { bytes, held, count }
    }

    /// At least the next 16, zeros behind the end.
    fn next(&mut self) -> u64 {
        while self.count <= 32 {
            let Some((byte, rest)) = self.bytes.split_first() else {
                break;
            };
            self.held |= u64::from(*byte) << self.count;
            self.count += 8;
            self.bytes = rest;
        }
        self.held
    }

    /// At most 18.
    fn take(&mut self, count: u32) -> Result<u32, MediaError> {
        let taken = self.next() as u32 & ((1 << count) - 1);
        self.count = self.count.checked_sub(count).ok_or(MediaError::Truncated)?;
        self.held >>= count;
        Ok(taken)
    }

    /// A length or a distance: its symbol says how many bits follow.
    fn number(&mut self, symbol: u16) -> Result<u64, MediaError> {
        let symbol = u32::from(symbol);
        if symbol < 4 {
            return Ok(u64::from(symbol) + 1);
        }
        let extra = (symbol - 2) / 2;
        let low = self.take(extra)?;
        Ok(u64::from((2 + symbol % 2) << extra) + u64::from(low) + 1)
    }
}

#[cfg(test)]
mod tests;
