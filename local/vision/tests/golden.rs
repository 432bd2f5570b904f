//! The networks against their JavaScript originals (`golden/README.md`), and what every photo must
//! satisfy.

#![expect(
    clippy::unwrap_used,
    reason = "a failure in a static's initialiser is a failed test"
)]

use std::sync::LazyLock;

use image::RgbImage;
use serde::Deserialize;
use vision::{
    BoundingBox, DetectedFace, Embedding, Point, Vision, similarity, similarity_of_distance,
};

#[derive(Deserialize)]
struct Golden {
    name: String,
    faces: Vec<GoldenFace>,
    objects: Vec<GoldenObject>,
}

#[derive(Deserialize)]
struct GoldenFace {
    score: f32,
    /// Left, top, width, height.
    #[serde(rename = "box")]
    bounding_box: [f32; 4],
    landmarks: Vec<[f32; 2]>,
    /// Left, top, size in pixels of a plain square around the face, and its descriptor.
    chip: [u32; 3],
    descriptor: Vec<f32>,
}

#[derive(Deserialize)]
struct GoldenObject {
    class: String,
    score: f32,
    corners: [f32; 4],
}

struct Photo {
    golden: Golden,
    image: RgbImage,
    faces: Vec<DetectedFace>,
}

static VISION: LazyLock<Vision> = LazyLock::new(|| Vision::load().unwrap());

/// Each sample photo with the oracle's answers and ours: found once for all tests.
static PHOTOS: LazyLock<Vec<Photo>> = LazyLock::new(|| {
    let golden: Vec<Golden> = serde_json::from_str(include_str!("../golden/golden.json")).unwrap();
    assert_eq!(golden.len(), assets::samples::PHOTOS.len());
    golden
        .into_iter()
        .zip(assets::samples::PHOTOS)
        .map(|(golden, photo)| {
            assert_eq!(golden.name, photo.name);
            let image = image::load_from_memory(photo.bytes).unwrap().into_rgb8();
            let faces = VISION.detect_faces(&image);
            Photo {
                golden,
                image,
                faces,
            }
        })
        .collect()
});

impl GoldenFace {
    fn bounding_box(&self) -> BoundingBox {
        let [left, top, width, height] = self.bounding_box;
        BoundingBox::from_corners(left, top, left + width, top + height)
    }
}

impl GoldenObject {
    fn bounding_box(&self) -> BoundingBox {
        let [left, top, right, bottom] = self.corners;
        BoundingBox::from_corners(left, top, right, bottom)
    }
}

#[test]
fn faces_are_those_of_the_original() {
    for Photo { golden, faces, .. } in &*PHOTOS {
        assert!(
            golden.faces.len() >= 3,
            "{}: the oracle saw too little",
            golden.name
        );
        for expected in golden.faces.iter().filter(|face| face.score > 0.53) {
            let bounding_box = expected.bounding_box();
            let found = faces
                .iter()
                .find(|face| face.bounding_box.iou(&bounding_box) > 0.9);
            let found = found.unwrap_or_else(|| panic!("{}: {bounding_box:?}", golden.name));
            let off = (found.confidence / 100.0 - expected.score).abs();
            assert!(off < 0.03, "{}: confidence is off by {off}", golden.name);

            assert_eq!(found.landmarks.len(), 68);
            let distances = found
                .landmarks
                .iter()
                .zip(&expected.landmarks)
                .map(|(a, b)| {
                    ((a.x - b[0]) / bounding_box.width).hypot((a.y - b[1]) / bounding_box.height)
                });
            let mean = distances.sum::<f32>() / 68.0;
            assert!(
                mean < 0.03,
                "{}: landmarks are off by {mean} of the face",
                golden.name
            );
        }
        for face in faces.iter().filter(|face| face.confidence > 53.0) {
            let known = golden
                .faces
                .iter()
                .any(|g| g.bounding_box().iou(&face.bounding_box) > 0.9);
            assert!(
                known,
                "{}: {:?} is no face to the original",
                golden.name, face.bounding_box
            );
        }
    }
}

