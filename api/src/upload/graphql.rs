//! Uploads as clients see them.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{PhotoId, photo};

use super::request::{FileOutcome, Upload};
use super::rules::FileRequest;
use super::service::PhotoOutcome;
use crate::access::Authorized;
use crate::db::retried;
use crate::error::{Error, Result, UserError as ServiceUserError};
use crate::graphql::error::{GraphResult, UserError, user_errors};
use crate::graphql::{id, services, viewer};
use crate::photo::graphql::Photo;
use crate::storage::PresignedPut;

/// A file that the client wants to upload.
#[derive(Clone, Debug, InputObject)]
pub struct PhotoUploadInput {
    /// The client's own name for the file; given back with its result.
    pub client_ref: Option<String>,
    /// File name, shown to people: 1 to 255 characters. Blanks around it are left out, and so are control characters
    /// and those that turn the direction of text: a device made the name, and no photo is refused for it.
    pub filename: String,
    /// MIME type: `image/jpeg`, `image/png` or `image/webp`.
    pub content_type: String,
    /// Length in bytes.
    pub byte_size: i64,
    /// SHA-256 of the file: 64 hex digits, or base64.
    pub sha256: String,
}

impl From<PhotoUploadInput> for FileRequest {
    fn from(input: PhotoUploadInput) -> Self {
        Self {
            client_ref: input.client_ref,
            filename: input.filename,
            content_type: input.content_type,
            byte_size: input.byte_size,
            sha256: input.sha256,
        }
    }
}

/// Input of `requestPhotoUploads`.
#[derive(Clone, Debug, InputObject)]
pub struct RequestPhotoUploadsInput {
    /// The gallery that gets the photos.
    pub gallery_id: ID,
    /// 1 to 128 visible ASCII characters, for example a UUID. A repeated call with the same key and
    /// files gives the same photos, with fresh URLs; with other files it is refused.
    pub idempotency_key: Option<String>,
    /// The files.
    pub files: Vec<PhotoUploadInput>,
}

/// Input of `confirmPhotoUploads`.
#[derive(Clone, Debug, InputObject)]
pub struct ConfirmPhotoUploadsInput {
    /// Photos whose files were sent, at most 100.
    pub photo_ids: Vec<ID>,
}

/// Input of `cancelPhotoUploads`.
#[derive(Clone, Debug, InputObject)]
pub struct CancelPhotoUploadsInput {
    /// Photos whose files will not be sent, at most 100.
    pub photo_ids: Vec<ID>,
}

/// HTTP methods of upload targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum HttpMethod {
    /// PUT, with the file as the body.
    Put,
}

/// One HTTP header.
#[derive(Clone, Debug, SimpleObject)]
pub struct HttpHeader {
    /// Name, lower case.
    pub name: String,
    /// Value.
    pub value: String,
}

/// Where and how to send a file's bytes, without further credentials.
#[derive(Clone, Debug, SimpleObject)]
pub struct PhotoUploadTarget {
    /// Send the request here. The store refuses anything but the announced bytes, and answers 412
    /// when the file is there already: then just confirm.
    pub url: String,
    /// HTTP method.
    pub method: HttpMethod,
    /// Set exactly these headers. `host` and `content-length` are signed as well, but every HTTP
    /// client sets them itself; the body must have a known length, so do not send it chunked.
    pub headers: Vec<HttpHeader>,
    /// When the URL ends. Ask again with the same file for a new one.
    pub expires_at: DateTime<Utc>,
}

impl From<PresignedPut> for PhotoUploadTarget {
    fn from(put: PresignedPut) -> Self {
        Self {
            url: put.url,
            method: HttpMethod::Put,
            headers: put
                .headers
                .into_iter()
                .map(|(name, value)| HttpHeader { name, value })
                .collect(),
            expires_at: put.expires_at.to_utc(),
        }
    }
}

/// What became of one file of `requestPhotoUploads`.
#[derive(SimpleObject)]
pub struct PhotoUploadResult {
    /// As in the input.
    pub client_ref: Option<String>,
    /// The photo that the file becomes; null for a duplicate or an error.
    pub photo: Option<Photo>,
    /// Where to send the file; null where nothing is to be sent: for a duplicate, an error, or a
    /// file that a call with the same idempotency key has sent and confirmed.
    pub target: Option<PhotoUploadTarget>,
    /// The photo of the gallery that has the same bytes, or that another upload (of another member,
    /// or earlier in the same call) brings them for: do not send the file.
    pub duplicate_of: Option<Photo>,
    /// What is wrong with the file.
    pub user_errors: Vec<UserError>,
}

impl From<FileOutcome> for PhotoUploadResult {
    fn from(file: FileOutcome) -> Self {
        let mut result = Self {
            client_ref: file.client_ref,
            photo: None,
            target: None,
            duplicate_of: None,
            user_errors: Vec::new(),
        };
        match file.outcome {
            Ok(Upload::Send(photo, put)) => {
                result.photo = Some((*photo).into());
                result.target = Some(put.into());
            }
            Ok(Upload::Sent(photo)) => result.photo = Some((*photo).into()),
            Ok(Upload::Duplicate(photo)) => result.duplicate_of = Some((*photo).into()),
            Err(errors) => result.user_errors = user_errors(errors),
        }
        result
    }
}

