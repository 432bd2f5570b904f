//! [`Analyser`] on Amazon Rekognition, or on anything that speaks its protocol.

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_sdk_rekognition::Client;
use aws_sdk_rekognition::config::http::HttpResponse;
use aws_sdk_rekognition::config::retry::RetryConfig;
use aws_sdk_rekognition::config::timeout::TimeoutConfig;
use aws_sdk_rekognition::config::{BehaviorVersion, Config, Region, SharedCredentialsProvider};
use aws_sdk_rekognition::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_rekognition::primitives::Blob;
use aws_sdk_rekognition::types::{Image, QualityFilter, S3Object};
use entity::document::{BoundingBox, FaceDetail};
use tracing::Instrument as _;

use super::answer;
use super::pace::{Calls, Operation, Pace};
use super::{Analyser, CollectionMatch, FaceMatch, IndexedFace, Label, Picture, VisionError};
use crate::metrics::{CallOutcome, Metrics};

/// Most face ids of one DeleteFaces or ListFaces call (API reference).
const FACE_IDS_PER_CALL: usize = 4_096;

/// Longest attempt: only jobs call, and the local stand-in may have a queue before it.
const ATTEMPT: Duration = Duration::from_secs(30);
/// Longest call, with the SDK's own attempts and the pauses between them.
const CALL: Duration = Duration::from_secs(60);

/// Most labels asked for: DetectLabels' own default answers up to 1,000.
const MAX_LABELS: i32 = 100;

/// How to reach Rekognition.
#[derive(Clone, Debug)]
pub struct RekognitionSettings {
    /// Region; the bucket must lie in it too.
    pub region: String,
    /// Endpoint; none: AWS.
    pub endpoint: Option<String>,
    /// Credentials.
    pub credentials: SharedCredentialsProvider,
    /// Bucket of [`Picture::Object`].
    pub bucket: String,
    /// DetectFaces a second, and CompareFaces a second.
    pub faces_per_second: f64,
    /// DetectLabels, IndexFaces and SearchFaces a second, each.
    pub labels_per_second: f64,
    /// Labels below this confidence (0 to 100) are not asked for.
    pub min_label_confidence: f32,
}

/// Rekognition.
#[derive(Debug)]
pub struct Rekognition {
    client: Client,
    bucket: String,
    min_label_confidence: f32,
    pace: Pace,
    metrics: Metrics,
}

impl Rekognition {
    /// A client whose calls count in `metrics`; nothing is called yet.
    #[must_use]
    pub fn new(settings: RekognitionSettings, metrics: &Metrics) -> Self {
        Self::within(settings, metrics, ATTEMPT, CALL)
    }

    fn within(
        settings: RekognitionSettings,
        metrics: &Metrics,
        attempt: Duration,
        call: Duration,
    ) -> Self {
        // Standard retries, not adaptive: the adaptive limiter is shared by all operations of a
        // client, so that DetectLabels at its quota would slow DetectFaces down too. `Pace` paces.
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(settings.region))
            .credentials_provider(settings.credentials)
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .operation_attempt_timeout(attempt)
                    .operation_timeout(call)
                    .build(),
            );
        config.set_endpoint_url(settings.endpoint);
        Self {
            client: Client::from_conf(config.build()),
            bucket: settings.bucket,
            min_label_confidence: settings.min_label_confidence,
            pace: Pace::new(settings.faces_per_second, settings.labels_per_second),
            metrics: metrics.clone(),
        }
    }

    /// Waits for the operation's turn and makes a call: in a span of its own, measured without the
    /// wait.
    async fn call<T, E>(
        &self,
        operation: Operation,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, VisionError>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.pace.wait(operation).await;
        let name = operation.name();
        let span = tracing::info_span!(
            "rekognition",
            operation = name,
            outcome = tracing::field::Empty
        );
        let began = Instant::now();
        let answer = request.instrument(span.clone()).await;
        let answer = answer.map_err(answer::error);
        let outcome = match &answer {
            Ok(_) => CallOutcome::Ok,
            Err(error) => answer::outcome(operation, error),
        };
        span.record("outcome", outcome.label());
        self.metrics
            .rekognition_call(name, outcome, began.elapsed());
        answer
    }

    /// Calls since the start.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.pace.calls()
    }

    fn image(&self, picture: &Picture) -> Image {
        match picture {
            Picture::Object(key) => Image::builder()
                .s3_object(
                    S3Object::builder()
                        .bucket(&self.bucket)
                        .name(key.as_str())
                        .build(),
                )
                .build(),
            Picture::Bytes(bytes) => Image::builder().bytes(Blob::new(bytes.as_ref())).build(),
        }
    }
}

