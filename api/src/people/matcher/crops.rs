//! Faces cut out of previews.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use entity::{FaceId, GalleryId, PhotoId};
use futures::{StreamExt as _, TryStreamExt as _};
use image::RgbImage;

use super::{internal_error, storage_error};
use crate::job::JobError;
use crate::people::roster::KnownFace;
use crate::people::sheet::{self, SheetError};
use crate::storage::{ObjectKey, ObjectStore, StorageError};

/// Longest preview that is read: Rekognition's limit for pictures in S3.
const PREVIEW_LIMIT: u64 = 15 * 1024 * 1024;
/// Previews read at a time; decoded, one takes up to 12 MB.
const AT_A_TIME: usize = 4;

/// A face, ready for both roles.
#[derive(Clone, Debug)]
pub(super) struct Crop {
    /// As a source of CompareFaces.
    pub(super) source: Bytes,
    /// As a cell of a contact sheet.
    pub(super) cell: RgbImage,
}

/// One photo's faces and which of them to cut.
pub(super) struct Order {
    pub(super) photo: PhotoId,
    pub(super) faces: Vec<KnownFace>,
    pub(super) wanted: Vec<FaceId>,
}

/// Cuts the wanted faces of these photos. Faces whose preview is gone or no picture are left out.
pub(super) async fn cut_all(
    store: &Arc<dyn ObjectStore>,
    gallery: GalleryId,
    orders: Vec<Order>,
) -> Result<HashMap<FaceId, Crop>, JobError> {
    let per_photo: Vec<Vec<(FaceId, Crop)>> = futures::stream::iter(
        orders
            .into_iter()
            .map(|order| cut_photo(Arc::clone(store), gallery, order)),
    )
    .buffer_unordered(AT_A_TIME)
    .try_collect()
    .await?;
    Ok(per_photo.into_iter().flatten().collect())
}

async fn cut_photo(
    store: Arc<dyn ObjectStore>,
    gallery: GalleryId,
    order: Order,
) -> Result<Vec<(FaceId, Crop)>, JobError> {
    let key = ObjectKey::preview(gallery, order.photo);
    let bytes = match store.get(&key, PREVIEW_LIMIT).await {
        Ok(bytes) => bytes,
        Err(StorageError::NotFound | StorageError::TooLarge { .. }) => {
            tracing::warn!(photo = %order.photo, "no preview to cut faces from");
            return Ok(Vec::new());
        }
        Err(error) => return Err(storage_error(error)),
    };
    let cut = tokio::task::spawn_blocking(move || cut(&bytes, &order))
        .await
        .map_err(internal_error)?;
    cut.map_err(internal_error)
}

fn cut(bytes: &[u8], order: &Order) -> Result<Vec<(FaceId, Crop)>, SheetError> {
    let Ok(picture) = sheet::decode(bytes) else {
        tracing::warn!(photo = %order.photo, "the preview is no picture");
        return Ok(Vec::new());
    };
    let mut crops = Vec::with_capacity(order.wanted.len());
    for face in &order.faces {
        if !order.wanted.contains(&face.id) {
            continue;
        }
        let others: Vec<_> = order
            .faces
            .iter()
            .filter(|other| other.id != face.id)
            .map(|other| other.bounding_box)
            .collect();
        let crop = sheet::cut(&picture, &face.bounding_box, &others);
        let cell = sheet::cell(crop.clone())?;
        let source = sheet::encode(&sheet::source(crop)?)?;
        crops.push((face.id, Crop { source, cell }));
    }
    Ok(crops)
}
