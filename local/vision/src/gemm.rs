//! The product of pixels and weights, which is where nearly all time goes.
//!
//! The usual matrix libraries copy both factors into a layout of their own for each product, which
//! for the few output channels of such networks took as long as the product itself. Here the
//! weights are laid out once, at load, and only the pixels are copied.

use pulp::{Arch, Scalar, Simd, WithSimd};

/// Output channels that are worked on together: two AVX registers wide.
const PANEL: usize = 16;
/// Pixels that are worked on together: with two registers of sums each, 12 of the 16 there are.
const ROWS: usize = 6;

/// A matrix of weights, a row per input and a column per output, with a bias per output.
#[derive(Debug)]
pub(crate) struct Matrix {
    inputs: usize,
    outputs: usize,
    /// Panel after panel of [`PANEL`] columns, row by row; columns that do not exist are zero.
    panels: Vec<f32>,
    bias: Vec<f32>,
}

impl Matrix {
    /// Lays out `weights`, row by row, for as many outputs as there are biases.
    pub(crate) fn new(weights: &[f32], bias: Vec<f32>) -> Self {
        let outputs = bias.len();
        let inputs = weights.len() / outputs.max(1);
        let mut panels = vec![0.0; outputs.div_ceil(PANEL) * inputs * PANEL];
        for (panel, to) in panels.chunks_exact_mut((inputs * PANEL).max(1)).enumerate() {
            let start = panel * PANEL;
            let count = PANEL.min(outputs - start);
            let rows = weights.chunks_exact(outputs);
            for (to, from) in to.chunks_exact_mut(PANEL).zip(rows) {
                to[..count].copy_from_slice(&from[start..start + count]);
            }
        }
        Self {
            inputs,
            outputs,
            panels,
            bias,
        }
    }

    /// Rows.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// Columns.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Multiplies each output by `scale` and adds `shift`.
    pub(crate) fn scale(&mut self, scale: &[f32], shift: &[f32]) {
        for (panel, rows) in self
            .panels
            .chunks_exact_mut(self.inputs * PANEL)
            .enumerate()
        {
            let scale = &scale[panel * PANEL..];
            for row in rows.chunks_exact_mut(PANEL) {
                row.iter_mut()
                    .zip(scale)
                    .for_each(|(weight, scale)| *weight *= scale);
            }
        }
        for ((bias, scale), shift) in self.bias.iter_mut().zip(scale).zip(shift) {
            *bias = *bias * scale + shift;
        }
    }

    /// For each pixel (a row of `pixels`), the product with this matrix and the bias, limited to
    /// `low..=high`. `scratch` is room to work in, better kept from call to call.
    pub(crate) fn multiply(
        &self,
        pixels: &[f32],
        out: &mut [f32],
        (low, high): (f32, f32),
        scratch: &mut Vec<f32>,
    ) {
        Arch::new().dispatch(Product {
            matrix: self,
            pixels,
            out,
            low,
            high,
            scratch,
        });
    }
}

struct Product<'a> {
    matrix: &'a Matrix,
    pixels: &'a [f32],
    out: &'a mut [f32],
    low: f32,
    high: f32,
    scratch: &'a mut Vec<f32>,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // A panel is as many registers as it takes.
        match S::F32_LANES {
            8 => self.run::<S, 2>(simd),
            4 => self.run::<S, 4>(simd),
            _ => self.run::<Scalar, PANEL>(Scalar),
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let Self {
            matrix,
            pixels,
            out,
            low,
            high,
            scratch,
        } = self;
        let &Matrix {
            inputs,
            outputs,
            ref panels,
            ref bias,
        } = matrix;
        interleave(pixels, inputs, scratch);
        for (panel, weights) in panels.chunks_exact(inputs * PANEL).enumerate() {
            let start = panel * PANEL;
            let count = PANEL.min(outputs - start);
            let mut first = [0.0; PANEL];
            first[..count].copy_from_slice(&bias[start..start + count]);
            let blocks = scratch.chunks_exact(inputs * ROWS);
            for (block, out) in blocks.zip(out.chunks_mut(outputs * ROWS)) {
                let sums = kernel::<S, V>(simd, block, weights, &first, (low, high));
                for (sums, out) in sums.iter().zip(out.chunks_exact_mut(outputs)) {
                    out[start..start + count].copy_from_slice(&sums[..count]);
                }
            }
        }
    }
}

