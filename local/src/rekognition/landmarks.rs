//! Rekognition's thirty landmarks out of the 68 of the iBUG 300-W scheme.
//!
//! "Left" means left in the image, in both schemes. Source of the names: `LandmarkType` in the
//! Rekognition API reference; of the numbers: the 300-W annotation figure (jaw 0..=16, brows
//! 17..=26, nose 27..=35, eyes 36..=47, mouth 48..=67).

use serde::Serialize;
use vision::Point;

/// One named point of a face, relative to the image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Landmark {
    pub(crate) r#type: &'static str,
    pub(crate) x: f32,
    pub(crate) y: f32,
}

/// A name, and the points whose mean it is.
type Rule = (&'static str, &'static [usize]);

/// The five that every answer has.
const DEFAULT: [Rule; 5] = [
    ("eyeLeft", &[36, 37, 38, 39, 40, 41]),
    ("eyeRight", &[42, 43, 44, 45, 46, 47]),
    ("mouthLeft", &[48]),
    ("mouthRight", &[54]),
    ("nose", &[30]),
];

/// Those that come with `ALL`.
const FURTHER: [Rule; 25] = [
    ("leftEyeBrowLeft", &[17]),
    ("leftEyeBrowRight", &[21]),
    ("leftEyeBrowUp", &[19]),
    ("rightEyeBrowLeft", &[22]),
    ("rightEyeBrowRight", &[26]),
    ("rightEyeBrowUp", &[24]),
    ("leftEyeLeft", &[36]),
    ("leftEyeRight", &[39]),
    ("leftEyeUp", &[37, 38]),
    ("leftEyeDown", &[40, 41]),
    ("rightEyeLeft", &[42]),
    ("rightEyeRight", &[45]),
    ("rightEyeUp", &[43, 44]),
    ("rightEyeDown", &[46, 47]),
    ("noseLeft", &[31]),
    ("noseRight", &[35]),
    ("mouthUp", &[51]),
    ("mouthDown", &[57]),
    // The scheme marks lids only, so the pupil is taken to be the eye's middle.
    ("leftPupil", &[36, 37, 38, 39, 40, 41]),
    ("rightPupil", &[42, 43, 44, 45, 46, 47]),
    ("upperJawlineLeft", &[0]),
    ("midJawlineLeft", &[4]),
    ("chinBottom", &[8]),
    ("midJawlineRight", &[12]),
    ("upperJawlineRight", &[16]),
];

/// Eyes, corners of the mouth, nose.
pub(crate) fn default_landmarks(points: &[Point]) -> Vec<Landmark> {
    DEFAULT
        .iter()
        .filter_map(|rule| apply(rule, points))
        .collect()
}

/// All thirty.
pub(crate) fn all_landmarks(points: &[Point]) -> Vec<Landmark> {
    DEFAULT
        .iter()
        .chain(&FURTHER)
        .filter_map(|rule| apply(rule, points))
        .collect()
}

/// `None` when the face has fewer points than the scheme: no landmark is better than a wrong one.
fn apply((name, numbers): &Rule, points: &[Point]) -> Option<Landmark> {
    let (mut x, mut y) = (0.0, 0.0);
    for number in *numbers {
        let point = points.get(*number)?;
        x += point.x;
        y += point.y;
    }
    let count = numbers.len() as f32;
    Some(Landmark {
        r#type: name,
        x: x / count,
        y: y / count,
    })
}
