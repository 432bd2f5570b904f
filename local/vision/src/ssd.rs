//! Face detector: SSD on MobileNet v1, after face-api's `SsdMobilenetv1`.

use image::RgbImage;

use crate::conv::{Activation, Conv, Padding};
use crate::depthwise::Depthwise;
use crate::resize::{Rect, fit};
use crate::tensor::Tensor;
use crate::types::BoundingBox;
use crate::weights::Weights;
use crate::{VisionError, suppress};

const SIZE: u32 = 512;
/// Prior boxes, and so predictions, of the six feature maps together.
const PRIORS: usize = 5118;
const MIN_CONFIDENCE: f32 = 0.5;
const MAX_OVERLAP: f32 = 0.5;
const MAX_FACES: usize = 100;
/// Added to the variance by the batch normalisation that the network was trained with.
const EPSILON: f32 = 0.001;

/// A face as the detector sees it.
pub(crate) struct Detection {
    pub(crate) bounding_box: BoundingBox,
    /// 0..=1.
    pub(crate) confidence: f32,
}

/// The loaded detector.
#[derive(Debug)]
pub(crate) struct FaceDetector {
    stem: Conv,
    /// Depthwise and pointwise convolution of each of the 13 layers.
    layers: Vec<(Depthwise, Conv)>,
    /// Eight more layers, two for each smaller feature map.
    extra: Vec<Conv>,
    /// Box and class predictor of each of the six feature maps.
    predictors: Vec<(Conv, Conv)>,
    /// Top, left, bottom, right of each prior box.
    priors: Vec<[f32; 4]>,
}

impl FaceDetector {
    /// Takes the weights.
    pub(crate) fn new(mut weights: Weights) -> Result<Self, VisionError> {
        let w = &mut weights;
        let stem = pointwise(w, "MobilenetV1", 0, 2)?;
        let layers = (1..=13)
            .map(|i| {
                let stride = if [2, 4, 6, 12].contains(&i) { 2 } else { 1 };
                Ok((depthwise(w, i, stride)?, pointwise(w, "MobilenetV1", i, 1)?))
            })
            .collect::<Result<_, VisionError>>()?;
        let extra = (0..8)
            .map(|i| pointwise(w, "Prediction", i, 1 + i % 2))
            .collect::<Result<_, VisionError>>()?;
        let predictors = (0..6)
            .map(|i| {
                let name = format!("Prediction/BoxPredictor_{i}");
                Ok((
                    predictor(w, &format!("{name}/BoxEncodingPredictor"))?,
                    predictor(w, &format!("{name}/ClassPredictor"))?,
                ))
            })
            .collect::<Result<_, VisionError>>()?;
        let priors = w
            .take_vec("Output/extra_dim", PRIORS * 4)?
            .as_chunks()
            .0
            .to_vec();
        Ok(Self {
            stem,
            layers,
            extra,
            predictors,
            priors,
        })
    }

    /// Faces, most confident first.
    pub(crate) fn detect(&self, image: &RgbImage) -> Vec<Detection> {
        let Some(fitted) = fit(image, Rect::whole(image), SIZE, false) else {
            return Vec::new();
        };
        let input = Tensor::from_image(&fitted.image, |_, value| value / 127.5 - 1.0);
        let maps = self.feature_maps(&input);
        let scale_x = SIZE as f32 / fitted.inside.width as f32;
        let scale_y = SIZE as f32 / fitted.inside.height as f32;

        let mut found = Vec::new();
        let mut priors = self.priors.iter();
        for (map, (boxes, classes)) in maps.iter().zip(&self.predictors) {
            let (boxes, classes) = (boxes.run(map), classes.run(map));
            // Three logits a prior: background, face and one that the network leaves unused.
            let predictions = boxes
                .data
                .as_chunks()
                .0
                .iter()
                .zip(classes.data.as_chunks().0);
            for ((encoded, &[_, logit, _]), prior) in predictions.zip(&mut priors) {
                let confidence = 1.0 / (1.0 + (-logit).exp());
                if confidence > MIN_CONFIDENCE {
                    let [top, left, bottom, right] = decode(*prior, *encoded);
                    let bounding_box = BoundingBox::from_corners(
                        left * scale_x,
                        top * scale_y,
                        right * scale_x,
                        bottom * scale_y,
                    );
                    found.push(Detection {
                        bounding_box,
                        confidence,
                    });
                }
            }
        }
        found.retain(|d| d.bounding_box.area() > 0.0);
        found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        let mut found = suppress(found, |a, b| {
            a.bounding_box.iou(&b.bounding_box) > MAX_OVERLAP
        });
        found.truncate(MAX_FACES);
        found
    }

