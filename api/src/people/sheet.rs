//! The pixels of face crops and contact sheets. Pure: pictures in, pictures out.
//!
//! A contact sheet is a square of 10 by 10 cells with one face each. A crop shows head and
//! shoulders and nobody else: other known faces are painted over, since CompareFaces takes the
//! largest face of its source and counts every face of its target.

use std::ops::Range;

use bytes::Bytes;
use entity::document::BoundingBox;
use fast_image_resize::{ResizeOptions, Resizer};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, Rgb, RgbImage};

/// Cells in a row, and rows.
pub const COLUMNS: u32 = 10;
/// Cells of a sheet: CompareFaces looks at the 100 largest faces of its target.
pub const CELLS: u32 = COLUMNS * COLUMNS;
/// Pixels a side of a cell. A face fills about 120 of them; Rekognition's smallest face is 40 at
/// 1920 by 1080 (developer guide, limits). A multiple of 16 keeps cells on JPEG's block borders,
/// so that writing a sheet again does not wear the cells that did not change.
pub const CELL: u32 = 192;
/// Pixels a side of a sheet.
pub const SIDE: u32 = COLUMNS * CELL;

/// The crop's side in face sides: Rekognition advises head and shoulders over a tight cut.
const ENLARGE: f32 = 1.6;
/// Smallest source: Rekognition refuses pictures below 80 pixels, small faces match badly.
const SOURCE_MIN: u32 = 192;
/// Largest crop of a source: a face of 240 pixels, twice as many as a cell shows. More only cost
/// time.
const SOURCE_MAX: u32 = 384;
/// A source's side in sides of its crop: a face that fills the picture is not always seen as one.
const NEAR: f32 = 1.5;
/// The same for a second look: the face is an eighth of the picture then. A cell's face is as
/// small a part of what its detector sees, so who is seen on a sheet is seen here.
const FAR: f32 = 5.0;
const QUALITY: u8 = 90;
const GREY: Rgb<u8> = Rgb([128, 128, 128]);

/// Why a picture could not be read, scaled or written.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// Not a picture, or it cannot be written.
    #[error(transparent)]
    Image(#[from] image::ImageError),
    /// It cannot be scaled.
    #[error("cannot scale a picture: {0}")]
    Resize(String),
}

/// A square in pixels that may lie partly outside of its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Square {
    /// Left edge; negative left of the picture.
    pub x: i64,
    /// Top edge; negative above the picture.
    pub y: i64,
    /// Pixels a side, at least 1.
    pub side: u32,
}

/// Where to cut head and shoulders of `face` out of a picture of this size.
#[must_use]
pub fn square(face: &BoundingBox, width: u32, height: u32) -> Square {
    let (width, height) = (width as f32, height as f32);
    let (face_width, face_height) = (face.width * width, face.height * height);
    let side = (face_width.max(face_height) * ENLARGE).round().max(1.0);
    let x = (face.left * width + face_width / 2.0 - side / 2.0).round();
    let y = (face.top * height + face_height / 2.0 - side / 2.0).round();
    Square {
        x: x as i64,
        y: y as i64,
        side: side as u32,
    }
}

/// Cuts `face` out of `picture`, with grey where the square leaves the picture and over `others`.
#[must_use]
pub fn cut(picture: &RgbImage, face: &BoundingBox, others: &[BoundingBox]) -> RgbImage {
    let (width, height) = picture.dimensions();
    let square = square(face, width, height);
    let whole = Area {
        x: 0..i64::from(width),
        y: 0..i64::from(height),
    };
    let mut crop = RgbImage::from_pixel(square.side, square.side, GREY);
    copy(&mut crop, &square, picture, &whole);
    for other in others {
        fill(&mut crop, &square, &area(other, width, height));
    }
    // Where boxes overlap the face itself wins: it must stay whole.
    let own = area(face, width, height).within(&whole);
    copy(&mut crop, &square, picture, &own);
    crop
}

/// A cut face at the size of a CompareFaces source, with grey around it.
///
/// # Errors
/// [`SheetError::Resize`].
pub fn source(crop: RgbImage) -> Result<RgbImage, SheetError> {
    let side = crop.width().clamp(SOURCE_MIN, SOURCE_MAX);
    Ok(framed(&scale(crop, side)?, NEAR))
}

/// A [`source`] as from farther away, for when no face was seen in it: more grey, and no pixel of
/// anybody else.
///
/// # Errors
/// [`SheetError::Image`].
pub fn far(source: &[u8]) -> Result<Bytes, SheetError> {
    encode(&framed(&decode(source)?, FAR / NEAR))
}

/// A square picture in the middle of a grey one of `factor` times its side.
fn framed(picture: &RgbImage, factor: f32) -> RgbImage {
    let inner = picture.width();
    let side = ((inner as f32 * factor).round() as u32).max(inner);
    let edge = (side - inner) / 2;
    let mut whole = RgbImage::from_pixel(side, side, GREY);
    let pixels: &mut [u8] = &mut whole;
    for y in 0..picture.height() {
        pixels[span(side, edge, edge + y, inner)]
            .copy_from_slice(&picture.as_raw()[span(inner, 0, y, inner)]);
    }
    whole
}

/// A cut face at the size of a cell.
///
/// # Errors
/// [`SheetError::Resize`].
pub fn cell(crop: RgbImage) -> Result<RgbImage, SheetError> {
    scale(crop, CELL)
}

