//! How a head is turned, from its landmarks.

use image::RgbImage;

use crate::types::{Point, Pose};

/// Landmarks whose place on an average head is known, and that place in millimetres from the tip
/// of the nose: x to the image's right, y down, z away from the camera.
const HEAD: [(usize, [f64; 3]); 8] = [
    (30, [0.0, 0.0, 0.0]),
    (8, [0.0, 66.0, 25.0]),
    (36, [-45.0, -34.0, 33.0]),
    (39, [-16.0, -33.0, 26.0]),
    (42, [16.0, -33.0, 26.0]),
    (45, [45.0, -34.0, 33.0]),
    (48, [-26.0, 29.0, 22.0]),
    (54, [26.0, 29.0, 22.0]),
];

/// The pose that makes an average head, seen from afar, fit 68 landmarks best. All zero if they
/// are too few or lie in one place.
pub(crate) fn pose(landmarks: &[Point], image: &RgbImage) -> Pose {
    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    let places = |index: usize| {
        let point = landmarks.get(index)?;
        Some([f64::from(point.x) * width, f64::from(point.y) * height])
    };
    fit(places).unwrap_or_default()
}

fn fit(places: impl Fn(usize) -> Option<[f64; 2]>) -> Option<Pose> {
    // Least squares: [x y z 1] times a 4 x 2 matrix makes the place in the image.
    let mut normal = [[0.0; 6]; 4];
    for (index, [x, y, z]) in HEAD {
        let (row, place) = ([x, y, z, 1.0], places(index)?);
        for (sums, factor) in normal.iter_mut().zip(row) {
            let terms = row.iter().chain(&place);
            sums.iter_mut()
                .zip(terms)
                .for_each(|(sum, term)| *sum += factor * term);
        }
    }
    let solved = solve(normal)?;
    let axis = |i: usize| [solved[0][i], solved[1][i], solved[2][i]];
    // The rows of the rotation, up to scale and noise.
    let right = unit(axis(0))?;
    let down = axis(1);
    let shared = dot(right, down);
    let down = unit([0, 1, 2].map(|i| down[i] - shared * right[i]))?;
    let away = [
        right[1] * down[2] - right[2] * down[1],
        right[2] * down[0] - right[0] * down[2],
        right[0] * down[1] - right[1] * down[0],
    ];
    // The rotation is a nod, then a turn, then a tilt.
    Some(Pose {
        roll: down[0].atan2(right[0]).to_degrees() as f32,
        yaw: away[0].clamp(-1.0, 1.0).asin().to_degrees() as f32,
        pitch: -away[1].atan2(away[2]).to_degrees() as f32,
    })
}

/// Solves four equations with two right sides each (columns 4 and 5) by elimination.
fn solve(mut rows: [[f64; 6]; 4]) -> Option<[[f64; 2]; 4]> {
    for column in 0..4 {
        let best =
            (column..4).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))?;
        rows.swap(column, best);
        let pivot = rows[column];
        if pivot[column].abs() < 1e-9 {
            return None;
        }
        for (i, row) in rows.iter_mut().enumerate() {
            if i != column {
                let factor = row[column] / pivot[column];
                row.iter_mut()
                    .zip(pivot)
                    .for_each(|(value, p)| *value -= factor * p);
            }
        }
    }
    Some(std::array::from_fn(|i| {
        [rows[i][4] / rows[i][i], rows[i][5] / rows[i][i]]
    }))
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn unit(v: [f64; 3]) -> Option<[f64; 3]> {
    let length = dot(v, v).sqrt();
    (length.is_finite() && length > 1e-9).then(|| v.map(|value| value / length))
}

#[cfg(test)]
mod tests {
    use super::{HEAD, fit};

    /// Turns the average head and asks for its pose.
    fn turned(roll: f64, yaw: f64, pitch: f64) -> [f32; 3] {
        let (roll, yaw, pitch) = (roll.to_radians(), -yaw.to_radians(), -pitch.to_radians());
        let pose = fit(|index| {
            let [x, y, z] = HEAD.iter().find(|(i, _)| *i == index)?.1;
            let (y, z) = (
                y * pitch.cos() - z * pitch.sin(),
                y * pitch.sin() + z * pitch.cos(),
            );
            let x = x * yaw.cos() + z * yaw.sin();
            let (x, y) = (
                x * roll.cos() - y * roll.sin(),
                x * roll.sin() + y * roll.cos(),
            );
            Some([x * 3.0 + 400.0, y * 3.0 + 200.0])
        })
        .unwrap();
        [pose.roll, pose.yaw, pose.pitch]
    }

    #[test]
    fn the_pose_of_a_turned_head_is_found() {
        for (roll, yaw, pitch) in [(0., 0., 0.), (20., 0., 0.), (0., 35., 0.), (0., 0., -15.)] {
            let found = turned(roll, yaw, pitch);
            for (found, meant) in found.iter().zip([roll, yaw, pitch]) {
                assert!(
                    (f64::from(*found) - meant).abs() < 0.01,
                    "{found} for {meant}"
                );
            }
        }
        let [roll, yaw, pitch] = turned(-30.0, 25.0, 10.0);
        assert!((roll + 30.0).abs() < 0.01 && (yaw - 25.0).abs() < 0.01);
        assert!((pitch - 10.0).abs() < 0.01);
    }

    #[test]
    fn landmarks_in_one_place_have_no_pose() {
        assert!(fit(|_| Some([5.0, 5.0])).is_none());
        assert!(fit(|_| None).is_none());
    }
}
