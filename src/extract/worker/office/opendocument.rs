//! OpenDocument text, spreadsheets and presentations (OASIS ODF 1.2 part 1).

use super::super::output::{Lost, Output, Stop};
use super::container::Container;
use super::xml::{self, Node};
use crate::extract::error::Refusal;
use crate::extract::format::Format;

pub fn extract(
    container: &mut Container<'_>,
    format: Format,
    output: &mut Output,
) -> Result<(), Stop> {
    if is_encrypted(container)? {
        return Err(Refusal::Encrypted.into());
    }
    push_facts(container, format, output)?;
    let content = container
        .read("content.xml")?
        .ok_or_else(|| Refusal::broken("the document itself is missing in it"))?;
    let slides = push_content(&content, format, output)?;
    if slides > 0 {
        output.page_count(slides)?;
    }
    // Headers and footers live with the styles.
    if format == Format::Odt
        && let Some(styles) = container.read("styles.xml")?
    {
        output.push("\n")?;
        push_content(&styles, format, output)?;
    }
    if container.is_cut() {
        output.will_be_cut();
    }
    Ok(())
}

/// The manifest lists for each part how it is encrypted (ODF 1.2 part 3, 4.8).
fn is_encrypted(container: &mut Container<'_>) -> Result<bool, Stop> {
    let Some(manifest) = container.read("META-INF/manifest.xml")? else { return Ok(false) };
    let mut is_encrypted = false;
    xml::each_element(&manifest, |element| is_encrypted |= element.name() == "encryption-data");
    Ok(is_encrypted)
}

fn push_facts(
    container: &mut Container<'_>,
    format: Format,
    output: &mut Output,
) -> Result<(), Stop> {
    let Some(meta) = container.read("meta.xml")? else { return Ok(()) };
    for (name, value) in xml::leaves(&meta) {
        match name.as_str() {
            "title" => output.title(&value)?,
            "language" => output.declare_language(&value),
            _ => {}
        }
    }
    let mut pages = None;
    xml::each_element(&meta, |element| {
        if element.name() == "document-statistic" {
            pages = element.attribute("page-count").and_then(|count| count.parse().ok());
        }
    });
    if let Some(pages) = pages.filter(|pages| format == Format::Odt && *pages > 0) {
        output.page_count(pages)?;
    }
    Ok(())
}

/// Sends the paragraphs; returns how many slides there were.
fn push_content(part: &[u8], format: Format, output: &mut Output) -> Result<usize, Lost> {
    const BLANKS_MAX: usize = 100;
    let is_sheet = format == Format::Ods;
    let mut slides = 0usize;
    let mut paragraph_depth = 0usize;
    // Deleted text is kept in the file; page numbers are fields with a stand-in as text.
    let mut skipped_depth = 0usize;
    let mut cell_depth = 0usize;
    // Of the row of a sheet: cells that ended since the last text, and how often the open one stands.
    let mut cells_ended = 0u32;
    let mut same_cells = 1u32;
    let mut is_row_empty = true;
    xml::read(part, |node| {
        match node {
            Node::Open(element) => match element.name() {
                "tracked-changes" | "page-number" | "page-count" => skipped_depth += 1,
                "table-cell" | "covered-table-cell" => {
                    cell_depth += 1;
                    let same = element.attribute("number-columns-repeated");
                    same_cells = same.and_then(|count| count.parse().ok()).unwrap_or(1);
                }
                "p" | "h" => paragraph_depth += 1,
                "tab" => {
                    output.push("\t")?;
                }
                "line-break" => {
                    output.push(if is_sheet { " " } else { "\n" })?;
                }
                "s" => {
                    let count = element.attribute("c").and_then(|count| count.parse().ok());
                    output.push(&" ".repeat(count.unwrap_or(1).min(BLANKS_MAX)))?;
                }
                "page" => {
                    slides += 1;
                    if slides > 1 {
                        output.end_page()?;
                    }
                }
                "table" if is_sheet => {
                    if let Some(name) = element.attribute("name") {
                        output.push(&name)?;
                        output.push("\n")?;
                    }
                }
                _ => {}
            },
            Node::Close(name) => match name {
                "tracked-changes" | "page-number" | "page-count" => {
                    skipped_depth = skipped_depth.saturating_sub(1);
                }
                "table-cell" | "covered-table-cell" => {
                    cell_depth = cell_depth.saturating_sub(1);
                    cells_ended = cells_ended.saturating_add(same_cells);
                }
                "p" | "h" => {
                    paragraph_depth = paragraph_depth.saturating_sub(1);
                    output.push(if cell_depth > 0 { " " } else { "\n" })?;
                }
                // An empty line would end the sheet.
                "table-row" if is_sheet && is_row_empty => cells_ended = 0,
                "table" | "table-row" => {
                    (cells_ended, is_row_empty) = (0, true);
                    output.push("\n")?;
                }
                _ => {}
            },
            Node::Text(text) if paragraph_depth > 0 && skipped_depth == 0 => {
                if is_sheet && !text.trim().is_empty() {
                    output.end_cells(std::mem::take(&mut cells_ended))?;
                    is_row_empty = false;
                }
                output.push(text)?;
            }
            Node::Text(_) => {}
        }
        Ok::<_, Lost>(output.flow())
    })?;
    Ok(slides)
}
