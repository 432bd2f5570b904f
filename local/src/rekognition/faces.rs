//! DetectFaces and CompareFaces.

use vision::similarity;

use super::Rekognition;
use super::error::ApiError;
use super::quality::passes;
use super::request::{self, QualityFilter, percent, wants_all};
use super::response::{self, ComparedMatch, FaceDetail, SourceFace};

/// Default of `SimilarityThreshold` and `FaceMatchThreshold`.
pub(crate) const DEFAULT_THRESHOLD: f32 = 80.0;

impl Rekognition {
    /// The 100 largest faces of an image, largest first.
    pub(crate) async fn detect_faces(
        &self,
        request: request::DetectFaces,
    ) -> Result<response::DetectFaces, ApiError> {
        let all = wants_all(request.attributes.as_deref(), "attributes")?;
        let image = self.source_image(request.image, "image").await?;
        let faces = self.analyser.faces(image, |_| Vec::new()).await?;
        Ok(response::DetectFaces {
            face_details: faces
                .all
                .iter()
                .map(|face| FaceDetail::new(face, all))
                .collect(),
        })
    }

    /// The largest face of the source against each of the 100 largest of the target.
    ///
    /// A source without a face is an invalid parameter; a target without one is an empty answer.
    /// The filter removes faces from both sides, so a poor source face fails the same way.
    pub(crate) async fn compare_faces(
        &self,
        request: request::CompareFaces,
    ) -> Result<response::CompareFaces, ApiError> {
        let threshold = percent(
            request.similarity_threshold,
            "similarityThreshold",
            DEFAULT_THRESHOLD,
        )?;
        let filter = request.quality_filter.unwrap_or(QualityFilter::None);
        let source = self
            .source_image(request.source_image, "sourceImage")
            .await?;
        let target = self
            .source_image(request.target_image, "targetImage")
            .await?;

        let sources = self.analyser.faces(source, |_| vec![0]).await?;
        let Some(source) = sources.all.first().filter(|face| passes(face, filter)) else {
            return Err(ApiError::invalid_parameters());
        };
        let targets = self
            .analyser
            .small_faces(target, move |faces| {
                (0..faces.len())
                    .filter(|index| passes(&faces[*index], filter))
                    .collect()
            })
            .await?;

        let (mut face_matches, mut unmatched_faces) = (Vec::new(), Vec::new());
        for (index, face) in targets.all.iter().enumerate() {
            if !passes(face, filter) {
                continue;
            }
            let similarity = similarity(sources.embedding(0)?, targets.embedding(index)?);
            let face = FaceDetail::new(face, false);
            if similarity >= threshold {
                face_matches.push(ComparedMatch { similarity, face });
            } else {
                unmatched_faces.push(face);
            }
        }
        face_matches.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
        Ok(response::CompareFaces {
            source_image_face: SourceFace {
                bounding_box: source.bounding_box.into(),
                confidence: source.confidence,
            },
            face_matches,
            unmatched_faces,
        })
    }
}
