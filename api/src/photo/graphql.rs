//! Photos as clients see them.

use async_graphql::dataloader::DataLoader;
use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::document::{DocumentLabel, PhotoDocument};
use entity::photo::Status;
use entity::{PhotoId, photo};

use super::image::ImageUrls;
pub use super::input::{PhotoFilter, PhotoOrder, PhotoStatus};
use crate::access::{Action, Authorized};
use crate::analysis::graphql::AnalysisStep;
use crate::auth::graphql::User;
use crate::auth::loader::UserLoader;
use crate::db::retried;
use crate::error::Error;
use crate::gallery::graphql::Gallery;
use crate::gallery::loader::GalleryLoader;
use crate::graphql::error::{GraphResult, UserError, user_errors};
use crate::graphql::{id, services, viewer};
use crate::people::graphql::{BoundingBox, Face};
use crate::storage::ObjectKey;

/// A photo, from the promise of an upload to the analysed picture.
#[derive(Clone)]
pub struct Photo(pub Authorized<photo::Model>);

impl From<Authorized<photo::Model>> for Photo {
    fn from(row: Authorized<photo::Model>) -> Self {
        Self(row)
    }
}

impl Photo {
    fn document(&self) -> Option<&PhotoDocument> {
        self.0.document.as_ref()
    }

    /// Whether the viewer may learn where it was taken.
    fn shows_location(&self) -> bool {
        self.0.allows(Action::ViewLocations) || self.0.is_seen_by(self.0.uploader_id)
    }

    /// Whether the uploaded file itself may go out: it carries its metadata with it.
    fn shows_original(&self) -> bool {
        let confirmed = !matches!(self.0.status, Status::AwaitingUpload | Status::Deleting);
        // Until it is analysed, and where it cannot be, nobody knows what the file tells.
        let silent =
            self.0.width.is_some() && !self.0.may_tell_location && self.0.latitude.is_none();
        confirmed && (self.shows_location() || silent)
    }
}

/// A photo, from the promise of an upload to the analysed picture.
#[Object]
impl Photo {
    /// Global id.
    pub async fn id(&self) -> ID {
        id::encode(self.0.id)
    }

    /// Its gallery.
    async fn gallery(&self, ctx: &Context<'_>) -> GraphResult<Gallery> {
        let loader = ctx.data_unchecked::<DataLoader<GalleryLoader>>();
        let gallery = loader.load_one(self.0.gallery_id).await?;
        Ok(gallery.map(Gallery::from).ok_or(Error::NotFound)?)
    }

    /// File name as the uploader's device told it, without what `PhotoUploadInput.filename` leaves out.
    async fn filename(&self) -> &str {
        &self.0.filename
    }

    /// MIME type of the uploaded file.
    async fn content_type(&self) -> &str {
        &self.0.content_type
    }

    /// Length of the uploaded file in bytes.
    async fn byte_size(&self) -> i64 {
        self.0.byte_size
    }

    /// Width in pixels as shown (EXIF orientation applied).
    async fn width(&self) -> Option<i32> {
        self.0.width
    }

    /// Height in pixels as shown.
    async fn height(&self) -> Option<i32> {
        self.0.height
    }

    /// When the shutter opened (EXIF); null where the file does not say.
    async fn taken_at(&self) -> Option<DateTime<Utc>> {
        self.0.taken_at_known.then(|| self.0.taken_at.to_utc())
    }

    /// Camera maker and model (EXIF).
    async fn camera(&self) -> Option<&str> {
        self.0.camera.as_deref()
    }

    /// Where it was taken (EXIF). Editors, owners and the uploader; null for everybody else.
    async fn location(&self) -> Option<Location> {
        match (self.shows_location(), self.0.latitude, self.0.longitude) {
            (true, Some(latitude), Some(longitude)) => Some(Location {
                latitude,
                longitude,
            }),
            _ => None,
        }
    }