#[test]
fn embeddings_are_those_of_the_original() {
    for Photo { golden, image, .. } in &*PHOTOS {
        for face in &golden.faces {
            let [x, y, size] = face.chip;
            let chip = image::imageops::crop_imm(image, x, y, size, size).to_image();
            let descriptor = Embedding(face.descriptor.as_slice().try_into().unwrap());
            let distance = VISION.embed_chip(&chip).distance(&descriptor);
            assert!(distance < 0.05, "{}: distance {distance}", golden.name);
        }
    }
}

#[test]
fn objects_are_those_of_the_original() {
    for Photo { golden, image, .. } in &*PHOTOS {
        let found = VISION.detect_objects(image);
        assert!(found.is_sorted_by(|a, b| a.confidence >= b.confidence));
        for object in &found {
            let original = golden.objects.iter().find(|g| {
                g.class == object.class && g.bounding_box().iou(&object.bounding_box) > 0.85
            });
            let original =
                original.unwrap_or_else(|| panic!("{}: {object:?} is unknown", golden.name));
            let off = (object.confidence / 100.0 - original.score).abs();
            assert!(
                off < 0.05,
                "{}: {} is off by {off}",
                golden.name,
                object.class
            );
        }
        // The original's list is that before overlapping boxes are dropped.
        for original in golden.objects.iter().filter(|g| g.score > 0.35) {
            let near = found.iter().any(|object| {
                object.class == original.class
                    && object.bounding_box.iou(&original.bounding_box()) > 0.5
            });
            assert!(near, "{}: {} was missed", golden.name, original.class);
        }
    }
    assert!(
        PHOTOS
            .iter()
            .any(|photo| photo.golden.objects.iter().any(|o| o.class == "person"))
    );
}

/// The largest face of the first and of the third photo are one woman; on one photo all differ.
#[test]
fn one_person_is_nearer_than_two() {
    let embeddings: Vec<Vec<Embedding>> = PHOTOS
        .iter()
        .map(|photo| {
            photo
                .faces
                .iter()
                .map(|f| VISION.embed(&photo.image, f))
                .collect()
        })
        .collect();
    let nearest = |photo: usize, to: &Embedding| {
        embeddings[photo]
            .iter()
            .min_by(|a, b| a.distance(to).total_cmp(&b.distance(to)))
            .unwrap()
    };
    let (first, third) = (&embeddings[0][0], nearest(2, &embeddings[0][0]));
    assert_eq!(nearest(0, third), first);
    assert!(
        similarity(first, third) > 80.0,
        "distance {}",
        first.distance(third)
    );

    let mut different: Vec<f32> = Vec::new();
    for faces in &embeddings {
        for (i, a) in faces.iter().enumerate() {
            different.extend(faces[i + 1..].iter().map(|b| a.distance(b)));
        }
    }
    different.sort_by(f32::total_cmp);
    assert!(
        different[0] > first.distance(third) + 0.05,
        "{}",
        different[0]
    );
    assert!(different[different.len() / 2] > 0.6);
}

#[test]
fn similarity_falls_with_the_distance() {
    assert_eq!(similarity_of_distance(0.0), 100.0);
    assert!((similarity_of_distance(0.6) - 80.0).abs() < 1e-4);
    let steps: Vec<f32> = (0..200)
        .map(|i| similarity_of_distance(i as f32 / 100.0))
        .collect();
    assert!(steps.is_sorted_by(|a, b| a > b));
    assert!(steps.iter().all(|s| (0.0..=100.0).contains(s)));
    assert_eq!(similarity_of_distance(-0.1), 100.0);
}

