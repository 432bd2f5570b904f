//! Pools and enlargement: what changes a feature map's size without weights.

use rayon::prelude::*;

use crate::conv::Window;
use crate::tensor::Tensor;

/// The mean of each channel, as a map of one pixel.
pub(crate) fn mean(input: &Tensor) -> Tensor {
    let mut output = Tensor::zeros(1, 1, input.channels);
    for pixel in input.data.chunks_exact(input.channels.max(1)) {
        output
            .data
            .iter_mut()
            .zip(pixel)
            .for_each(|(sum, value)| *sum += value);
    }
    let share = 1.0 / (input.height * input.width).max(1) as f32;
    output.data.iter_mut().for_each(|value| *value *= share);
    output
}

/// The largest number under the window, per channel.
pub(crate) fn max_pool(input: &Tensor, window: Window) -> Tensor {
    pool(input, window, f32::NEG_INFINITY, f32::max, |value| value)
}

/// The mean of the numbers under a window that stays inside, per channel.
pub(crate) fn average_pool(input: &Tensor, window: Window) -> Tensor {
    let share = 1.0 / (window.height * window.width) as f32;
    pool(
        input,
        window,
        0.0,
        |sum, value| sum + value,
        |sum| sum * share,
    )
}

fn pool(
    input: &Tensor,
    window: Window,
    start: f32,
    join: impl Fn(f32, f32) -> f32,
    finish: impl Fn(f32) -> f32,
) -> Tensor {
    let (height, top) = window.axis(input.height, window.height);
    let (width, left) = window.axis(input.width, window.width);
    let mut output = Tensor::zeros(height, width, input.channels);
    for (i, pixel) in output.data.chunks_exact_mut(input.channels).enumerate() {
        let (y, x) = (i / width * window.stride, i % width * window.stride);
        pixel.fill(start);
        for iy in y.saturating_sub(top)..(y + window.height).saturating_sub(top).min(input.height) {
            let from = x.saturating_sub(left);
            let to = (x + window.width).saturating_sub(left).min(input.width);
            for ix in from..to {
                let at = (iy * input.width + ix) * input.channels;
                let values = &input.data[at..at + input.channels];
                pixel
                    .iter_mut()
                    .zip(values)
                    .for_each(|(sum, &value)| *sum = join(*sum, value));
            }
        }
        pixel.iter_mut().for_each(|value| *value = finish(*value));
    }
    output
}

/// Scales a map with bilinear weights, the corners' outer edges not aligned (TensorFlow's
/// `ResizeBilinear` without `align_corners` and `half_pixel_centers`).
pub(crate) fn resize_bilinear(input: &Tensor, height: usize, width: usize) -> Tensor {
    let mut output = Tensor::zeros(height, width, input.channels);
    let scale_y = input.height as f32 / height.max(1) as f32;
    let scale_x = input.width as f32 / width.max(1) as f32;
    let channels = input.channels;
    let rows = output.data.par_chunks_exact_mut((width * channels).max(1));
    rows.enumerate().for_each(|(y, row)| {
        let (top, bottom, down) = between(y, scale_y, input.height);
        for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
            let (left, right, across) = between(x, scale_x, input.width);
            let at =
                |y: usize, x: usize| &input.data[(y * input.width + x) * channels..][..channels];
            let corners = [
                at(top, left),
                at(top, right),
                at(bottom, left),
                at(bottom, right),
            ];
            for (c, value) in pixel.iter_mut().enumerate() {
                let upper = corners[0][c] + (corners[1][c] - corners[0][c]) * across;
                let lower = corners[2][c] + (corners[3][c] - corners[2][c]) * across;
                *value = upper + (lower - upper) * down;
            }
        }
    });
    output
}

/// The two source places around an output place, and how far it is from the first to the second.
fn between(place: usize, scale: f32, length: usize) -> (usize, usize, f32) {
    let exact = place as f32 * scale;
    let first = (exact as usize).min(length - 1);
    (first, (first + 1).min(length - 1), exact - first as f32)
}
