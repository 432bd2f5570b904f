//! The true format of a file, by its first bytes.

use super::MediaError;

/// A format that we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    Webp,
}

impl Format {
    /// By MIME type.
    #[must_use]
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        match content_type.to_ascii_lowercase().as_str() {
            "image/jpeg" | "image/jpg" | "image/pjpeg" => Some(Self::Jpeg),
            "image/png" => Some(Self::Png),
            "image/webp" => Some(Self::Webp),
            _ => None,
        }
    }

    /// Name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Webp => "WebP",
        }
    }

    /// Extension of the original's object key.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
        }
    }
}

/// The format, or what the file is instead.
///
/// # Errors
/// A name for people of what the file seems to be.
pub fn sniff(bytes: &[u8]) -> Result<Format, &'static str> {
    let at = |offset: usize, magic: &[u8]| {
        bytes
            .get(offset..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    if at(0, b"\xff\xd8\xff") {
        return Ok(Format::Jpeg);
    }
    if at(0, b"\x89PNG\r\n\x1a\n") {
        return Ok(Format::Png);
    }
    if at(0, b"RIFF") && at(8, b"WEBP") {
        return Ok(Format::Webp);
    }
    Err(if bytes.is_empty() {
        "empty"
    } else if at(4, b"ftyp") {
        match bytes.get(8..12).unwrap_or_default() {
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => "HEIC",
            b"avif" | b"avis" => "AVIF",
            b"crx " => "a raw camera file",
            _ => "a video",
        }
    } else if at(0, b"GIF8") {
        "GIF"
    } else if at(0, b"BM") {
        "BMP"
    } else if at(0, b"II*\0") || at(0, b"MM\0*") {
        "TIFF or a raw camera file"
    } else if at(0, b"\xff\x0a") || at(0, b"\0\0\0\x0cJXL ") {
        "JPEG XL"
    } else if at(0, b"%PDF") {
        "PDF"
    } else if at(0, b"PK\x03\x04") {
        "a ZIP archive"
    } else if at(0, b"<svg") || at(0, b"<?xml") {
        "SVG or XML"
    } else {
        "no picture"
    })
}

/// The format, if we take it and it is the one that was announced.
///
/// # Errors
/// [`MediaError::UnsupportedFormat`], [`MediaError::ContentTypeMismatch`].
pub fn check(bytes: &[u8], declared: &str) -> Result<Format, MediaError> {
    let format = sniff(bytes).map_err(MediaError::UnsupportedFormat)?;
    if Format::from_content_type(declared) == Some(format) {
        Ok(format)
    } else {
        Err(MediaError::ContentTypeMismatch {
            declared: declared.to_owned(),
            actual: format.name(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_what_their_first_bytes_say() {
        assert_eq!(sniff(b"\xff\xd8\xff\xe0rest"), Ok(Format::Jpeg));
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\nrest"), Ok(Format::Png));
        assert_eq!(sniff(b"RIFF\0\0\0\0WEBPVP8 "), Ok(Format::Webp));
        assert_eq!(sniff(b"RIFF\0\0\0\0AVI LIST"), Err("no picture"));
        assert_eq!(sniff(b"\0\0\0\x18ftypheic"), Err("HEIC"));
        assert_eq!(sniff(b"\0\0\0\x18ftypisom"), Err("a video"));
        assert_eq!(sniff(b"GIF89a"), Err("GIF"));
        assert_eq!(sniff(b"hello, this is text"), Err("no picture"));
        assert_eq!(sniff(b""), Err("empty"));
    }

    #[test]
    fn a_file_must_be_what_was_announced() {
        assert_eq!(check(b"\xff\xd8\xff\xe0", "image/jpeg"), Ok(Format::Jpeg));
        let wrong = check(b"\x89PNG\r\n\x1a\n", "image/jpeg").unwrap_err();
        assert_eq!(wrong.code(), "CONTENT_TYPE_MISMATCH");
        let text = check(b"not a picture", "image/jpeg").unwrap_err();
        assert_eq!(text.code(), "UNSUPPORTED_FORMAT");
    }
}
