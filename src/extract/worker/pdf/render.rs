//! One page as pixels.

use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::Pdf;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings};
use image::{DynamicImage, RgbImage};

use super::super::super::error::Refusal;

/// A page may be this many times as high as it is wide before it is drawn narrower instead.
const HEIGHT_FACTOR_MAX: f32 = 4.0;

/// Draws a page on white, `width_px` wide.
pub fn page(pdf: &Pdf, page_index: usize, width_px: u32) -> Result<DynamicImage, Refusal> {
    let page = pdf.pages().get(page_index).ok_or(Refusal::NoSuchPage)?;
    let (width, height) = page.render_dimensions();
    if !width.is_finite() || !height.is_finite() || width < 1.0 || height < 1.0 {
        return Err(Refusal::broken("a page has no size"));
    }
    let width_px = width_px as f32;
    let scale = (width_px / width).min(width_px * HEIGHT_FACTOR_MAX / height);
    // The engine cuts the fraction off; a very flat or narrow page still needs one pixel.
    let at_least_one = |length: f32| (length * scale).round().max(1.0) + 0.01;
    let settings = PixmapSettings {
        x_scale: at_least_one(width) / width,
        y_scale: at_least_one(height) / height,
        bg_color: WHITE,
    };
    let cache = RenderCache::new();
    let pixmap = hayro::render(
        page,
        &cache,
        &InterpreterSettings::default(),
        &RenderSettings::default(),
        &settings,
    );
    // The background is opaque, so the premultiplied colors are the colors.
    let rgb: Vec<u8> = pixmap.data().iter().flat_map(|pixel| [pixel.r, pixel.g, pixel.b]).collect();
    RgbImage::from_raw(pixmap.width().into(), pixmap.height().into(), rgb)
        .map(DynamicImage::ImageRgb8)
        .ok_or_else(|| Refusal::broken("a page has no size"))
}
