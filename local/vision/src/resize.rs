//! Cuts and scales images.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rect {
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Rect {
    /// All of an image.
    pub(crate) fn whole(image: &RgbImage) -> Self {
        Self {
            left: 0,
            top: 0,
            width: image.width(),
            height: image.height(),
        }
    }
}

/// Scales a part of an image with a triangle filter that widens when it shrinks, so that small
/// structures do not alias. `None` if either size is empty.
pub(crate) fn resize(image: &RgbImage, part: Rect, width: u32, height: u32) -> Option<RgbImage> {
    if width == 0 || height == 0 || part.width == 0 || part.height == 0 {
        return None;
    }
    let source = ImageRef::new(
        image.width(),
        image.height(),
        image.as_raw(),
        PixelType::U8x3,
    )
    .ok()?;
    let mut target = Image::new(width, height, PixelType::U8x3);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(
            part.left.into(),
            part.top.into(),
            part.width.into(),
            part.height.into(),
        );
    Resizer::new().resize(&source, &mut target, &options).ok()?;
    RgbImage::from_raw(width, height, target.into_vec())
}

/// An image made to fit into a square.
pub(crate) struct Fitted {
    /// The square; black where the image does not reach.
    pub(crate) image: RgbImage,
    /// Where the image is in it.
    pub(crate) inside: Rect,
}

/// Scales a part of an image to the largest that fits into a square of `size` pixels, in its middle
/// or at its top left. `None` if the part is empty.
pub(crate) fn fit(image: &RgbImage, part: Rect, size: u32, centred: bool) -> Option<Fitted> {
    let scale = f64::from(size) / f64::from(part.width.max(part.height));
    let scaled = |length: u32| ((f64::from(length) * scale).round() as u32).clamp(1, size);
    let (width, height) = (scaled(part.width), scaled(part.height));
    let small = resize(image, part, width, height)?;
    let offset = |length: u32| if centred { (size - length) / 2 } else { 0 };
    let inside = Rect {
        left: offset(width),
        top: offset(height),
        width,
        height,
    };
    let mut square = RgbImage::new(size, size);
    image::imageops::replace(&mut square, &small, inside.left.into(), inside.top.into());
    Some(Fitted {
        image: square,
        inside,
    })
}
