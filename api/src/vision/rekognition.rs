//! [`Analyser`] on Amazon Rekognition, or on anything that speaks its protocol.

use std::cmp::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_rekognition::Client;
use aws_sdk_rekognition::config::retry::RetryConfig;
use aws_sdk_rekognition::config::timeout::TimeoutConfig;
use aws_sdk_rekognition::config::{BehaviorVersion, Config, Region, SharedCredentialsProvider};
use aws_sdk_rekognition::primitives::Blob;
use aws_sdk_rekognition::types::{Image, QualityFilter, S3Object};
use entity::document::{BoundingBox, FaceDetail};

use super::answer;
use super::pace::{Calls, Operation, Pace};
use super::{Analyser, CollectionMatch, FaceMatch, IndexedFace, Label, Picture, VisionError};

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
}

impl Rekognition {
    /// A client; nothing is called yet.
    #[must_use]
    pub fn new(settings: RekognitionSettings) -> Self {
        Self::within(settings, ATTEMPT, CALL)
    }

    fn within(settings: RekognitionSettings, attempt: Duration, call: Duration) -> Self {
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
        }
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
        self.pace.wait(Operation::DetectFaces).await;
        let output = self
            .client
            .detect_faces()
            .image(self.image(picture))
            .send()
            .await
            .map_err(answer::error)?;
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
        self.pace.wait(Operation::DetectLabels).await;
        let output = self
            .client
            .detect_labels()
            .image(self.image(picture))
            .max_labels(MAX_LABELS)
            .min_confidence(self.min_label_confidence)
            .send()
            .await
            .map_err(answer::error)?;
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
        self.pace.wait(Operation::CompareFaces).await;
        let output = self
            .client
            .compare_faces()
            .source_image(self.image(source))
            .target_image(self.image(target))
            .similarity_threshold(threshold)
            .quality_filter(QualityFilter::None)
            .send()
            .await;
        let output = match output.map_err(answer::error) {
            Ok(output) => output,
            // CompareFaces' answer to a picture without a face (API reference); the other
            // parameters are ours.
            Err(VisionError::Permanent { code, .. }) if code == "InvalidParameterException" => {
                return Ok(Vec::new());
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
        self.pace.wait(Operation::CreateCollection).await;
        let output = self
            .client
            .create_collection()
            .collection_id(collection)
            .send()
            .await;
        match output.map_err(answer::error) {
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
        self.pace.wait(Operation::DeleteCollection).await;
        let output = self
            .client
            .delete_collection()
            .collection_id(collection)
            .send()
            .await;
        match output.map_err(answer::error) {
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
        self.pace.wait(Operation::IndexFaces).await;
        let output = self
            .client
            .index_faces()
            .collection_id(collection)
            .image(self.image(picture))
            .external_image_id(external_image_id)
            .quality_filter(QualityFilter::None)
            .max_faces(100)
            .send()
            .await
            .map_err(answer::error)?;
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
        self.pace.wait(Operation::SearchFaces).await;
        let output = self
            .client
            .search_faces()
            .collection_id(collection)
            .face_id(face_id)
            .face_match_threshold(threshold)
            .max_faces(i32::try_from(max_faces.min(4_096)).unwrap_or(4_096))
            .send()
            .await;
        let output = match output.map_err(answer::error) {
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
            self.pace.wait(Operation::ListFaces).await;
            let output = self
                .client
                .list_faces()
                .collection_id(collection)
                .max_results(FACE_IDS_PER_CALL as i32)
                .set_next_token(token)
                .send()
                .await
                .map_err(answer::error)?;
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
            self.pace.wait(Operation::DeleteFaces).await;
            let output = self
                .client
                .delete_faces()
                .collection_id(collection)
                .set_face_ids(Some(ids.to_vec()))
                .send()
                .await;
            match output.map_err(answer::error) {
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

    #[tokio::test]
    async fn a_service_that_never_answers_is_one_to_try_later() {
        // The kernel takes the connections; nobody else does.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = RekognitionSettings {
            region: "us-east-1".into(),
            endpoint: Some(format!("http://{}", silent.local_addr().unwrap())),
            credentials: SharedCredentialsProvider::new(Credentials::new(
                "id", "secret", None, None, "test",
            )),
            bucket: "bucket".into(),
            faces_per_second: 10.0,
            labels_per_second: 10.0,
            min_label_confidence: 50.0,
        };
        let (attempt, call) = (Duration::from_millis(50), Duration::from_millis(400));
        let rekognition = Rekognition::within(settings, attempt, call);
        let answer = rekognition.list_faces("collection").await;
        let Err(VisionError::Retryable { code, .. }) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(code, "Timeout");
    }
}
