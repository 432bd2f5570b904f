//! Small faces in large pictures.
//!
//! The detector sees any picture at 512 pixels a side, so a face of 100 pixels in a picture of 1920 is
//! too small for it. Rekognition finds faces from 40 pixels on in 1920 × 1080 (its developer guide,
//! "Guidelines and quotas"); with a look at overlapping parts of the picture so does this.

use image::RgbImage;
use image::imageops::crop_imm;
use vision::{BoundingBox, DetectedFace, Point, Vision};

/// Pictures up to this side in pixels are looked at as a whole only.
const WHOLE: u32 = 1024;
/// Parts along a side; each is half as long as the side, so neighbours share half of themselves.
const PARTS: u32 = 3;
/// Boxes that share this much of the smaller one are one face.
const SAME: f32 = 0.5;

/// Faces at least this wide, as a share of the picture, are seen well enough in the whole picture:
/// their boxes there are the ones that DetectFaces gives too.
const LARGE: f32 = 0.06;

/// Faces of the whole picture and of its parts, largest first.
pub(crate) fn detect(networks: &Vision, picture: &RgbImage) -> Vec<DetectedFace> {
    let mut faces = networks.detect_faces(picture);
    let (width, height) = picture.dimensions();
    if width.max(height) <= WHOLE {
        return faces;
    }
    let whole = faces.len();
    let (part_width, part_height) = (width / 2, height / 2);
    for row in 0..PARTS {
        for column in 0..PARTS {
            let (x, y) = (column * part_width / 2, row * part_height / 2);
            let part = crop_imm(picture, x, y, part_width, part_height).to_image();
            for face in networks.detect_faces(&part) {
                if !is_cut(&face.bounding_box, column, row) {
                    faces.push(in_whole(
                        face,
                        (x, y),
                        (part_width, part_height),
                        (width, height),
                    ));
                }
            }
        }
    }
    distinct(faces, whole)
}

/// Whether the box touches an edge of the part that is none of the picture's: a neighbour has the
/// whole face.
fn is_cut(face: &BoundingBox, column: u32, row: u32) -> bool {
    const EDGE: f32 = 0.005;
    let low = |from: f32, part: u32| part > 0 && from < EDGE;
    let high = |to: f32, part: u32| part + 1 < PARTS && to > 1.0 - EDGE;
    low(face.left, column)
        || high(face.left + face.width, column)
        || low(face.top, row)
        || high(face.top + face.height, row)
}

fn in_whole(
    face: DetectedFace,
    at: (u32, u32),
    part: (u32, u32),
    whole: (u32, u32),
) -> DetectedFace {
    let x = |share: f32| (at.0 as f32 + share * part.0 as f32) / whole.0 as f32;
    let y = |share: f32| (at.1 as f32 + share * part.1 as f32) / whole.1 as f32;
    let its = face.bounding_box;
    DetectedFace {
        bounding_box: BoundingBox {
            left: x(its.left),
            top: y(its.top),
            width: its.width * part.0 as f32 / whole.0 as f32,
            height: its.height * part.1 as f32 / whole.1 as f32,
        },
        landmarks: face
            .landmarks
            .iter()
            .map(|point| Point {
                x: x(point.x),
                y: y(point.y),
            })
            .collect(),
        ..face
    }
}

/// Each face once: large ones as the whole picture shows them (they come first in `faces`), the
/// others as their most certain box. Largest first.
fn distinct(faces: Vec<DetectedFace>, whole: usize) -> Vec<DetectedFace> {
    let mut parts = faces;
    let (mut kept, small): (Vec<_>, Vec<_>) = parts
        .drain(..whole)
        .partition(|face| face.bounding_box.width >= LARGE);
    parts.extend(small);
    parts.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    for face in parts {
        if kept
            .iter()
            .all(|other| shared(&other.bounding_box, &face.bounding_box) < SAME)
        {
            kept.push(face);
        }
    }
    let area = |face: &DetectedFace| face.bounding_box.width * face.bounding_box.height;
    kept.sort_by(|a, b| area(b).total_cmp(&area(a)));
    kept
}

/// What two boxes share, as a share of the smaller one.
fn shared(a: &BoundingBox, b: &BoundingBox) -> f32 {
    let span = |from: f32, length: f32, other: f32, its: f32| {
        ((from + length).min(other + its) - from.max(other)).max(0.0)
    };
    let both = span(a.left, a.width, b.left, b.width) * span(a.top, a.height, b.top, b.height);
    let smaller = (a.width * a.height).min(b.width * b.height);
    if smaller > 0.0 { both / smaller } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(left: f32, width: f32, confidence: f32) -> DetectedFace {
        DetectedFace {
            bounding_box: BoundingBox {
                left,
                top: 0.1,
                width,
                height: width,
            },
            confidence,
            landmarks: vec![Point { x: left, y: 0.1 }],
            pose: vision::Pose::default(),
            quality: vision::Quality::default(),
        }
    }

    #[test]
    fn a_face_of_a_part_lies_where_the_part_lies() {
        let whole = in_whole(face(0.5, 0.2, 90.0), (960, 0), (960, 540), (1920, 1080));
        assert!((whole.bounding_box.left - 0.75).abs() < 1e-6);
        assert!((whole.bounding_box.width - 0.1).abs() < 1e-6);
        assert!((whole.landmarks[0].x - 0.75).abs() < 1e-6);
    }

    #[test]
    fn the_same_face_counts_once_and_cut_ones_not_at_all() {
        let all = vec![
            face(0.1, 0.02, 80.0),
            face(0.3, 0.2, 60.0),
            face(0.1, 0.021, 95.0),
            face(0.3, 0.2, 99.0),
        ];
        let kept = distinct(all, 2);
        assert_eq!(
            kept.iter().map(|face| face.confidence).collect::<Vec<_>>(),
            [60.0, 95.0]
        );
        let box_at = |left: f32| face(left, 0.2, 90.0).bounding_box;
        assert!(is_cut(&box_at(0.0), 1, 0) && !is_cut(&box_at(0.0), 0, 0));
        assert!(is_cut(&box_at(0.8), 1, 0) && !is_cut(&box_at(0.8), 2, 0));
    }
}
