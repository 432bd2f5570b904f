//! One image's worth of numbers.

/// Numbers in rows, columns, channels; the channel runs fastest (TensorFlow's NHWC with N = 1).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) data: Vec<f32>,
}

impl Tensor {
    /// All zeros.
    pub(crate) fn zeros(height: usize, width: usize, channels: usize) -> Self {
        Self {
            height,
            width,
            channels,
            data: vec![0.0; height * width * channels],
        }
    }

    /// An image as it is fed to a network: `pixel` makes a number of a channel (0, 1, 2 for red,
    /// green, blue) and its value.
    pub(crate) fn from_image(image: &image::RgbImage, pixel: impl Fn(usize, f32) -> f32) -> Self {
        let (width, height) = image.dimensions();
        let data = image
            .as_raw()
            .iter()
            .enumerate()
            .map(|(i, &value)| pixel(i % 3, f32::from(value)))
            .collect();
        Self {
            height: height as usize,
            width: width as usize,
            channels: 3,
            data,
        }
    }

    /// Adds another tensor of the same shape.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, value) in self.data.iter_mut().zip(&other.data) {
            *sum += value;
        }
    }

    /// Negative numbers become 0.
    pub(crate) fn relu(&mut self) {
        for value in &mut self.data {
            *value = value.max(0.0);
        }
    }
}
