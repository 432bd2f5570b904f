//! Brightness and sharpness of a face: what decides whether it may stand for a person.

use crate::resize::Fitted;
use crate::types::Quality;

/// Variance of the Laplacian at which a face counts as half sharp.
const HALF_SHARP: f32 = 60.0;

/// Quality of a face as the landmark network saw it. All faces are compared at that size, so one
/// that was enlarged counts as blurred.
pub(crate) fn quality(face: &Fitted) -> Quality {
    let luma = |x: u32, y: u32| {
        let [r, g, b] = face
            .image
            .get_pixel(face.inside.left + x, face.inside.top + y)
            .0;
        0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)
    };
    let (width, height) = (face.inside.width, face.inside.height);
    let all = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let brightness = mean(all.map(|(x, y)| luma(x, y))) / 255.0 * 100.0;

    let inner = || (1..height.max(1) - 1).flat_map(|y| (1..width.max(1) - 1).map(move |x| (x, y)));
    let laplacian = |(x, y): (u32, u32)| {
        luma(x - 1, y) + luma(x + 1, y) + luma(x, y - 1) + luma(x, y + 1) - 4.0 * luma(x, y)
    };
    let centre = mean(inner().map(laplacian));
    let variance = mean(inner().map(|at| (laplacian(at) - centre).powi(2)));
    Quality {
        brightness,
        sharpness: variance / (variance + HALF_SHARP) * 100.0,
    }
}

fn mean(values: impl Iterator<Item = f32>) -> f32 {
    let (sum, count) = values.fold((0.0, 0u32), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / count as f32 }
}
