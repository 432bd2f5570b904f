//! Names under which a place stands in metadata that is text, or nearly: XMP, JSON, IPTC.

/// Beginnings of the names of XMP's properties for a place: those of EXIF, of drones, Photoshop and
/// IPTC, and of the vocabulary `geo` whole.
const NAMES: [&[u8]; 17] = [
    b"GPS",
    b"Gps",
    b"gps",
    b"Latitude",
    b"Longitude",
    b"latitude",
    b"longitude",
    b"lat=",
    b"lat>",
    b"long=",
    b"long>",
    b"City",
    b"State",
    b"Country",
    b"Location",
    b"Sublocation",
    b"ProvinceState",
];

/// Names, in any case, that are so long that they count wherever they stand: EXIF's, and that of
/// a place in QuickTime.
const FULL_NAMES: [&[u8]; 7] = [
    b"gpslatitude",
    b"gpslongitude",
    b"gpsdestlatitude",
    b"gpsdestlongitude",
    b"gpsposition",
    b"gpscoordinates",
    b"iso6709",
];

/// Names, in any case, that count wherever a value is assigned to them. In free text they do not.
const ASSIGNED_NAMES: [&[u8]; 2] = [b"latitude", b"longitude"];

/// What XMP begins with in a segment of a JPEG.
const XMP_NAME: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// Data sets of IPTC's record 2 for a place: content location (code, name), city, sublocation,
/// province, country (code, name).
const IPTC_PLACES: [u8; 7] = [26, 27, 90, 92, 95, 100, 101];

/// Whether a property for a place is named in the text. Only behind `:` or `<`: packets carry
/// Base64 of pictures and depth maps, in which any three letters occur.
pub(super) fn tell_location(text: &[u8]) -> bool {
    // Text of two or four bytes a character is not searched, but not trusted either.
    let packet = text.strip_prefix(XMP_NAME).unwrap_or(text);
    let wide = [&b"\xfe\xff"[..], b"\xff\xfe", b"<\0", b"\0<", b"\0\0\0<"];
    wide.iter().any(|start| packet.starts_with(start))
        || text.iter().enumerate().any(|(index, byte)| {
            matches!(byte, b':' | b'<') && text.get(index + 1..).is_some_and(names_location)
        })
}

/// Whether a place is named in full, or a value is assigned to such a name: `latitude=`,
/// `"longitude": `. In what is compressed this does not occur by chance.
pub(super) fn name_in_full(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().any(|(place, byte)| {
        let rest = &bytes[place..];
        match byte {
            b'g' | b'G' | b'i' | b'I' => FULL_NAMES
                .iter()
                .any(|name| behind_name(rest, name).is_some()),
            b'l' | b'L' => ASSIGNED_NAMES
                .iter()
                .any(|name| behind_name(rest, name).is_some_and(is_assignment)),
            _ => false,
        }
    })
}

fn behind_name<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then_some(rest)
}

/// Whether this is `=` or `:`, behind at most two quotes or spaces.
fn is_assignment(text: &[u8]) -> bool {
    let sign = text
        .iter()
        .take(3)
        .find(|byte| !matches!(byte, b'"' | b'\'' | b' '));
    matches!(sign, Some(b'=' | b':'))
}

/// Whether this begins with the name of a property for a place.
pub(super) fn names_location(text: &[u8]) -> bool {
    NAMES.iter().any(|name| text.starts_with(name))
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
            b"http://ns.adobe.com/xap/1.0/\0\xff\xfe<\0",
            b"http://ns.adobe.com/xap/1.0/\0\0<\0x",
            b"<\0x\0",
            br#"<rdf:Description drone-dji:GpsLatitude="+48.85"/>"#,
            b"<geo:lat>48.85</geo:lat>",
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
    fn names_in_full_count_anywhere() {
        for text in [
            &b"xGPSLatitude 48"[..],
            b"gpslongitude",
            b"Latitude=48.13",
            b"{'longitude' : 11.56}",
            b"com.apple.quicktime.location.ISO6709",
        ] {
            assert!(name_in_full(text), "{}", String::from_utf8_lossy(text));
        }
        for text in [
            &b"a latitude of 48"[..],
            b"latitude",
            b"GPS: off",
            b"GPSLat",
            b"",
        ] {
            assert!(!name_in_full(text), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn an_appended_video_may_tell() {
        assert!(trailer_tells(b"....moovudta\xa9xyz\0\x12+48.85+002.29/"));
        assert!(!trailer_tells(b"SEFT trailer of a phone"));
    }
}
