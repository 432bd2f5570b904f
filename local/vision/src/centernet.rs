//! Object detector: CenterNet on MobileNet v3 for the COCO classes, as human ships it.

use image::RgbImage;

use crate::resize::{Rect, resize};
use crate::run::Graph;
use crate::tensor::Tensor;
use crate::types::{BoundingBox, DetectedObject};
use crate::{VisionError, graph, suppress};

const SIZE: u32 = 512;
/// Pixels of the input per pixel of the heat map.
const STRIDE: f32 = 4.0;
const MIN_CONFIDENCE: f32 = 0.3;
const MAX_OVERLAP: f32 = 0.5;
const MAX_OBJECTS: usize = 100;

/// Heat map per class before its sigmoid (which changes no order, so that only the few peaks need
/// it), and distances from a centre to the left, top, right and bottom edge in pixels.
const OUTPUTS: [&str; 2] = [
    "tower_0/CenternetHead/centernet_cls_output/BiasAdd",
    "tower_0/wh",
];

/// The loaded detector.
#[derive(Debug)]
pub(crate) struct ObjectDetector {
    graph: Graph,
}

impl ObjectDetector {
    /// Reads the model.
    pub(crate) fn new(model: &assets::models::Model) -> Result<Self, VisionError> {
        let graph = graph::read("CenterNet", model.manifest, model.weights, &OUTPUTS)?;
        Ok(Self { graph })
    }

    /// Objects, most confident first.
    pub(crate) fn detect(&self, image: &RgbImage) -> Vec<DetectedObject> {
        // Stretched to a square: so the network was trained.
        let Some(square) = resize(image, Rect::whole(image), SIZE, SIZE) else {
            return Vec::new();
        };
        let outputs = self
            .graph
            .run(Tensor::from_image(&square, |_, value| value));
        let [heat, edges] = outputs.as_slice() else {
            return Vec::new();
        };
        let mut found = peaks(heat, edges);
        found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        let mut found = suppress(found, |a, b| {
            a.class == b.class && a.bounding_box.iou(&b.bounding_box) > MAX_OVERLAP
        });
        found.truncate(MAX_OBJECTS);
        found
    }
}

/// An object is where a class's heat is at its highest among the neighbours.
fn peaks(heat: &Tensor, edges: &Tensor) -> Vec<DetectedObject> {
    let threshold = (MIN_CONFIDENCE / (1.0 - MIN_CONFIDENCE)).ln();
    let classes = heat.channels.min(CLASSES.len());
    let mut found = Vec::new();
    for (i, &logit) in heat.data.iter().enumerate() {
        if logit < threshold || logit.is_nan() {
            continue;
        }
        let (pixel, class) = (i / heat.channels, i % heat.channels);
        let (y, x) = (pixel / heat.width, pixel % heat.width);
        if class >= classes || !is_peak(heat, y, x, class) {
            continue;
        }
        let &[left, top, right, bottom] = &edges.data[pixel * edges.channels..][..4] else {
            continue;
        };
        let (x, y, size) = (x as f32 * STRIDE, y as f32 * STRIDE, SIZE as f32);
        let bounding_box = BoundingBox::from_corners(
            (x - left) / size,
            (y - top) / size,
            (x + right) / size,
            (y + bottom) / size,
        );
        if bounding_box.area() > 0.0 {
            let confidence = 100.0 / (1.0 + (-logit).exp());
            found.push(DetectedObject {
                class: CLASSES[class],
                confidence,
                bounding_box,
            });
        }
    }
    found
}

fn is_peak(heat: &Tensor, y: usize, x: usize, class: usize) -> bool {
    let at = |y: usize, x: usize| heat.data[(y * heat.width + x) * heat.channels + class];
    let middle = at(y, x);
    let rows = y.saturating_sub(1)..(y + 2).min(heat.height);
    rows.flat_map(|y| (x.saturating_sub(1)..(x + 2).min(heat.width)).map(move |x| (y, x)))
        .all(|(y, x)| at(y, x) <= middle)
}

/// The COCO classes in the network's order.
#[rustfmt::skip]
pub(crate) const CLASSES: [&str; 80] = [
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich",
    "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote",
    "keyboard", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book",
    "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
];