    /// Who uploaded it; null for guests, who do not see members.
    async fn uploaded_by(&self, ctx: &Context<'_>) -> GraphResult<Option<User>> {
        if !self.0.allows(Action::ViewMembers) {
            return Ok(None);
        }
        let loader = ctx.data_unchecked::<DataLoader<UserLoader>>();
        let user = loader.load_one(self.0.uploader_id).await?;
        Ok(user.map(|row| User::new(row, viewer(ctx))))
    }

    /// When the upload was asked for.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at.to_utc()
    }

    /// Where it stands.
    async fn status(&self) -> PhotoStatus {
        self.0.status.into()
    }

    /// Why it is FAILED, as a code; see `analysis` for words.
    async fn failure_code(&self) -> Option<&str> {
        self.0.failure_code.as_deref()
    }

    /// Every step of its analysis. Empty until the upload is confirmed.
    async fn analysis(&self) -> Vec<AnalysisStep> {
        let steps = self
            .document()
            .map(|document| document.steps.clone())
            .unwrap_or_default();
        steps.iter().filter_map(AnalysisStep::new).collect()
    }

    /// A signed URL of the picture, good for an `<img>`. Null until that size exists; ORIGINAL is also
    /// null where the file's metadata may tell a location that you may not see.
    async fn image(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which size.", default)] size: ImageSize,
    ) -> GraphResult<Option<SignedImage>> {
        let row = &self.0;
        let (key, width, height) = match size {
            ImageSize::Thumbnail => (
                ObjectKey::thumbnail(row.gallery_id, row.id),
                row.thumbnail_width,
                row.thumbnail_height,
            ),
            ImageSize::Preview => (
                ObjectKey::preview(row.gallery_id, row.id),
                row.preview_width,
                row.preview_height,
            ),
            ImageSize::Original if !self.shows_original() => return Ok(None),
            ImageSize::Original => (ObjectKey::original_of(row), row.width, row.height),
        };
        // What somebody else made is saved, not opened, by a browser that is sent there: an `<img>`
        // shows it all the same.
        let filename = (size == ImageSize::Original).then_some(row.filename.as_str());
        let (Some(width), Some(height)) = (width, height) else {
            return Ok(None);
        };
        let signed = ctx
            .data_unchecked::<ImageUrls>()
            .sign(&key, filename)
            .await?;
        Ok(Some(SignedImage {
            url: signed.url,
            expires_at: signed.expires_at.to_utc(),
            width,
            height,
        }))
    }

    /// A signed URL under which a browser saves the uploaded file with its name; null as for ORIGINAL.
    async fn download_url(&self, ctx: &Context<'_>) -> GraphResult<Option<String>> {
        if !self.shows_original() {
            return Ok(None);
        }
        let urls = ctx.data_unchecked::<ImageUrls>();
        Ok(Some(
            urls.sign(&ObjectKey::original_of(&self.0), Some(&self.0.filename))
                .await?
                .url,
        ))
    }

    /// ThumbHash, base64: a blurred placeholder in some 25 bytes.
    async fn thumbhash(&self) -> Option<&str> {
        self.0.thumbhash.as_deref()
    }

    /// Faces, largest first.
    async fn faces(&self) -> Vec<Face> {
        let faces = self
            .document()
            .map(|document| document.faces.clone())
            .unwrap_or_default();
        faces
            .into_iter()
            .map(|face| Face::of(&self.0, face))
            .collect()
    }

    /// Labels, most certain first.
    async fn labels(
        &self,
        #[graphql(desc = "Leave out less certain ones, 0 to 100.", default)] min_confidence: f32,
    ) -> Vec<PhotoLabel> {
        let labels = self
            .document()
            .map(|document| document.labels.clone())
            .unwrap_or_default();
        labels
            .into_iter()
            .filter(|label| label.confidence >= min_confidence)
            .map(Into::into)
            .collect()
    }
}

/// Size of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
pub enum ImageSize {
    /// JPEG, at most 320 pixels a side.
    Thumbnail,
    /// JPEG, at most 2048 pixels a side.
    #[default]
    Preview,
    /// The uploaded file.
    Original,
}

