//! The object store on S3, or anything that speaks its protocol.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, IdentityCache, Region, RequestChecksumCalculation,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumMode, Delete, ObjectIdentifier};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use entity::Timestamp;
use futures::TryFutureExt as _;
use tracing::Instrument as _;

use super::answer::{classify, is_transient};
use super::credentials::{HeldProvider, SigningCredentials};
use super::{
    ListedObject, ObjectHead, ObjectKey, ObjectStore, PresignedPut, StorageError, UploadConstraint,
};
use crate::metrics::{CallOutcome, Count, Metrics};

/// The operations that we call.
pub const OPERATIONS: [&str; 8] = [
    "HeadObject",
    "GetObject",
    "PutObject",
    "DeleteObjects",
    "ListObjectsV2",
    "HeadBucket",
    "CreateBucket",
    "PutBucketCors",
];

/// Keys that one DeleteObjects takes (Amazon S3 API reference).
const DELETE_BATCH: usize = 1_000;

/// Longest attempt, and all attempts with the pauses between them.
type Limits = (Duration, Duration);
/// For a call that somebody waits for: a request ends in 30 s, and it makes several of these.
const INTERACTIVE: Limits = (Duration::from_secs(4), Duration::from_secs(9));
/// For up to a thousand keys, also while somebody waits.
const DELETION: Limits = (Duration::from_secs(8), Duration::from_secs(15));
/// For a job's call.
const WORK: Limits = (Duration::from_secs(30), Duration::from_secs(70));
/// How long no byte of a body may come or go.
const STALLED: Duration = Duration::from_secs(10);
/// Longest time for the body of an object, so that one that drips ends as well.
const BODY: Duration = Duration::from_secs(180);

fn within((attempt, operation): Limits) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

/// Where the bucket is and who we are there.
#[derive(Clone, Debug)]
pub struct S3Settings {
    /// Bucket.
    pub bucket: String,
    /// Region, for example `eu-central-1`.
    pub region: String,
    /// Endpoint for the server's own calls; none: AWS.
    pub endpoint: Option<String>,
    /// Endpoint that is signed for clients; none: as `endpoint`. The host is part of a signature, so
    /// it must be the one that clients use.
    pub public_endpoint: Option<String>,
    /// `true` for `https://endpoint/bucket/key`.
    pub path_style: bool,
    /// Credentials.
    pub credentials: SharedCredentialsProvider,
}

impl S3Settings {
    pub(super) fn signed_endpoint(&self) -> Option<&str> {
        self.public_endpoint.as_deref().or(self.endpoint.as_deref())
    }

    pub(super) fn builder(&self, endpoint: Option<&str>) -> Builder {
        let mut builder = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .force_path_style(self.path_style)
            // Some SDK versions put a CRC32 of the empty body into presigned PUTs otherwise
            // (awslabs/aws-sdk-rust#1240); we bind SHA-256 ourselves.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        builder.set_endpoint_url(endpoint.map(str::to_owned));
        builder
    }
}

/// [`ObjectStore`] over `aws-sdk-s3`.
#[derive(Debug)]
pub struct S3Store {
    bucket: String,
    region: String,
    client: Client,
    /// Signs for the public endpoint; never calls it.
    signer: Client,
    credentials: Arc<SigningCredentials>,
    metrics: Metrics,
    signed: Count,
}