/// Brings the first numbers of [`ROWS`] pixels together, then the second ones, and so on: read from
/// where they are, pixels of 512 or 1024 channels would push each other out of the cache.
#[inline(always)]
fn interleave(pixels: &[f32], inputs: usize, to: &mut Vec<f32>) {
    let count = pixels.len() / inputs;
    to.resize(count.div_ceil(ROWS) * ROWS * inputs, 0.0);
    let blocks = to.chunks_exact_mut(inputs * ROWS);
    for (block, rows) in blocks.zip(pixels.chunks(inputs * ROWS)) {
        for (i, row) in rows.chunks_exact(inputs).enumerate() {
            for (to, &value) in block.as_chunks_mut::<ROWS>().0.iter_mut().zip(row) {
                to[i] = value;
            }
        }
    }
}

/// [`ROWS`] interleaved pixels times a panel of `V` registers, the sums in registers.
#[inline(always)]
fn kernel<S: Simd, const V: usize>(
    simd: S,
    pixels: &[f32],
    weights: &[f32],
    first: &[f32; PANEL],
    (low, high): (f32, f32),
) -> [[f32; PANEL]; ROWS] {
    let first = S::as_simd_f32s(first).0;
    let mut sums = [[first[0]; V]; ROWS];
    for sums in &mut sums {
        sums.copy_from_slice(first);
    }
    let weights = weights.as_chunks::<PANEL>().0;
    for (values, weights) in pixels.as_chunks::<ROWS>().0.iter().zip(weights) {
        let weights = S::as_simd_f32s(weights).0;
        for (sums, &value) in sums.iter_mut().zip(values) {
            let value = simd.splat_f32s(value);
            for (sum, &weight) in sums.iter_mut().zip(weights) {
                *sum = simd.mul_add_e_f32s(value, weight, *sum);
            }
        }
    }
    let (low, high) = (simd.splat_f32s(low), simd.splat_f32s(high));
    let mut out = [[0.0; PANEL]; ROWS];
    for (out, sums) in out.iter_mut().zip(&sums) {
        for (out, &sum) in S::as_mut_simd_f32s(out).0.iter_mut().zip(sums) {
            *out = simd.min_f32s(simd.max_f32s(sum, low), high);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Matrix;

    #[test]
    fn products_are_right_for_any_size() {
        for (pixels, inputs, outputs) in [(1, 1, 1), (6, 3, 16), (13, 27, 33), (7, 40, 9)] {
            let number = |i: usize| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0;
            let a: Vec<f32> = (0..pixels * inputs).map(number).collect();
            let b: Vec<f32> = (0..inputs * outputs).map(|i| number(i + 5)).collect();
            let bias: Vec<f32> = (0..outputs).map(|i| number(i + 9)).collect();
            let scale: Vec<f32> = (0..outputs).map(|i| number(i + 3)).collect();

            let mut matrix = Matrix::new(&b, bias.clone());
            matrix.scale(&scale, &bias);
            let mut found = vec![0.0; pixels * outputs];
            matrix.multiply(&a, &mut found, (-2.0, 3.0), &mut vec![9.0; 7]);
            for (i, found) in found.iter().enumerate() {
                let (pixel, output) = (i / outputs, i % outputs);
                let sum: f32 = (0..inputs)
                    .map(|k| a[pixel * inputs + k] * b[k * outputs + output])
                    .sum();
                let meant = (sum + bias[output]) * scale[output] + bias[output];
                assert!(
                    (found - meant.clamp(-2.0, 3.0)).abs() < 1e-4,
                    "{found} for {meant}"
                );
            }
        }
    }
}
