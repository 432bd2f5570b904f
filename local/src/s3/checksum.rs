//! The digests of an upload: what the client promised, what arrived, what is kept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::Checksum as _;
use s3s::crypto::{Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};

/// The checksums of one object or part, in base 64 as S3 writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checksums {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) crc32: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) crc32c: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) crc64nvme: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sha1: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<String>,
    /// `FULL_OBJECT` or `COMPOSITE` (a checksum of the parts' checksums).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<String>,
}

/// The algorithms of S3's additional checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(super) const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    /// As in `x-amz-checksum-algorithm`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// As in `x-amz-checksum-crc32` and its relatives, in headers and trailers.
    pub(super) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    fn digest_length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Digest of `data` in one go, in base 64.
    pub(super) fn digest(self, data: &[u8]) -> String {
        let mut hasher = ChecksumHasher::default();
        self.enable(&mut hasher);
        hasher.update(data);
        Checksums::from_hasher(hasher)
            .get(self)
            .unwrap_or_default()
            .to_owned()
    }

    fn enable(self, hasher: &mut ChecksumHasher) {
        match self {
            Self::Crc32 => hasher.crc32 = Some(Crc32::new()),
            Self::Crc32c => hasher.crc32c = Some(Crc32c::new()),
            Self::Crc64Nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
            Self::Sha1 => hasher.sha1 = Some(Sha1::new()),
            Self::Sha256 => hasher.sha256 = Some(Sha256::new()),
        }
    }
}

impl Checksums {
    pub(super) fn get(&self, algorithm: Algorithm) -> Option<&str> {
        match algorithm {
            Algorithm::Crc32 => self.crc32.as_deref(),
            Algorithm::Crc32c => self.crc32c.as_deref(),
            Algorithm::Crc64Nvme => self.crc64nvme.as_deref(),
            Algorithm::Sha1 => self.sha1.as_deref(),
            Algorithm::Sha256 => self.sha256.as_deref(),
        }
    }

    pub(super) fn set(&mut self, algorithm: Algorithm, value: String) {
        let field = match algorithm {
            Algorithm::Crc32 => &mut self.crc32,
            Algorithm::Crc32c => &mut self.crc32c,
            Algorithm::Crc64Nvme => &mut self.crc64nvme,
            Algorithm::Sha1 => &mut self.sha1,
            Algorithm::Sha256 => &mut self.sha256,
        };
        *field = Some(value);
    }

    /// The algorithm of the first checksum there is.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::ALL
            .into_iter()
            .find(|algorithm| self.get(*algorithm).is_some())
    }

    /// The `x-amz-checksum-*` values among headers or trailers.
    ///
    /// # Errors
    /// `InvalidRequest` for a value that is no digest of its algorithm.
    pub(super) fn from_headers(headers: &HeaderMap) -> S3Result<Self> {
        let mut checksums = Self::default();
        for algorithm in Algorithm::ALL {
            let name = algorithm.header();
            let Some(value) = headers.get(name) else {
                continue;
            };
            let valid = value.to_str().ok().map(str::trim).filter(|text| {
                STANDARD
                    .decode(text)
                    .is_ok_and(|digest| digest.len() == algorithm.digest_length())
            });
            match valid {
                Some(text) => checksums.set(algorithm, text.to_owned()),
                None => {
                    return Err(s3_error!(
                        InvalidRequest,
                        "Value for {name} header is invalid."
                    ));
                }
            }
        }
        Ok(checksums)
    }

    fn from_hasher(hasher: ChecksumHasher) -> Self {
        let sums = hasher.finalize();
        Self {
            crc32: sums.checksum_crc32,
            crc32c: sums.checksum_crc32c,
            crc64nvme: sums.checksum_crc64nvme,
            sha1: sums.checksum_sha1,
            sha256: sums.checksum_sha256,
            kind: None,
        }
    }

    /// `BadDigest` when `promised` names a digest that differs from this one.
    pub(super) fn verify(&self, promised: &Self) -> S3Result<()> {
        for algorithm in Algorithm::ALL {
            if let Some(expected) = promised.get(algorithm)
                && self.get(algorithm) != Some(expected)
            {
                return Err(s3_error!(
                    BadDigest,
                    "The {} you specified did not match the calculated checksum.",
                    algorithm.name()
                ));
            }
        }
        Ok(())
    }
}

/// Computes the MD5 of the entity tag and the wanted checksums as bytes arrive.
pub(super) struct Digester {
    md5: Md5,
    sums: ChecksumHasher,
}

impl Digester {
    pub(super) fn new(wanted: impl IntoIterator<Item = Algorithm>) -> Self {
        let mut sums = ChecksumHasher::default();
        for algorithm in wanted {
            algorithm.enable(&mut sums);
        }
        Self {
            md5: Md5::new(),
            sums,
        }
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        self.md5.update(data);
        self.sums.update(data);
    }

    /// The MD5 and the checksums.
    pub(super) fn finish(self) -> ([u8; 16], Checksums) {
        (self.md5.finalize(), Checksums::from_hasher(self.sums))
    }
}

/// The digest of the parts' digests, as S3 states it for a multipart object: `digest-N`.
pub(super) fn composite(algorithm: Algorithm, parts: &[&Checksums]) -> Option<String> {
    let mut joined = Vec::new();
    for part in parts {
        joined.extend(STANDARD.decode(part.get(algorithm)?).ok()?);
    }
    Some(format!("{}-{}", algorithm.digest(&joined), parts.len()))
}

/// The entity tag of a multipart object: MD5 of the parts' MD5s, and their number.
pub(super) fn multipart_etag(parts: &[String]) -> Option<String> {
    let mut joined = Vec::new();
    for part in parts {
        joined.extend(hex::decode(part).ok()?);
    }
    Some(format!(
        "{}-{}",
        hex::encode(Md5::checksum(&joined)),
        parts.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_the_published_check_values() {
        // The catalogue's check input of every CRC is "123456789".
        let digest = |algorithm: Algorithm| algorithm.digest(b"123456789");
        assert_eq!(
            digest(Algorithm::Crc32),
            STANDARD.encode(0xcbf4_3926_u32.to_be_bytes())
        );
        assert_eq!(
            digest(Algorithm::Crc32c),
            STANDARD.encode(0xe306_9283_u32.to_be_bytes())
        );
        assert_eq!(
            digest(Algorithm::Crc64Nvme),
            STANDARD.encode(0xae8b_1486_0a79_9888_u64.to_be_bytes())
        );
        assert_eq!(
            Algorithm::Sha256.digest(b""),
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        );
    }

    #[test]
    fn a_value_that_is_no_digest_is_refused() {
        for bad in ["AAAA", "not base64!", ""] {
            let mut headers = HeaderMap::new();
            headers.insert("x-amz-checksum-sha256", bad.parse().unwrap());
            assert!(Checksums::from_headers(&headers).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_etag_of_parts_counts_them() {
        let part = hex::encode(Md5::checksum(b"a"));
        let etag = multipart_etag(&[part.clone(), part]).unwrap();
        assert!(etag.ends_with("-2"), "{etag}");
        assert_eq!(multipart_etag(&["zz".to_owned()]), None);
    }
}
