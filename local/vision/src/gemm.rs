//! The product of pixels and weights, which is where nearly all time goes.
//!
//! The usual matrix libraries copy both factors into a layout of their own for each product. Here
//! the weights are laid out once, at load, and the pixels are read where they are: for the few
//! output channels that such networks have, that copying cost as much as the product itself.

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
    /// `low..=high`.
    pub(crate) fn multiply(&self, pixels: &[f32], out: &mut [f32], (low, high): (f32, f32)) {
        Arch::new().dispatch(Product {
            matrix: self,
            pixels,
            out,
            low,
            high,
        });
    }
}

struct Product<'a> {
    matrix: &'a Matrix,
    pixels: &'a [f32],
    out: &'a mut [f32],
    low: f32,
    high: f32,
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
        } = self;
        let Matrix {
            inputs,
            outputs,
            panels,
            bias,
        } = matrix;
        for (panel, weights) in panels.chunks_exact(inputs * PANEL).enumerate() {
            let columns = panel * PANEL..(panel * PANEL + PANEL).min(*outputs);
            let mut first = [0.0; PANEL];
            first[..columns.len()].copy_from_slice(&bias[columns.clone()]);
            let step = Step {
                simd,
                weights,
                inputs: *inputs,
                outputs: *outputs,
                columns: (columns.start, columns.end),
                first,
                limits: (low, high),
            };
            // A weight that is read serves all pixels of a block, so the last few pixels are not
            // left to go one by one.
            let done = step.blocks::<ROWS, V>(pixels, out, 0);
            let done = step.blocks::<3, V>(pixels, out, done);
            step.blocks::<1, V>(pixels, out, done);
        }
    }
}

/// What all products with one panel share.
#[derive(Clone, Copy)]
struct Step<'a, S> {
    simd: S,
    weights: &'a [f32],
    inputs: usize,
    outputs: usize,
    /// First output of the panel, and the one behind its last.
    columns: (usize, usize),
    first: [f32; PANEL],
    limits: (f32, f32),
}

impl<S: Simd> Step<'_, S> {
    /// Works on as many blocks of `N` pixels as there are from the `done`-th pixel on, and answers
    /// how many pixels are done then.
    #[inline(always)]
    fn blocks<const N: usize, const V: usize>(
        &self,
        pixels: &[f32],
        out: &mut [f32],
        done: usize,
    ) -> usize {
        let (start, end) = self.columns;
        let blocks = pixels[done * self.inputs..].chunks_exact(self.inputs * N);
        let count = blocks.len();
        let out_blocks = out[done * self.outputs..].chunks_exact_mut(self.outputs * N);
        for (block, out) in blocks.zip(out_blocks) {
            let sums = self.run::<N, V>(block);
            for (sums, out) in sums.iter().zip(out.chunks_exact_mut(self.outputs)) {
                out[start..end].copy_from_slice(&sums[..end - start]);
            }
        }
        done + count * N
    }

    /// `N` pixels times the panel of `V` registers. The sums stay in registers.
    #[inline(always)]
    fn run<const N: usize, const V: usize>(&self, pixels: &[f32]) -> [[f32; PANEL]; N] {
        let Self {
            simd,
            weights,
            inputs,
            first,
            limits,
            ..
        } = *self;
        let first = S::as_simd_f32s(&first).0;
        let mut sums = [[first[0]; V]; N];
        for sums in &mut sums {
            sums.copy_from_slice(first);
        }
        // Cut to the same length, so that no access needs a check.
        let mut rows = [pixels; N];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = &pixels[i * inputs..(i + 1) * inputs];
        }
        // Plain indices: with iterators the sums went to memory, which took a hundred times as long.
        for (k, weights) in weights[..inputs * PANEL].chunks_exact(PANEL).enumerate() {
            let weights = S::as_simd_f32s(weights).0;
            for n in 0..N {
                let value = simd.splat_f32s(rows[n][k]);
                for v in 0..V {
                    sums[n][v] = simd.mul_add_e_f32s(value, weights[v], sums[n][v]);
                }
            }
        }
        let (low, high) = (simd.splat_f32s(limits.0), simd.splat_f32s(limits.1));
        let mut out = [[0.0; PANEL]; N];
        for (out, sums) in out.iter_mut().zip(&sums) {
            for (out, &sum) in S::as_mut_simd_f32s(out).0.iter_mut().zip(sums) {
                *out = simd.min_f32s(simd.max_f32s(sum, low), high);
            }
        }
        out
    }
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
            matrix.multiply(&a, &mut found, (-2.0, 3.0));
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
