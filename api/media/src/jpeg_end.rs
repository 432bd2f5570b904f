//! Whether a JPEG file is whole. The decoder fills what is missing with grey and says nothing.

/// What the markers of a JPEG file tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JpegShape {
    /// The end-of-image marker was reached.
    pub(super) complete: bool,
    /// Coefficients of the whole picture are held while it is decoded.
    pub(super) progressive: bool,
}

/// Walks the markers. An end-of-image marker within EXIF's own thumbnail does not count: segments
/// are skipped by their length.
pub(super) fn shape(bytes: &[u8]) -> JpegShape {
    let mut shape = JpegShape {
        complete: false,
        progressive: false,
    };
    // Behind the start-of-image marker.
    let mut position = 2;
    while let Some(marker) = next_marker(bytes, &mut position) {
        match marker {
            0xd9 => {
                shape.complete = true;
                return shape;
            }
            0xc2 | 0xc6 | 0xca | 0xce => shape.progressive = true,
            _ => {}
        }
        let Some(&[high, low]) = bytes.get(position..position + 2) else {
            return shape;
        };
        position += usize::from(u16::from_be_bytes([high, low])).max(2);
    }
    shape
}

/// The next marker that begins a segment or ends the picture; `position` then stands behind it.
/// Scan data is passed over: in it 0xFF is followed by 0 or by a restart marker.
fn next_marker(bytes: &[u8], position: &mut usize) -> Option<u8> {
    loop {
        let rest = bytes.get(*position..)?;
        let found = rest.iter().position(|byte| *byte == 0xff)?;
        let code = *rest.get(found + 1)?;
        match code {
            // Fill byte: the marker's code may still follow.
            0xff => *position += found + 1,
            0x00 | 0x01 | 0xd0..=0xd8 => *position += found + 2,
            _ => {
                *position += found + 2;
                return Some(code);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_marker_in_a_segment_is_not_the_end() {
        let mut file = b"\xff\xd8\xff\xe1\x00\x06\xff\xd8\xff\xd9".to_vec();
        file.extend(b"\xff\xc2\x00\x04ab\xff\xda\x00\x04ab\x12\xff\x00\x34\xff\xd0\x56");
        let cut = JpegShape {
            complete: false,
            progressive: true,
        };
        assert_eq!(shape(&file), cut);
        file.extend(b"\xff\xff\xd9 trailing bytes of a camera");
        assert!(shape(&file).complete);
    }

    #[test]
    fn short_and_wild_bytes_are_only_incomplete() {
        for bytes in [
            &b""[..],
            b"\xff\xd8",
            b"\xff\xd8\xff",
            b"\xff\xd8\xff\xe1",
            b"\xff\xd8\xff\xe1\xff\xff",
        ] {
            assert!(!shape(bytes).complete);
        }
    }
}
