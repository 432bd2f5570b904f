//! Amazon Rekognition on this machine: the JSON 1.1 protocol, real networks, stored collections.
//!
//! Shapes, limits and error names are those of the Amazon Rekognition API reference (model
//! 2016-06-27), so that any AWS SDK can talk to it. Knows nothing of the app.
//!
//! | part | file |
//! | --- | --- |
//! | HTTP, signature, dispatch, errors on the wire | `protocol.rs`, `error.rs` |
//! | requests and responses | `request.rs`, `response.rs`, `landmarks.rs` |
//! | the image of a request: limits, decoding, orientation | `source_image.rs` |
//! | inference: bounded, and remembered for a while | `analysis.rs`, `memory.rs` |
//! | operations on one image | `faces.rs`, `labels.rs`, `taxonomy.rs`, `quality.rs` |
//! | operations on collections | `collections.rs`, `search.rs`, `store.rs` |
//!
//! Not there: face attributes beyond geometry (age, gender, emotions: the networks do not tell),
//! users, text, moderation, video. An operation that is not there answers
//! `UnknownOperationException`.

mod analysis;
mod collections;
mod error;
mod faces;
mod labels;
mod landmarks;
mod memory;
mod protocol;
mod quality;
mod request;
mod response;
mod search;
mod source_image;
mod store;
mod taxonomy;
mod tiles;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::sigv4::{CredentialStore, Verifier};

use analysis::Analyser;
pub(crate) use protocol::error_response;
use store::{Store, StoreError};

/// Version of the face model that the endpoint reports.
///
/// The networks are not Amazon's, but clients draw conclusions from the number: no
/// `OrientationCorrection` from 4 on, `QualityFilter` from 3 on, 100 faces an image from 2 on.
const FACE_MODEL_VERSION: &str = "7.0";
/// As [`FACE_MODEL_VERSION`], for labels: categories and aliases exist from 3 on.
const LABEL_MODEL_VERSION: &str = "3.0";

/// Reads the objects that a request names by bucket and key.
#[async_trait::async_trait]
pub trait ObjectSource: Send + Sync {
    /// The object's bytes.
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
pub(crate) struct RekognitionOptions {
    /// Folder of the collections' database; made when missing.
    pub(crate) data_dir: PathBuf,
    /// Region of the endpoint: signatures for another one are refused.
    pub(crate) region: String,
    /// Twelve digits, for ARNs.
    pub(crate) account_id: String,
    /// Who may call.
    pub(crate) credentials: Arc<dyn CredentialStore>,
    /// Where `S3Object` images come from.
    pub(crate) objects: Arc<dyn ObjectSource>,
}

/// The endpoint. One per data folder; share it by `Arc`.
pub(crate) struct Rekognition {
    region: String,
    account_id: String,
    verifier: Verifier,
    objects: Arc<dyn ObjectSource>,
    analyser: Analyser,
    store: Store,
}

impl Rekognition {
    /// Opens the collections. The networks are loaded by the first request that needs them.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub(crate) async fn open(options: RekognitionOptions) -> Result<Self, StoreError> {
        let store = Store::open(&options.data_dir).await?;
        Ok(Self {
            verifier: Verifier::new(
                "rekognition",
                Some(options.region.clone()),
                options.credentials,
            ),
            region: options.region,
            account_id: options.account_id,
            objects: options.objects,
            analyser: Analyser::new(),
            store,
        })
    }

    /// Closes the database, after which every operation on collections fails.
    pub(crate) async fn close(&self) {
        self.store.close().await;
    }
}
