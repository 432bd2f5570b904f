//! What each operation answers. Numbers are `f32`, as in the model (`Float`, `Percent`).

use serde::Serialize;
use vision::{BoundingBox, DetectedFace, Pose, Quality};

use super::landmarks::{Landmark, all_landmarks, default_landmarks};

/// `BoundingBox`, relative to the image as shown.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Area {
    pub(crate) width: f32,
    pub(crate) height: f32,
    pub(crate) left: f32,
    pub(crate) top: f32,
}

impl From<BoundingBox> for Area {
    fn from(area: BoundingBox) -> Self {
        Self {
            width: area.width,
            height: area.height,
            left: area.left,
            top: area.top,
        }
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct HeadPose {
    roll: f32,
    yaw: f32,
    pitch: f32,
}

impl From<Pose> for HeadPose {
    fn from(Pose { roll, yaw, pitch }: Pose) -> Self {
        Self { roll, yaw, pitch }
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ImageQuality {
    brightness: f32,
    sharpness: f32,
}

impl From<Quality> for ImageQuality {
    fn from(quality: Quality) -> Self {
        Self {
            brightness: quality.brightness,
            sharpness: quality.sharpness,
        }
    }
}

/// `FaceDetail`, and `ComparedFace`, which has the same members as far as they are known here.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FaceDetail {
    pub(crate) bounding_box: Area,
    pub(crate) landmarks: Vec<Landmark>,
    pub(crate) pose: HeadPose,
    pub(crate) quality: ImageQuality,
    pub(crate) confidence: f32,
}

impl FaceDetail {
    /// With five landmarks, or with all thirty.
    pub(crate) fn new(face: &DetectedFace, all: bool) -> Self {
        Self {
            bounding_box: face.bounding_box.into(),
            landmarks: if all {
                all_landmarks(&face.landmarks)
            } else {
                default_landmarks(&face.landmarks)
            },
            pose: face.pose.into(),
            quality: face.quality.into(),
            confidence: face.confidence,
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DetectFaces {
    pub(crate) face_details: Vec<FaceDetail>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CompareFaces {
    pub(crate) source_image_face: SourceFace,
    pub(crate) face_matches: Vec<ComparedMatch>,
    pub(crate) unmatched_faces: Vec<FaceDetail>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SourceFace {
    pub(crate) bounding_box: Area,
    pub(crate) confidence: f32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ComparedMatch {
    pub(crate) similarity: f32,
    pub(crate) face: FaceDetail,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DetectLabels {
    pub(crate) labels: Vec<Label>,
    pub(crate) label_model_version: &'static str,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Named {
    pub(crate) name: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Label {
    pub(crate) name: &'static str,
    pub(crate) confidence: f32,
    pub(crate) instances: Vec<Instance>,
    pub(crate) parents: Vec<Named>,
    pub(crate) aliases: Vec<Named>,
    pub(crate) categories: Vec<Named>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Instance {
    pub(crate) bounding_box: Area,
    pub(crate) confidence: f32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreateCollection {
    pub(crate) status_code: u16,
    pub(crate) collection_arn: String,
    pub(crate) face_model_version: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DescribeCollection {
    pub(crate) face_count: u64,
    pub(crate) face_model_version: &'static str,
    #[serde(rename = "CollectionARN")]
    pub(crate) collection_arn: String,
    /// Seconds since 1970, with milliseconds, as JSON 1.1 writes times.
    pub(crate) creation_timestamp: f64,
    pub(crate) user_count: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListCollections {
    pub(crate) collection_ids: Vec<String>,
    pub(crate) face_model_versions: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DeleteCollection {
    pub(crate) status_code: u16,
}

/// A face of a collection.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Face {
    pub(crate) face_id: String,
    pub(crate) bounding_box: Area,
    pub(crate) image_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) external_image_id: Option<String>,
    pub(crate) confidence: f32,
    pub(crate) index_faces_model_version: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FaceRecord {
    pub(crate) face: Face,
    pub(crate) face_detail: FaceDetail,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UnindexedFace {
    pub(crate) reasons: Vec<&'static str>,
    pub(crate) face_detail: FaceDetail,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct IndexFaces {
    pub(crate) face_records: Vec<FaceRecord>,
    pub(crate) face_model_version: &'static str,
    pub(crate) unindexed_faces: Vec<UnindexedFace>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListFaces {
    pub(crate) faces: Vec<Face>,
    pub(crate) face_model_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FaceMatch {
    pub(crate) similarity: f32,
    pub(crate) face: Face,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SearchFaces {
    pub(crate) searched_face_id: String,
    pub(crate) face_matches: Vec<FaceMatch>,
    pub(crate) face_model_version: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SearchFacesByImage {
    pub(crate) searched_face_bounding_box: Area,
    pub(crate) searched_face_confidence: f32,
    pub(crate) face_matches: Vec<FaceMatch>,
    pub(crate) face_model_version: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DeleteFaces {
    pub(crate) deleted_faces: Vec<String>,
    pub(crate) unsuccessful_face_deletions: Vec<UnsuccessfulFaceDeletion>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UnsuccessfulFaceDeletion {
    pub(crate) face_id: String,
    pub(crate) reasons: Vec<&'static str>,
}