#[async_trait]
impl Analyser for Rekognition {
    async fn detect_faces(&self, picture: &Picture) -> Result<Vec<FaceDetail>, VisionError> {
        let request = self.client.detect_faces().image(self.image(picture)).send();
        let output = self.call(Operation::DetectFaces, request).await?;
        let mut faces: Vec<FaceDetail> = output
            .face_details()
            .iter()
            .filter_map(answer::face)
            .collect();
        let area = |face: &FaceDetail| face.bounding_box.width * face.bounding_box.height;
        faces.sort_by(|a, b| descending(area(a), area(b)));
        Ok(faces)
    }

    async fn detect_labels(&self, picture: &Picture) -> Result<Vec<Label>, VisionError> {
        let request = self
            .client
            .detect_labels()
            .image(self.image(picture))
            .max_labels(MAX_LABELS)
            .min_confidence(self.min_label_confidence)
            .send();
        let output = self.call(Operation::DetectLabels, request).await?;
        let mut labels: Vec<Label> = output.labels().iter().filter_map(answer::label).collect();
        labels.sort_by(|a, b| descending(a.confidence, b.confidence));
        Ok(labels)
    }

    async fn compare_faces(
        &self,
        source: &Picture,
        target: &Picture,
        threshold: f32,
    ) -> Result<Vec<FaceMatch>, VisionError> {
        let request = self
            .client
            .compare_faces()
            .source_image(self.image(source))
            .target_image(self.image(target))
            .similarity_threshold(threshold)
            .quality_filter(QualityFilter::None)
            .send();
        let output = self.call(Operation::CompareFaces, request).await;
        let output = match output {
            Ok(output) => output,
            // CompareFaces' answer to a picture without a face (API reference); the other
            // parameters are ours.
            Err(VisionError::Permanent { code, .. }) if code == "InvalidParameterException" => {
                return Err(VisionError::NoFace);
            }
            Err(error) => return Err(error),
        };
        let mut matches: Vec<FaceMatch> = output
            .face_matches()
            .iter()
            .filter_map(|found| {
                Some(FaceMatch {
                    bounding_box: answer::bounding_box(found.face()?.bounding_box()?),
                    similarity: found.similarity()?,
                })
            })
            .collect();
        matches.sort_by(|a, b| descending(a.similarity, b.similarity));
        Ok(matches)
    }

