//! The look at the bucket at the start: what is set wrong there is told at once and by name, and not
//! found out by the first photographer.

use std::sync::Arc;
use std::time::Duration;

use super::{ObjectStore, StorageError};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Warns of a bucket that cannot be used. Nothing waits for it: a store that is away for the moment is
/// no reason not to start.
pub async fn look(store: Arc<dyn ObjectStore>, bucket: String) {
    let error = match tokio::time::timeout(PATIENCE, store.answers()).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(elapsed) => StorageError::Unavailable(elapsed.into()),
    };
    match error {
        StorageError::NotFound => tracing::warn!(
            bucket,
            "there is no such bucket: uploads fail until there is; see s3.bucket (S3_BUCKET), aws.region (AWS_REGION) and s3.endpoint (S3_ENDPOINT)"
        ),
        StorageError::Refused(source) => tracing::warn!(
            bucket,
            "the object store refuses us: {source:#}; see s3.access_key (S3_KEY), s3.secret_key (S3_SECRET), aws.region (AWS_REGION) and the rights on the bucket"
        ),
        error => {
            let error = anyhow::Error::from(error);
            tracing::warn!(bucket, "the bucket cannot be looked at: {error:#}");
        }
    }
}