impl S3Store {
    /// A store whose calls count in `metrics`; nothing is called yet.
    #[must_use]
    pub fn new(settings: &S3Settings, metrics: &Metrics) -> Self {
        let client = settings
            .builder(settings.endpoint.as_deref())
            .credentials_provider(settings.credentials.clone())
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(within(WORK))
            // A body that stands still ends, as the time-outs here end with an answer's headers.
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled()
                    .grace_period(STALLED)
                    .build(),
            )
            .build();
        let credentials = Arc::new(SigningCredentials::new(settings.credentials.clone()));
        let signer = settings
            .builder(settings.signed_endpoint())
            .credentials_provider(HeldProvider(Arc::clone(&credentials)))
            .identity_cache(IdentityCache::no_cache())
            .build();
        Self {
            bucket: settings.bucket.clone(),
            region: settings.region.clone(),
            client: Client::from_conf(client),
            signer: Client::from_conf(signer),
            credentials,
            signed: metrics.urls_signed("PUT"),
            metrics: metrics.clone(),
        }
    }

    /// Makes a call: in a span of its own, measured to its end.
    pub(super) async fn call<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        let span = tracing::info_span!("s3", operation, outcome = tracing::field::Empty);
        let began = Instant::now();
        let answer = work.instrument(span.clone()).await;
        let outcome = match &answer {
            // The store did its part; the limit is the caller's.
            Ok(_) | Err(StorageError::TooLarge { .. }) => CallOutcome::Ok,
            Err(StorageError::NotFound) => CallOutcome::NotFound,
            Err(StorageError::Refused(_)) => CallOutcome::Refused,
            Err(StorageError::Unavailable(_)) => CallOutcome::Unavailable,
        };
        span.record("outcome", outcome.label());
        self.metrics.s3_call(operation, outcome, began.elapsed());
        answer
    }

    /// The client for [`super::bucket`].
    pub(super) fn client(&self) -> (&Client, &str, &str) {
        (&self.client, &self.bucket, &self.region)
    }

    async fn get_object(&self, key: &ObjectKey, limit: u64) -> Result<Bytes, StorageError> {
        let answer = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .send()
            .await
            .map_err(|error| classify("GetObject", error))?;
        let length = answer
            .content_length()
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or_default();
        if length > limit {
            return Err(StorageError::TooLarge { limit });
        }
        tokio::time::timeout(BODY, collect(answer.body, length, limit))
            .await
            .unwrap_or_else(|_| {
                Err(StorageError::Unavailable(anyhow::anyhow!(
                    "GetObject body: not here after {} s",
                    BODY.as_secs()
                )))
            })
    }

    async fn delete_batch(&self, keys: &[ObjectKey]) -> Result<(), StorageError> {
        let mut delete = Delete::builder().quiet(true);
        for key in keys {
            let object = ObjectIdentifier::builder().key(key.as_str()).build();
            delete = delete.objects(object.map_err(|error| StorageError::Refused(error.into()))?);
        }
        let delete = delete
            .build()
            .map_err(|error| StorageError::Refused(error.into()))?;
        self.call("DeleteObjects", self.delete_objects(delete, keys.len()))
            .await
    }

    async fn delete_objects(&self, delete: Delete, keys: usize) -> Result<(), StorageError> {
        let answer = self
            .client
            .delete_objects()
            .bucket(&self.bucket)
            .delete(delete)
            .customize()
            .config_override(Builder::new().timeout_config(within(DELETION)))
            .send()
            .await
            .map_err(|error| classify("DeleteObjects", error))?;
        // 200 says that the request was read; each key succeeds or fails by itself.
        let mut failed = answer
            .errors()
            .iter()
            .filter(|error| error.code() != Some("NoSuchKey"));
        let Some(first) = failed.next() else {
            return Ok(());
        };
        let error = anyhow::anyhow!(
            "DeleteObjects left {} of {} keys, the first with {}: {}",
            1 + failed.count(),
            keys,
            first.code().unwrap_or("no code"),
            first.message().unwrap_or_default(),
        );
        Err(if first.code().is_some_and(is_transient) {
            StorageError::Unavailable(error)
        } else {
            StorageError::Refused(error)
        })
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn presign_put(
        &self,
        key: &ObjectKey,
        constraint: &UploadConstraint,
        now: Timestamp,
        expires_in: Duration,
    ) -> Result<PresignedPut, StorageError> {
        let refused = |error: anyhow::Error| StorageError::Refused(error.context("presigned PUT"));
        // Session credentials may end first, and a URL ends with those that signed it.
        let held = self.credentials.current(now, expires_in).await?;
        let seconds = i64::try_from(expires_in.as_secs()).unwrap_or(i64::MAX);
        let wanted = now.plus_seconds(seconds);
        let expires_at = held.expires_at.map_or(wanted, |end| end.min(wanted));
        let life = u64::try_from(expires_at.0.saturating_sub(now.0)).unwrap_or_default();
        let config = PresigningConfig::builder()
            .start_time(system_time(now))
            .expires_in(Duration::from_secs(life / 1_000_000))
            .build()
            .map_err(|error| refused(error.into()))?;
        let sha256 = hex::decode(&constraint.sha256).map_err(|error| refused(error.into()))?;
        let request = self
            .signer
            .put_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .content_length(constraint.byte_size)
            .content_type(&constraint.content_type)
            // The algorithm alone would bind nothing: only the value is checked.
            .checksum_sha256(STANDARD.encode(sha256))
            .if_none_match("*")
            .presigned(config)
            .await
            .map_err(|error| classify("presigned PUT", error))?;
        let headers = request
            .headers()
            .filter(|(name, _)| !matches!(*name, "host" | "content-length"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        self.signed.add(1);
        Ok(PresignedPut {
            url: request.uri().to_owned(),
            headers,
            expires_at,
        })
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectHead>, StorageError> {
        let request = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .checksum_mode(ChecksumMode::Enabled)
            .customize()
            .config_override(Builder::new().timeout_config(within(INTERACTIVE)))
            .send()
            .map_err(|error| classify("HeadObject", error));
        let head = match self.call("HeadObject", request).await {
            Ok(head) => head,
            Err(StorageError::NotFound) => return Ok(None),
            Err(other) => return Err(other),
        };
        Ok(Some(ObjectHead {
            byte_size: head.content_length().unwrap_or_default(),
            content_type: head.content_type().map(str::to_owned),
            sha256: head.checksum_sha256().and_then(checksum_hex),
            content_encoding: head.content_encoding().map(str::to_owned),
            content_disposition: head.content_disposition().map(str::to_owned),
        }))
    }

    async fn get(&self, key: &ObjectKey, limit: u64) -> Result<Bytes, StorageError> {
        self.call("GetObject", self.get_object(key, limit)).await
    }

    async fn put(
        &self,
        key: &ObjectKey,
        content_type: &str,
        bytes: Bytes,
    ) -> Result<(), StorageError> {
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key.as_str())
            .content_type(content_type)
            .body(ByteStream::from(bytes))
            .send()
            .map_err(|error| classify("PutObject", error));
        self.call("PutObject", request).await?;
        Ok(())
    }

    async fn delete(&self, keys: &[ObjectKey]) -> Result<(), StorageError> {
        for batch in keys.chunks(DELETE_BATCH) {
            self.delete_batch(batch).await?;
        }
        Ok(())
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
    ) -> Result<Vec<ListedObject>, StorageError> {
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_start_after(after.map(|key| key.as_str().to_owned()))
            .send()
            .map_err(|error| classify("ListObjectsV2", error));
        let answer = self.call("ListObjectsV2", request).await?;
        Ok(answer
            .contents
            .unwrap_or_default()
            .into_iter()
            .filter_map(|object| {
                Some(ListedObject {
                    key: ObjectKey::listed(object.key?),
                    modified_at: object
                        .last_modified
                        .map(|time| Timestamp::default().plus_seconds(time.secs())),
                })
            })
            .collect())
    }

    async fn abort_uploads(&self, prefix: &str, before: Timestamp) -> Result<usize, StorageError> {
        self.abort_incomplete(prefix, before).await
    }

    async fn answers(&self) -> Result<(), StorageError> {
        self.head_bucket().await
    }
}

/// A body of about `length` bytes and at most `limit`.
async fn collect(mut body: ByteStream, length: u64, limit: u64) -> Result<Bytes, StorageError> {
    let mut bytes = BytesMut::with_capacity(usize::try_from(length).unwrap_or_default());
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| {
            StorageError::Unavailable(anyhow::Error::new(error).context("GetObject body"))
        })?;
        // A length can be missing or wrong: what arrives is what counts.
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Err(StorageError::TooLarge { limit });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// As the SDK wants it; times before the epoch become the epoch.
pub(super) fn system_time(time: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(time.0).unwrap_or_default())
}

/// SHA-256 as we keep it. Multipart uploads have a checksum of checksums (`…-3`): none of ours.
fn checksum_hex(base64: &str) -> Option<String> {
    let bytes: [u8; 32] = STANDARD.decode(base64).ok()?.try_into().ok()?;
    Some(hex::encode(bytes))
}
