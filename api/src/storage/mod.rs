//! The object store: what we ask of it, and the keys, which are made here only.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use entity::{GalleryId, PhotoId, SheetId, Timestamp, photo};
use uuid::Uuid;

mod answer;
mod bucket;
mod credentials;
pub mod look;
mod multipart;
pub mod presign;
pub mod s3;

/// The picture types that we take, each with the extension of its key.
const PICTURE_TYPES: [(&str, &str); 3] = [
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("image/webp", "webp"),
];

/// A MIME type as we keep it, if we take pictures of that type. Upper case is taken too.
#[must_use]
pub fn picture_type(content_type: &str) -> Option<&'static str> {
    PICTURE_TYPES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(content_type))
        .map(|(name, _)| *name)
}

/// Key of an object in the bucket. Made of our ids only, never of a client's file name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// The uploaded file. `extension` comes from the accepted content type.
    #[must_use]
    pub fn original(gallery: GalleryId, photo: PhotoId, extension: &str) -> Self {
        Self(format!(
            "galleries/{gallery}/photos/{photo}/original.{extension}"
        ))
    }

    /// The uploaded file of a photo.
    #[must_use]
    pub fn original_of(photo: &photo::Model) -> Self {
        let extension = PICTURE_TYPES
            .iter()
            .find(|(name, _)| *name == photo.content_type)
            .map_or("bin", |(_, extension)| *extension);
        Self::original(photo.gallery_id, photo.id, extension)
    }

    /// JPEG of at most 2048 pixels a side.
    #[must_use]
    pub fn preview(gallery: GalleryId, photo: PhotoId) -> Self {
        Self(format!("galleries/{gallery}/photos/{photo}/preview.jpg"))
    }

    /// JPEG of at most 320 pixels a side.
    #[must_use]
    pub fn thumbnail(gallery: GalleryId, photo: PhotoId) -> Self {
        Self(format!("galleries/{gallery}/photos/{photo}/thumbnail.jpg"))
    }

    /// A contact sheet of cover faces.
    #[must_use]
    pub fn sheet(gallery: GalleryId, sheet: SheetId, version: i32) -> Self {
        Self(format!("galleries/{gallery}/sheets/{sheet}/{version}.jpg"))
    }

    /// What all keys begin with.
    pub const PREFIX: &str = "galleries/";

    /// What all keys of a gallery begin with.
    #[must_use]
    pub fn gallery_prefix(gallery: GalleryId) -> String {
        format!("galleries/{gallery}/")
    }

    /// What all keys of a photo begin with.
    #[must_use]
    pub fn photo_prefix(gallery: GalleryId, photo: PhotoId) -> String {
        format!("galleries/{gallery}/photos/{photo}/")
    }

    /// A key as a listing of the store gave it.
    #[must_use]
    pub fn listed(key: String) -> Self {
        Self(key)
    }

    /// The photo whose object this is; none of a key of any other shape.
    #[must_use]
    pub fn photo(&self) -> Option<(GalleryId, PhotoId)> {
        let mut parts = self.0.split('/');
        let ("galleries", gallery, "photos", photo, Some(_), None) = (
            parts.next()?,
            parts.next()?.parse::<Uuid>().ok()?.into(),
            parts.next()?,
            parts.next()?.parse::<Uuid>().ok()?.into(),
            parts.next(),
            parts.next(),
        ) else {
            return None;
        };
        // Ids have other spellings, which are none of ours.
        self.0
            .starts_with(&Self::photo_prefix(gallery, photo))
            .then_some((gallery, photo))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a presigned PUT binds: the store refuses anything else.
#[derive(Clone, Debug)]
pub struct UploadConstraint {
    /// Length in bytes.
    pub byte_size: i64,
    /// MIME type.
    pub content_type: String,
    /// SHA-256, lower-case hex.
    pub sha256: String,
}

/// A presigned PUT.
#[derive(Clone, Debug)]
pub struct PresignedPut {
    /// Where to send the bytes.
    pub url: String,
    /// Exactly the headers to send (`host` and `content-length` come from the client's HTTP library).
    pub headers: Vec<(String, String)>,
    /// When the URL ends.
    pub expires_at: Timestamp,
}

/// A URL that can be opened without credentials until it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUrl {
    /// The URL.
    pub url: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What a listing tells of an object.
#[derive(Clone, Debug)]
pub struct ListedObject {
    /// Its key.
    pub key: ObjectKey,
    /// When it was written, by the store's clock.
    pub modified_at: Option<Timestamp>,
}

/// What HEAD tells of an object.
#[derive(Clone, Debug)]
pub struct ObjectHead {
    /// Length in bytes.
    pub byte_size: i64,
    /// MIME type.
    pub content_type: Option<String>,
    /// SHA-256 in lower-case hex where the store keeps it.
    pub sha256: Option<String>,
    /// `Content-Encoding` that it was sent with.
    pub content_encoding: Option<String>,
    /// `Content-Disposition` that it was sent with.
    pub content_disposition: Option<String>,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is no such object.
    #[error("no such object")]
    NotFound,
    /// The object is longer than the caller allowed.
    #[error("object is longer than {limit} bytes")]
    TooLarge {
        /// The caller's limit in bytes.
        limit: u64,
    },
    /// Throttled, 5xx, time-out, no connection: trying again can help.
    #[error("the object store does not answer")]
    Unavailable(#[source] anyhow::Error),
    /// Anything else, such as wrong credentials.
    #[error("the object store refused")]
    Refused(#[source] anyhow::Error),
}

impl From<StorageError> for crate::error::Error {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Unavailable(source) => Self::Unavailable {
                what: "the object store",
                source,
            },
            other => Self::Internal(other.into()),
        }
    }
}

/// The object store.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// A PUT that only these bytes pass, and only while no object stands at the key.
    async fn presign_put(
        &self,
        key: &ObjectKey,
        constraint: &UploadConstraint,
        now: Timestamp,
        expires_in: Duration,
    ) -> Result<PresignedPut, StorageError>;

    /// What stands at the key; `None` where nothing does.
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectHead>, StorageError>;

    /// The object's bytes, at most `limit`.
    async fn get(&self, key: &ObjectKey, limit: u64) -> Result<Bytes, StorageError>;

    /// Writes an object of ours (renditions, sheets).
    async fn put(
        &self,
        key: &ObjectKey,
        content_type: &str,
        bytes: Bytes,
    ) -> Result<(), StorageError>;

    /// Deletes objects; those that are not there count as deleted.
    async fn delete(&self, keys: &[ObjectKey]) -> Result<(), StorageError>;

    /// Objects whose keys begin with `prefix`, at most 1,000 a call; `after` is the last key of the call
    /// before. Nothing follows once a call gives none.
    async fn list(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
    ) -> Result<Vec<ListedObject>, StorageError>;

    /// Aborts multipart uploads to keys that begin with `prefix` which were started before `before` and
    /// not completed; how many.
    async fn abort_uploads(&self, prefix: &str, before: Timestamp) -> Result<usize, StorageError>;

    /// Whether the store answers at all; stores in memory always do.
    async fn answers(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_is_read_from_its_own_keys_only() {
        let (gallery, photo) = (GalleryId(Uuid::from_u128(1)), PhotoId(Uuid::from_u128(2)));
        let read = |key: &str| ObjectKey::listed(key.to_owned()).photo();
        let original = ObjectKey::original(gallery, photo, "jpg");
        assert_eq!(original.photo(), Some((gallery, photo)));
        assert_eq!(ObjectKey::preview(gallery, photo).photo(), original.photo());
        let sheet = ObjectKey::sheet(gallery, SheetId(Uuid::from_u128(3)), 1);
        assert_eq!(sheet.photo(), None);
        let prefix = ObjectKey::photo_prefix(gallery, photo);
        for other in [
            format!("{prefix}a/b"),
            prefix.trim_end_matches('/').to_owned(),
            format!("backup/{}", original.as_str()),
            original.as_str().to_uppercase(),
            original.as_str().replace('-', ""),
            "galleries/a/photos/b/original.jpg".to_owned(),
        ] {
            assert_eq!(read(&other), None, "{other}");
        }
    }
}
