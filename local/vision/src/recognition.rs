//! Face embedding: dlib's ResNet with 29 convolutions, after face-api's `FaceRecognitionNet`.

use image::RgbImage;

use crate::conv::{Activation, Conv, Padding, Window};
use crate::landmarks::MEAN_RGB;
use crate::pool::{average_pool, max_pool, mean};
use crate::tensor::Tensor;
use crate::weights::Weights;
use crate::{Embedding, VisionError};

/// Width and height of what the network looks at.
pub(crate) const CHIP_SIZE: u32 = 150;
const FEATURES: usize = 256;

/// The residual blocks in order; those called `down` halve the map.
const BLOCKS: [&str; 14] = [
    "conv32_1",
    "conv32_2",
    "conv32_3",
    "conv64_down",
    "conv64_1",
    "conv64_2",
    "conv64_3",
    "conv128_down",
    "conv128_1",
    "conv128_2",
    "conv256_down",
    "conv256_1",
    "conv256_2",
    "conv256_down_out",
];

/// The loaded network.
#[derive(Debug)]
pub(crate) struct RecognitionNet {
    stem: Conv,
    blocks: Vec<Residual>,
    weights: Vec<f32>,
}

#[derive(Debug)]
struct Residual {
    first: Conv,
    second: Conv,
    halves: bool,
}

impl RecognitionNet {
    /// Takes the weights.
    pub(crate) fn new(mut weights: Weights) -> Result<Self, VisionError> {
        let w = &mut weights;
        let down = (2, Padding::Valid);
        let stem = layer(w, "conv32_down", down, Activation::Relu)?;
        let blocks = BLOCKS
            .iter()
            .map(|name| {
                let halves = name.contains("down");
                let step = if halves { down } else { (1, Padding::Same) };
                Ok(Residual {
                    first: layer(w, &format!("{name}/conv1"), step, Activation::Relu)?,
                    second: layer(
                        w,
                        &format!("{name}/conv2"),
                        (1, Padding::Same),
                        Activation::Linear,
                    )?,
                    halves,
                })
            })
            .collect::<Result<_, VisionError>>()?;
        let matrix = w.take_vec("fc", FEATURES * 128)?;
        Ok(Self {
            stem,
            blocks,
            weights: matrix,
        })
    }

    /// The embedding of a chip of [`CHIP_SIZE`] pixels square.
    pub(crate) fn run(&self, chip: &RgbImage) -> Embedding {
        let input = Tensor::from_image(chip, |c, value| (value - MEAN_RGB[c]) / 255.0);
        let mut x = self.stem.run(&input);
        x = max_pool(&x, Window::square(3, 2, Padding::Valid));
        for block in &self.blocks {
            x = block.run(x);
        }
        let mut output = [0.0; 128];
        for (feature, row) in mean(&x).data.iter().zip(self.weights.chunks_exact(128)) {
            output
                .iter_mut()
                .zip(row)
                .for_each(|(sum, weight)| *sum += feature * weight);
        }
        Embedding(output)
    }
}

impl Residual {
    fn run(&self, input: Tensor) -> Tensor {
        let output = self.second.run(&self.first.run(&input));
        let mut sum = if self.halves {
            average_pool(&input, Window::square(2, 2, Padding::Valid))
        } else {
            input
        };
        sum = widened(sum, &output);
        // Where the convolution without padding left the map one pixel smaller than the pool did,
        // the right and bottom edges have nothing to add.
        for y in 0..output.height.min(sum.height) {
            let row = &output.data[y * output.width * output.channels..]
                [..output.width * output.channels];
            let start = y * sum.width * sum.channels;
            sum.data[start..]
                .iter_mut()
                .zip(row)
                .for_each(|(sum, value)| *sum += value);
        }
        sum.relu();
        sum
    }
}

/// Gives `map` the channels of `like`, the new ones zero.
fn widened(map: Tensor, like: &Tensor) -> Tensor {
    if map.channels == like.channels {
        return map;
    }
    let mut wide = Tensor::zeros(map.height, map.width, like.channels);
    let pixels = wide.data.chunks_exact_mut(like.channels);
    for (to, from) in pixels.zip(map.data.chunks_exact(map.channels)) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
    wide
}

/// A convolution and the scale that follows it.
fn layer(
    weights: &mut Weights,
    name: &str,
    step: (usize, Padding),
    activation: Activation,
) -> Result<Conv, VisionError> {
    let filters = weights.take(&format!("{name}/conv/filters"))?;
    let bias = weights.take(&format!("{name}/conv/bias"))?.values;
    let count = bias.len();
    let scale = weights.take_vec(&format!("{name}/scale/weights"), count)?;
    let shift = weights.take_vec(&format!("{name}/scale/biases"), count)?;
    Ok(Conv::new(weights, filters, bias, step, activation)?.scaled(&scale, &shift))
}
