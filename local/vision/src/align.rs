//! Cuts a face out so that its eyes and nose are where the embedding's network expects them.

use image::{Rgb, RgbImage};

use crate::recognition::CHIP_SIZE;
use crate::resize::{Rect, resize};
use crate::types::{DetectedFace, Point};

/// Landmarks that decide about the position: outer and inner corner of the eye on the right of
/// the image, of the one on the left, and the base of the nose.
const LANDMARKS: [usize; 5] = [45, 42, 36, 39, 33];
/// Where dlib's mean face has them, in a square around the face.
const MEAN_FACE: [(f64, f64); 5] = [
    (0.859_567_459_599_2, 0.213_498_153_801_4),
    (0.646_060_476_410_4, 0.228_967_438_767_7),
    (0.120_575_062_079_1, 0.213_727_452_684_8),
    (0.334_085_061_371_2, 0.229_064_240_324_2),
    (0.490_112_313_567_9, 0.627_797_531_647_5),
];
/// Room around that square, as a share of it.
const PADDING: f64 = 0.25;

/// Turns, scales and moves a point of the image to a point of the chip:
/// `x' = a x - b y + dx`, `y' = b x + a y + dy`.
#[derive(Clone, Copy, Debug)]
struct Similarity {
    a: f64,
    b: f64,
    dx: f64,
    dy: f64,
}

impl Similarity {
    /// The one that brings `from` closest to `to` (least squares); `None` if `from` is one point.
    fn between(from: &[(f64, f64)], to: &[(f64, f64)]) -> Option<Self> {
        let centre = |points: &[(f64, f64)]| {
            let count = points.len() as f64;
            let sum = points
                .iter()
                .fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
            (sum.0 / count, sum.1 / count)
        };
        let (from_centre, to_centre) = (centre(from), centre(to));
        let (mut dot, mut cross, mut spread) = (0.0, 0.0, 0.0);
        for (p, q) in from.iter().zip(to) {
            let p = (p.0 - from_centre.0, p.1 - from_centre.1);
            let q = (q.0 - to_centre.0, q.1 - to_centre.1);
            dot += p.0 * q.0 + p.1 * q.1;
            cross += p.0 * q.1 - p.1 * q.0;
            spread += p.0 * p.0 + p.1 * p.1;
        }
        let (a, b) = (dot / spread, cross / spread);
        let dx = to_centre.0 - a * from_centre.0 + b * from_centre.1;
        let dy = to_centre.1 - b * from_centre.0 - a * from_centre.1;
        let usable = (dx + dy).is_finite() && a * a + b * b > 1e-12;
        usable.then_some(Self { a, b, dx, dy })
    }

    /// Chip pixels per image pixel.
    fn scale(&self) -> f64 {
        self.a.hypot(self.b)
    }

    /// From the chip back to the image.
    fn invert(&self, x: f64, y: f64) -> (f64, f64) {
        let (x, y) = (x - self.dx, y - self.dy);
        let square = self.a * self.a + self.b * self.b;
        (
            (self.a * x + self.b * y) / square,
            (self.a * y - self.b * x) / square,
        )
    }
}

