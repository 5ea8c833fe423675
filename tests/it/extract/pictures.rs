//! Thumbnails and previews.

use std::{io::Cursor, time::Duration};

use appliance::extract::{ExtractError, Format, Picture, Refusal, Wanted, recognize};
use image::{DynamicImage, GenericImageView, ImageFormat, Rgba, RgbaImage};

use super::samples::{
    extractor, file, fixture, office, page, pdf, pdf_with, png_that_claims, read,
};

/// Left half red, right half blue.
fn two_colors(width: u32, height: u32) -> DynamicImage {
    let image = RgbaImage::from_fn(width, height, |x, _| {
        if x < width / 2 { Rgba([220, 20, 20, 255]) } else { Rgba([20, 20, 220, 255]) }
    });
    DynamicImage::ImageRgba8(image)
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let without_alpha = DynamicImage::ImageRgb8(image.to_rgb8());
    let image = if format == ImageFormat::Jpeg { &without_alpha } else { image };
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn decoded(picture: &Picture) -> DynamicImage {
    let image = image::load_from_memory(&picture.bytes).unwrap();
    assert_eq!(image.dimensions(), (picture.width_px, picture.height_px));
    let guessed = image::guess_format(&picture.bytes).unwrap().to_mime_type();
    assert_eq!(guessed, picture.media_type);
    image
}

fn is_red(pixel: Rgba<u8>) -> bool {
    pixel.0[0] > 150 && pixel.0[2] < 100
}

fn is_blue(pixel: Rgba<u8>) -> bool {
    pixel.0[2] > 150 && pixel.0[0] < 100
}

#[tokio::test]
async fn every_image_format_gets_a_thumbnail_and_a_preview() {
    let formats = [
        ("a.jpg", ImageFormat::Jpeg, Format::Jpeg),
        ("a.png", ImageFormat::Png, Format::Png),
        ("a.gif", ImageFormat::Gif, Format::Gif),
        ("a.webp", ImageFormat::WebP, Format::Webp),
        ("a.bmp", ImageFormat::Bmp, Format::Bmp),
        ("a.tiff", ImageFormat::Tiff, Format::Tiff),
        ("a.ico", ImageFormat::Ico, Format::Ico),
    ];
    for (name, image_format, format) in formats {
        // An icon cannot be larger than this.
        let bytes = encoded(&two_colors(240, 120), image_format);
        assert_eq!(recognize(&bytes, "unnamed").format, format, "{name}");
        let extract = read(name, &bytes).await.unwrap();
        assert!(extract.incomplete.is_none(), "{name}: {:?}", extract.incomplete);
        assert_eq!((extract.width_px, extract.height_px), (Some(240), Some(120)), "{name}");
        let thumbnail = decoded(&extract.thumbnail.unwrap());
        assert_eq!(thumbnail.dimensions(), (80, 40), "{name}");
        assert!(is_red(thumbnail.get_pixel(5, 20)), "{name}");
        assert!(is_blue(thumbnail.get_pixel(75, 20)), "{name}");
        assert_eq!(extract.previews.len(), 1, "{name}");
        assert_eq!(extract.previews[0].page_index, 0, "{name}");
        assert!(extract.text.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_photograph_is_turned_upright_and_loses_its_metadata() {
    let plain = encoded(&two_colors(240, 120), ImageFormat::Jpeg);
    // Orientation 6: turn by 90 degrees clockwise (EXIF 2.3, tag 274).
    let tag = b"\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00";
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend(tag);
    exif.extend(b"\0\0\0\0");
    let mut turned = plain[..2].to_vec();
    turned.extend(b"\xff\xe1");
    turned.extend(u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
    turned.extend(&exif);
    turned.extend(&plain[2..]);
    let extract = read("a.jpg", &turned).await.unwrap();
    assert_eq!((extract.width_px, extract.height_px), (Some(120), Some(240)));
    let picture = extract.thumbnail.unwrap();
    let thumbnail = decoded(&picture);
    assert_eq!(thumbnail.dimensions(), (40, 80));
    assert!(is_red(thumbnail.get_pixel(20, 5)), "the left half is on top now");
    assert!(is_blue(thumbnail.get_pixel(20, 75)));
    assert!(!picture.bytes.windows(4).any(|four| four == b"Exif"));
}

#[tokio::test]
async fn transparency_is_kept() {
    let mut image = two_colors(200, 200).to_rgba8();
    image.pixels_mut().take(200 * 100).for_each(|pixel| pixel.0[3] = 0);
    let bytes = encoded(&DynamicImage::ImageRgba8(image), ImageFormat::Png);
    let thumbnail = decoded(&read("logo.png", &bytes).await.unwrap().thumbnail.unwrap());
    assert_eq!(thumbnail.get_pixel(40, 10).0[3], 0);
    assert_eq!(thumbnail.get_pixel(40, 70).0[3], 255);
}

#[tokio::test]
async fn a_small_image_is_not_enlarged() {
    let bytes = encoded(&two_colors(16, 12), ImageFormat::Png);
    let extract = read("tiny.png", &bytes).await.unwrap();
    assert_eq!(decoded(&extract.thumbnail.unwrap()).dimensions(), (16, 12));
    assert_eq!(decoded(&extract.previews[0].picture).dimensions(), (16, 12));
}

#[tokio::test]
async fn an_image_that_claims_to_be_huge_is_measured_but_not_decoded() {
    let extract = read("bomb.png", &png_that_claims(50_000, 50_000)).await.unwrap();
    assert_eq!((extract.width_px, extract.height_px), (Some(50_000), Some(50_000)));
    assert!(extract.thumbnail.is_none());
    let reason = extract.incomplete.unwrap();
    assert_eq!(reason.sentence(), "The image is too large to be shown (2500 megapixels).");
    assert!(reason.is_final());
}

#[tokio::test]
async fn a_large_image_is_shown() {
    let bytes = encoded(&two_colors(4800, 3400), ImageFormat::Png);
    let extract = read("poster.png", &bytes).await.unwrap();
    assert!(extract.incomplete.is_none(), "{:?}", extract.incomplete);
    let thumbnail = decoded(&extract.thumbnail.unwrap());
    assert_eq!(thumbnail.dimensions(), (80, 56));
    assert!(is_red(thumbnail.get_pixel(5, 20)) && is_blue(thumbnail.get_pixel(75, 20)));
}

#[tokio::test]
async fn the_first_pages_of_a_pdf_are_drawn() {
    let extract = read("report.pdf", &fixture("report.pdf")).await.unwrap();
    let pages: Vec<u32> = extract.previews.iter().map(|preview| preview.page_index).collect();
    assert_eq!(pages, [0, 1]);
    for preview in &extract.previews {
        assert_eq!(preview.picture.width_px, 160);
        let drawn = decoded(&preview.picture).to_luma8();
        let dark = drawn.pixels().filter(|pixel| pixel.0[0] < 200).count();
        let white = drawn.pixels().filter(|pixel| pixel.0[0] > 240).count();
        assert!(dark > 20, "page {} shows no ink", preview.page_index);
        assert!(white > drawn.pixels().len() / 2, "page {} is not on white", preview.page_index);
    }
    let thumbnail = extract.thumbnail.unwrap();
    assert_eq!(thumbnail.height_px.max(thumbnail.width_px), 80);
}

#[tokio::test]
async fn a_later_page_is_drawn_on_demand() {
    let square = b"1 0 0 rg 0 0 300 400 re f";
    let bytes = pdf(&[&page("one"), &page("two"), square]);
    let patience = Duration::from_secs(60);
    let picture = extractor().render_page(file(&bytes), 2, 90, patience).await.unwrap();
    assert_eq!((picture.width_px, picture.height_px), (90, 120));
    assert!(is_red(decoded(&picture).get_pixel(45, 60)));
    let error = extractor().render_page(file(&bytes), 3, 90, patience).await.unwrap_err();
    assert!(matches!(error, ExtractError::Refused(Refusal::NoSuchPage)), "{error:?}");
    let error =
        extractor().render_page(file(&fixture("password.pdf")), 0, 90, patience).await.unwrap_err();
    assert!(matches!(error, ExtractError::Refused(Refusal::Encrypted)), "{error:?}");
}

#[tokio::test]
async fn pages_of_absurd_shapes_are_drawn_within_bounds() {
    for (media_box, width_px, height_px) in
        [("[0 0 100000 1]", 160, 1), ("[0 0 1 100000]", 1, 640), ("[0 0 14400 14400]", 160, 160)]
    {
        let bytes = pdf_with(&[&page("x")], media_box, &[]);
        let extract = read("a.pdf", &bytes).await.unwrap();
        let picture = &extract.previews[0].picture;
        assert_eq!((picture.width_px, picture.height_px), (width_px, height_px), "{media_box}");
    }
}

#[tokio::test]
async fn the_picture_an_office_file_brings_along_becomes_its_thumbnail() {
    let thumbnail = read("report.odt", &office("report.odt")).await.unwrap().thumbnail.unwrap();
    assert_eq!(thumbnail.height_px, 80);
    decoded(&thumbnail);
    // The one in this file is the empty page of a template.
    assert!(read("report.docx", &office("report.docx")).await.unwrap().thumbnail.is_none());
}

#[tokio::test]
async fn an_image_cut_short_has_a_size_and_a_reason() {
    let whole = encoded(&two_colors(400, 400), ImageFormat::Png);
    let file_of = |bytes: &[u8]| file(bytes);
    let cut = &whole[..whole.len() / 2];
    let extract = extractor().extract(file_of(cut), Format::Png, Wanted::default()).await.unwrap();
    assert_eq!(extract.width_px, Some(400));
    let reason = extract.incomplete.unwrap();
    assert_eq!(reason.sentence(), "The file is damaged: its pixels cannot be decoded.");
}
