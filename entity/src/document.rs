//! A photo's faces and labels as one JSON document, and the JSON parts of other tables.

use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};

use crate::{FaceId, PersonId};

/// A box relative to the picture as shown (EXIF orientation applied): 0 to 1, clamped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BoundingBox {
    /// Left edge as a share of the width.
    pub left: f32,
    /// Top edge as a share of the height.
    pub top: f32,
    /// Width as a share of the picture's width.
    pub width: f32,
    /// Height as a share of the picture's height.
    pub height: f32,
}

/// A named point of a face, relative like a box.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Landmark {
    /// Rekognition's landmark type, for example `eyeLeft`.
    pub kind: String,
    /// Share of the width.
    pub x: f32,
    /// Share of the height.
    pub y: f32,
}

/// What is known of a face from its detection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct FaceDetail {
    /// Where it is.
    pub bounding_box: BoundingBox,
    /// That it is a face, 0 to 100.
    pub confidence: f32,
    /// Brightness, 0 to 100.
    pub brightness: f32,
    /// Sharpness, 0 to 100.
    pub sharpness: f32,
    /// Rotation in the picture's plane, degrees.
    pub roll: f32,
    /// Turn to the side, degrees.
    pub yaw: f32,
    /// Nod, degrees.
    pub pitch: f32,
    /// Eyes, mouth, nose and so on.
    pub landmarks: Vec<Landmark>,
}

/// One place where a label was seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelInstance {
    /// Where.
    pub bounding_box: BoundingBox,
    /// How sure, 0 to 100.
    pub confidence: f32,
}

/// Parents and instances of a label.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct LabelDetail {
    /// Names of the labels above this one.
    pub parents: Vec<String>,
    /// Where it was seen; empty for scenes.
    pub instances: Vec<LabelInstance>,
}

/// A face within a [`PhotoDocument`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DocumentFace {
    /// Id of the row in `face`.
    pub id: FaceId,
    /// What was detected.
    pub detail: FaceDetail,
    /// 0 to 100: how well it shows its person.
    pub quality: f32,
    /// Its person once grouped.
    pub person_id: Option<PersonId>,
    /// Who put it there: `matcher` or `user`.
    pub assigned_by: Option<String>,
    /// Similarity with its person when the matcher put it there, 0 to 100.
    pub similarity: Option<f32>,
}

/// A label within a [`PhotoDocument`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DocumentLabel {
    /// Label name, for example `Dog`.
    pub name: String,
    /// How sure, 0 to 100.
    pub confidence: f32,
    /// Parents and instances.
    pub detail: LabelDetail,
}

/// Where one analysis step stands, within a [`PhotoDocument`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DocumentStep {
    /// Which step: `renditions`, `faces`, `labels` or `grouping`.
    pub step: String,
    /// Its state, as in `analysis_step`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried again, microseconds since the epoch.
    pub retry_at: Option<i64>,
    /// Error code of the last failure.
    pub error_code: Option<String>,
    /// The failure in words for people.
    pub error_message: Option<String>,
    /// Whether trying again can help.
    pub retryable: bool,
}

/// Faces, labels and steps of a photo; written in the transaction that writes the rows behind it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct PhotoDocument {
    /// Faces, largest first.
    pub faces: Vec<DocumentFace>,
    /// Labels, most certain first.
    pub labels: Vec<DocumentLabel>,
    /// Analysis steps in their order.
    pub steps: Vec<DocumentStep>,
}
