//! SearchFaces and SearchFacesByImage: a scan over the collection's embeddings.

use std::sync::Arc;

use uuid::Uuid;
use vision::{Embedding, similarity};

use super::collections::{described, face_id};
use super::error::ApiError;
use super::faces::DEFAULT_THRESHOLD;
use super::quality::passes;
use super::request::{self, QualityFilter, collection_id, count, percent, required};
use super::response::{self, FaceMatch};
use super::store::StoredFace;
use super::{FACE_MODEL_VERSION, Rekognition};

/// Default of `MaxFaces`.
const DEFAULT_MAX_FACES: usize = 80;

impl Rekognition {
    /// Faces like one that is in the collection; that one is not among them.
    pub(crate) async fn search_faces(
        &self,
        request: request::SearchFaces,
    ) -> Result<response::SearchFaces, ApiError> {
        let name = collection_id(request.collection_id)?;
        let wanted = face_id(&required(request.face_id, "faceId")?, "faceId")?;
        let limits = Limits::new(request.max_faces, request.face_match_threshold)?;
        let (_, faces) = self.store.faces(&name).await?;
        let Some(probe) = faces.iter().find(|face| face.face_id == wanted) else {
            return Err(ApiError::InvalidParameter(
                "faceId was not found in the collection.".to_owned(),
            ));
        };
        let probe = probe.embedding;
        Ok(response::SearchFaces {
            searched_face_id: wanted.to_string(),
            face_matches: scan(faces, probe, limits, Some(wanted)).await?,
            face_model_version: FACE_MODEL_VERSION,
        })
    }

    /// Faces like the largest one of an image.
    pub(crate) async fn search_faces_by_image(
        &self,
        request: request::SearchFacesByImage,
    ) -> Result<response::SearchFacesByImage, ApiError> {
        let name = collection_id(request.collection_id)?;
        let limits = Limits::new(request.max_faces, request.face_match_threshold)?;
        let filter = request.quality_filter.unwrap_or(QualityFilter::None);
        self.store.faces(&name).await?;
        let image = self.source_image(request.image, "image").await?;
        let largest = move |faces: &[vision::DetectedFace]| {
            faces.iter().position(|face| passes(face, filter))
        };
        let found = self
            .analyser
            .faces(image, move |faces| largest(faces).into_iter().collect())
            .await?;
        let Some(index) = largest(&found.all) else {
            return Err(ApiError::InvalidParameter(
                "There are no faces in the image. Should be at least 1.".to_owned(),
            ));
        };
        let (face, probe) = (&found.all[index], *found.embedding(index)?);
        // Read after the inference: faces that arrived meanwhile can be found.
        let (_, faces) = self.store.faces(&name).await?;
        Ok(response::SearchFacesByImage {
            searched_face_bounding_box: face.bounding_box.into(),
            searched_face_confidence: face.confidence,
            face_matches: scan(faces, probe, limits, None).await?,
            face_model_version: FACE_MODEL_VERSION,
        })
    }
}

#[derive(Clone, Copy)]
struct Limits {
    max_faces: usize,
    threshold: f32,
}

impl Limits {
    fn new(max_faces: Option<i64>, threshold: Option<f32>) -> Result<Self, ApiError> {
        Ok(Self {
            max_faces: count(max_faces, "maxFaces", 1..=4096)?.unwrap_or(DEFAULT_MAX_FACES),
            threshold: percent(threshold, "faceMatchThreshold", DEFAULT_THRESHOLD)?,
        })
    }
}

/// The most similar first. A hundred thousand faces take some milliseconds: not for an async
/// thread.
async fn scan(
    faces: Arc<Vec<StoredFace>>,
    probe: Embedding,
    limits: Limits,
    except: Option<Uuid>,
) -> Result<Vec<FaceMatch>, ApiError> {
    tokio::task::spawn_blocking(move || {
        let mut matches: Vec<(f32, &StoredFace)> = faces
            .iter()
            .filter(|face| Some(face.face_id) != except)
            .map(|face| (similarity(&probe, &face.embedding), face))
            .filter(|(similarity, _)| *similarity >= limits.threshold)
            .collect();
        // Stable: equals stay in order of arrival.
        matches.sort_by(|a, b| b.0.total_cmp(&a.0));
        matches.truncate(limits.max_faces);
        matches
            .into_iter()
            .map(|(similarity, face)| FaceMatch {
                similarity,
                face: described(face),
            })
            .collect()
    })
    .await
    .map_err(|error| ApiError::Internal(format!("search: {error}")))
}
