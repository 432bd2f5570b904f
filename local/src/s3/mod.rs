//! Amazon S3 on this machine.
//!
//! [`s3s`] reads requests, checks signatures (SigV4, headers and presigned) and writes answers;
//! the operations, the store and what s3s 0.14 leaves unchecked are here.
//!
//! | part | file |
//! | --- | --- |
//! | one request: guard, CORS, s3s, headers of the answer | this one |
//! | refusals that s3s does not make | `guard` |
//! | operations | `api`, `object`, `multipart`, `uploads`, `list`, `cors` |
//! | a body on its way in and out, and its digests | `receive`, `send`, `checksum` |
//! | what is kept | `store`: `files` with opaque names, the `index` in SQLite |
//!
//! Differences from S3, on purpose: an object that is not a picture is given out as an
//! attachment (this port shares its host with the application); there are no versions, tags,
//! access control lists and KMS keys, and requests for them are refused, not ignored.

mod api;
mod attributes;
mod checksum;
mod cors;
mod error;
mod files;
mod guard;
mod index;
mod list;
mod multipart;
mod object;
pub(crate) mod operation;
mod receive;
mod send;
mod store;
mod uploads;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ORIGIN};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use s3s::auth::{S3Auth, SecretKey};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Error, S3ErrorCode, S3Result, s3_error};
use tracing::{error, warn};

use crate::sigv4::CredentialStore;
use crate::{LocalError, ObjectError, ObjectSource, clock};
use api::Api;
use store::Store;

/// Largest body of one PUT, in bytes: S3's own limit of 5 GiB.
pub const MAX_OBJECT_BYTES: u64 = 5 << 30;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const CONTENT_TYPE_OPTIONS: HeaderName = HeaderName::from_static("x-content-type-options");

/// The S3 endpoint over one data folder.
pub(crate) struct S3 {
    service: S3Service,
    store: Store,
    region: String,
    credentials: Arc<dyn CredentialStore>,
}

impl S3 {
    /// Opens the store and removes what a crash left behind.
    pub(crate) async fn open(
        data_dir: &Path,
        region: String,
        credentials: Arc<dyn CredentialStore>,
        max_bytes: u64,
    ) -> Result<Self, LocalError> {
        let store = Store::open(data_dir).await?;
        let mut builder = S3ServiceBuilder::new(Api {
            store: store.clone(),
            region: region.clone(),
            max_bytes,
        });
        builder.set_auth(Secrets(Arc::clone(&credentials)));
        Ok(Self {
            service: builder.build(),
            store,
            region,
            credentials,
        })
    }

    pub(crate) async fn close(&self) {
        self.store.close().await;
    }

    /// Answers one request.
    pub(crate) async fn call(&self, mut request: Parts, body: Body) -> Response<Body> {
        let (method, path) = (request.method.clone(), request.uri.path().to_owned());
        let origin = request.headers.get(ORIGIN).cloned();
        let bucket = bucket_of(&request);
        let answered = if method == Method::OPTIONS {
            self.preflight(&request, bucket.as_deref()).await
        } else {
            match guard::check(&request, &self.region, self.credentials.as_ref()) {
                Ok(()) => {
                    guard::read_hoisted_headers(&mut request);
                    let request = http::Request::from_parts(request, body);
                    self.service.call(request).await.map_err(|error| {
                        error!(?error, "s3s could not answer");
                        S3Error::new(S3ErrorCode::InternalError)
                    })
                }
                Err(refusal) => Err(refusal),
            }
        };
        let mut response = answered.unwrap_or_else(error_response);
        if method != Method::OPTIONS
            && let Some(origin) = origin.as_ref().and_then(|origin| origin.to_str().ok())
            && let Some(bucket) = bucket
            && let Ok(rules) = self.store.cors_rules(&bucket).await
        {
            cors::annotate(&rules, origin, &method, response.headers_mut());
        }
        if response.status() == StatusCode::FORBIDDEN {
            let code = code_of(&response);
            warn!(%method, path, code, "the local S3 refused a request");
        }
        finish(&mut response);
        response
    }

    async fn preflight(
        &self,
        request: &Parts,
        bucket: Option<&str>,
    ) -> Result<Response<Body>, S3Error> {
        let rules = self.store.cors_rules(bucket.unwrap_or_default()).await?;
        let headers = cors::preflight(&rules, &request.headers)?;
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// The bucket that a path names, as s3s reads it.
fn bucket_of(request: &Parts) -> Option<String> {
    let name = request.uri.path().trim_start_matches('/').split('/').next();
    name.filter(|name| !name.is_empty()).map(str::to_owned)
}

/// The answer that stands for an error.
pub(crate) fn error_response(error: S3Error) -> Response<Body> {
    error.to_http_response().unwrap_or_else(|error| {
        error!(?error, "an S3 error could not be written as XML");
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// The code that the document of a refusal names.
fn code_of(response: &Response<Body>) -> Option<String> {
    let document = response.body().bytes()?;
    let document = std::str::from_utf8(&document).ok()?;
    let (_, rest) = document.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    Some(code.to_owned())
}

fn finish(response: &mut Response<Body>) {
    if response.status() == StatusCode::NOT_MODIFIED {
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(CONTENT_TYPE);
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(&clock::new_id().simple().to_string()) {
        headers.insert(REQUEST_ID, id);
    }
}

/// Gives s3s the secrets to check signatures with.
struct Secrets(Arc<dyn CredentialStore>);

#[async_trait]
impl S3Auth for Secrets {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match self.0.find(access_key) {
            Some(found) => Ok(SecretKey::from(found.secret_access_key)),
            None => Err(s3_error!(
                InvalidAccessKeyId,
                "The AWS Access Key Id you provided does not exist in our records."
            )),
        }
    }
}

#[async_trait]
impl ObjectSource for S3 {
    async fn read(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        limit: u64,
    ) -> Result<Bytes, ObjectError> {
        if version.is_some_and(|version| version != "null") {
            return Err(ObjectError::NotFound);
        }
        let entry = self.store.index.object(bucket, key).await;
        let size = match entry {
            Ok(entry) => entry.size,
            Err(index::IndexError::NoSuchBucket | index::IndexError::NoSuchKey) => {
                return Err(ObjectError::NotFound);
            }
            Err(error) => return Err(ObjectError::Unreadable(Box::new(error))),
        };
        if size > limit {
            return Err(ObjectError::TooLarge { size });
        }
        let read = self.store.read_whole(bucket, key, limit).await;
        read.map_err(|error| match error.code() {
            S3ErrorCode::NoSuchKey | S3ErrorCode::NoSuchBucket => ObjectError::NotFound,
            _ => ObjectError::Unreadable(Box::new(error)),
        })
    }
}
