//! Pictures made of pixels: decode within bounds, turn upright, shrink, encode afresh.
//!
//! What is shown in a browser is never the uploaded image but this new one: no metadata (a phone
//! writes the place into it), no trick in a rare chunk, a known size.

use std::collections::HashSet;
use std::io::Cursor;

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::metadata::Orientation;
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage,
};

use super::super::error::Refusal;
use super::super::format::Format;
use super::super::protocol::Request;
use super::Pictures;
use super::output::{Output, Stop};

/// An image as it is stored and served.
pub struct Encoded {
    pub bytes: Vec<u8>,
    pub width_px: u32,
    pub height_px: u32,
}

/// The preview of an image may be this many times as wide as a page's: photographs are looked at
/// closely, and often in landscape.
const PREVIEW_FACTOR_PERCENT: u32 = 160;

pub fn extract(
    bytes: &[u8],
    format: Format,
    pictures: &Pictures,
    request: &Request,
    output: &mut Output,
) -> Result<(), Stop> {
    let format = match format {
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::Gif => ImageFormat::Gif,
        Format::Webp => ImageFormat::WebP,
        Format::Bmp => ImageFormat::Bmp,
        Format::Tiff => ImageFormat::Tiff,
        Format::Ico => ImageFormat::Ico,
        _ => return Err(Refusal::Unsupported.into()),
    };
    output.want_text = false;
    let mut decoder = open(bytes, format, request)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let (width, height) = decoder.dimensions();
    let (width, height) = if is_sideways(orientation) { (height, width) } else { (width, height) };
    output.size_px(width, height)?;
    if !pictures.thumbnail && pictures.previews_max == 0 {
        return Ok(());
    }
    check_pixels(width, height, request)?;
    let whole = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    // Shrinking first and turning then needs no second copy of the whole image.
    let side = request.preview_px / 100 * PREVIEW_FACTOR_PERCENT;
    let mut preview = shrink(&whole, side)?;
    drop(whole);
    preview.apply_orientation(orientation);
    if pictures.thumbnail {
        output.picture(None, &encode(&shrink(&preview, request.thumbnail_px)?)?)?;
    }
    if pictures.previews_max > 0 {
        output.picture(Some(0), &encode(&preview)?)?;
    }
    Ok(())
}

/// A thumbnail of an image found inside another file; `None` if it is no good.
pub fn thumbnail_of(bytes: &[u8], request: &Request) -> Option<Encoded> {
    let format = image::guess_format(bytes).ok()?;
    if !matches!(
        format,
        ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::Gif | ImageFormat::WebP
    ) {
        return None;
    }
    let decoder = open(bytes, format, request).ok()?;
    let (width, height) = decoder.dimensions();
    check_pixels(width, height, request).ok()?;
    let whole = DynamicImage::from_decoder(decoder).ok()?;
    let thumbnail = shrink(&whole, request.thumbnail_px).ok()?;
    // Templates bring along a picture of an empty page.
    if is_blank(&thumbnail) { None } else { encode(&thumbnail).ok() }
}

/// One color all over, as near as the eye can tell.
fn is_blank(image: &DynamicImage) -> bool {
    let pixels = image.to_rgb8();
    let Some(first) = pixels.pixels().next() else { return true };
    pixels.pixels().all(|pixel| {
        pixel.0.iter().zip(first.0).all(|(value, reference)| value.abs_diff(reference) <= 8)
    })
}

fn open<'a>(
    bytes: &'a [u8],
    format: ImageFormat,
    request: &Request,
) -> Result<impl ImageDecoder + 'a, Refusal> {
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(request.memory_bytes / 4 * 3);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    reader.into_decoder().map_err(refusal)
}

fn check_pixels(width: u32, height: u32, request: &Request) -> Result<(), Refusal> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > request.pixels_max {
        let megapixels = pixels / 1_000_000;
        let sentence = format!("The image is too large to be shown ({megapixels} megapixels).");
        return Err(Refusal::TooLarge(sentence));
    }
    Ok(())
}

