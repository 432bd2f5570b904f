//! Pixels.

use entity::document::BoundingBox;
use image::{Rgb, RgbImage};

use crate::people::sheet::{self, CELL, CELLS, SIDE, Square};

fn face(left: f32, top: f32, width: f32, height: f32) -> BoundingBox {
    BoundingBox {
        left,
        top,
        width,
        height,
    }
}

#[test]
fn cells_count_row_by_row() {
    assert_eq!(sheet::origin(0), (0, 0));
    assert_eq!(sheet::origin(9), (9 * CELL, 0));
    assert_eq!(sheet::origin(10), (0, CELL));
    assert_eq!(sheet::origin(99), (9 * CELL, 9 * CELL));
    for cell in 0..CELLS {
        let (x, y) = sheet::origin(cell);
        let side = SIDE as f32;
        let found = face(x as f32 / side + 0.02, y as f32 / side + 0.03, 0.06, 0.05);
        assert_eq!(sheet::cell_of(&found), Some(cell));
    }
}

#[test]
fn a_box_beyond_the_sheet_has_no_cell() {
    assert_eq!(sheet::cell_of(&face(0.99, 0.5, 0.1, 0.1)), None);
    assert_eq!(sheet::cell_of(&face(-0.1, 0.5, 0.1, 0.1)), None);
    assert_eq!(sheet::cell_of(&face(f32::NAN, 0.5, 0.1, 0.1)), None);
}

#[test]
fn a_crop_is_head_and_shoulders_around_the_face() {
    let square = sheet::square(&face(0.4, 0.4, 0.1, 0.2), 1000, 500);
    // A face of 100 by 100 pixels around (450, 250).
    let expected = Square {
        x: 370,
        y: 170,
        side: 160,
    };
    assert_eq!(square, expected);
}

#[test]
fn a_crop_at_the_edge_is_filled_with_grey() {
    let picture = RgbImage::from_pixel(100, 100, Rgb([255, 0, 0]));
    let crop = sheet::cut(&picture, &face(0.0, 0.8, 0.2, 0.2), &[]);
    assert_eq!(crop.dimensions(), (32, 32));
    // Left of the picture, in it, below it.
    assert_eq!(crop.get_pixel(5, 16).0, [128; 3]);
    assert_eq!(crop.get_pixel(6, 16).0, [255, 0, 0]);
    assert_eq!(crop.get_pixel(16, 25).0, [255, 0, 0]);
    assert_eq!(crop.get_pixel(16, 26).0, [128; 3]);
}

#[test]
fn a_face_without_size_makes_a_crop_all_the_same() {
    let picture = RgbImage::from_pixel(100, 100, Rgb([255, 0, 0]));
    let crop = sheet::cut(&picture, &face(1.0, 1.0, 0.0, 0.0), &[]);
    assert_eq!(crop.dimensions(), (1, 1));
    assert_eq!(sheet::source(crop).unwrap().dimensions(), (288, 288));
}

#[test]
fn a_source_shows_the_crop_in_the_middle_of_grey_and_farther_away_for_a_second_look() {
    let crop = RgbImage::from_pixel(200, 200, Rgb([250, 0, 0]));
    let near = sheet::source(crop).unwrap();
    let far = sheet::decode(&sheet::far(&sheet::encode(&near).unwrap()).unwrap()).unwrap();
    assert_eq!((near.width(), far.width()), (300, 1000));
    for (picture, edge) in [(near, 50), (far, 400)] {
        let is_red = |at: u32| picture.get_pixel(at, at).0[1] < 40;
        assert!(!is_red(edge - 9) && is_red(edge + 9), "{edge}");
        assert!(is_red(edge + 190) && !is_red(edge + 209), "{edge}");
    }
}

#[test]
fn a_face_outside_of_the_picture_makes_a_grey_crop() {
    let picture = RgbImage::from_pixel(100, 100, Rgb([255, 0, 0]));
    for outside in [face(-0.9, 0.1, 0.2, 0.2), face(1.5, 1.5, 0.2, 0.2)] {
        let crop = sheet::cut(&picture, &outside, &[outside, face(0.0, 0.0, 1.0, 1.0)]);
        assert!(crop.pixels().all(|pixel| pixel.0 == [128; 3]));
    }
}

#[test]
fn others_are_painted_over_but_never_the_face_itself() {
    let picture = RgbImage::from_pixel(100, 100, Rgb([255, 0, 0]));
    let own = face(0.4, 0.4, 0.2, 0.2);
    let crop = sheet::cut(&picture, &own, &[face(0.5, 0.3, 0.5, 0.5)]);
    // The crop begins at (34, 34).
    assert_eq!(crop.get_pixel(30, 16).0, [128; 3], "the other's own pixels");
    assert_eq!(crop.get_pixel(20, 16).0, [255, 0, 0], "where both overlap");
    assert_eq!(crop.get_pixel(2, 16).0, [255, 0, 0], "nobody's pixels");
}

#[test]
fn drawing_changes_one_cell_only() {
    let red = RgbImage::from_pixel(CELL, CELL, Rgb([255, 0, 0]));
    let mut picture = sheet::blank();
    sheet::draw(&mut picture, 11, Some(&red));
    let count = |picture: &RgbImage| picture.pixels().filter(|p| p.0 == [255, 0, 0]).count();
    assert_eq!(count(&picture), (CELL * CELL) as usize);
    assert_eq!(picture.get_pixel(CELL, CELL).0, [255, 0, 0]);
    sheet::draw(&mut picture, CELLS, Some(&red));
    sheet::draw(&mut picture, 11, None);
    assert_eq!(picture, sheet::blank());
}

/// Cells lie on JPEG's block borders, so a sheet does not wear when other cells are drawn.
#[test]
fn a_cell_survives_fifty_versions() {
    let pattern = RgbImage::from_fn(CELL, CELL, |x, y| {
        let wave = |t: u32| (127.0 + 120.0 * (t as f32 / 9.0).sin()) as u8;
        Rgb([wave(x), wave(y), wave(x + y)])
    });
    let mut picture = RgbImage::new(CELL * 2, CELL);
    sheet::draw(&mut picture, 0, Some(&pattern));
    let mut picture = sheet::decode(&sheet::encode(&picture).unwrap()).unwrap();
    let first = image::imageops::crop_imm(&picture, 0, 0, CELL, CELL).to_image();
    for shade in 0..50 {
        let other = RgbImage::from_pixel(CELL, CELL, Rgb([shade * 5; 3]));
        sheet::draw(&mut picture, 1, Some(&other));
        picture = sheet::decode(&sheet::encode(&picture).unwrap()).unwrap();
    }
    let last = image::imageops::crop_imm(&picture, 0, 0, CELL, CELL).to_image();
    let differences = first
        .iter()
        .zip(last.iter())
        .map(|(a, b)| u64::from(a.abs_diff(*b)));
    let mean = differences.sum::<u64>() as f64 / f64::from(CELL * CELL * 3);
    assert!(mean < 2.0, "mean difference {mean}");
}
