//! The markers of a JPEG file, walked without decoding anything.

/// A segment: a marker that is followed by a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment<'a> {
    /// Second byte of the marker.
    pub(crate) marker: u8,
    /// Where its marker stands.
    pub(crate) start: usize,
    /// What stands between its length and its end; cut off where the file is.
    pub(crate) payload: &'a [u8],
}

/// Walks the segments up to the end-of-image marker, those between scans included. An end-of-image
/// marker within EXIF's own thumbnail does not count: segments are skipped by their length.
#[derive(Debug)]
pub(crate) struct Segments<'a> {
    bytes: &'a [u8],
    position: usize,
    complete: bool,
}

/// Of a file that begins with the start-of-image marker.
pub(crate) fn segments(bytes: &[u8]) -> Segments<'_> {
    Segments {
        bytes,
        position: 2,
        complete: false,
    }
}

impl<'a> Segments<'a> {
    /// Once they are walked: whether the end-of-image marker was reached.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Once they are walked: where the end-of-image marker stands.
    pub(crate) fn end(&self) -> usize {
        self.position.saturating_sub(2)
    }

    /// Once they are walked: what follows the end of the image.
    pub(crate) fn trailer(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// The next marker that begins a segment or ends the picture; `position` then stands behind it.
    /// Scan data is passed over: in it 0xFF is followed by 0 or by a restart marker.
    fn next_marker(&mut self) -> Option<u8> {
        loop {
            let rest = self.bytes.get(self.position..)?;
            let found = rest.iter().position(|byte| *byte == 0xff)?;
            let code = *rest.get(found + 1)?;
            match code {
                // Fill byte: the marker's code may still follow.
                0xff => self.position += found + 1,
                0x00 | 0x01 | 0xd0..=0xd8 => self.position += found + 2,
                _ => {
                    self.position += found + 2;
                    return Some(code);
                }
            }
        }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        if self.complete {
            return None;
        }
        let Some(marker) = self.next_marker() else {
            self.position = self.bytes.len();
            return None;
        };
        if marker == 0xd9 {
            self.complete = true;
            return None;
        }
        let start = self.position - 2;
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let Some((length, _)) = rest.split_first_chunk() else {
            self.position = self.bytes.len();
            return None;
        };
        let length = usize::from(u16::from_be_bytes(*length)).max(2);
        self.position += length;
        Some(Segment {
            marker,
            start,
            payload: rest.get(2..length.min(rest.len())).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(bytes: &[u8]) -> (Vec<u8>, Segments<'_>) {
        let mut segments = segments(bytes);
        let markers = segments.by_ref().map(|segment| segment.marker).collect();
        (markers, segments)
    }

    #[test]
    fn an_end_marker_in_a_segment_is_not_the_end() {
        let mut file = b"\xff\xd8\xff\xe1\x00\x06\xff\xd8\xff\xd9".to_vec();
        file.extend(b"\xff\xc2\x00\x04ab\xff\xda\x00\x04ab\x12\xff\x00\x34\xff\xd0\x56");
        let (markers, end) = walk(&file);
        assert_eq!(markers, [0xe1, 0xc2, 0xda]);
        assert!(!end.is_complete() && end.trailer().is_empty());
        file.extend(b"\xff\xff\xd9 trailing bytes of a camera");
        let (markers, end) = walk(&file);
        assert_eq!(markers, [0xe1, 0xc2, 0xda]);
        assert!(end.is_complete());
        assert_eq!(end.trailer(), b" trailing bytes of a camera");
        assert_eq!(
            segments(&file).next(),
            Some(Segment {
                marker: 0xe1,
                start: 2,
                payload: b"\xff\xd8\xff\xd9"
            })
        );
    }

    #[test]
    fn short_and_wild_bytes_are_only_incomplete() {
        for bytes in [
            &b""[..],
            b"\xff\xd8",
            b"\xff\xd8\xff",
            b"\xff\xd8\xff\xe1",
            b"\xff\xd8\xff\xe1\xff\xff",
            b"\xff\xd8\xff\xe1\x00\x00",
        ] {
            assert!(!walk(bytes).1.is_complete());
        }
    }
}
