//! Amazon Rekognition on this machine: the JSON 1.1 protocol, real models, stored collections.
//!
//! Shapes, limits and error names are those of the Amazon Rekognition API reference, so that any
//! AWS SDK can talk to it. Knows nothing of the app.
//!
//! | part | file |
//! | --- | --- |
//! | HTTP, signatures, errors on the wire | [`protocol`] |
//! | requests and responses | [`shapes`] |
//! | the image of a request: limits, decoding, orientation | [`source_image`] |
//! | inference, bounded and remembered | [`analysis`] |

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::sigv4::CredentialStore;

/// Reads the objects that a request names by bucket and key.
#[async_trait::async_trait]
pub trait ObjectSource: Send + Sync {
    /// The object's bytes, in the name of the caller.
    ///
    /// # Errors
    /// [`ObjectError`] when there is none or when it is larger than `limit` bytes.
    async fn read(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        limit: u64,
    ) -> Result<Bytes, ObjectError>;
}

/// Why an [`ObjectSource`] gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// No such bucket, key or version.
    #[error("no such object")]
    NotFound,
    /// Larger than the limit.
    #[error("the object has {size} bytes")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
    },
    /// Anything else: the disk, for one.
    #[error("the object cannot be read: {0}")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What the endpoint is made of.
pub struct RekognitionOptions {
    /// Folder of the collections' database; created when missing.
    pub data_dir: PathBuf,
    /// Region of the endpoint: signatures for another one are refused.
    pub region: String,
    /// Twelve digits, for ARNs.
    pub account_id: String,
    /// Who may call.
    pub credentials: Arc<dyn CredentialStore>,
    /// Where `S3Object` images come from.
    pub objects: Arc<dyn ObjectSource>,
    /// The time.
    pub clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// Fresh ids for faces, images and requests (version 4).
    pub new_id: Arc<dyn Fn() -> Uuid + Send + Sync>,
}
