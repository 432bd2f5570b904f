//! Names under which a place stands in metadata that is text, or nearly: XMP, JSON, IPTC.

/// Beginnings of the names of XMP's properties for a place: those of EXIF, Photoshop and IPTC.
const NAMES: [&[u8]; 7] = [
    b"GPS",
    b"City",
    b"State",
    b"Country",
    b"Location",
    b"Sublocation",
    b"ProvinceState",
];

/// Data sets of IPTC's record 2 for a place: content location (code, name), city, sublocation,
/// province, country (code, name).
const IPTC_PLACES: [u8; 7] = [26, 27, 90, 92, 95, 100, 101];

/// Whether a property for a place is named in the text. Only behind `:` or `<`: packets carry
/// Base64 of pictures and depth maps, in which any three letters occur.
pub(super) fn tell_location(text: &[u8]) -> bool {
    // Text of two or four bytes a character is not searched, but not trusted either.
    let wide = text.starts_with(b"\xfe\xff") || text.starts_with(b"\xff\xfe");
    wide || text.iter().enumerate().any(|(index, byte)| {
        matches!(byte, b':' | b'<')
            && text
                .get(index + 1..)
                .is_some_and(|rest| NAMES.iter().any(|name| rest.starts_with(name)))
    })
}

/// Whether IPTC holds a data set for a place that is not empty.
pub(super) fn iptc_tells(block: &[u8]) -> bool {
    block.windows(5).any(|part| {
        part.starts_with(&[0x1c, 2]) && IPTC_PLACES.contains(&part[2]) && part[3..] != [0, 0]
    })
}

/// Whether what a camera appended to the picture may tell a location: a second picture's or a
/// video's metadata.
pub(super) fn trailer_tells(trailer: &[u8]) -> bool {
    tell_location(trailer)
        || trailer
            .windows(4)
            .any(|part| part == b"\xa9xyz" || part == b"loci")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_by_name() {
        for text in [
            &br#"<rdf:Description exif:GPSLatitude="48,51.0N"/>"#[..],
            b"<photoshop:City>Berlin</photoshop:City>",
            b"<Iptc4xmpCore:Location>Gate 3</Iptc4xmpCore:Location>",
            b"<Iptc4xmpExt:LocationShown/>",
            b"<GPSLongitude xmlns='http://ns.adobe.com/exif/1.0/'>2</GPSLongitude>",
            br#"{"exif:GPSLatitude": "48"}"#,
            b"\xfe\xff\0<",
        ] {
            assert!(tell_location(text), "{}", String::from_utf8_lossy(text));
        }
        for text in [
            &br#"<rdf:Description xmp:CreatorTool="GPS Photo City Editor"/>"#[..],
            b"GPano:FullPanoWidthPixels=\"100\" Data=\"abcGPSCityStatexyz+/\"",
            b"",
        ] {
            assert!(!tell_location(text), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn places_are_found_in_iptc() {
        assert!(iptc_tells(
            b"8BIM\x04\x04\0\0\0\0\0\x0b\x1c\x02\x5a\0\x06Berlin"
        ));
        assert!(!iptc_tells(b"\x1c\x02\x5a\0\0\x1c\x02\x05\0\x05Title"));
        assert!(!iptc_tells(b""));
    }

    #[test]
    fn an_appended_video_may_tell() {
        assert!(trailer_tells(b"....moovudta\xa9xyz\0\x12+48.85+002.29/"));
        assert!(!trailer_tells(b"SEFT trailer of a phone"));
    }
}
