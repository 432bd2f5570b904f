//! A file of which decoders shall see only some parts.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

/// Reads slices one after another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts<'a> {
    parts: Vec<&'a [u8]>,
    part: usize,
    offset: usize,
}

impl<'a> Parts<'a> {
    pub(crate) fn push(&mut self, part: &'a [u8]) {
        self.parts.push(part);
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether something of the last part was read.
    pub(crate) fn is_in_last(&self) -> bool {
        self.part + 1 == self.parts.len() && self.offset > 0
    }

    fn rest(&mut self) -> &'a [u8] {
        while let Some(part) = self.parts.get(self.part) {
            if self.offset < part.len() {
                return &part[self.offset..];
            }
            if self.part + 1 == self.parts.len() {
                break;
            }
            self.part += 1;
            self.offset = 0;
        }
        &[]
    }
}

impl Read for Parts<'_> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.rest();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.offset += length;
        Ok(length)
    }
}

impl BufRead for Parts<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.rest())
    }

    fn consume(&mut self, length: usize) {
        self.offset += length;
    }
}

impl Seek for Parts<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let before = |part: usize| -> u64 {
            let parts = self.parts.iter().take(part);
            parts.map(|part| part.len() as u64).sum()
        };
        let target = match to {
            SeekFrom::Start(target) => Some(target),
            SeekFrom::Current(by) => {
                (before(self.part) + self.offset as u64).checked_add_signed(by)
            }
            SeekFrom::End(by) => before(self.parts.len()).checked_add_signed(by),
        };
        let target = target.ok_or(io::ErrorKind::InvalidInput)?;
        let mut left = target;
        self.part = 0;
        for part in &self.parts {
            let length = part.len() as u64;
            if left <= length || self.part + 1 == self.parts.len() {
                break;
            }
            left -= length;
            self.part += 1;
        }
        self.offset = usize::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_read_as_one_file() {
        let mut parts = Parts::default();
        assert_eq!(parts.read(&mut [0; 4]).unwrap(), 0);
        for part in [&b"ab"[..], b"", b"cdef", b"g"] {
            parts.push(part);
        }
        let mut text = String::new();
        parts.read_to_string(&mut text).unwrap();
        assert_eq!(text, "abcdefg");
        assert!(parts.is_in_last());
        for (to, rest) in [
            (SeekFrom::Start(3), "defg"),
            (SeekFrom::End(-1), "g"),
            (SeekFrom::Start(0), "abcdefg"),
            (SeekFrom::Start(99), ""),
        ] {
            parts.seek(to).unwrap();
            let mut text = String::new();
            parts.read_to_string(&mut text).unwrap();
            assert_eq!(text, rest);
        }
        assert!(parts.seek(SeekFrom::Current(-1000)).is_err());
    }
}
