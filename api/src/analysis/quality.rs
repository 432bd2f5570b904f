//! How well a face shows its person, and whether it may found a person.
//!
//! Covers are chosen by the quality; a face that may not found a person may still join one. The
//! parts, each from 0 to 1:
//!
//! - pose: the lesser of `1 - |yaw| / 90` and `1 - |pitch| / 90`, so that a full face has 1 and a
//!   profile 0;
//! - sharpness: Rekognition's value / 100;
//! - light: 1 while the brightness lies from 30 to 90, falling to 0 towards 0, and to 0.5 towards 100;
//! - size: the shorter side of the box in pixels of the preview, 0 at 20 and 1 at 200, on a
//!   logarithmic scale: doubling a small face tells more than doubling a large one.
//!
//! Quality is `100 * confidence / 100 * (0.35 pose + 0.3 sharpness + 0.1 light + 0.25 size)`.

use entity::document::FaceDetail;

/// Largest |yaw| and |pitch| of a face that founds a person, in degrees (developer guide,
/// "Recommendations for facial comparison input images": yaw below 45, pitch from -30 to 45).
const FOUNDER_ANGLE: f32 = 45.0;

/// Least confidence of a face that founds a person.
const FOUNDER_CONFIDENCE: f32 = 90.0;

/// Least shorter side of a founder's box in preview pixels; Rekognition's own least is 40 pixels in
/// a picture of 1920 by 1080 ("Guidelines and quotas").
const FOUNDER_PIXELS: f32 = 40.0;

/// Least sharpness of a founder: what is blurred away matches everybody.
const FOUNDER_SHARPNESS: f32 = 10.0;

/// Least brightness of a founder.
const FOUNDER_BRIGHTNESS: f32 = 15.0;

/// What a face is good for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// 0 to 100.
    pub score: f32,
    /// Whether it may found a person.
    pub can_found: bool,
}

/// Rates a face found in a preview of this size in pixels.
#[must_use]
pub fn rate(face: &FaceDetail, preview_width: u32, preview_height: u32) -> Quality {
    let pixels = (face.bounding_box.width * preview_width as f32)
        .min(face.bounding_box.height * preview_height as f32);
    let angle = face.yaw.abs().max(face.pitch.abs());
    let pose = (1.0 - angle / 90.0).clamp(0.0, 1.0);
    let sharpness = (face.sharpness / 100.0).clamp(0.0, 1.0);
    let light = if face.brightness < 30.0 {
        (face.brightness / 30.0).clamp(0.0, 1.0)
    } else {
        (1.0 - (face.brightness - 90.0).max(0.0) / 20.0).clamp(0.5, 1.0)
    };
    let size = ((pixels.max(1.0) / 20.0).ln() / 10_f32.ln()).clamp(0.0, 1.0);
    let confidence = (face.confidence / 100.0).clamp(0.0, 1.0);
    let score = 100.0
        * confidence
        * (0.35_f32.mul_add(pose, 0.3 * sharpness) + 0.1_f32.mul_add(light, 0.25 * size));
    Quality {
        score,
        can_found: angle <= FOUNDER_ANGLE
            && face.confidence >= FOUNDER_CONFIDENCE
            && pixels >= FOUNDER_PIXELS
            && face.sharpness >= FOUNDER_SHARPNESS
            && face.brightness >= FOUNDER_BRIGHTNESS,
    }
}

#[cfg(test)]
mod tests {
    use entity::document::BoundingBox;

    use super::*;

    fn good() -> FaceDetail {
        FaceDetail {
            bounding_box: BoundingBox {
                left: 0.4,
                top: 0.3,
                width: 0.1,
                height: 0.15,
            },
            confidence: 100.0,
            brightness: 60.0,
            sharpness: 100.0,
            ..FaceDetail::default()
        }
    }

    fn rated(change: impl FnOnce(&mut FaceDetail)) -> Quality {
        let mut face = good();
        change(&mut face);
        rate(&face, 2048, 1536)
    }

    #[test]
    fn a_sharp_full_large_face_is_perfect() {
        let quality = rated(|_| {});
        assert!((quality.score - 100.0).abs() < 0.5, "{}", quality.score);
        assert!(quality.can_found);
    }

    #[test]
    fn each_flaw_lowers_the_score() {
        let best = rated(|_| {}).score;
        for worse in [
            rated(|face| face.yaw = -30.0),
            rated(|face| face.pitch = 30.0),
            rated(|face| face.sharpness = 40.0),
            rated(|face| face.brightness = 10.0),
            rated(|face| face.brightness = 99.0),
            rated(|face| face.confidence = 80.0),
            rated(|face| face.bounding_box.width = 0.03),
        ] {
            assert!(worse.score < best - 1.0, "{worse:?}");
        }
    }

    #[test]
    fn poor_faces_found_nobody() {
        assert!(rated(|face| face.yaw = 45.0).can_found);
        for poor in [
            rated(|face| face.yaw = 46.0),
            rated(|face| face.pitch = -46.0),
            rated(|face| face.confidence = 89.0),
            rated(|face| face.sharpness = 5.0),
            rated(|face| face.brightness = 5.0),
            // 0.019 of 2048 pixels are 39.
            rated(|face| face.bounding_box.width = 0.019),
        ] {
            assert!(!poor.can_found, "{poor:?}");
        }
    }

    #[test]
    fn broken_numbers_give_no_score_outside_the_range() {
        let worst = rated(|face| *face = FaceDetail::default());
        assert!((0.0..=100.0).contains(&worst.score) && !worst.can_found);
        let wild = rated(|face| {
            face.sharpness = 1e9;
            face.confidence = 1e9;
            face.yaw = -1e9;
        });
        assert!((0.0..=100.0).contains(&wild.score));
    }
}
