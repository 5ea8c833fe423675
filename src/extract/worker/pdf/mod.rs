//! PDF: the text page by page, then images of the first pages.
//!
//! One engine (hayro) interprets a page either into a collector of letters (`text`) or into pixels
//! (`render`). Text goes first and is sent page by page, so that a page that cannot be drawn, or
//! hangs, costs nothing but itself and what comes after it.

mod render;
mod text;
mod words;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hayro::hayro_syntax::{LoadPdfError, Pdf};

use super::super::error::Refusal;
use super::super::protocol::Request;
use super::Pictures;
use super::budget::Budget;
use super::image;
use super::input::Input;
use super::output::{Lost, Output, Stop};

/// Pages beyond this are counted, not read.
const PAGES_MAX: usize = 20_000;

pub fn extract(
    input: &Input,
    pictures: &Pictures,
    request: &Request,
    output: &mut Output,
) -> Result<(), Stop> {
    let budget = Budget::new(request);
    let pdf = open(input)?;
    if pdf.pages().is_empty() {
        return Err(Refusal::broken("it has no readable pages").into());
    }
    output.page_count(pdf.pages().len())?;
    if let Some(title) = pdf.metadata().title.as_deref() {
        output.title(&text_string(title))?;
    }
    let mut refusal = None;
    if output.want_text {
        push_text(&pdf, budget, output)?;
        output.finish_text()?;
    }
    let previews_max = (pictures.previews_max as usize).min(pdf.pages().len());
    let pages = previews_max.max(usize::from(pictures.thumbnail));
    for page_index in 0..pages {
        if budget.is_spent_for_pictures() {
            break;
        }
        let drawn =
            catch_unwind(AssertUnwindSafe(|| render::page(&pdf, page_index, request.preview_px)));
        let page = match drawn {
            Ok(Ok(page)) => page,
            Ok(Err(error)) => {
                refusal.get_or_insert(error);
                continue;
            }
            Err(_) => {
                let number = page_index + 1;
                let clause = format!("page {number} cannot be drawn");
                refusal.get_or_insert(Refusal::Broken(clause));
                continue;
            }
        };
        if page_index == 0 && pictures.thumbnail {
            let small = image::shrink(&page, request.thumbnail_px)?;
            output.picture(None, &image::encode(&small)?)?;
        }
        if page_index < previews_max {
            output.picture(Some(page_index as u32), &image::encode(&page)?)?;
        }
    }
    refusal.map_or(Ok(()), |refusal| Err(refusal.into()))
}

pub fn render_page(
    input: &Input,
    page_index: u32,
    width_px: u32,
    output: &mut Output,
) -> Result<(), Stop> {
    output.want_text = false;
    let pdf = open(input)?;
    let page = render::page(&pdf, page_index as usize, width_px)?;
    Ok(output.picture(Some(page_index), &image::encode(&page)?)?)
}

fn open(input: &Input) -> Result<Pdf, Refusal> {
    Pdf::new(Arc::new(input.clone())).map_err(|error| match error {
        LoadPdfError::Decryption(_) => Refusal::Encrypted,
        LoadPdfError::Invalid => Refusal::broken("it has no readable pages"),
    })
}

fn push_text(pdf: &Pdf, budget: Budget, output: &mut Output) -> Result<(), Lost> {
    let mut reader = text::PageReader::new(pdf, budget);
    for (page_index, page) in pdf.pages().iter().enumerate() {
        if page_index == PAGES_MAX || budget.is_spent_for_text() {
            output.cut_text();
        }
        if output.is_full() {
            break;
        }
        if page_index > 0 {
            output.end_page()?;
        }
        let (text, is_whole) = reader.read(page);
        output.push(&text)?;
        if !is_whole {
            output.will_be_cut();
        }
    }
    Ok(())
}

/// A text string of the document (ISO 32000-2, 7.9.2.2): UTF-16 or UTF-8 by its mark, else an
/// eight-bit encoding that is Latin-1 for all that matters in a title.
fn text_string(bytes: &[u8]) -> String {
    match bytes {
        [0xfe, 0xff, utf_16 @ ..] => encoding_rs::UTF_16BE.decode(utf_16).0.into_owned(),
        [0xff, 0xfe, utf_16 @ ..] => encoding_rs::UTF_16LE.decode(utf_16).0.into_owned(),
        [0xef, 0xbb, 0xbf, utf_8 @ ..] => String::from_utf8_lossy(utf_8).into_owned(),
        latin => encoding_rs::WINDOWS_1252.decode(latin).0.into_owned(),
    }
}
