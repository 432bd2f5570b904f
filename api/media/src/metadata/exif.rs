//! What EXIF says of a picture. Damaged EXIF never spoils a picture: what can be read counts.

use chrono::{DateTime, FixedOffset, NaiveDate, TimeDelta, Utc};
use exif::{Exif, In, Reader, Tag, Value};
use image::metadata::Orientation;

use super::Facts;

/// Longest camera name kept, in characters.
const CAMERA_CHARS: usize = 200;

/// Reads EXIF that begins with the TIFF header, and whose structure has been looked at.
pub(super) fn read(block: &[u8]) -> Facts {
    let mut reader = Reader::new();
    reader.continue_on_error(true);
    let exif = reader
        .read_raw(block.to_vec())
        .or_else(|error| error.distill_partial_result(|_| {}));
    let Ok(exif) = exif else {
        return Facts::default();
    };
    Facts {
        orientation: orientation(&exif).unwrap_or(Orientation::NoTransforms),
        taken_at: taken_at(&exif),
        camera: camera(&exif),
        location: location(&exif),
        may_tell_location: false,
    }
}

fn value(exif: &Exif, tag: Tag) -> Option<&Value> {
    exif.get_field(tag, In::PRIMARY).map(|field| &field.value)
}

fn ascii(exif: &Exif, tag: Tag) -> Option<&[u8]> {
    match value(exif, tag)? {
        Value::Ascii(parts) => parts.first().map(Vec::as_slice),
        _ => None,
    }
}

fn orientation(exif: &Exif) -> Option<Orientation> {
    let number = value(exif, Tag::Orientation)?.get_uint(0)?;
    Orientation::from_exif(u8::try_from(number).ok()?)
}

fn taken_at(exif: &Exif) -> Option<DateTime<Utc>> {
    let mut time = exif::DateTime::from_ascii(ascii(exif, Tag::DateTimeOriginal)?).ok()?;
    if let Some(text) = ascii(exif, Tag::SubSecTimeOriginal) {
        // Anything that is no number is as good as none; the whole seconds still hold.
        let _ = time.parse_subsec(text.trim_ascii_end());
    }
    if let Some(text) = ascii(exif, Tag::OffsetTimeOriginal) {
        let _ = time.parse_offset(text);
    }
    let local = NaiveDate::from_ymd_opt(time.year.into(), time.month.into(), time.day.into())?
        .and_hms_nano_opt(
            time.hour.into(),
            time.minute.into(),
            time.second.into(),
            time.nanosecond.unwrap_or_default(),
        )?;
    let offset = FixedOffset::east_opt(i32::from(time.offset.unwrap_or_default()) * 60)?;
    let utc = local
        .checked_sub_signed(TimeDelta::seconds(offset.local_minus_utc().into()))?
        .and_utc();
    // The years before photography, and those beyond four digits of sense, are unset clocks.
    (1826..=2200).contains(&time.year).then_some(utc)
}