/// The aligned face, [`CHIP_SIZE`] pixels square; black where it reaches beyond the image, and
/// wholly if the landmarks are unusable.
pub(crate) fn chip(image: &RgbImage, face: &DetectedFace) -> RgbImage {
    let mut chip = RgbImage::new(CHIP_SIZE, CHIP_SIZE);
    let Some(to_chip) = alignment(image, &face.landmarks) else {
        return chip;
    };

    // What of the image the chip shows.
    let size = f64::from(CHIP_SIZE);
    let corners = [(0.0, 0.0), (size, 0.0), (0.0, size), (size, size)];
    let corners = corners.map(|(x, y)| to_chip.invert(x, y));
    let xs = corners.map(|c| c.0);
    let ys = corners.map(|c| c.1);
    let (left, width) = span(&xs, image.width());
    let (top, height) = span(&ys, image.height());
    let part = Rect {
        left,
        top,
        width,
        height,
    };

    // Shrunk before it is turned: reading single pixels of a large face would alias.
    let shrink = to_chip.scale().min(1.0);
    let shrunk = |length: u32| (f64::from(length) * shrink).round().max(1.0) as u32;
    let Some(small) = resize(image, part, shrunk(width), shrunk(height)) else {
        return chip;
    };
    let (scale_x, scale_y) = (
        f64::from(small.width()) / f64::from(width),
        f64::from(small.height()) / f64::from(height),
    );
    for (x, y, pixel) in chip.enumerate_pixels_mut() {
        let (ix, iy) = to_chip.invert(f64::from(x) + 0.5, f64::from(y) + 0.5);
        let inside = ix >= 0.0
            && iy >= 0.0
            && ix < f64::from(image.width())
            && iy < f64::from(image.height());
        if inside {
            *pixel = sample(
                &small,
                (ix - f64::from(left)) * scale_x - 0.5,
                (iy - f64::from(top)) * scale_y - 0.5,
            );
        }
    }
    chip
}

fn alignment(image: &RgbImage, landmarks: &[Point]) -> Option<Similarity> {
    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    let from: Vec<(f64, f64)> = LANDMARKS
        .iter()
        .filter_map(|&i| landmarks.get(i))
        .map(|p| (f64::from(p.x) * width, f64::from(p.y) * height))
        .collect();
    if from.len() != LANDMARKS.len() {
        return None;
    }
    let place = |v: f64| (PADDING + v) / (2.0 * PADDING + 1.0) * f64::from(CHIP_SIZE);
    Similarity::between(&from, &MEAN_FACE.map(|(x, y)| (place(x), place(y))))
}

/// Start and length of the whole pixels from the least to the greatest value, with one more on
/// each side, within 0..`limit`.
fn span(values: &[f64], limit: u32) -> (u32, u32) {
    let limit = f64::from(limit);
    let low = values.iter().fold(f64::INFINITY, |a, &b| a.min(b));
    let high = values.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let start = (low.floor() - 1.0).max(0.0).min(limit);
    let end = (high.ceil() + 1.0).max(start).min(limit);
    (start as u32, (end - start) as u32)
}

/// The colour at a place between pixels' centres; beyond the edge, the edge's.
fn sample(image: &RgbImage, x: f64, y: f64) -> Rgb<u8> {
    let axis = |v: f64, length: u32| {
        let v = v.max(0.0).min(f64::from(length - 1));
        let first = v.floor() as u32;
        (first, (first + 1).min(length - 1), (v - v.floor()) as f32)
    };
    let (left, right, across) = axis(x, image.width());
    let (top, bottom, down) = axis(y, image.height());
    let corner = |x, y| image.get_pixel(x, y).0;
    let (a, b) = (corner(left, top), corner(right, top));
    let (c, d) = (corner(left, bottom), corner(right, bottom));
    Rgb(std::array::from_fn(|i| {
        let [a, b, c, d] = [a[i], b[i], c[i], d[i]].map(f32::from);
        let upper = a + (b - a) * across;
        let lower = c + (d - c) * across;
        (upper + (lower - upper) * down).round() as u8
    }))
}

#[cfg(test)]
mod tests {
    use super::Similarity;

    #[test]
    fn a_similarity_is_found_and_inverted() {
        let from = [(0.0, 0.0), (10.0, 0.0), (0.0, 5.0), (3.0, 7.0)];
        // Turned by 90 degrees, doubled, moved.
        let to = from.map(|(x, y)| (-2.0 * y + 4.0, 2.0 * x - 1.0));
        let found = Similarity::between(&from, &to).unwrap();
        assert!((found.scale() - 2.0).abs() < 1e-9);
        for (p, q) in from.iter().zip(&to) {
            let back = found.invert(q.0, q.1);
            assert!((back.0 - p.0).abs() < 1e-9 && (back.1 - p.1).abs() < 1e-9);
        }
        assert!(Similarity::between(&[(1.0, 1.0); 4], &to).is_none());
    }
}
