//! Plain results: what the networks found, in units that do not depend on the image's size.

use serde::{Deserialize, Serialize};

/// A rectangle relative to the image: 0 is the left or top edge, 1 the right or bottom edge.
///
/// Always within the image: `left + width <= 1` and `top + height <= 1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BoundingBox {
    /// Left edge, 0..=1.
    pub left: f32,
    /// Top edge, 0..=1.
    pub top: f32,
    /// Width, 0..=1.
    pub width: f32,
    /// Height, 0..=1.
    pub height: f32,
}

impl BoundingBox {
    /// The box between two corners, cut at the image's edges.
    #[must_use]
    pub fn from_corners(left: f32, top: f32, right: f32, bottom: f32) -> Self {
        // A NaN would survive `clamp` and end in a box that no comparison holds for.
        let unit = |v: f32| if v.is_nan() { 0.0 } else { v.clamp(0.0, 1.0) };
        let (left, top) = (unit(left), unit(top));
        Self {
            left,
            top,
            width: (unit(right) - left).max(0.0),
            height: (unit(bottom) - top).max(0.0),
        }
    }

    /// Right edge, 0..=1.
    #[must_use]
    pub fn right(&self) -> f32 {
        (self.left + self.width).min(1.0)
    }

    /// Bottom edge, 0..=1.
    #[must_use]
    pub fn bottom(&self) -> f32 {
        (self.top + self.height).min(1.0)
    }

    /// Share of the image that the box covers, 0..=1.
    #[must_use]
    pub fn area(&self) -> f32 {
        self.width * self.height
    }

    /// Intersection over union with another box of the same image, 0..=1.
    #[must_use]
    pub fn iou(&self, other: &Self) -> f32 {
        let width = self.right().min(other.right()) - self.left.max(other.left);
        let height = self.bottom().min(other.bottom()) - self.top.max(other.top);
        let shared = width.max(0.0) * height.max(0.0);
        let all = self.area() + other.area() - shared;
        if all > 0.0 { shared / all } else { 0.0 }
    }
}

/// A point relative to the image: (0, 0) is the top left corner, (1, 1) the bottom right one.
///
/// Landmarks of a face at the edge may lie outside the image, hence outside 0..=1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// From left to right.
    pub x: f32,
    /// From top to bottom.
    pub y: f32,
}

/// How the head is turned, in degrees; 0, 0, 0 looks straight at the camera.
///
/// Estimated from landmarks and an average head, so right within some degrees only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pose {
    /// Tilt towards a shoulder, -180..=180; positive is clockwise in the image.
    pub roll: f32,
    /// Turn to the side, -90..=90; positive looks towards the image's right.
    pub yaw: f32,
    /// Nod, -180..=180; positive looks up.
    pub pitch: f32,
}

/// How well a face can be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// 0 (black) to 100 (white).
    pub brightness: f32,
    /// 0 (blurred) to 100 (sharp).
    pub sharpness: f32,
}

/// One face in an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectedFace {
    /// Where the face is.
    pub bounding_box: BoundingBox,
    /// How sure the detector is that this is a face, 50..=100.
    pub confidence: f32,
    /// The 68 landmarks in the order of the iBUG 300-W scheme: jaw 0..=16, brows 17..=26,
    /// nose 27..=35, eyes 36..=47, mouth 48..=67.
    pub landmarks: Vec<Point>,
    /// How the head is turned.
    pub pose: Pose,
    /// How well the face can be seen.
    pub quality: Quality,
}

/// One object in an image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DetectedObject {
    /// COCO-80 name, for example `person` or `wine glass`.
    pub class: &'static str,
    /// How sure the detector is, 0..=100.
    pub confidence: f32,
    /// Where the object is.
    pub bounding_box: BoundingBox,
}
