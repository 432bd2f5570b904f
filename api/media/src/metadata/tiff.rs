//! The structure of EXIF, walked before the reader of EXIF sees it.
//!
//! The reader keeps every entry of every image file directory (IFD). IFDs may overlap: some 60 kB
//! can name thousands of IFDs with thousands of entries each, which the reader would hold in
//! gigabytes. So what has more of them than any camera writes is not read at all. Texts may overlap too:
//! no more of them is searched than the block is long.

use super::words;

/// Longest EXIF that is read. In a JPEG it cannot be longer: a segment's length has 16 bits.
pub(super) const MAX_LENGTH: usize = 64 * 1024;

/// Most IFDs. Cameras write up to five: the picture's, the thumbnail's, EXIF, GPS and interoperability.
const MAX_IFDS: usize = 8;

/// Most entries of all IFDs. Cameras write some hundred.
const MAX_ENTRIES: usize = 1_000;

const EXIF_IFD: u16 = 0x8769;
const GPS_IFD: u16 = 0x8825;
const INTEROP_IFD: u16 = 0xa005;
const SUB_IFDS: u16 = 0x014a;
const XMP: u16 = 0x02bc;
const IPTC: u16 = 0x83bb;
const PHOTOSHOP: u16 = 0x8649;

const LITTLE_ENDIAN: &[u8] = b"II\x2a\0";
const BIG_ENDIAN: &[u8] = b"MM\0\x2a";

/// Length of the header: byte order, 42, place of the first IFD.
const HEADER: usize = 8;

const LONG: u16 = 4;
const IFD: u16 = 13;

/// What the structure tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Structure {
    /// The reader may have it.
    pub(super) readable: bool,
    /// Something in it tells a location, or may.
    pub(super) may_tell_location: bool,
}

/// Of what must not, or cannot, be read.
const UNREADABLE: Structure = Structure {
    readable: false,
    may_tell_location: true,
};

/// Whether this begins as TIFF.
pub(super) fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(LITTLE_ENDIAN) || bytes.starts_with(BIG_ENDIAN)
}

/// Whether the first IFD points to that of EXIF or of GPS.
pub(super) fn points_to_exif(block: &[u8]) -> bool {
    let walk = Walk::new(block);
    let Some(first) = walk.long(4) else {
        return false;
    };
    (0..usize::from(walk.short(first).unwrap_or_default()))
        .map_while(|index| walk.short(first + 2 + index * 12))
        .any(|tag| matches!(tag, EXIF_IFD | GPS_IFD))
}

/// Walks EXIF that begins with the TIFF header.
pub(super) fn structure(block: &[u8]) -> Structure {
    if block.len() > MAX_LENGTH {
        return UNREADABLE;
    }
    let mut walk = Walk::new(block);
    match walk.run() {
        Some(()) => Structure {
            readable: true,
            may_tell_location: walk.may_tell_location,
        },
        None => UNREADABLE,
    }
}

struct Walk<'a> {
    block: &'a [u8],
    little_endian: bool,
    /// IFDs found, walked or not: the tag that points to it, and its place.
    ifds: Vec<(Option<u16>, usize)>,
    entries: usize,
    /// Bytes of text that are still searched: a thousand entries could name the same ones.
    unsearched: usize,
    may_tell_location: bool,
}

impl<'a> Walk<'a> {
    fn new(block: &'a [u8]) -> Self {
        Self {
            block,
            little_endian: block.starts_with(LITTLE_ENDIAN),
            ifds: Vec::new(),
            entries: 0,
            unsearched: block.len(),
            may_tell_location: false,
        }
    }

    /// `None` where it must not be read.
    fn run(&mut self) -> Option<()> {
        if !begins(self.block) {
            return None;
        }
        let first = self.long(4)?;
        // Without a first IFD we read nothing, but programs that search for it may.
        if first < HEADER || self.short(first).is_none() {
            return None;
        }
        self.found(None, first)?;
        let mut next = 0;
        while let Some((pointer, place)) = self.ifds.get(next).copied() {
            self.ifd(pointer, place)?;
            next += 1;
        }
        Some(())
    }

    fn found(&mut self, pointer: Option<u16>, place: usize) -> Option<()> {
        let known = self.ifds.iter().any(|(_, other)| *other == place);
        if known || self.ifds.len() == MAX_IFDS {
            return None;
        }
        self.ifds.push((pointer, place));
        Some(())
    }

