//! Photos of people for the demo and for tests: the demo pictures of face-api.

use crate::{Asset, file};

/// Six JPEG photos with faces.
pub const PHOTOS: &[Asset] = &[
    photo("sample1.jpg", file!("sample1.jpg")),
    photo("sample2.jpg", file!("sample2.jpg")),
    photo("sample3.jpg", file!("sample3.jpg")),
    photo("sample4.jpg", file!("sample4.jpg")),
    photo("sample5.jpg", file!("sample5.jpg")),
    photo("sample6.jpg", file!("sample6.jpg")),
];

const fn photo(name: &'static str, bytes: &'static [u8]) -> Asset {
    Asset {
        name,
        content_type: "image/jpeg",
        bytes,
    }
}
