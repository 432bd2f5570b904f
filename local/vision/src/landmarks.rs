//! 68 face landmarks: four dense blocks of separable convolutions, after face-api's
//! `FaceLandmark68Net`.

use image::RgbImage;

use crate::VisionError;
use crate::conv::{Activation, Conv, Padding};
use crate::depthwise::Depthwise;
use crate::pool::mean;
use crate::resize::{Fitted, Rect, fit};
use crate::tensor::Tensor;
use crate::types::Point;
use crate::weights::Weights;

const SIZE: u32 = 112;
/// Mean colour of the pictures that face-api's networks were trained with.
pub(crate) const MEAN_RGB: [f32; 3] = [122.782, 117.001, 104.298];
const OUTPUTS: usize = 136;
const FEATURES: usize = 256;

/// The loaded network.
#[derive(Debug)]
pub(crate) struct LandmarkNet {
    blocks: Vec<DenseBlock>,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

/// Four convolutions, each of which sees the sum of all before it.
#[derive(Debug)]
struct DenseBlock {
    first: Layer,
    rest: Vec<Layer>,
}

#[derive(Debug)]
enum Layer {
    Full(Conv),
    Separable(Depthwise, Conv),
}

impl LandmarkNet {
    /// Takes the weights.
    pub(crate) fn new(mut weights: Weights) -> Result<Self, VisionError> {
        let w = &mut weights;
        let blocks = (0..4)
            .map(|i| DenseBlock::new(w, i))
            .collect::<Result<_, _>>()?;
        let matrix = w.take_vec("fc/weights", FEATURES * OUTPUTS)?;
        let bias = w.take_vec("fc/bias", OUTPUTS)?;
        Ok(Self {
            blocks,
            weights: matrix,
            bias,
        })
    }

    /// The landmarks of the face in `part`, relative to the whole image, and the face as the
    /// network saw it. `None` if the part is empty.
    pub(crate) fn locate(&self, image: &RgbImage, part: Rect) -> Option<(Vec<Point>, Fitted)> {
        let fitted = fit(image, part, SIZE, true)?;
        let values = self.run(&fitted.image);
        let inside = fitted.inside;
        let place = |value: f32, offset: u32, length: u32, start: u32, span: u32, all: u32| {
            let within = (value * SIZE as f32 - offset as f32) / length as f32;
            (start as f32 + within * span as f32) / all as f32
        };
        let points = values.as_chunks().0.iter().map(|&[x, y]| Point {
            x: place(
                x,
                inside.left,
                inside.width,
                part.left,
                part.width,
                image.width(),
            ),
            y: place(
                y,
                inside.top,
                inside.height,
                part.top,
                part.height,
                image.height(),
            ),
        });
        Some((points.collect(), fitted))
    }

    /// x and y of each landmark, 0..=1 in the square.
    fn run(&self, face: &RgbImage) -> Vec<f32> {
        let mut x = Tensor::from_image(face, |c, value| (value - MEAN_RGB[c]) / 255.0);
        for block in &self.blocks {
            x = block.run(&x);
        }
        // The last map is 7 x 7 pixels, as large as face-api's pooling window.
        let features = mean(&x);
        let mut output = self.bias.clone();
        for (feature, row) in features.data.iter().zip(self.weights.chunks_exact(OUTPUTS)) {
            output
                .iter_mut()
                .zip(row)
                .for_each(|(sum, weight)| *sum += feature * weight);
        }
        output
    }
}

impl DenseBlock {
    fn new(weights: &mut Weights, index: usize) -> Result<Self, VisionError> {
        let name = format!("dense{index}/conv0");
        let first = if index == 0 {
            let filters = weights.take(&format!("{name}/filters"))?;
            let bias = weights.take(&format!("{name}/bias"))?.values;
            Layer::Full(Conv::new(
                weights,
                filters,
                bias,
                (2, Padding::Same),
                Activation::Relu,
            )?)
        } else {
            Layer::separable(weights, &name, 2, Activation::Relu)?
        };
        let rest = (1..4)
            .map(|i| {
                Layer::separable(
                    weights,
                    &format!("dense{index}/conv{i}"),
                    1,
                    Activation::Linear,
                )
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { first, rest })
    }

    fn run(&self, input: &Tensor) -> Tensor {
        let mut sum = self.first.run(input);
        let mut seen = sum.clone();
        for layer in &self.rest {
            sum.add(&layer.run(&seen));
            seen.data.copy_from_slice(&sum.data);
            seen.relu();
        }
        seen
    }
}

impl Layer {
    fn separable(
        weights: &mut Weights,
        name: &str,
        stride: usize,
        activation: Activation,
    ) -> Result<Self, VisionError> {
        let depthwise = weights.take(&format!("{name}/depthwise_filter"))?;
        let pointwise = weights.take(&format!("{name}/pointwise_filter"))?;
        let bias = weights.take(&format!("{name}/bias"))?.values;
        Ok(Self::Separable(
            Depthwise::new(weights, depthwise, None, stride, Activation::Linear)?,
            Conv::new(weights, pointwise, bias, (1, Padding::Same), activation)?,
        ))
    }

    fn run(&self, input: &Tensor) -> Tensor {
        match self {
            Self::Full(conv) => conv.run(input),
            Self::Separable(depthwise, pointwise) => pointwise.run(&depthwise.run(input)),
        }
    }
}