    fn ifd(&mut self, pointer: Option<u16>, place: usize) -> Option<()> {
        // An IFD outside, or cut off, is damage: what stands before it can be read. Which place
        // its entries told nobody knows: programs may look for them elsewhere.
        let Some(count) = self.short(place) else {
            self.may_tell_location |= matches!(pointer, Some(EXIF_IFD | GPS_IFD));
            return Some(());
        };
        for index in 0..count {
            let entry = place + 2 + usize::from(index) * 12;
            if self.block.len() < entry + 12 {
                self.may_tell_location |= pointer == Some(GPS_IFD);
                return Some(());
            }
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return None;
            }
            self.entry(pointer, entry)?;
        }
        match self.long(place + 2 + usize::from(count) * 12) {
            // Behind an IFD that a tag points to, cameras leave anything; readers do not follow it.
            Some(next) if pointer.is_none() && next != 0 => self.found(None, next),
            _ => Some(()),
        }
    }

    fn entry(&mut self, pointer: Option<u16>, entry: usize) -> Option<()> {
        let tag = self.short(entry)?;
        let kind = self.short(entry + 2)?;
        let count = self.long(entry + 4)?;
        let value = self.long(entry + 8)?;
        match (pointer, tag) {
            (_, EXIF_IFD | GPS_IFD | INTEROP_IFD) => {
                if !matches!(kind, LONG | IFD) || count != 1 {
                    return None;
                }
                return self.found(Some(tag), value);
            }
            // Only the version: cameras without a receiver write it too.
            (Some(GPS_IFD), 0) => {}
            (Some(GPS_IFD), _) => self.may_tell_location = true,
            // Latitude and longitude in the wrong IFD; interoperability numbers its own tags so too.
            (Some(INTEROP_IFD), _) => {}
            (_, 1..=4 | SUB_IFDS) => self.may_tell_location = true,
            (_, XMP | IPTC | PHOTOSHOP) => {
                let size = if kind == LONG { 4 } else { 1 };
                let end = value.saturating_add(count.saturating_mul(size));
                let end = end.min(self.block.len());
                let text = self.block.get(value..end).unwrap_or_default();
                self.search(text);
            }
            _ => {}
        }
        Some(())
    }

    fn search(&mut self, text: &[u8]) {
        if self.may_tell_location {
            return;
        }
        self.may_tell_location = match self.unsearched.checked_sub(text.len()) {
            Some(left) => {
                self.unsearched = left;
                words::tell_location(text) || words::iptc_tells(text)
            }
            None => true,
        };
    }

    fn short(&self, place: usize) -> Option<u16> {
        let bytes = *self.block.get(place..)?.first_chunk()?;
        Some(if self.little_endian {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    }

    fn long(&self, place: usize) -> Option<usize> {
        let bytes = *self.block.get(place..)?.first_chunk()?;
        let number = if self.little_endian {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        };
        usize::try_from(number).ok()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// `pointers` pointers to overlapping IFDs, each of which claims `entries` entries.
    pub(crate) fn bomb(pointers: u16, entries: u16) -> Vec<u8> {
        let base = 8 + 2 + 12 * u32::from(pointers) + 4;
        let mut block = b"II\x2a\0\x08\0\0\0".to_vec();
        block.extend(pointers.to_le_bytes());
        for index in 0..u32::from(pointers) {
            block.extend([0x69, 0x87, 4, 0, 1, 0, 0, 0]);
            block.extend((base + 2 * index).to_le_bytes());
        }
        block.extend([0; 4]);
        let words = (12 * usize::from(entries) + 2 * usize::from(pointers) + 16) / 2;
        block.extend(entries.to_le_bytes().repeat(words));
        block
    }

    #[test]
    fn overlapping_ifds_are_not_read() {
        for (pointers, entries) in [(2_300, 2_400), (9, 20), (7, 200), (400, 20_000)] {
            let block = bomb(pointers, entries);
            assert_eq!(structure(&block), UNREADABLE, "{pointers} x {entries}");
        }
        let few = structure(&bomb(5, 20));
        assert!(few.readable);
    }

    #[test]
    fn an_ifd_that_names_itself_is_not_read() {
        let mut block = b"II\x2a\0\x08\0\0\0\x01\0".to_vec();
        block.extend([0x69, 0x87, 4, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(structure(&block), UNREADABLE);
        // The next IFD of an IFD is itself.
        let block = b"II\x2a\0\x08\0\0\0\0\0\x08\0\0\0";
        assert_eq!(structure(block), UNREADABLE);
    }

    #[test]
    fn a_pointer_of_another_type_is_not_followed_past_the_count() {
        let mut block = b"MM\0\x2a\0\0\0\x08\0\x01".to_vec();
        block.extend([0x87, 0x69, 0, 4, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 0]);
        assert_eq!(structure(&block), UNREADABLE);
    }

    #[test]
    fn overlapping_texts_are_searched_once() {
        let mut block = b"II\x2a\0\x08\0\0\0".to_vec();
        block.extend(990_u16.to_le_bytes());
        for _ in 0..990 {
            // XMP of 65,536 bytes, from the beginning of the block.
            block.extend([0xbc, 2, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
        }
        block.resize(MAX_LENGTH, 0);
        let structure = structure(&block);
        assert!(structure.readable && structure.may_tell_location);
    }

    #[test]
    fn an_ifd_that_is_missing_may_have_told() {
        let pointing = |tag: u16, place: u32| {
            let mut block = b"MM\0\x2a\0\0\0\x08\0\x01".to_vec();
            block.extend(tag.to_be_bytes());
            block.extend([0, 4, 0, 0, 0, 1]);
            block.extend(place.to_be_bytes());
            block.extend([0; 4]);
            block
        };
        for (tag, tells) in [(GPS_IFD, true), (EXIF_IFD, true), (INTEROP_IFD, false)] {
            let outside = structure(&pointing(tag, 5_000));
            assert!(outside.readable);
            assert_eq!(outside.may_tell_location, tells, "{tag:#x}");
        }
        // The entries of GPS are cut off behind the first, its version.
        let mut cut = pointing(GPS_IFD, 26);
        cut.extend(b"\0\x05\0\0\0\x01\0\0\0\x04\x02\x03\0\0\0\x01");
        assert!(structure(&cut).may_tell_location);
        // Nor is there a thumbnail where the next IFD should be.
        let next = b"II\x2a\0\x08\0\0\0\0\0\xff\xff\0\0";
        assert!(!structure(next).may_tell_location);
    }

    #[test]
    fn damage_is_no_reason_not_to_read() {
        let cut = b"II\x2a\0\x08\0\0\0\x05\0\x0f\x01";
        let cut = structure(cut);
        assert!(cut.readable && !cut.may_tell_location);
        assert_eq!(structure(b"rubbish"), UNREADABLE);
        assert_eq!(structure(b""), UNREADABLE);
    }
}
