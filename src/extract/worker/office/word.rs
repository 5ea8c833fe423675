//! Word processor files (Office Open XML, ECMA-376 part 1, 17).

use super::super::output::{Lost, Output, Stop};
use super::container::Container;
use super::xml::{self, Node};
use crate::extract::error::Refusal;

/// Body first, then what stands around and below it.
pub fn extract(container: &mut Container<'_>, output: &mut Output) -> Result<(), Stop> {
    super::office_title(container, output)?;
    if let Some(properties) = container.read("docProps/app.xml")? {
        let leaves = xml::leaves(&properties);
        let pages = leaves.iter().find(|(name, _)| name == "Pages");
        if let Some(count) = pages.and_then(|(_, value)| value.parse().ok()).filter(|n| *n > 0) {
            output.page_count(count)?;
        }
    }
    let body = container
        .read("word/document.xml")?
        .ok_or_else(|| Refusal::broken("the document itself is missing in it"))?;
    push_part(&body, output)?;
    let mut around: Vec<String> = container
        .names()
        .into_iter()
        .filter(|name| {
            let around = ["footnotes", "endnotes", "comments", "header", "footer"];
            name.strip_prefix("word/").is_some_and(|part| {
                part.ends_with(".xml")
                    && around.iter().any(|kind| {
                        part.strip_prefix(kind)
                            .is_some_and(|rest| rest == ".xml" || is_numbered(rest))
                    })
            })
        })
        .collect();
    around.sort();
    for name in around {
        if output.is_full() {
            break;
        }
        if let Some(part) = container.read(&name)? {
            output.push("\n")?;
            push_part(&part, output)?;
        }
    }
    if container.is_cut() {
        output.will_be_cut();
    }
    Ok(())
}

/// "3.xml"
fn is_numbered(rest: &str) -> bool {
    rest.strip_suffix(".xml").is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
}

fn push_part(part: &[u8], output: &mut Output) -> Result<(), Lost> {
    let mut in_text = false;
    // Alternatives repeat the same words for old programs.
    let mut fallback_depth = 0usize;
    let mut cell_depth = 0usize;
    xml::read(part, |node| {
        match node {
            Node::Open(element) => match element.name() {
                "Fallback" => fallback_depth += 1,
                "tc" => cell_depth += 1,
                "t" => in_text = true,
                "tab" => {
                    output.push("\t")?;
                }
                "br" | "cr" => {
                    output.push("\n")?;
                }
                "noBreakHyphen" => {
                    output.push("-")?;
                }
                _ => {}
            },
            Node::Close(name) => match name {
                "Fallback" => fallback_depth = fallback_depth.saturating_sub(1),
                "t" => in_text = false,
                "p" => {
                    // A row of a table is one line.
                    output.push(if cell_depth > 0 { "\t" } else { "\n" })?;
                }
                "tc" => cell_depth = cell_depth.saturating_sub(1),
                "tr" => {
                    output.push("\n")?;
                }
                _ => {}
            },
            Node::Text(text) if in_text && fallback_depth == 0 => {
                output.push(text)?;
            }
            Node::Text(_) => {}
        }
        Ok::<_, Lost>(output.flow())
    })?;
    Ok(())
}
