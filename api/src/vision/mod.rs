//! What we ask of Rekognition.

use async_trait::async_trait;
use bytes::Bytes;
use entity::document::{BoundingBox, FaceDetail, LabelDetail};

use crate::storage::ObjectKey;

/// A picture for an analysis.
#[derive(Clone, Debug)]
pub enum Picture {
    /// An object of our bucket: JPEG or PNG, at most 15 MB.
    Object(ObjectKey),
    /// Bytes: JPEG or PNG, at most 5 MB.
    Bytes(Bytes),
}

/// A label as DetectLabels gives it.
#[derive(Clone, Debug)]
pub struct Label {
    /// Name, for example `Dog`.
    pub name: String,
    /// How sure, 0 to 100.
    pub confidence: f32,
    /// Parents and instances.
    pub detail: LabelDetail,
}

/// A face of the target that CompareFaces found similar to the source's largest face.
#[derive(Clone, Copy, Debug)]
pub struct FaceMatch {
    /// Where it is in the target.
    pub bounding_box: BoundingBox,
    /// 0 to 100.
    pub similarity: f32,
}

/// A face that IndexFaces put into a collection.
#[derive(Clone, Debug)]
pub struct IndexedFace {
    /// Rekognition's face id.
    pub face_id: String,
    /// Where it is in the picture.
    pub bounding_box: BoundingBox,
}

/// A face of a collection that SearchFaces found similar.
#[derive(Clone, Debug)]
pub struct CollectionMatch {
    /// Rekognition's face id.
    pub face_id: String,
    /// 0 to 100.
    pub similarity: f32,
}

/// Why an analysis did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum VisionError {
    /// Never works for this picture, for example `InvalidImageFormatException`.
    #[error("{code}: {message}")]
    Permanent {
        /// Rekognition's error name.
        code: String,
        /// Its message.
        message: String,
    },
    /// Throttling, 5xx, time-out: works later.
    #[error("{code}: {message}")]
    Retryable {
        /// Rekognition's error name, or what the connection did.
        code: String,
        /// Its message.
        message: String,
    },
    /// There is no such collection or face in it (`ResourceNotFoundException`).
    #[error("no such collection")]
    NoSuchCollection,
    /// CompareFaces saw no face in the source, or none in the target: it does not say in which.
    #[error("no face was seen in one of two pictures")]
    NoFace,
}

/// The analyses.
#[async_trait]
pub trait Analyser: Send + Sync {
    /// DetectFaces: largest face first, boxes clamped to 0..1.
    async fn detect_faces(&self, picture: &Picture) -> Result<Vec<FaceDetail>, VisionError>;

    /// DetectLabels, most certain first.
    async fn detect_labels(&self, picture: &Picture) -> Result<Vec<Label>, VisionError>;

    /// CompareFaces: the source's largest face against the target's 100 largest; most similar
    /// first. Where it sees no face in one of them, that is [`VisionError::NoFace`].
    async fn compare_faces(
        &self,
        source: &Picture,
        target: &Picture,
        threshold: f32,
    ) -> Result<Vec<FaceMatch>, VisionError>;

    /// CreateCollection; one that exists already counts as made.
    async fn create_collection(&self, collection: &str) -> Result<(), VisionError>;

    /// DeleteCollection; one that is not there counts as deleted.
    async fn delete_collection(&self, collection: &str) -> Result<(), VisionError>;

    /// IndexFaces with `QualityFilter: NONE`, up to 100 faces. `external_image_id` comes back in
    /// Rekognition's own listings. The same picture indexed twice makes two sets of faces.
    async fn index_faces(
        &self,
        collection: &str,
        picture: &Picture,
        external_image_id: &str,
    ) -> Result<Vec<IndexedFace>, VisionError>;

    /// SearchFaces: faces of the collection similar to one of it (itself left out), most similar first.
    async fn search_faces(
        &self,
        collection: &str,
        face_id: &str,
        threshold: f32,
        max_faces: u32,
    ) -> Result<Vec<CollectionMatch>, VisionError>;

    /// ListFaces, all pages: face ids with their `ExternalImageId`.
    async fn list_faces(
        &self,
        collection: &str,
    ) -> Result<Vec<(String, Option<String>)>, VisionError>;

    /// DeleteFaces; faces that are not there count as deleted.
    async fn delete_faces(&self, collection: &str, face_ids: &[String]) -> Result<(), VisionError>;
}

mod answer;
pub mod pace;
pub mod rekognition;
