//! AWS JSON 1.1: one path, the operation in a header, errors by name.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Rekognition;
use super::error::ApiError;
use crate::clock;

/// What `X-Amz-Target` starts with.
const TARGET_PREFIX: &str = "RekognitionService.";
const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Room for the two images of CompareFaces at their limit, in base64, and for the rest.
const MAX_BODY_BYTES: usize = 15 << 20;
/// How much of a body beyond the limit is read and thrown away, so that the client gets to read
/// the answer instead of a broken connection.
const MAX_DRAINED_BYTES: usize = 64 << 20;

impl Rekognition {
    /// Answers one request, whatever it holds.
    pub(crate) async fn handle<B>(&self, request: Request<B>) -> Response<Bytes>
    where
        B: Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        match self.answer(request).await {
            Ok(body) => response(StatusCode::OK, body),
            Err(error) => {
                if let ApiError::Internal(cause) = &error {
                    tracing::error!(cause, "rekognition failed");
                }
                error_response(error.status(), error.code(), &error.message())
            }
        }
    }

    async fn answer<B>(&self, request: Request<B>) -> Result<Vec<u8>, ApiError>
    where
        B: Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let (parts, body) = request.into_parts();
        let body = read(body).await?;
        if parts.method != Method::POST || parts.uri.path() != "/" {
            return Err(ApiError::UnknownOperation(
                "Rekognition takes POST / only.".to_owned(),
            ));
        }
        let caller = self.verifier.verify(&parts, &body, clock::now_utc())?;
        let target = parts
            .headers
            .get("x-amz-target")
            .and_then(|value| value.to_str().ok());
        let operation = target
            .and_then(|target| target.strip_prefix(TARGET_PREFIX))
            .unwrap_or_default();
        tracing::debug!(operation, caller = caller.principal_arn, "rekognition");
        self.dispatch(operation, &body).await
    }

    async fn dispatch(&self, operation: &str, body: &[u8]) -> Result<Vec<u8>, ApiError> {
        match operation {
            "CompareFaces" => write(self.compare_faces(parse(body)?).await?),
            "CreateCollection" => write(self.create_collection(parse(body)?).await?),
            "DeleteCollection" => write(self.delete_collection(parse(body)?).await?),
            "DeleteFaces" => write(self.delete_faces(parse(body)?).await?),
            "DescribeCollection" => write(self.describe_collection(parse(body)?).await?),
            "DetectFaces" => write(self.detect_faces(parse(body)?).await?),
            "DetectLabels" => write(self.detect_labels(parse(body)?).await?),
            "IndexFaces" => write(self.index_faces(parse(body)?).await?),
            "ListCollections" => write(self.list_collections(parse(body)?).await?),
            "ListFaces" => write(self.list_faces(parse(body)?).await?),
            "SearchFaces" => write(self.search_faces(parse(body)?).await?),
            "SearchFacesByImage" => write(self.search_faces_by_image(parse(body)?).await?),
            other => Err(ApiError::UnknownOperation(format!(
                "The operation '{other}' is not served here."
            ))),
        }
    }
}

/// Collects a body of at most [`MAX_BODY_BYTES`].
async fn read<B>(body: B) -> Result<Vec<u8>, ApiError>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let mut body = std::pin::pin!(body);
    let (mut collected, mut seen) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ApiError::Serialization(error.to_string()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        seen += data.len();
        if seen > MAX_DRAINED_BYTES {
            break;
        }
        if seen <= MAX_BODY_BYTES {
            collected.extend_from_slice(&data);
        } else {
            collected = Vec::new();
        }
    }
    if seen > MAX_BODY_BYTES {
        // Only an image can make a request this large.
        return Err(ApiError::ImageTooLarge(format!(
            "The request exceeds {MAX_BODY_BYTES} bytes."
        )));
    }
    Ok(collected)
}

/// An empty body stands for `{}`, as in AWS's own services.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| ApiError::Serialization(error.to_string()))
}

fn write<T: Serialize>(value: T) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(&value).map_err(|error| ApiError::Internal(error.to_string()))
}

/// An exception as JSON 1.1 writes it: the name in the body and in a header.
pub(crate) fn error_response(status: StatusCode, code: &str, message: &str) -> Response<Bytes> {
    let body = serde_json::json!({ "__type": code, "Code": code, "Message": message });
    let mut response = response(status, body.to_string().into_bytes());
    if let Ok(code) = HeaderValue::from_str(code) {
        response.headers_mut().insert(ERROR_TYPE, code);
    }
    response
}

fn response(status: StatusCode, body: Vec<u8>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    if let Ok(id) = HeaderValue::from_str(&clock::new_id().to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    response
}
