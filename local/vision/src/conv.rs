//! Full convolutions: what lies under the window is unrolled into a matrix (im2col) and multiplied.

use rayon::prelude::*;

use crate::VisionError;
use crate::gemm::Matrix;
use crate::tensor::Tensor;
use crate::weights::{Weight, Weights};

/// What is done to each sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    /// Nothing.
    Linear,
    /// At least 0.
    Relu,
    /// At least 0, at most 6.
    Relu6,
}

impl Activation {
    /// The least and the greatest number that it lets through.
    pub(crate) fn limits(self) -> (f32, f32) {
        match self {
            Self::Linear => (f32::NEG_INFINITY, f32::INFINITY),
            Self::Relu => (0.0, f32::INFINITY),
            Self::Relu6 => (0.0, 6.0),
        }
    }
}

/// What lies beyond the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    /// As many zeros as make the output `ceil(input / stride)` large. If their number is odd,
    /// TensorFlow puts the odd one behind (right, bottom), which shifts the picture if forgotten.
    Same,
    /// Nothing: the window stays inside.
    Valid,
}

/// Window, step and edges of a convolution or a pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) stride: usize,
    pub(crate) padding: Padding,
}

impl Window {
    /// A square window.
    pub(crate) fn square(size: usize, stride: usize, padding: Padding) -> Self {
        Self {
            height: size,
            width: size,
            stride,
            padding,
        }
    }

    /// Output length and zeros in front along one axis.
    pub(crate) fn axis(&self, input: usize, window: usize) -> (usize, usize) {
        match self.padding {
            Padding::Valid => (
                (input + self.stride).saturating_sub(window) / self.stride,
                0,
            ),
            Padding::Same => {
                let output = input.div_ceil(self.stride);
                let covered = output.saturating_sub(1) * self.stride + window;
                (output, covered.saturating_sub(input) / 2)
            }
        }
    }
}

/// A full convolution with bias and activation.
#[derive(Debug)]
pub(crate) struct Conv {
    window: Window,
    channels: usize,
    /// One row per number under the window (row, column, input channel), one column per output.
    matrix: Matrix,
    activation: Activation,
}

/// Numbers of unrolled input per product: they should stay in the cache while all output channels
/// are worked on.
const TILE: usize = 1 << 16;

impl Conv {
    /// From a weight of shape (rows, columns, inputs, outputs).
    pub(crate) fn new(
        weights: &Weights,
        weight: Weight,
        bias: Vec<f32>,
        (stride, padding): (usize, Padding),
        activation: Activation,
    ) -> Result<Self, VisionError> {
        let &[height, width, channels, outputs] = weight.shape.as_slice() else {
            return Err(weights.invalid(format!("a convolution has shape {:?}", weight.shape)));
        };
        if bias.len() != outputs || weight.values.is_empty() {
            return Err(weights.invalid(format!("{} biases for {outputs} outputs", bias.len())));
        }
        let window = Window {
            height,
            width,
            stride,
            padding,
        };
        Ok(Self {
            window,
            channels,
            matrix: Matrix::new(&weight.values, bias),
            activation,
        })
    }

    /// Multiplies what comes out by `scale` and adds `shift`, one number of each per output.
    pub(crate) fn scaled(mut self, scale: &[f32], shift: &[f32]) -> Self {
        self.matrix.scale(scale, shift);
        self
    }

    /// Convolves. `input` must have the channels that the weights were made for.
    pub(crate) fn run(&self, input: &Tensor) -> Tensor {
        debug_assert_eq!(input.channels, self.channels);
        let (height, top) = self.window.axis(input.height, self.window.height);
        let (width, left) = self.window.axis(input.width, self.window.width);
        let mut output = Tensor::zeros(height, width, self.matrix.outputs());
        if output.data.is_empty() {
            return output;
        }
        let depth = self.matrix.inputs();
        let share = height.div_ceil(rayon::current_num_threads());
        let tile_rows = ((TILE / depth).clamp(48, 512) / width).clamp(1, share);
        let direct = depth == self.channels && self.window.stride == 1;
        let limits = self.activation.limits();
        let tiles = output
            .data
            .par_chunks_mut(tile_rows * width * output.channels);
        tiles
            .enumerate()
            .for_each_init(Vec::new, |unrolled, (tile, out)| {
                let pixels = out.len() / self.matrix.outputs();
                let first = tile * tile_rows;
                if direct {
                    let rows = &input.data[first * width * depth..][..pixels * depth];
                    self.matrix.multiply(rows, out, limits);
                    return;
                }
                unrolled.resize(pixels * depth, 0.0);
                for (y, row) in unrolled.chunks_exact_mut(width * depth).enumerate() {
                    self.unroll(input, row, (first + y, top, left));
                }
                self.matrix.multiply(unrolled, out, limits);
            });
        output
    }

    /// Writes what lies under the window for each output pixel of one row.
    fn unroll(&self, input: &Tensor, row: &mut [f32], (y, top, left): (usize, usize, usize)) {
        let Window {
            height,
            width,
            stride,
            ..
        } = self.window;
        let channels = self.channels;
        let depth = height * width * channels;
        for (x, pixel) in row.chunks_exact_mut(depth).enumerate() {
            // The part of the window that lies inside, in input columns.
            let start = (x * stride).saturating_sub(left);
            let skipped = left.saturating_sub(x * stride).min(width);
            let count = (width - skipped).min(input.width.saturating_sub(start));
            for (ky, line) in pixel.chunks_exact_mut(width * channels).enumerate() {
                let inside = (y * stride + ky)
                    .checked_sub(top)
                    .filter(|&iy| iy < input.height);
                let Some(iy) = inside else {
                    line.fill(0.0);
                    continue;
                };
                let from = (iy * input.width + start) * channels;
                let (before, rest) = line.split_at_mut(skipped * channels);
                let (middle, after) = rest.split_at_mut(count * channels);
                before.fill(0.0);
                middle.copy_from_slice(&input.data[from..from + count * channels]);
                after.fill(0.0);
            }
        }
    }
}
