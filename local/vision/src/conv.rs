//! Convolutions: unrolled into a matrix (im2col) and multiplied, or, channel by channel, directly.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use crate::VisionError;
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
    fn apply(self, values: &mut [f32]) {
        match self {
            Self::Linear => {}
            Self::Relu => values.iter_mut().for_each(|v| *v = v.max(0.0)),
            Self::Relu6 => values.iter_mut().for_each(|v| *v = v.clamp(0.0, 6.0)),
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
    inputs: usize,
    outputs: usize,
    /// One row per number under the window (row, column, input channel), one column per output.
    weights: Vec<f32>,
    bias: Vec<f32>,
    activation: Activation,
}

/// Output pixels per matrix product: enough to make packing the weights pay, few enough for the
/// unrolled input to stay in the cache.
const TILE_PIXELS: usize = 512;

impl Conv {
    /// From a weight of shape (rows, columns, inputs, outputs).
    pub(crate) fn new(
        weights: &Weights,
        weight: Weight,
        bias: Vec<f32>,
        (stride, padding): (usize, Padding),
        activation: Activation,
    ) -> Result<Self, VisionError> {
        let &[height, width, inputs, outputs] = weight.shape.as_slice() else {
            return Err(weights.invalid(format!("a convolution has shape {:?}", weight.shape)));
        };
        if bias.len() != outputs {
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
            inputs,
            outputs,
            weights: weight.values,
            bias,
            activation,
        })
    }

    /// Multiplies what comes out by `scale` and adds `shift`, one number of each per output.
    pub(crate) fn scaled(mut self, scale: &[f32], shift: &[f32]) -> Self {
        for row in self.weights.chunks_exact_mut(self.outputs) {
            row.iter_mut()
                .zip(scale)
                .for_each(|(weight, scale)| *weight *= scale);
        }
        for ((bias, scale), shift) in self.bias.iter_mut().zip(scale).zip(shift) {
            *bias = *bias * scale + shift;
        }
        self
    }

    /// Convolves. `input` must have the channels that the weights were made for.
    pub(crate) fn run(&self, input: &Tensor) -> Tensor {
        debug_assert_eq!(input.channels, self.inputs);
        let (height, top) = self.window.axis(input.height, self.window.height);
        let (width, left) = self.window.axis(input.width, self.window.width);
        let mut output = Tensor::zeros(height, width, self.outputs);
        if output.data.is_empty() {
            return output;
        }
        let depth = self.window.height * self.window.width * self.inputs;
        let share = height.div_ceil(rayon::current_num_threads());
        let tile_rows = (TILE_PIXELS / width).clamp(1, share);
        let direct = depth == self.inputs && self.window.stride == 1;
        output
            .data
            .par_chunks_mut(tile_rows * width * self.outputs)
            .enumerate()
            .for_each_init(Vec::new, |unrolled, (tile, out)| {
                let pixels = out.len() / self.outputs;
                let first = tile * tile_rows;
                let rows = if direct {
                    let start = first * width * self.inputs;
                    &input.data[start..start + pixels * self.inputs]
                } else {
                    unrolled.resize(pixels * depth, 0.0);
                    for (y, row) in unrolled.chunks_exact_mut(width * depth).enumerate() {
                        self.unroll(input, row, (first + y, top, left));
                    }
                    unrolled.as_slice()
                };
                self.multiply(rows, out, pixels, depth);
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
        let channels = self.inputs;
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

    fn multiply(&self, rows: &[f32], out: &mut [f32], pixels: usize, depth: usize) {
        for pixel in out.chunks_exact_mut(self.outputs) {
            pixel.copy_from_slice(&self.bias);
        }
        let a = ArrayView2::from_shape((pixels, depth), rows);
        let b = ArrayView2::from_shape((depth, self.outputs), self.weights.as_slice());
        let c = ArrayViewMut2::from_shape((pixels, self.outputs), &mut *out);
        // The lengths are right by construction; a shape error would leave the bias only.
        if let (Ok(a), Ok(b), Ok(mut c)) = (a, b, c) {
            general_mat_mul(1.0, &a, &b, 1.0, &mut c);
        }
        self.activation.apply(out);
    }
}

/// A convolution of each channel by itself, with bias and activation.
#[derive(Debug)]
pub(crate) struct Depthwise {
    window: Window,
    channels: usize,
    /// One row per place under the window, one column per channel.
    weights: Vec<f32>,
    bias: Vec<f32>,
    activation: Activation,
}

impl Depthwise {
    /// From a weight of shape (rows, columns, channels, 1), with TensorFlow's SAME padding.
    pub(crate) fn new(
        weights: &Weights,
        weight: Weight,
        bias: Option<Vec<f32>>,
        stride: usize,
        activation: Activation,
    ) -> Result<Self, VisionError> {
        let &[height, width, channels, 1] = weight.shape.as_slice() else {
            return Err(weights.invalid(format!("a depthwise one has shape {:?}", weight.shape)));
        };
        let bias = bias.unwrap_or_else(|| vec![0.0; channels]);
        if bias.len() != channels {
            return Err(weights.invalid(format!("{} biases for {channels} channels", bias.len())));
        }
        let window = Window {
            height,
            width,
            stride,
            padding: Padding::Same,
        };
        Ok(Self {
            window,
            channels,
            weights: weight.values,
            bias,
            activation,
        })
    }

    /// Multiplies what comes out by `scale`, one number per channel.
    pub(crate) fn scaled(mut self, scale: &[f32]) -> Self {
        for row in self.weights.chunks_exact_mut(self.channels) {
            row.iter_mut()
                .zip(scale)
                .for_each(|(weight, scale)| *weight *= scale);
        }
        self
    }

    /// Convolves. `input` must have the channels that the weights were made for.
    pub(crate) fn run(&self, input: &Tensor) -> Tensor {
        debug_assert_eq!(input.channels, self.channels);
        let (height, top) = self.window.axis(input.height, self.window.height);
        let (width, left) = self.window.axis(input.width, self.window.width);
        let mut output = Tensor::zeros(height, width, self.channels);
        if output.data.is_empty() {
            return output;
        }
        output
            .data
            .par_chunks_mut(width * self.channels)
            .enumerate()
            .for_each_init(
                || Vec::with_capacity(self.window.height * self.window.width),
                |taps, (y, row)| {
                    for (x, pixel) in row.chunks_exact_mut(self.channels).enumerate() {
                        self.taps(input, (y, x), (top, left), taps);
                        self.pixel(input, taps, pixel);
                    }
                    self.activation.apply(row);
                },
            );
        output
    }

    /// Where the inputs and the weights of one output pixel start.
    fn taps(
        &self,
        input: &Tensor,
        (y, x): (usize, usize),
        (top, left): (usize, usize),
        taps: &mut Vec<(usize, usize)>,
    ) {
        taps.clear();
        for ky in 0..self.window.height {
            let Some(iy) = (y * self.window.stride + ky).checked_sub(top) else {
                continue;
            };
            for kx in 0..self.window.width {
                let Some(ix) = (x * self.window.stride + kx).checked_sub(left) else {
                    continue;
                };
                if iy < input.height && ix < input.width {
                    taps.push((
                        (iy * input.width + ix) * self.channels,
                        (ky * self.window.width + kx) * self.channels,
                    ));
                }
            }
        }
    }

    fn pixel(&self, input: &Tensor, taps: &[(usize, usize)], out: &mut [f32]) {
        let mut channel = 0;
        while channel + 16 <= self.channels {
            self.block::<16>(input, taps, out, channel);
            channel += 16;
        }
        while channel + 8 <= self.channels {
            self.block::<8>(input, taps, out, channel);
            channel += 8;
        }
        while channel < self.channels {
            self.block::<1>(input, taps, out, channel);
            channel += 1;
        }
    }

    /// `N` channels at once, their sums in registers.
    #[inline(always)]
    fn block<const N: usize>(
        &self,
        input: &Tensor,
        taps: &[(usize, usize)],
        out: &mut [f32],
        channel: usize,
    ) {
        let mut sums = [0.0; N];
        sums.copy_from_slice(&self.bias[channel..channel + N]);
        for &(from, weight) in taps {
            let values = &input.data[from + channel..from + channel + N];
            let weights = &self.weights[weight + channel..weight + channel + N];
            for i in 0..N {
                sums[i] += values[i] * weights[i];
            }
        }
        out[channel..channel + N].copy_from_slice(&sums);
    }
}