    async fn create_collection(&self, collection: &str) -> Result<(), VisionError> {
        let request = self
            .client
            .create_collection()
            .collection_id(collection)
            .send();
        let output = self.call(Operation::CreateCollection, request).await;
        match output {
            Ok(_) => Ok(()),
            Err(VisionError::Permanent { code, .. })
                if code == "ResourceAlreadyExistsException" =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn delete_collection(&self, collection: &str) -> Result<(), VisionError> {
        let request = self
            .client
            .delete_collection()
            .collection_id(collection)
            .send();
        let output = self.call(Operation::DeleteCollection, request).await;
        match output {
            Ok(_) | Err(VisionError::NoSuchCollection) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn index_faces(
        &self,
        collection: &str,
        picture: &Picture,
        external_image_id: &str,
    ) -> Result<Vec<IndexedFace>, VisionError> {
        let request = self
            .client
            .index_faces()
            .collection_id(collection)
            .image(self.image(picture))
            .external_image_id(external_image_id)
            .quality_filter(QualityFilter::None)
            .max_faces(100)
            .customize()
            // A second attempt after a lost answer would add the same faces again, and nobody would
            // know the first ones. The grouping job comes back, and takes out what it finds first.
            .config_override(Config::builder().retry_config(RetryConfig::disabled()))
            .send();
        let output = self.call(Operation::IndexFaces, request).await?;
        Ok(output
            .face_records()
            .iter()
            .filter_map(|record| {
                let face = record.face()?;
                Some(IndexedFace {
                    face_id: face.face_id()?.to_owned(),
                    bounding_box: face
                        .bounding_box()
                        .map_or_else(BoundingBox::default, answer::bounding_box),
                })
            })
            .collect())
    }

    async fn search_faces(
        &self,
        collection: &str,
        face_id: &str,
        threshold: f32,
        max_faces: u32,
    ) -> Result<Vec<CollectionMatch>, VisionError> {
        let request = self
            .client
            .search_faces()
            .collection_id(collection)
            .face_id(face_id)
            .face_match_threshold(threshold)
            .max_faces(i32::try_from(max_faces.min(4_096)).unwrap_or(4_096))
            .send();
        let output = self.call(Operation::SearchFaces, request).await;
        let output = match output {
            Ok(output) => output,
            // SearchFaces' answer to a face id that the collection does not hold; the other
            // parameters are ours.
            Err(VisionError::Permanent { code, .. }) if code == "InvalidParameterException" => {
                return Err(VisionError::NoSuchCollection);
            }
            Err(error) => return Err(error),
        };
        let mut matches: Vec<CollectionMatch> = output
            .face_matches()
            .iter()
            .filter_map(|found| {
                Some(CollectionMatch {
                    face_id: found.face()?.face_id()?.to_owned(),
                    similarity: found.similarity()?,
                })
            })
            .filter(|found| found.face_id != face_id)
            .collect();
        matches.sort_by(|a, b| descending(a.similarity, b.similarity));
        Ok(matches)
    }

    async fn list_faces(
        &self,
        collection: &str,
    ) -> Result<Vec<(String, Option<String>)>, VisionError> {
        let mut faces = Vec::new();
        let mut token = None;
        loop {
            let request = self
                .client
                .list_faces()
                .collection_id(collection)
                .max_results(FACE_IDS_PER_CALL as i32)
                .set_next_token(token)
                .send();
            let output = self.call(Operation::ListFaces, request).await?;
            faces.extend(output.faces().iter().filter_map(|face| {
                let image = face.external_image_id().map(str::to_owned);
                Some((face.face_id()?.to_owned(), image))
            }));
            token = output.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(faces);
            }
        }
    }

    async fn delete_faces(&self, collection: &str, face_ids: &[String]) -> Result<(), VisionError> {
        for ids in face_ids.chunks(FACE_IDS_PER_CALL) {
            let request = self
                .client
                .delete_faces()
                .collection_id(collection)
                .set_face_ids(Some(ids.to_vec()))
                .send();
            let output = self.call(Operation::DeleteFaces, request).await;
            match output {
                Ok(_) => {}
                Err(VisionError::NoSuchCollection) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn descending(a: f32, b: f32) -> Ordering {
    b.partial_cmp(&a).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;

    use super::*;

    fn at(endpoint: std::net::SocketAddr, attempt: Duration, call: Duration) -> Rekognition {
        let settings = RekognitionSettings {
            region: "us-east-1".into(),
            endpoint: Some(format!("http://{endpoint}")),
            credentials: SharedCredentialsProvider::new(Credentials::new(
                "id", "secret", None, None, "test",
            )),
            bucket: "bucket".into(),
            faces_per_second: 10.0,
            labels_per_second: 10.0,
            min_label_confidence: 50.0,
        };
        Rekognition::within(settings, &Metrics::default(), attempt, call)
    }

    #[tokio::test]
    async fn a_service_that_never_answers_is_one_to_try_later() {
        // The kernel takes the connections; nobody else does.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (attempt, call) = (Duration::from_millis(50), Duration::from_millis(400));
        let rekognition = at(silent.local_addr().unwrap(), attempt, call);
        let answer = rekognition.list_faces("collection").await;
        let Err(VisionError::Retryable { code, .. }) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(code, "Timeout");
    }

    #[tokio::test]
    async fn faces_are_not_indexed_again_when_the_answer_was_lost() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let rekognition = at(listener.local_addr().unwrap(), ATTEMPT, CALL);
        let requests = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let seen = std::sync::Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let read = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 4096]).await;
                assert!(read.is_ok_and(|bytes| bytes > 0));
                seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                // Taken, and never answered.
            }
        });
        let picture = Picture::Bytes(bytes::Bytes::from_static(b"picture"));
        let answer = rekognition
            .index_faces("collection", &picture, "photo")
            .await;
        assert!(
            matches!(answer, Err(VisionError::Retryable { .. })),
            "{answer:?}"
        );
        assert_eq!(requests.load(std::sync::atomic::Ordering::SeqCst), 1);
    }
}
