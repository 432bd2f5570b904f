//! Faces and objects in photos, found on this machine's CPU.

mod similarity;
mod types;

pub use similarity::{Embedding, similarity, similarity_of_distance};
pub use types::{BoundingBox, DetectedFace, DetectedObject, Point, Pose, Quality};

/// Why the networks could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum VisionError {
    /// A weight file does not hold what its network needs.
    #[error("the weights of {model} are not usable: {reason}")]
    Weights {
        /// The network.
        model: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// The loaded networks. Share one by `Arc`: all methods take `&self` and run concurrently.
#[derive(Debug)]
pub struct Vision;

impl Vision {
    /// Loads the embedded weights.
    ///
    /// # Errors
    /// If a weight file does not hold what its network needs.
    pub fn load() -> Result<Self, VisionError> {
        Err(VisionError::Weights {
            model: "all",
            reason: "the networks are not written yet".into(),
        })
    }

    /// Faces with a confidence of at least 50, largest box first.
    #[must_use]
    pub fn detect_faces(&self, _image: &image::RgbImage) -> Vec<DetectedFace> {
        Vec::new()
    }

    /// The embedding of one face of `image`: aligned by its landmarks, averaged with its mirror
    /// image.
    #[must_use]
    pub fn embed(&self, _image: &image::RgbImage, _face: &DetectedFace) -> Embedding {
        Embedding([0.0; 128])
    }

    /// Objects of the COCO-80 classes, most confident first.
    #[must_use]
    pub fn detect_objects(&self, _image: &image::RgbImage) -> Vec<DetectedObject> {
        Vec::new()
    }
}
