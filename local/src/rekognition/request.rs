//! What each operation takes, as it comes over the wire.
//!
//! Members are optional here even where the model requires them: a missing one is answered with
//! Rekognition's own validation error ([`super::request::required`]) and not with a parser's.

use serde::Deserialize;

use super::error::ApiError;

/// `Image`: one of the two.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Image {
    /// Base64.
    pub(crate) bytes: Option<String>,
    pub(crate) s3_object: Option<S3Object>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct S3Object {
    pub(crate) bucket: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
}

/// How strict a face's quality is judged; `AUTO` leaves it to the service.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum QualityFilter {
    None,
    Auto,
    Low,
    Medium,
    High,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DetectFaces {
    pub(crate) image: Option<Image>,
    pub(crate) attributes: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CompareFaces {
    pub(crate) source_image: Option<Image>,
    pub(crate) target_image: Option<Image>,
    pub(crate) similarity_threshold: Option<f32>,
    pub(crate) quality_filter: Option<QualityFilter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DetectLabels {
    pub(crate) image: Option<Image>,
    pub(crate) max_labels: Option<i64>,
    pub(crate) min_confidence: Option<f32>,
    pub(crate) features: Option<Vec<String>>,
    pub(crate) settings: Option<LabelSettings>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LabelSettings {
    pub(crate) general_labels: Option<GeneralLabels>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct GeneralLabels {
    pub(crate) label_inclusion_filters: Vec<String>,
    pub(crate) label_exclusion_filters: Vec<String>,
    pub(crate) label_category_inclusion_filters: Vec<String>,
    pub(crate) label_category_exclusion_filters: Vec<String>,
}

/// CreateCollection, DescribeCollection and DeleteCollection. Tags are accepted and not kept.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Collection {
    pub(crate) collection_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListCollections {
    pub(crate) next_token: Option<String>,
    pub(crate) max_results: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct IndexFaces {
    pub(crate) collection_id: Option<String>,
    pub(crate) image: Option<Image>,
    pub(crate) external_image_id: Option<String>,
    pub(crate) detection_attributes: Option<Vec<String>>,
    pub(crate) max_faces: Option<i64>,
    pub(crate) quality_filter: Option<QualityFilter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListFaces {
    pub(crate) collection_id: Option<String>,
    pub(crate) next_token: Option<String>,
    pub(crate) max_results: Option<i64>,
    pub(crate) user_id: Option<String>,
    pub(crate) face_ids: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SearchFaces {
    pub(crate) collection_id: Option<String>,
    pub(crate) face_id: Option<String>,
    pub(crate) max_faces: Option<i64>,
    pub(crate) face_match_threshold: Option<f32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SearchFacesByImage {
    pub(crate) collection_id: Option<String>,
    pub(crate) image: Option<Image>,
    pub(crate) max_faces: Option<i64>,
    pub(crate) face_match_threshold: Option<f32>,
    pub(crate) quality_filter: Option<QualityFilter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DeleteFaces {
    pub(crate) collection_id: Option<String>,
    pub(crate) face_ids: Option<Vec<String>>,
}

/// A member that the model requires; `member` as the service spells it in errors (`collectionId`).
pub(crate) fn required<T>(value: Option<T>, member: &str) -> Result<T, ApiError> {
    value.ok_or_else(|| {
        ApiError::Validation(format!(
            "Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ))
    })
}

/// A member of the model breaks `constraint`.
pub(crate) fn violation(value: &str, member: &str, constraint: &str) -> ApiError {
    ApiError::Validation(format!(
        "Value '{value}' at '{member}' failed to satisfy constraint: Member must {constraint}"
    ))
}

/// A collection id: 1 to 255 of `[a-zA-Z0-9_.\-]`.
pub(crate) fn collection_id(value: Option<String>) -> Result<String, ApiError> {
    let id = required(value, "collectionId")?;
    name(&id, "collectionId", r"[a-zA-Z0-9_.\-]+", |c| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
    })?;
    Ok(id)
}

/// An external image id: 1 to 255 of `[a-zA-Z0-9_.\-:]`.
pub(crate) fn external_image_id(value: Option<String>) -> Result<Option<String>, ApiError> {
    if let Some(id) = &value {
        name(id, "externalImageId", r"[a-zA-Z0-9_.\-:]+", |c| {
            c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | ':')
        })?;
    }
    Ok(value)
}

fn name(
    value: &str,
    member: &str,
    pattern: &str,
    allowed: impl Fn(char) -> bool,
) -> Result<(), ApiError> {
    if value.is_empty() {
        return Err(violation(
            value,
            member,
            "have length greater than or equal to 1",
        ));
    }
    if !value.chars().all(allowed) {
        let constraint = format!("satisfy regular expression pattern: {pattern}");
        return Err(violation(value, member, &constraint));
    }
    if value.len() > 255 {
        return Err(violation(
            value,
            member,
            "have length less than or equal to 255",
        ));
    }
    Ok(())
}

/// A percentage, `default` when it is left out.
pub(crate) fn percent(value: Option<f32>, member: &str, default: f32) -> Result<f32, ApiError> {
    let value = value.unwrap_or(default);
    if value < 0.0 {
        let constraint = "have value greater than or equal to 0";
        return Err(violation(&value.to_string(), member, constraint));
    }
    if value > 100.0 {
        let constraint = "have value less than or equal to 100";
        return Err(violation(&value.to_string(), member, constraint));
    }
    Ok(value)
}

/// A whole number within bounds.
pub(crate) fn count(
    value: Option<i64>,
    member: &str,
    bounds: std::ops::RangeInclusive<i64>,
) -> Result<Option<usize>, ApiError> {
    let Some(value) = value else { return Ok(None) };
    if value < *bounds.start() {
        let constraint = format!("have value greater than or equal to {}", bounds.start());
        return Err(violation(&value.to_string(), member, &constraint));
    }
    if value > *bounds.end() {
        let constraint = format!("have value less than or equal to {}", bounds.end());
        return Err(violation(&value.to_string(), member, &constraint));
    }
    Ok(usize::try_from(value).ok())
}

/// The 14 names of the `Attribute` enumeration.
const ATTRIBUTES: [&str; 14] = [
    "DEFAULT",
    "ALL",
    "AGE_RANGE",
    "BEARD",
    "EMOTIONS",
    "EYE_DIRECTION",
    "EYEGLASSES",
    "EYES_OPEN",
    "GENDER",
    "MOUTH_OPEN",
    "MUSTACHE",
    "FACE_OCCLUDED",
    "SMILE",
    "SUNGLASSES",
];

/// Which landmarks are asked for: all 30 with `ALL`, else five.
///
/// `["ALL", "DEFAULT"]` gives all: the service joins the two with a logical AND, it says, "to
/// determine which attributes to return (in this case, all attributes)".
pub(crate) fn wants_all(attributes: Option<&[String]>, member: &str) -> Result<bool, ApiError> {
    let attributes = attributes.unwrap_or_default();
    for attribute in attributes {
        if !ATTRIBUTES.contains(&attribute.as_str()) {
            let constraint = format!("satisfy enum value set: [{}]", ATTRIBUTES.join(", "));
            return Err(violation(attribute, member, &constraint));
        }
    }
    Ok(attributes.iter().any(|attribute| attribute == "ALL"))
}