fn camera(exif: &Exif) -> Option<String> {
    let text = |tag| {
        let text = String::from_utf8_lossy(ascii(exif, tag)?);
        let clean: String = text.chars().filter(|c| !c.is_control()).collect();
        Some(clean.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let name = match (text(Tag::Make), text(Tag::Model)) {
        // "Canon" and "Canon EOS R5".
        (Some(make), Some(model)) => {
            let prefix = make.split(' ').next().unwrap_or_default().to_lowercase();
            if model.to_lowercase().starts_with(&prefix) {
                model
            } else {
                format!("{make} {model}")
            }
        }
        (make, model) => model.or(make)?,
    };
    Some(name.chars().take(CAMERA_CHARS).collect())
}

fn location(exif: &Exif) -> Option<(f64, f64)> {
    let degrees = |tag, reference, negative: u8, limit: f64| {
        let Value::Rational(parts) = value(exif, tag)? else {
            return None;
        };
        let degrees: f64 = parts
            .iter()
            .zip([1.0, 60.0, 3600.0])
            .map(|(part, unit)| part.to_f64() / unit)
            .sum();
        let sign = match ascii(exif, reference)?.first()?.to_ascii_uppercase() {
            letter if letter == negative => -1.0,
            _ => 1.0,
        };
        // A denominator of 0 gives NaN or infinity, which no range contains.
        (0.0..=limit).contains(&degrees).then_some(sign * degrees)
    };
    let latitude = degrees(Tag::GPSLatitude, Tag::GPSLatitudeRef, b'S', 90.0)?;
    let longitude = degrees(Tag::GPSLongitude, Tag::GPSLongitudeRef, b'W', 180.0)?;
    // 0, 0 lies in the sea: receivers without a fix write it.
    (latitude != 0.0 || longitude != 0.0).then_some((latitude, longitude))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Cursor;

    use exif::Field;
    use exif::experimental::Writer;

    use super::*;

    pub(crate) fn field(tag: Tag, value: Value) -> Field {
        Field {
            tag,
            ifd_num: In::PRIMARY,
            value,
        }
    }

    pub(crate) fn text(tag: Tag, text: &str) -> Field {
        field(tag, Value::Ascii(vec![text.as_bytes().to_vec()]))
    }

    fn rationals(tag: Tag, parts: [(u32, u32); 3]) -> Field {
        let parts = parts.map(|(num, denom)| exif::Rational { num, denom });
        field(tag, Value::Rational(parts.to_vec()))
    }

    /// EXIF as it stands in a file, beginning with the TIFF header.
    pub(crate) fn tiff(fields: &[Field]) -> Vec<u8> {
        let mut writer = Writer::new();
        for field in fields {
            writer.push_field(field);
        }
        let mut buffer = Cursor::new(Vec::new());
        writer.write(&mut buffer, false).unwrap();
        buffer.into_inner()
    }

    fn taken(fields: &[Field]) -> Option<i64> {
        read(&tiff(fields))
            .taken_at
            .map(|time| time.timestamp_micros())
    }

    #[test]
    fn the_time_taken_honours_zone_and_fraction() {
        let date = || text(Tag::DateTimeOriginal, "2024:06:01 14:30:05");
        let noon: i64 = 1_717_252_205_000_000;
        assert_eq!(taken(&[date()]), Some(noon));
        let zone = text(Tag::OffsetTimeOriginal, "+02:00");
        assert_eq!(taken(&[date(), zone]), Some(noon - 7_200_000_000));
        let zone = text(Tag::OffsetTimeOriginal, "-09:30");
        let fraction = text(Tag::SubSecTimeOriginal, "123456");
        assert_eq!(
            taken(&[date(), zone, fraction]),
            Some(noon + 34_200_000_000 + 123_456)
        );
        let nonsense = text(Tag::OffsetTimeOriginal, "summer");
        assert_eq!(taken(&[date(), nonsense]), Some(noon));
    }

    #[test]
    fn impossible_times_are_none() {
        for date in [
            "0000:00:00 00:00:00",
            "2024:02:30 10:00:00",
            "2024:13:01 10:00:00",
            "    :  :     :  :  ",
            "yesterday",
        ] {
            assert_eq!(taken(&[text(Tag::DateTimeOriginal, date)]), None, "{date}");
        }
    }

    #[test]
    fn the_camera_is_named_once() {
        let camera =
            |make, model| read(&tiff(&[text(Tag::Make, make), text(Tag::Model, model)])).camera;
        assert_eq!(camera("Canon", "Canon EOS R5").unwrap(), "Canon EOS R5");
        assert_eq!(
            camera("NIKON CORPORATION", "NIKON Z 6").unwrap(),
            "NIKON Z 6"
        );
        assert_eq!(camera("Apple", "iPhone 15").unwrap(), "Apple iPhone 15");
        assert_eq!(
            camera("samsung ", "\u{7}SM-G991B").unwrap(),
            "samsung SM-G991B"
        );
        assert_eq!(camera("  ", ""), None);
        assert_eq!(camera("x", &"y".repeat(500)).unwrap().len(), CAMERA_CHARS);
    }

    fn place(
        north: [(u32, u32); 3],
        north_ref: &str,
        east: [(u32, u32); 3],
        east_ref: &str,
    ) -> Option<(f64, f64)> {
        read(&tiff(&[
            text(Tag::GPSLatitudeRef, north_ref),
            rationals(Tag::GPSLatitude, north),
            text(Tag::GPSLongitudeRef, east_ref),
            rationals(Tag::GPSLongitude, east),
        ]))
        .location
    }

    #[test]
    fn the_place_is_read_and_checked() {
        let (latitude, longitude) = place(
            [(33, 1), (51, 1), (2580, 100)],
            "S",
            [(151, 1), (12, 1), (0, 1)],
            "E",
        )
        .unwrap();
        assert!((latitude + 33.857_166_67).abs() < 1e-6);
        assert!((longitude - 151.2).abs() < 1e-9);
        let zero = [(0, 1), (0, 1), (0, 1)];
        assert_eq!(place(zero, "N", zero, "E"), None);
        assert_eq!(place([(1, 0), (0, 0), (0, 0)], "N", zero, "E"), None);
        assert_eq!(place([(91, 1), (0, 1), (0, 1)], "N", zero, "E"), None);
        assert_eq!(place(zero, "N", [(181, 1), (0, 1), (0, 1)], "W"), None);
    }

    #[test]
    fn what_is_no_exif_says_nothing() {
        assert_eq!(read(b"rubbish"), Facts::default());
        assert_eq!(read(b""), Facts::default());
        let short = tiff(&[text(Tag::Make, "A long maker name")]);
        assert_eq!(read(&short[..short.len() - 20]).location, None);
    }
}