/// A picture behind a signed URL.
#[derive(SimpleObject)]
pub struct SignedImage {
    /// Opens without credentials until it expires; stays the same for a while, so that browsers cache.
    url: String,
    /// When the URL ends.
    expires_at: DateTime<Utc>,
    /// Width in pixels.
    width: i32,
    /// Height in pixels.
    height: i32,
}

/// A place on earth (WGS 84).
#[derive(SimpleObject)]
pub struct Location {
    /// Degrees north.
    latitude: f64,
    /// Degrees east.
    longitude: f64,
}

/// A label of a photo.
#[derive(SimpleObject)]
pub struct PhotoLabel {
    /// Name as Rekognition gives it, for example `Dog`.
    name: String,
    /// How sure, 0 to 100.
    confidence: f32,
    /// Names of the labels above it.
    parents: Vec<String>,
    /// Where it was seen; empty for scenes.
    instances: Vec<LabelInstance>,
}

/// One place where a label was seen.
#[derive(SimpleObject)]
pub struct LabelInstance {
    /// Where.
    bounding_box: BoundingBox,
    /// How sure, 0 to 100.
    confidence: f32,
}

impl From<DocumentLabel> for PhotoLabel {
    fn from(label: DocumentLabel) -> Self {
        let instances = label.detail.instances.into_iter();
        Self {
            name: label.name,
            confidence: label.confidence,
            parents: label.detail.parents,
            instances: instances
                .map(|i| LabelInstance {
                    bounding_box: i.bounding_box.into(),
                    confidence: i.confidence,
                })
                .collect(),
        }
    }
}

/// Queries of photos.
#[derive(Default)]
pub struct PhotoQuery;

/// Queries of photos.
#[Object]
impl PhotoQuery {
    /// A photo of a gallery that you may see.
    async fn photo(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its global id.")] id: ID,
    ) -> GraphResult<Photo> {
        Ok(services(ctx)
            .photo
            .get(viewer(ctx), id::decode(&id)?)
            .await?
            .into())
    }
}

/// Which photos to delete.
#[derive(InputObject)]
pub struct DeletePhotosInput {
    /// At most 100.
    photo_ids: Vec<ID>,
}

/// One answer for each id, in their order.
#[derive(SimpleObject)]
pub struct DeletePhotosPayload {
    /// The answers.
    results: Vec<DeletePhotoResult>,
    /// Why nothing was done at all.
    user_errors: Vec<UserError>,
}

/// What became of one photo.
#[derive(SimpleObject)]
pub struct DeletePhotoResult {
    /// The id that you gave.
    photo_id: ID,
    /// The same id where it is deleted now.
    deleted_photo_id: Option<ID>,
    /// Why not.
    user_errors: Vec<UserError>,
}

/// Mutations of photos.
#[derive(Default)]
pub struct PhotoMutation;

/// Mutations of photos.
#[Object]
impl PhotoMutation {
    /// Deletes photos with their faces and objects, for good. Your own; editors anybody's.
    async fn delete_photos(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which photos.")] input: DeletePhotosInput,
    ) -> GraphResult<DeletePhotosPayload> {
        let ids: Vec<PhotoId> = id::decode_all(&input.photo_ids)?;
        let service = &services(ctx).photo;
        let answers = match Error::split(retried(|| service.delete(viewer(ctx), &ids)).await)? {
            Ok(answers) => answers,
            Err(errors) => {
                return Ok(DeletePhotosPayload {
                    results: Vec::new(),
                    user_errors: user_errors(errors),
                });
            }
        };
        let mut results = Vec::with_capacity(answers.len());
        for (photo_id, answer) in input.photo_ids.into_iter().zip(answers) {
            let (deleted, errors) = match Error::split(answer)? {
                Ok(id) => (Some(id::encode(id)), Vec::new()),
                Err(errors) => (None, user_errors(errors)),
            };
            results.push(DeletePhotoResult {
                photo_id,
                deleted_photo_id: deleted,
                user_errors: errors,
            });
        }
        Ok(DeletePhotosPayload {
            results,
            user_errors: Vec::new(),
        })
    }
}