fn is_sideways(orientation: Orientation) -> bool {
    use Orientation::*;
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

fn refusal(error: ImageError) -> Refusal {
    match error {
        ImageError::Limits(_) => Refusal::TooLarge("The image is too large to be shown.".into()),
        ImageError::Unsupported(_) => Refusal::Unsupported,
        _ => Refusal::broken("its pixels cannot be decoded"),
    }
}

/// The image within a square of `side` pixels; one that fits already stays as it is.
pub fn shrink(image: &DynamicImage, side: u32) -> Result<DynamicImage, Refusal> {
    // Above this, every pixel is no longer looked at, for the sake of time and of memory (alpha
    // would need a second copy).
    const PIXELS_FOR_ALL: u64 = 16_000_000;
    let (width, height) = (image.width(), image.height());
    let longest = width.max(height);
    if longest <= side {
        return Ok(image.clone());
    }
    let scaled = |length: u32| {
        let length = u64::from(length) * u64::from(side) / u64::from(longest);
        u32::try_from(length.max(1)).unwrap_or(side)
    };
    let algorithm = if u64::from(width) * u64::from(height) > PIXELS_FOR_ALL {
        ResizeAlg::SuperSampling(FilterType::Box, 2)
    } else {
        ResizeAlg::Convolution(FilterType::CatmullRom)
    };
    let mut smaller = DynamicImage::new(scaled(width), scaled(height), image.color());
    Resizer::new()
        .resize(image, &mut smaller, &ResizeOptions::new().resize_alg(algorithm))
        .map_err(|_| Refusal::Unsupported)?;
    Ok(smaller)
}

const JPEG_QUALITY: u8 = 82;
/// A picture that is this small without loss needs no second try.
const LOSSLESS_BYTES_WORTHWHILE: usize = 150 * 1024;
/// A picture with transparency above this size is put on white instead.
const TRANSPARENT_BYTES_MAX: usize = 512 * 1024;

/// WebP without loss for drawings, text and transparency, JPEG for photographs; both are tried, and
/// the smaller one taken, where that is not clear.
pub fn encode(image: &DynamicImage) -> Result<Encoded, Refusal> {
    let (width_px, height_px) = (image.width(), image.height());
    let encoded = |bytes| Encoded { bytes, width_px, height_px };
    if image.color().has_alpha() {
        let rgba = image.to_rgba8();
        if rgba.pixels().any(|pixel| pixel.0[3] < 255) {
            let lossless = webp(&rgba, width_px, height_px, ExtendedColorType::Rgba8)?;
            if lossless.len() <= TRANSPARENT_BYTES_MAX {
                return Ok(encoded(lossless));
            }
            return Ok(encoded(jpeg(&on_white(&rgba))?));
        }
    }
    let rgb = image.to_rgb8();
    if is_photograph(&rgb) {
        return Ok(encoded(jpeg(&rgb)?));
    }
    let lossless = webp(&rgb, width_px, height_px, ExtendedColorType::Rgb8)?;
    if lossless.len() <= LOSSLESS_BYTES_WORTHWHILE {
        return Ok(encoded(lossless));
    }
    let lossy = jpeg(&rgb)?;
    Ok(encoded(if lossless.len() <= lossy.len() { lossless } else { lossy }))
}

/// Whether hardly two pixels have the same color. Pages of text have few colors, even with soft
/// edges, and are smaller and sharper without loss.
fn is_photograph(image: &RgbImage) -> bool {
    const SAMPLES: usize = 10_000;
    let pixels = image.width() as usize * image.height() as usize;
    let step = (pixels / SAMPLES).max(1);
    let sampled = image.pixels().step_by(step).map(|pixel| pixel.0);
    let colors: HashSet<[u8; 3]> = sampled.collect();
    colors.len() * 4 > pixels / step
}

fn webp(
    samples: &[u8],
    width: u32,
    height: u32,
    color: ExtendedColorType,
) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let encoder = WebPEncoder::new_lossless(&mut bytes);
    encoder.encode(samples, width, height, color).map_err(refusal)?;
    Ok(bytes)
}

fn jpeg(image: &RgbImage) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
    encoder.encode_image(image).map_err(refusal)?;
    Ok(bytes)
}

fn on_white(rgba: &image::RgbaImage) -> RgbImage {
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [red, green, blue, alpha] = rgba.get_pixel(x, y).0.map(u32::from);
        let blend = |color: u32| ((color * alpha + 255 * (255 - alpha)) / 255) as u8;
        image::Rgb([blend(red), blend(green), blend(blue)])
    })
}
