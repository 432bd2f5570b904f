//! `QualityFilter`: which faces are too poor to be matched.
//!
//! AWS publishes the reasons (`Reason` in the API reference) and that faces below 40 x 40 pixels
//! in an image of 1920 x 1080 are too small; its bars are not public. Those here are ours, set
//! by what makes this endpoint's own embeddings unreliable.

use vision::DetectedFace;

use super::request::QualityFilter;

/// A filter's bar.
struct Bar {
    confidence: f32,
    /// Smaller side of the box, relative to the image's.
    side: f32,
    brightness: f32,
    sharpness: f32,
    /// Largest yaw or pitch, degrees.
    turn: f32,
}

const LOW: Bar = Bar {
    confidence: 55.0,
    side: 0.01,
    brightness: 10.0,
    sharpness: 2.0,
    turn: 75.0,
};
/// Also `AUTO`.
const MEDIUM: Bar = Bar {
    confidence: 65.0,
    side: 0.02,
    brightness: 15.0,
    sharpness: 5.0,
    turn: 60.0,
};
const HIGH: Bar = Bar {
    confidence: 80.0,
    side: 0.04,
    brightness: 25.0,
    sharpness: 20.0,
    turn: 45.0,
};

/// Why a filter removes the face; empty when it does not.
pub(crate) fn reasons(face: &DetectedFace, filter: QualityFilter) -> Vec<&'static str> {
    let bar = match filter {
        QualityFilter::None => return Vec::new(),
        QualityFilter::Low => LOW,
        QualityFilter::Auto | QualityFilter::Medium => MEDIUM,
        QualityFilter::High => HIGH,
    };
    let side = face.bounding_box.width.min(face.bounding_box.height);
    let turn = face.pose.yaw.abs().max(face.pose.pitch.abs());
    [
        (turn > bar.turn, "EXTREME_POSE"),
        (face.quality.brightness < bar.brightness, "LOW_BRIGHTNESS"),
        (face.quality.sharpness < bar.sharpness, "LOW_SHARPNESS"),
        (face.confidence < bar.confidence, "LOW_CONFIDENCE"),
        (side < bar.side, "SMALL_BOUNDING_BOX"),
    ]
    .into_iter()
    .filter_map(|(fails, reason)| fails.then_some(reason))
    .collect()
}

/// Whether the face stays.
pub(crate) fn passes(face: &DetectedFace, filter: QualityFilter) -> bool {
    reasons(face, filter).is_empty()
}

#[cfg(test)]
mod tests {
    use vision::{BoundingBox, Pose, Quality};

    use super::*;

    #[test]
    fn stricter_filters_remove_more_and_say_why() {
        let face = DetectedFace {
            bounding_box: BoundingBox {
                left: 0.1,
                top: 0.1,
                width: 0.03,
                height: 0.05,
            },
            confidence: 70.0,
            landmarks: Vec::new(),
            pose: Pose {
                roll: 90.0,
                yaw: -50.0,
                pitch: 0.0,
            },
            quality: Quality {
                brightness: 60.0,
                sharpness: 50.0,
            },
        };
        assert!(passes(&face, QualityFilter::None));
        assert!(passes(&face, QualityFilter::Low));
        assert!(passes(&face, QualityFilter::Auto));
        assert_eq!(
            reasons(&face, QualityFilter::High),
            ["EXTREME_POSE", "LOW_CONFIDENCE", "SMALL_BOUNDING_BOX"]
        );
    }
}