/// Payload of `requestPhotoUploads`.
#[derive(SimpleObject)]
pub struct RequestPhotoUploadsPayload {
    /// One result per file, in the order of the input; empty if the call as a whole was refused.
    pub results: Vec<PhotoUploadResult>,
    /// Why the call as a whole was refused.
    pub user_errors: Vec<UserError>,
}

/// What became of one photo of `confirmPhotoUploads`.
#[derive(SimpleObject)]
pub struct ConfirmPhotoUploadResult {
    /// As in the input.
    pub photo_id: ID,
    /// The photo, now or earlier confirmed.
    pub photo: Option<Photo>,
    /// Why it was not confirmed.
    pub user_errors: Vec<UserError>,
}

impl From<PhotoOutcome<Authorized<photo::Model>>> for ConfirmPhotoUploadResult {
    fn from(item: PhotoOutcome<Authorized<photo::Model>>) -> Self {
        let (photo, errors) = match item.outcome {
            Ok(photo) => (Some(photo.into()), Vec::new()),
            Err(error) => (None, vec![error]),
        };
        Self {
            photo_id: id::encode(item.photo_id),
            photo,
            user_errors: user_errors(errors),
        }
    }
}

/// Payload of `confirmPhotoUploads`.
#[derive(SimpleObject)]
pub struct ConfirmPhotoUploadsPayload {
    /// One result per id, in the order of the input; empty if the call as a whole was refused.
    pub results: Vec<ConfirmPhotoUploadResult>,
    /// Why the call as a whole was refused.
    pub user_errors: Vec<UserError>,
}

/// What became of one photo of `cancelPhotoUploads`.
#[derive(SimpleObject)]
pub struct CancelPhotoUploadResult {
    /// As in the input.
    pub photo_id: ID,
    /// Why it was not cancelled; empty: it is.
    pub user_errors: Vec<UserError>,
}

impl From<PhotoOutcome<()>> for CancelPhotoUploadResult {
    fn from(item: PhotoOutcome<()>) -> Self {
        Self {
            photo_id: id::encode(item.photo_id),
            user_errors: user_errors(item.outcome.err().into_iter().collect()),
        }
    }
}

/// Payload of `cancelPhotoUploads`.
#[derive(SimpleObject)]
pub struct CancelPhotoUploadsPayload {
    /// One result per id, in the order of the input; empty if the call as a whole was refused.
    pub results: Vec<CancelPhotoUploadResult>,
    /// Why the call as a whole was refused.
    pub user_errors: Vec<UserError>,
}

/// Mutations of uploads.
#[derive(Default)]
pub struct UploadMutation;

#[Object]
impl UploadMutation {
    /// Announces files and gives a target for each: send every file to its target, then call
    /// `confirmPhotoUploads`. Files that the gallery has already are not asked for again.
    async fn request_photo_uploads(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What will be sent, and where to.")] input: RequestPhotoUploadsInput,
    ) -> GraphResult<RequestPhotoUploadsPayload> {
        let gallery = id::decode(&input.gallery_id)?;
        let files: Vec<FileRequest> = input.files.into_iter().map(Into::into).collect();
        let key = input.idempotency_key.as_deref();
        let service = &services(ctx).upload;
        let answer = retried(|| service.request(viewer(ctx), gallery, key, &files)).await;
        let (results, errors) = parts(answer)?;
        Ok(RequestPhotoUploadsPayload {
            results: results.into_iter().map(Into::into).collect(),
            user_errors: user_errors(errors),
        })
    }

    /// Says that files were sent. Each is compared with its announcement and goes to analysis. Safe
    /// to repeat: a photo that is confirmed already is simply given.
    async fn confirm_photo_uploads(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What was sent.")] input: ConfirmPhotoUploadsInput,
    ) -> GraphResult<ConfirmPhotoUploadsPayload> {
        let ids: Vec<PhotoId> = id::decode_all(&input.photo_ids)?;
        let (results, errors) = parts(services(ctx).upload.confirm(viewer(ctx), &ids).await)?;
        Ok(ConfirmPhotoUploadsPayload {
            results: results.into_iter().map(Into::into).collect(),
            user_errors: user_errors(errors),
        })
    }

    /// Gives up uploads that are not confirmed. Safe to repeat.
    async fn cancel_photo_uploads(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What will not be sent.")] input: CancelPhotoUploadsInput,
    ) -> GraphResult<CancelPhotoUploadsPayload> {
        let ids: Vec<PhotoId> = id::decode_all(&input.photo_ids)?;
        let service = &services(ctx).upload;
        let (results, errors) = parts(retried(|| service.cancel(viewer(ctx), &ids)).await)?;
        Ok(CancelPhotoUploadsPayload {
            results: results.into_iter().map(Into::into).collect(),
            user_errors: user_errors(errors),
        })
    }
}

/// The results of a call, or why it was refused as a whole.
fn parts<T>(answer: Result<Vec<T>>) -> GraphResult<(Vec<T>, Vec<ServiceUserError>)> {
    Ok(match Error::split(answer)? {
        Ok(results) => (results, Vec::new()),
        Err(errors) => (Vec::new(), errors),
    })
}
