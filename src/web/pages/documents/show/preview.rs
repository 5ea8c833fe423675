//! What the reader sees of a file, decided by its type and by what reading it gave.

use super::{PageImage, Preview, table};
use crate::{
    app::{App, Reading},
    domain::{
        access::Actor,
        blobs::{Extraction, Facts},
        documents::{CurrentFile, Document},
    },
    error::{Error, Result},
    web::pages::{documents::card, prose},
};

/// How much of a text stands in the page.
const TEXT_CHARS_MAX: usize = 60_000;
/// One character more, to know whether there is more; UTF-8 takes up to four bytes for each.
const TEXT_BYTES_MAX: usize = 4 * (TEXT_CHARS_MAX + 1);
/// Page images in a strip; the browser fetches those that scroll into view.
const PAGES_MAX: u32 = 100;
/// The shape of an A4 page: browsers keep the place until the picture itself says better.
const PAGE_PX: (u32, u32) = (1_000, 1_414);

/// Pictures that every browser shows as they are. A drawing with scripts in it (SVG) runs none of
/// them as a picture, and is only ever sent as a download otherwise.
const PICTURES: [&str; 8] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/bmp",
    "image/x-icon",
    "image/avif",
    "image/svg+xml",
];

/// What to show of a file. Whatever becomes of its bytes, the page around it is there: then a
/// sentence stands in the preview's place.
pub async fn preview_of(app: &App, actor: Actor, reading: &Reading) -> Preview {
    let reason = match found(app, actor, reading).await {
        Ok(preview) => return preview,
        Err(Error::Busy { .. }) => {
            "There is no preview at the moment, because the file storage does not answer. Try again \
             in a minute."
        }
        Err(fault) => {
            let document = reading.found.document.id;
            tracing::error!(%document, "a preview cannot be made: {}", fault.chain());
            "There is no preview, because of a fault on our side."
        }
    };
    Preview::None { reason: reason.into() }
}

async fn found(app: &App, actor: Actor, reading: &Reading) -> Result<Preview> {
    let document = &reading.found.document;
    if let Some(url) = &document.link {
        return Ok(Preview::Link { url: url.clone(), host: card::host(url) });
    }
    let Some(file) = &document.current else {
        return Ok(Preview::None { reason: "There is no file.".into() });
    };
    let extraction = reading.found.blob.as_ref().map(|blob| &blob.extraction);
    let media_type = file.media_type.as_str();
    let url = content_url(document, file);
    if PICTURES.contains(&media_type) {
        return Ok(Preview::Image { url, alt: document.title.clone() });
    }
    match media_type.split_once('/') {
        Some(("audio", _)) => return Ok(Preview::Audio { url, media_type: media_type.into() }),
        Some(("video", _)) => {
            let poster_url = card::thumbnail_url(document, reading.found.blob.as_ref());
            return Ok(Preview::Video { url, media_type: media_type.into(), poster_url });
        }
        _ => {}
    }
    match extraction {
        Some(Extraction::Done(facts)) => of_read_file(app, actor, reading, file, facts).await,
        _ if media_type == "application/pdf" => {
            Ok(Preview::Pdf { content_url: url, pages: Vec::new() })
        }
        Some(Extraction::Failed { .. }) => Ok(Preview::None {
            reason: "This file could not be read, so there is no preview. Download it to open it."
                .into(),
        }),
        Some(Extraction::Pending) | None => Ok(Preview::Pending),
    }
}

async fn of_read_file(
    app: &App,
    actor: Actor,
    reading: &Reading,
    file: &CurrentFile,
    facts: &Facts,
) -> Result<Preview> {
    let document = &reading.found.document;
    let pages = page_images(document, facts);
    if file.media_type == "application/pdf" {
        return Ok(Preview::Pdf { content_url: content_url(document, file), pages });
    }
    if !pages.is_empty() {
        return Ok(Preview::Pages(pages));
    }
    if file.media_type == "text/markdown" {
        match markdown(app, actor.clone(), document).await {
            // Without its marks the text can be read too, and that is on this machine.
            Err(fault) if facts.has_text => {
                tracing::warn!(document = %document.id, "shown as text: {}", fault.chain());
            }
            shown => return shown,
        }
    }
    if facts.has_text {
        let text = app.text(actor, document.id, TEXT_BYTES_MAX).await?;
        let tables = match file.media_type.as_str() {
            "text/csv" => table::table_of(&text).map(|(table, is_cut)| (vec![table], is_cut)),
            _ => table::sheets_of(&text),
        };
        if let Some((tables, is_cut)) = tables {
            // Up to three bytes less, where a character would have been cut.
            let is_cut = is_cut || facts.is_text_truncated || text.len() + 3 >= TEXT_BYTES_MAX;
            return Ok(Preview::Tables { tables, is_cut });
        }
        return Ok(shortened(&text, facts.is_text_truncated));
    }
    if let Some(url) = card::thumbnail_url(document, reading.found.blob.as_ref()) {
        return Ok(Preview::Thumbnail { url });
    }
    Ok(Preview::None { reason: "There is no preview for this type of file.".into() })
}

/// The beginning of a text as its author laid it out; what was read from it has lost its marks.
async fn markdown(app: &App, actor: Actor, document: &Document) -> Result<Preview> {
    let content = app.content(actor, document.id, None).await?;
    let size_bytes = content.file.size_bytes;
    let start = size_bytes.min(TEXT_CHARS_MAX as u64);
    let opened = app.open_content(&content, Some(0..start)).await?;
    let source = opened.read(TEXT_CHARS_MAX).await?;
    let source = String::from_utf8_lossy(&source);
    Ok(Preview::Prose { html: prose::page_of_prose(&source), is_cut: start < size_bytes })
}

/// The beginning of a text. Form feeds, which part its pages, become empty lines.
fn shortened(text: &str, was_cut: bool) -> Preview {
    let end = text.char_indices().nth(TEXT_CHARS_MAX).map(|(end, _)| end);
    let shown = &text[..end.unwrap_or(text.len())];
    Preview::Text { text: shown.replace('\u{c}', "\n\n"), is_cut: end.is_some() || was_cut }
}

/// PDFs are drawn page by page when somebody looks; of other files there are the stored pictures.
fn page_images(document: &Document, facts: &Facts) -> Vec<PageImage> {
    let count = match document.current.as_ref().map(|file| file.media_type.as_str()) {
        Some("application/pdf") => facts.page_count.unwrap_or(0).max(facts.preview_count),
        _ => facts.preview_count,
    };
    let (width, height) = match (facts.width_px, facts.height_px) {
        (Some(width), Some(height)) => (width, height),
        _ => PAGE_PX,
    };
    let url = |number| format!("/documents/{}/pages/{number}", document.id);
    (1..=count.min(PAGES_MAX))
        .map(|number| PageImage { number, url: url(number), width, height })
        .collect()
}

/// Names the version, so that a browser never shows an old file from its memory.
fn content_url(document: &Document, file: &CurrentFile) -> String {
    format!("/documents/{}/content?version={}", document.id, file.number)
}
