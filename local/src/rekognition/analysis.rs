//! Inference: off the async threads, at most one image per core at a time.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use image::RgbImage;
use tokio::sync::Semaphore;
use vision::{DetectedFace, DetectedObject, Embedding, Vision};

use super::error::ApiError;
use super::memory::{Findings, Memory};
use super::source_image::SourceImage;
use super::tiles;

/// Rekognition looks at this many faces of an image, the largest ones.
pub(crate) const MAX_FACES: usize = 100;

/// Runs the networks and remembers what they found.
pub(crate) struct Analyser {
    /// Loaded by the first request that needs them: a server that is used for S3 alone never
    /// pays for them.
    networks: Arc<OnceLock<Result<Vision, String>>>,
    /// Decoded images and activations take some hundred megabytes each, and each keeps two cores
    /// busy.
    cores: Arc<Semaphore>,
    memory: Arc<Memory>,
}

/// The faces of an image, and the embeddings of those that were asked for.
pub(crate) struct Faces {
    /// At most [`MAX_FACES`], largest first.
    pub(crate) all: Arc<Vec<DetectedFace>>,
    embeddings: HashMap<usize, Embedding>,
}

impl Faces {
    /// The embedding of a face that was asked for.
    pub(crate) fn embedding(&self, index: usize) -> Result<&Embedding, ApiError> {
        self.embeddings
            .get(&index)
            .ok_or_else(|| ApiError::Internal(format!("face {index} was not embedded")))
    }
}

impl Analyser {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let cores = cores.div_ceil(2);
        Self {
            networks: Arc::default(),
            cores: Arc::new(Semaphore::new(cores)),
            memory: Arc::default(),
        }
    }

    /// Finds the faces and embeds those that `select` names by their place.
    pub(crate) async fn faces(
        &self,
        image: SourceImage,
        select: impl FnOnce(&[DetectedFace]) -> Vec<usize> + Send + 'static,
    ) -> Result<Faces, ApiError> {
        self.faces_by(Vision::detect_faces, image, select).await
    }

    /// As [`Self::faces`], small ones included: looks at parts of a large image too.
    pub(crate) async fn small_faces(
        &self,
        image: SourceImage,
        select: impl FnOnce(&[DetectedFace]) -> Vec<usize> + Send + 'static,
    ) -> Result<Faces, ApiError> {
        self.faces_by(tiles::detect, image.looked_at_in_parts(), select)
            .await
    }

    async fn faces_by(
        &self,
        detect: fn(&Vision, &RgbImage) -> Vec<DetectedFace>,
        image: SourceImage,
        select: impl FnOnce(&[DetectedFace]) -> Vec<usize> + Send + 'static,
    ) -> Result<Faces, ApiError> {
        self.run(image, move |work, known| {
            let all = match &known.faces {
                Some(faces) => Arc::clone(faces),
                None => {
                    let mut faces = detect(work.networks()?, work.pixels()?);
                    faces.truncate(MAX_FACES);
                    Arc::new(faces)
                }
            };
            let mut embeddings = HashMap::new();
            for index in select(&all) {
                let Some(face) = all.get(index) else { continue };
                let embedding = match known.embeddings.get(&index) {
                    Some(embedding) => *embedding,
                    None => work.networks()?.embed(work.pixels()?, face),
                };
                embeddings.insert(index, embedding);
            }
            let found = Findings {
                faces: Some(Arc::clone(&all)),
                embeddings: embeddings.clone(),
                objects: None,
            };
            Ok((Faces { all, embeddings }, found))
        })
        .await
    }

    /// Finds objects.
    pub(crate) async fn objects(
        &self,
        image: SourceImage,
    ) -> Result<Arc<Vec<DetectedObject>>, ApiError> {
        self.run(image, |work, known| {
            let objects = match &known.objects {
                Some(objects) => Arc::clone(objects),
                None => Arc::new(work.networks()?.detect_objects(work.pixels()?)),
            };
            let found = Findings {
                objects: Some(Arc::clone(&objects)),
                ..Findings::default()
            };
            Ok((objects, found))
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        image: SourceImage,
        work: impl FnOnce(&mut Work<'_>, &Findings) -> Result<(T, Findings), ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let core = Arc::clone(&self.cores)
            .acquire_owned()
            .await
            .map_err(|error| ApiError::Internal(error.to_string()))?;
        let (networks, memory) = (Arc::clone(&self.networks), Arc::clone(&self.memory));
        tokio::task::spawn_blocking(move || {
            // Moved in: a caller that goes away does not free the core before the work is done.
            let _core = core;
            let known = memory.recall(&image.digest);
            let mut tools = Work {
                image: &image,
                networks: &networks,
                decoded: None,
            };
            let (answer, found) = work(&mut tools, &known)?;
            memory.add(image.digest, found);
            Ok(answer)
        })
        .await
        .map_err(|error| ApiError::Internal(format!("inference: {error}")))?
    }
}

/// What a piece of work needs, each loaded when it is first asked for.
struct Work<'a> {
    image: &'a SourceImage,
    networks: &'a OnceLock<Result<Vision, String>>,
    decoded: Option<RgbImage>,
}

impl<'a> Work<'a> {
    fn networks(&self) -> Result<&'a Vision, ApiError> {
        self.networks
            .get_or_init(|| Vision::load().map_err(|error| error.to_string()))
            .as_ref()
            .map_err(|error| ApiError::Internal(error.clone()))
    }

    fn pixels(&mut self) -> Result<&RgbImage, ApiError> {
        let decoded = match self.decoded.take() {
            Some(decoded) => decoded,
            None => self.image.decode()?,
        };
        Ok(self.decoded.insert(decoded))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[tokio::test]
    async fn an_image_seen_before_is_neither_decoded_nor_analysed_again() {
        let analyser = Analyser::new();
        // Nothing that could be decoded: whatever comes back was remembered.
        let image = || SourceImage::new(Bytes::from_static(b"not an image"));
        assert!(analyser.faces(image(), |_| Vec::new()).await.is_err());

        let face = DetectedFace {
            bounding_box: vision::BoundingBox::default(),
            confidence: 99.0,
            landmarks: Vec::new(),
            pose: vision::Pose::default(),
            quality: vision::Quality::default(),
        };
        analyser.memory.add(
            image().digest,
            Findings {
                faces: Some(Arc::new(vec![face.clone()])),
                embeddings: HashMap::from([(0, Embedding([0.25; 128]))]),
                objects: Some(Arc::default()),
            },
        );
        let faces = analyser.faces(image(), |_| vec![0]).await.unwrap();
        assert_eq!(*faces.all, [face]);
        assert_eq!(faces.embedding(0).unwrap().0, [0.25; 128]);
        assert!(analyser.objects(image()).await.unwrap().is_empty());
    }
}
