//! Convolutions of each channel by itself.

use pulp::{Arch, Scalar, Simd, WithSimd};
use rayon::prelude::*;

use crate::VisionError;
use crate::conv::{Activation, Padding, Window};
use crate::tensor::Tensor;
use crate::weights::{Weight, Weights};

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
        let arch = Arch::new();
        let rows = output.data.par_chunks_mut(width * self.channels);
        rows.enumerate().for_each_init(Vec::new, |taps, (y, out)| {
            arch.dispatch(Row {
                conv: self,
                input,
                out,
                taps,
                y,
                top,
                left,
            });
        });
        output
    }

    /// Where the inputs and the weights of one output pixel start.
    #[inline(always)]
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

    #[inline(always)]
    fn pixel<S: Simd>(&self, simd: S, input: &Tensor, taps: &[(usize, usize)], out: &mut [f32]) {
        let mut channel = 0;
        while channel + 4 * S::F32_LANES <= self.channels {
            self.block::<S, 4>(simd, input, taps, &mut out[channel..], channel);
            channel += 4 * S::F32_LANES;
        }
        while channel + S::F32_LANES <= self.channels {
            self.block::<S, 1>(simd, input, taps, &mut out[channel..], channel);
            channel += S::F32_LANES;
        }
        while channel < self.channels {
            self.block::<Scalar, 1>(Scalar, input, taps, &mut out[channel..], channel);
            channel += 1;
        }
    }

    /// `V` registers of channels at once.
    #[inline(always)]
    fn block<S: Simd, const V: usize>(
        &self,
        simd: S,
        input: &Tensor,
        taps: &[(usize, usize)],
        out: &mut [f32],
        channel: usize,
    ) {
        let count = V * S::F32_LANES;
        let mut sums = [simd.splat_f32s(0.0); V];
        sums.copy_from_slice(S::as_simd_f32s(&self.bias[channel..channel + count]).0);
        for &(from, weight) in taps {
            let values = &input.data[from + channel..][..count];
            let weights = &self.weights[weight + channel..][..count];
            let (values, weights) = (S::as_simd_f32s(values).0, S::as_simd_f32s(weights).0);
            for v in 0..V {
                sums[v] = simd.mul_add_e_f32s(values[v], weights[v], sums[v]);
            }
        }
        let (low, high) = self.activation.limits();
        let (low, high) = (simd.splat_f32s(low), simd.splat_f32s(high));
        for (out, sum) in S::as_mut_simd_f32s(&mut out[..count])
            .0
            .iter_mut()
            .zip(sums)
        {
            *out = simd.min_f32s(simd.max_f32s(sum, low), high);
        }
    }
}

/// One row of output, worked on with the widest registers that the processor has.
struct Row<'a> {
    conv: &'a Depthwise,
    input: &'a Tensor,
    out: &'a mut [f32],
    taps: &'a mut Vec<(usize, usize)>,
    y: usize,
    top: usize,
    left: usize,
}

impl WithSimd for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            conv,
            input,
            out,
            taps,
            y,
            top,
            left,
        } = self;
        for (x, pixel) in out.chunks_exact_mut(conv.channels).enumerate() {
            conv.taps(input, (y, x), (top, left), taps);
            conv.pixel(simd, input, taps, pixel);
        }
    }
}
