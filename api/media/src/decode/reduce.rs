//! Rows of pixels become an RGB image, smaller by a whole factor where it would not fit.

use image::RgbImage;

use crate::MediaError;

/// How the bytes of a row make pixels, 8 bits a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Gray,
    GrayAlpha,
    Rgb,
    Rgba,
    /// 255 is full ink.
    Cmyk,
}

impl Layout {
    pub(super) fn channels(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }
}

/// Averages squares of `factor` by `factor` pixels; those at the right and lower edge are smaller.
/// What is transparent is put onto white.
#[derive(Debug)]
pub(super) struct Reducer {
    width: usize,
    height: usize,
    factor: usize,
    layout: Layout,
    /// Sums of the squares that are not complete.
    sums: Vec<[u32; 3]>,
    /// Rows that came.
    rows: usize,
    out: Vec<u8>,
}

impl Reducer {
    pub(super) fn new((width, height): (u32, u32), factor: u32, layout: Layout) -> Self {
        let (out_width, out_height) = reduced((width, height), factor);
        Self {
            width: width as usize,
            height: height as usize,
            factor: factor as usize,
            layout,
            sums: vec![[0; 3]; if factor > 1 { out_width as usize } else { 0 }],
            rows: 0,
            out: Vec::with_capacity(out_width as usize * out_height as usize * 3),
        }
    }

    /// Takes the next row; those beyond the height are left out.
    pub(super) fn row(&mut self, row: &[u8]) {
        if self.rows == self.height {
            return;
        }
        let row = &row[..row.len().min(self.width * self.layout.channels())];
        match self.layout {
            Layout::Rgb if self.factor == 1 => {
                self.rows += 1;
                self.out.extend_from_slice(row);
            }
            Layout::Rgb => self.pixels(row.as_chunks().0.iter().copied()),
            Layout::Gray => self.pixels(row.iter().map(|gray| [*gray; 3])),
            Layout::GrayAlpha => self.pixels(
                row.as_chunks()
                    .0
                    .iter()
                    .map(|[gray, alpha]| [onto_white(*gray, *alpha); 3]),
            ),
            Layout::Rgba => self.pixels(
                row.as_chunks()
                    .0
                    .iter()
                    .map(|[r, g, b, alpha]| [*r, *g, *b].map(|value| onto_white(value, *alpha))),
            ),
            Layout::Cmyk => self.pixels(
                row.as_chunks()
                    .0
                    .iter()
                    .map(|[c, m, y, k]| [*c, *m, *y].map(|ink| times(255 - ink, 255 - *k))),
            ),
        }
    }

    fn pixels(&mut self, pixels: impl Iterator<Item = [u8; 3]>) {
        self.rows += 1;
        if self.factor == 1 {
            self.out.extend(pixels.flatten());
            return;
        }
        let mut squares = self.sums.iter_mut();
        let (mut left, mut square) = (0, None);
        for pixel in pixels {
            if left == 0 {
                (left, square) = (self.factor, squares.next());
            }
            left -= 1;
            if let Some(sums) = square.as_mut() {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += u32::from(value);
                }
            }
        }
        let over = self.rows % self.factor;
        if over == 0 || self.rows == self.height {
            let rows = if over == 0 { self.factor } else { over };
            self.close(rows);
        }
    }

    fn close(&mut self, rows: usize) {
        for (index, sums) in self.sums.iter_mut().enumerate() {
            let columns = self.factor.min(self.width - index * self.factor);
            let count = u32::try_from(columns * rows).unwrap_or(u32::MAX);
            let mean = |sum: u32| u8::try_from((sum + count / 2) / count).unwrap_or(u8::MAX);
            self.out.extend(std::mem::take(sums).map(mean));
        }
    }

    /// The image, if every row came.
    pub(super) fn finish(self) -> Result<RgbImage, MediaError> {
        if self.rows < self.height {
            return Err(MediaError::Truncated);
        }
        let size = (self.width as u32, self.height as u32);
        let (width, height) = reduced(size, self.factor as u32);
        RgbImage::from_raw(width, height, self.out).ok_or(MediaError::Corrupt)
    }
}

/// The size after reducing.
pub(super) fn reduced((width, height): (u32, u32), factor: u32) -> (u32, u32) {
    (width.div_ceil(factor), height.div_ceil(factor))
}

fn times(a: u8, b: u8) -> u8 {
    let product = u32::from(a) * u32::from(b);
    u8::try_from((product + 127) / 255).unwrap_or(u8::MAX)
}

fn onto_white(value: u8, alpha: u8) -> u8 {
    times(value, alpha) + (255 - alpha)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_averaged_up_to_the_edges() {
        let mut reducer = Reducer::new((5, 3), 2, Layout::Gray);
        for row in [[0, 10, 20, 40, 7], [20, 10, 20, 40, 9], [1, 3, 5, 5, 250]] {
            reducer.row(&row);
        }
        let image = reducer.finish().unwrap();
        assert_eq!(image.dimensions(), (3, 2));
        let grays: Vec<u8> = image.pixels().map(|pixel| pixel.0[0]).collect();
        assert_eq!(grays, [10, 30, 8, 2, 5, 250]);
    }

    #[test]
    fn layouts_become_rgb() {
        let one = |layout, row: &[u8]| {
            let mut reducer = Reducer::new((1, 1), 1, layout);
            reducer.row(row);
            reducer.finish().unwrap().into_raw()
        };
        assert_eq!(one(Layout::Rgb, &[1, 2, 3]), [1, 2, 3]);
        assert_eq!(one(Layout::GrayAlpha, &[0, 0]), [255; 3]);
        assert_eq!(one(Layout::Rgba, &[10, 20, 30, 255]), [10, 20, 30]);
        assert_eq!(one(Layout::Rgba, &[0, 100, 255, 128]), [127, 177, 255]);
        assert_eq!(one(Layout::Cmyk, &[0, 127, 255, 0]), [255, 128, 0]);
        assert_eq!(one(Layout::Cmyk, &[0, 0, 0, 255]), [0, 0, 0]);
    }

    #[test]
    fn a_missing_row_is_told() {
        let mut reducer = Reducer::new((1, 2), 1, Layout::Rgb);
        reducer.row(&[1, 2, 3]);
        assert_eq!(reducer.finish().unwrap_err(), MediaError::Truncated);
    }
}
