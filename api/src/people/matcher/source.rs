//! A face as the source of comparisons, and a second look where the first shows no face.

use bytes::Bytes;
use entity::FaceId;

use crate::people::sheet;
use crate::vision::{Analyser, FaceMatch, Picture, VisionError};

/// One face that is compared with sheets.
pub(super) struct Source {
    face: FaceId,
    bytes: Bytes,
    /// Whether these are the bytes of the second look.
    is_far: bool,
}

impl Source {
    /// Of a face's crop.
    pub(super) fn new(face: FaceId, bytes: Bytes) -> Self {
        Self {
            face,
            bytes,
            is_far: false,
        }
    }

    /// CompareFaces with one sheet. Where no face is seen it looks once more, from farther away,
    /// and keeps to that view where it shows one.
    ///
    /// # Errors
    /// The port's. [`VisionError::NoFace`]: neither look shows a face, or the sheet shows none.
    pub(super) async fn compare(
        &mut self,
        analyser: &dyn Analyser,
        sheet: &Picture,
        threshold: f32,
    ) -> Result<Vec<FaceMatch>, VisionError> {
        let near = Self::look(&self.bytes, analyser, sheet, threshold).await;
        if self.is_far || !matches!(near, Err(VisionError::NoFace)) {
            return near;
        }
        tracing::debug!(face = %self.face, "no face is seen in a crop: a second look");
        let bytes = far(self.bytes.clone()).await?;
        let seen = Self::look(&bytes, analyser, sheet, threshold).await;
        // It may be the sheet that shows none.
        if seen.is_ok() {
            (self.bytes, self.is_far) = (bytes, true);
        }
        seen
    }

    async fn look(
        bytes: &Bytes,
        analyser: &dyn Analyser,
        sheet: &Picture,
        threshold: f32,
    ) -> Result<Vec<FaceMatch>, VisionError> {
        let source = Picture::Bytes(bytes.clone());
        analyser.compare_faces(&source, sheet, threshold).await
    }
}

async fn far(near: Bytes) -> Result<Bytes, VisionError> {
    let fault = |error: &dyn std::fmt::Display| VisionError::Permanent {
        code: "NotDrawn".to_owned(),
        message: error.to_string(),
    };
    tokio::task::spawn_blocking(move || sheet::far(&near))
        .await
        .map_err(|error| fault(&error))?
        .map_err(|error| fault(&error))
}
