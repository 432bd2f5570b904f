//! Rekognition's exceptions, by the names that clients know.
//!
//! Source: "Error handling" in the Rekognition developer guide and the `Errors` section of each
//! operation. Where the guide gives no text, the message is the one that the service has been
//! seen to send.

use http::StatusCode;

use super::store::StoreError;
use crate::sigv4::SignatureError;

/// Why a request fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The signature is missing or wrong.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// `X-Amz-Target` names nothing that is served here.
    #[error("{0}")]
    UnknownOperation(String),
    /// The body is not the JSON that the operation takes.
    #[error("{0}")]
    Serialization(String),
    /// A member of the request breaks a constraint of the model (pattern, range, length).
    #[error("1 validation error detected: {0}")]
    Validation(String),
    /// A request that is well-formed and cannot be carried out.
    #[error("{0}")]
    InvalidParameter(String),
    /// Not a JPEG or PNG that can be read.
    #[error("Request has invalid image format")]
    InvalidImageFormat,
    /// More bytes or pixels than the service takes.
    #[error("{0}")]
    ImageTooLarge(String),
    /// No such object in the bucket.
    #[error(
        "Unable to get object metadata from S3. Check object key, region and/or access permissions."
    )]
    InvalidS3Object,
    /// No such collection, or a face in it.
    #[error("{0}")]
    ResourceNotFound(String),
    /// The collection is there already.
    #[error("{0}")]
    ResourceAlreadyExists(String),
    /// `NextToken` was not made by this operation.
    #[error("The pagination token is not valid.")]
    InvalidPaginationToken,
    /// Something broke here. The cause goes to the log, not to the client.
    #[error("{0}")]
    Internal(String),
}

impl ApiError {
    /// The exception's name, `__type` on the wire.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Signature(error) => error.code(),
            Self::UnknownOperation(_) => "UnknownOperationException",
            Self::Serialization(_) => "SerializationException",
            Self::Validation(_) => "ValidationException",
            Self::InvalidParameter(_) => "InvalidParameterException",
            Self::InvalidImageFormat => "InvalidImageFormatException",
            Self::ImageTooLarge(_) => "ImageTooLargeException",
            Self::InvalidS3Object => "InvalidS3ObjectException",
            Self::ResourceNotFound(_) => "ResourceNotFoundException",
            Self::ResourceAlreadyExists(_) => "ResourceAlreadyExistsException",
            Self::InvalidPaginationToken => "InvalidPaginationTokenException",
            Self::Internal(_) => "InternalServerError",
        }
    }

    /// 500 for what is our fault, 400 for everything else, signatures included.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// What the client reads.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Internal(_) => "Internal Server Error".to_owned(),
            other => other.to_string(),
        }
    }

    /// What the service says when an image holds no usable face, or is too small: it names no
    /// reason.
    pub(crate) fn invalid_parameters() -> Self {
        Self::InvalidParameter("Request has invalid parameters".to_owned())
    }

    /// A collection that is not there.
    pub(crate) fn no_collection(id: &str) -> Self {
        Self::ResourceNotFound(format!("The collection id: {id} does not exist"))
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoCollection(id) => Self::no_collection(&id),
            StoreError::CollectionExists(id) => {
                Self::ResourceAlreadyExists(format!("The collection id: {id} already exists"))
            }
            other => Self::Internal(other.to_string()),
        }
    }
}