    fn feature_maps(&self, input: &Tensor) -> Vec<Tensor> {
        let mut maps = Vec::with_capacity(6);
        let mut x = self.stem.run(input);
        for (i, (depthwise, pointwise)) in self.layers.iter().enumerate() {
            x = depthwise.run(&x);
            x = pointwise.run(&x);
            if i + 1 == 11 {
                maps.push(x.clone());
            }
        }
        for pair in self.extra.as_chunks::<2>().0 {
            let next = pair[1].run(&pair[0].run(&x));
            maps.push(std::mem::replace(&mut x, next));
        }
        maps.push(x);
        maps
    }
}

/// Moves and scales a prior box (top, left, bottom, right) as the network says.
fn decode(prior: [f32; 4], [y, x, h, w]: [f32; 4]) -> [f32; 4] {
    let [top, left, bottom, right] = prior;
    let (height, width) = (bottom - top, right - left);
    let (middle_y, middle_x) = (
        top + height / 2.0 + y / 10.0 * height,
        left + width / 2.0 + x / 10.0 * width,
    );
    let (half_h, half_w) = (
        (h / 5.0).exp() * height / 2.0,
        (w / 5.0).exp() * width / 2.0,
    );
    [
        middle_y - half_h,
        middle_x - half_w,
        middle_y + half_h,
        middle_x + half_w,
    ]
}

fn pointwise(
    weights: &mut Weights,
    part: &str,
    index: usize,
    stride: usize,
) -> Result<Conv, VisionError> {
    let name = format!("{part}/Conv2d_{index}_pointwise");
    let weight = weights.take(&format!("{name}/weights"))?;
    let bias = weights
        .take(&format!("{name}/convolution_bn_offset"))?
        .values;
    Conv::new(
        weights,
        weight,
        bias,
        (stride, Padding::Same),
        Activation::Relu6,
    )
}

fn depthwise(weights: &mut Weights, index: usize, stride: usize) -> Result<Depthwise, VisionError> {
    let name = format!("MobilenetV1/Conv2d_{index}_depthwise");
    let weight = weights.take(&format!("{name}/depthwise_weights"))?;
    let count = weight.values.len() / 9;
    let mut norm = |part: &str| weights.take_vec(&format!("{name}/BatchNorm/{part}"), count);
    let (gamma, beta) = (norm("gamma")?, norm("beta")?);
    let (mean, variance) = (norm("moving_mean")?, norm("moving_variance")?);
    let scale: Vec<f32> = gamma
        .iter()
        .zip(&variance)
        .map(|(gamma, v)| gamma / (v + EPSILON).sqrt())
        .collect();
    let bias = beta
        .iter()
        .zip(mean.iter().zip(&scale))
        .map(|(b, (m, s))| b - m * s)
        .collect();
    let conv = Depthwise::new(weights, weight, Some(bias), stride, Activation::Relu6)?;
    Ok(conv.scaled(&scale))
}

fn predictor(weights: &mut Weights, name: &str) -> Result<Conv, VisionError> {
    let weight = weights.take(&format!("{name}/weights"))?;
    let bias = weights.take(&format!("{name}/biases"))?.values;
    Conv::new(
        weights,
        weight,
        bias,
        (1, Padding::Same),
        Activation::Linear,
    )
}