/// A picture as JPEG.
///
/// # Errors
/// [`SheetError::Image`].
pub fn encode(picture: &RgbImage) -> Result<Bytes, SheetError> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(picture)?;
    Ok(bytes.into())
}

/// Reads a picture.
///
/// # Errors
/// [`SheetError::Image`].
pub fn decode(bytes: &[u8]) -> Result<RgbImage, SheetError> {
    Ok(image::load_from_memory(bytes)?.into_rgb8())
}

/// An empty sheet.
#[must_use]
pub fn blank() -> RgbImage {
    RgbImage::from_pixel(SIDE, SIDE, GREY)
}

/// Puts a face of [cell size](cell) into a cell, `None` empties it. Nothing happens for cells from
/// [`CELLS`] on and for faces of another size.
pub fn draw(sheet: &mut RgbImage, cell: u32, face: Option<&RgbImage>) {
    let (left, top) = origin(cell);
    let fits = |face: &&RgbImage| face.dimensions() == (CELL, CELL);
    if left + CELL > sheet.width() || top + CELL > sheet.height() || !face.iter().all(fits) {
        return;
    }
    let width = sheet.width();
    let pixels: &mut [u8] = sheet;
    for y in 0..CELL {
        let row = &mut pixels[span(width, left, top + y, CELL)];
        match face {
            Some(face) => row.copy_from_slice(&face.as_raw()[span(CELL, 0, y, CELL)]),
            None => row.fill(GREY.0[0]),
        }
    }
}

/// Left upper pixel of a cell; cells count row by row.
#[must_use]
pub fn origin(cell: u32) -> (u32, u32) {
    ((cell % COLUMNS) * CELL, (cell / COLUMNS) * CELL)
}

/// The cell that shows a face found in a sheet: the one of its centre. `None` outside of the sheet.
#[must_use]
pub fn cell_of(found: &BoundingBox) -> Option<u32> {
    let index = |centre: f32| {
        let place = (centre * COLUMNS as f32).floor();
        (0.0..COLUMNS as f32)
            .contains(&place)
            .then_some(place as u32)
    };
    let column = index(found.left + found.width / 2.0)?;
    let row = index(found.top + found.height / 2.0)?;
    Some(row * COLUMNS + column)
}

fn scale(picture: RgbImage, side: u32) -> Result<RgbImage, SheetError> {
    if picture.dimensions() == (side, side) {
        return Ok(picture);
    }
    let mut scaled = DynamicImage::ImageRgb8(RgbImage::new(side, side));
    Resizer::new()
        .resize(
            &DynamicImage::ImageRgb8(picture),
            &mut scaled,
            &ResizeOptions::default(),
        )
        .map_err(|error| SheetError::Resize(error.to_string()))?;
    Ok(scaled.into_rgb8())
}

/// Part of a picture in pixels.
struct Area {
    x: Range<i64>,
    y: Range<i64>,
}

impl Area {
    fn within(&self, other: &Self) -> Self {
        let both = |a: &Range<i64>, b: &Range<i64>| a.start.max(b.start)..a.end.min(b.end);
        Self {
            x: both(&self.x, &other.x),
            y: both(&self.y, &other.y),
        }
    }

    /// Pixels in a row, if there are any.
    fn length(&self) -> Option<u32> {
        let length = u32::try_from(self.x.end - self.x.start).ok();
        length.filter(|length| *length > 0)
    }
}

impl Square {
    fn area(&self) -> Area {
        let side = i64::from(self.side);
        Area {
            x: self.x..self.x + side,
            y: self.y..self.y + side,
        }
    }
}

fn area(face: &BoundingBox, width: u32, height: u32) -> Area {
    let (width, height) = (width as f32, height as f32);
    let range = |from: f32, length: f32, side: f32| {
        (from * side).floor() as i64..((from + length) * side).ceil() as i64
    };
    Area {
        x: range(face.left, face.width, width),
        y: range(face.top, face.height, height),
    }
}

/// Copies what of `part`, which lies within the picture, lies in the crop's square.
fn copy(crop: &mut RgbImage, square: &Square, picture: &RgbImage, part: &Area) {
    let part = part.within(&square.area());
    let Some(length) = part.length() else { return };
    let (crop_width, picture_width) = (crop.width(), picture.width());
    let (pixels, source): (&mut [u8], &[u8]) = (crop, picture);
    for y in part.y {
        let from = span(picture_width, part.x.start as u32, y as u32, length);
        let (left, top) = (part.x.start - square.x, y - square.y);
        let to = span(crop_width, left as u32, top as u32, length);
        pixels[to].copy_from_slice(&source[from]);
    }
}

/// Paints grey what of `part` lies in the crop's square.
fn fill(crop: &mut RgbImage, square: &Square, part: &Area) {
    let part = part.within(&square.area());
    let Some(length) = part.length() else { return };
    let width = crop.width();
    let pixels: &mut [u8] = crop;
    for y in part.y {
        let (left, top) = (part.x.start - square.x, y - square.y);
        let row = span(width, left as u32, top as u32, length);
        pixels[row].fill(GREY.0[0]);
    }
}

/// Where `length` pixels from (x, y) on lie in the bytes of a picture of this width.
fn span(width: u32, x: u32, y: u32, length: u32) -> Range<usize> {
    let start = (y as usize * width as usize + x as usize) * 3;
    start..start + length as usize * 3
}
