//! Face embeddings and how alike two of them are.

/// A face as 128 numbers: the closer two are (Euclidean distance), the likelier one person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Embedding(pub [f32; 128]);

impl Embedding {
    /// Length of [`Embedding::as_bytes`].
    pub const BYTE_LENGTH: usize = 128 * 4;

    /// The numbers as little-endian `f32`, for storage.
    #[must_use]
    pub fn as_bytes(&self) -> [u8; Self::BYTE_LENGTH] {
        let mut bytes = [0; Self::BYTE_LENGTH];
        for (to, value) in bytes.chunks_exact_mut(4).zip(self.0) {
            to.copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    /// The inverse of [`Embedding::as_bytes`]; `None` if the length is wrong or a number is not
    /// finite.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::BYTE_LENGTH {
            return None;
        }
        let mut values = [0.0; 128];
        for (value, from) in values.iter_mut().zip(bytes.chunks_exact(4)) {
            *value = f32::from_le_bytes([from[0], from[1], from[2], from[3]]);
            if !value.is_finite() {
                return None;
            }
        }
        Some(Self(values))
    }

    /// Euclidean distance; below 0.6 two faces count as one person (dlib's threshold for this
    /// network).
    #[must_use]
    pub fn distance(&self, other: &Self) -> f32 {
        self.0
            .iter()
            .zip(&other.0)
            .map(|(a, b)| (a - b) * (a - b))
            .sum::<f32>()
            .sqrt()
    }
}

/// How alike two faces are, 0..=100, on Rekognition's scale; see [`similarity_of_distance`].
#[must_use]
pub fn similarity(a: &Embedding, b: &Embedding) -> f32 {
    similarity_of_distance(a.distance(b))
}

/// Maps a distance to Rekognition's `Similarity` scale: 0 gives 100, dlib's threshold 0.6 gives
/// Rekognition's default `FaceMatchThreshold` 80, and more distance always gives less.
///
/// The curve is `100 / (1 + (d / 1.2)^2)`: flat near 0, where photos of one person differ by
/// chance only, steepest around the threshold, and never quite 0. It is a choice, not a
/// calibration against Rekognition.
#[must_use]
pub fn similarity_of_distance(d: f32) -> f32 {
    let ratio = d.max(0.0) / 1.2;
    100.0 / (1.0 + ratio * ratio)
}