#[test]
fn an_embedding_survives_storage() {
    let embedding = Embedding(std::array::from_fn(|i| i as f32 / 7.0 - 3.0));
    let bytes = embedding.as_bytes();
    assert_eq!(bytes[4..8], (1.0f32 / 7.0 - 3.0).to_le_bytes());
    assert_eq!(Embedding::from_bytes(&bytes), Some(embedding));
    assert_eq!(Embedding::from_bytes(&bytes[1..]), None);
    let mut broken = bytes;
    broken[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert_eq!(Embedding::from_bytes(&broken), None);
}

#[test]
fn boxes_stay_inside_and_the_largest_comes_first() {
    // A face cut by the left and the lower edge.
    let Photo { image, faces, .. } = &PHOTOS[0];
    let face = faces[0].bounding_box;
    let x = ((face.left + face.width * 0.25) * image.width() as f32) as u32;
    let bottom = ((face.bottom() - face.height * 0.1) * image.height() as f32) as u32;
    let cut = image::imageops::crop_imm(image, x, 0, image.width() - x, bottom).to_image();
    let cut = VISION.detect_faces(&cut);
    assert!(!cut.is_empty(), "the cut face should still be found");
    assert!(cut[0].bounding_box.left < 0.02);

    for faces in PHOTOS.iter().map(|photo| &photo.faces).chain([&cut]) {
        assert!(faces.is_sorted_by(|a, b| a.bounding_box.area() >= b.bounding_box.area()));
        for face in faces {
            let BoundingBox {
                left,
                top,
                width,
                height,
            } = face.bounding_box;
            assert!(left >= 0.0 && top >= 0.0 && width > 0.0 && height > 0.0);
            assert!(left + width <= 1.0 && top + height <= 1.0);
            assert!((50.0..=100.0).contains(&face.confidence));
            assert!((0.0..=100.0).contains(&face.quality.brightness));
            assert!((0.0..=100.0).contains(&face.quality.sharpness));
            assert!(face.pose.yaw.abs() <= 90.0);
        }
    }
}

#[test]
fn a_tall_cut_shows_the_same_face_in_the_same_place() {
    let Photo { image, faces, .. } = &PHOTOS[0];
    let face = faces[0].bounding_box;
    let (x, width) = (image.width() * 68 / 100, image.width() * 25 / 100);
    let cut = image::imageops::crop_imm(image, x, 0, width, image.height()).to_image();
    assert!(cut.height() > cut.width() * 2);
    let found = VISION.detect_faces(&cut)[0].bounding_box;
    let back = |v: f32| (x as f32 + v * width as f32) / image.width() as f32;
    let found = BoundingBox::from_corners(
        back(found.left),
        found.top,
        back(found.right()),
        found.bottom(),
    );
    assert!(found.iou(&face) > 0.75, "{found:?} {face:?}");
}

#[test]
fn blurred_and_dark_faces_are_told() {
    let Photo { image, faces, .. } = &PHOTOS[0];
    let blurred = VISION.detect_faces(&image::imageops::blur(image, 6.0));
    let dark = VISION.detect_faces(&image::imageops::brighten(image, -40));
    let same = |others: &[DetectedFace]| {
        let near = |f: &&DetectedFace| f.bounding_box.iou(&faces[0].bounding_box) > 0.5;
        others.iter().find(near).cloned().unwrap()
    };
    assert!(same(&blurred).quality.sharpness < faces[0].quality.sharpness / 2.0);
    assert!(same(&dark).quality.brightness < faces[0].quality.brightness - 5.0);
}

#[test]
fn a_blank_image_shows_nothing() {
    for level in [0, 128, 255] {
        let blank = RgbImage::from_pixel(640, 480, image::Rgb([level; 3]));
        assert_eq!(VISION.detect_faces(&blank), []);
        assert_eq!(VISION.detect_objects(&blank), []);
    }
}

#[test]
fn tiny_images_and_foreign_faces_do_not_panic() {
    let point = Point { x: 0.5, y: 0.5 };
    let mut face = DetectedFace {
        bounding_box: BoundingBox::default(),
        confidence: 50.0,
        landmarks: vec![point; 68],
        pose: vision::Pose::default(),
        quality: vision::Quality::default(),
    };
    for (width, height) in [(0, 0), (1, 1), (2, 1), (1, 400), (400, 1), (3, 5)] {
        let image = RgbImage::from_pixel(width, height, image::Rgb([200, 150, 120]));
        assert!(VISION.detect_faces(&image).is_empty(), "{width} x {height}");
        let _ = VISION.detect_objects(&image);
        for landmarks in [
            vec![],
            vec![point; 68],
            PHOTOS[0].faces[0].landmarks.clone(),
            vec![
                Point {
                    x: f32::NAN,
                    y: 1e30
                };
                68
            ],
        ] {
            face.landmarks = landmarks;
            let embedding = VISION.embed(&image, &face);
            assert!(embedding.0.iter().all(|v| v.is_finite()));
        }
        assert!(VISION.embed_chip(&image).0.iter().all(|v| v.is_finite()));
    }
}
