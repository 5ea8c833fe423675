//! Presentations (Office Open XML, ECMA-376 part 1, 19): slide by slide, each with its notes.

use std::collections::HashMap;

use super::super::output::{Lost, Output, Stop};
use super::container::Container;
use super::xml::{self, Node};

const SLIDES_MAX: usize = 5000;

pub fn extract(container: &mut Container<'_>, output: &mut Output) -> Result<(), Stop> {
    super::office_title(container, output)?;
    let slides = slides_in_order(container)?;
    output.page_count(slides.len())?;
    for (index, slide) in slides.iter().enumerate() {
        if output.is_full() {
            break;
        }
        if index > 0 {
            output.end_page()?;
        }
        if let Some(part) = container.read(slide)? {
            push_part(&part, output)?;
        }
        let notes = related(container, slide)?
            .into_values()
            .find(|target| target.starts_with("ppt/notesSlides/"));
        if let Some(notes) = notes
            && let Some(part) = container.read(&notes)?
        {
            output.push("\n")?;
            push_part(&part, output)?;
        }
    }
    if container.is_cut() {
        output.will_be_cut();
    }
    Ok(())
}

/// The slides as they are shown; by number if the presentation does not tell.
fn slides_in_order(container: &mut Container<'_>) -> Result<Vec<String>, Stop> {
    let related = related(container, "ppt/presentation.xml")?;
    let mut slides = Vec::new();
    if let Some(presentation) = container.read("ppt/presentation.xml")? {
        xml::each_element(&presentation, |element| {
            if element.name() == "sldId"
                && let Some(id) = element.prefixed_attribute("id")
                && let Some(target) = related.get(&id)
                && slides.len() < SLIDES_MAX
            {
                slides.push(target.clone());
            }
        });
    }
    if slides.is_empty() {
        slides = container
            .names()
            .into_iter()
            .filter(|name| slide_number(name).is_some())
            .take(SLIDES_MAX)
            .collect();
        slides.sort_by_key(|name| slide_number(name));
    }
    Ok(slides)
}

fn slide_number(name: &str) -> Option<u32> {
    name.strip_prefix("ppt/slides/slide")?.strip_suffix(".xml")?.parse().ok()
}

/// The relations of a part (ECMA-376 part 2, 9): identifier → name of the other part.
fn related(container: &mut Container<'_>, part: &str) -> Result<HashMap<String, String>, Stop> {
    let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
    let mut related = HashMap::new();
    if let Some(relations) = container.read(&format!("{folder}/_rels/{file}.rels"))? {
        xml::each_element(&relations, |element| {
            if element.name() == "Relationship"
                && let (Some(id), Some(target)) =
                    (element.attribute("Id"), element.attribute("Target"))
            {
                related.insert(id, resolve(folder, &target));
            }
        });
    }
    Ok(related)
}

/// A target relative to the folder of the part that names it.
pub fn resolve(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut steps: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    for step in target.split('/') {
        match step {
            ".." => {
                steps.pop();
            }
            "." | "" => {}
            step => steps.push(step),
        }
    }
    steps.join("/")
}

fn push_part(part: &[u8], output: &mut Output) -> Result<(), Lost> {
    let mut in_text = false;
    let mut fallback_depth = 0usize;
    let mut cell_depth = 0usize;
    // The number of the slide itself and the date are fields, not words of the author.
    let mut field_depth = 0usize;
    xml::read(part, |node| {
        match node {
            Node::Open(element) => match element.name() {
                "Fallback" => fallback_depth += 1,
                "fld" => field_depth += 1,
                "tc" => cell_depth += 1,
                "t" => in_text = true,
                "br" => {
                    output.push("\n")?;
                }
                _ => {}
            },
            Node::Close(name) => match name {
                "Fallback" => fallback_depth = fallback_depth.saturating_sub(1),
                "fld" => field_depth = field_depth.saturating_sub(1),
                "t" => in_text = false,
                "p" => {
                    output.push(if cell_depth > 0 { "\t" } else { "\n" })?;
                }
                "tc" => cell_depth = cell_depth.saturating_sub(1),
                "tr" => {
                    output.push("\n")?;
                }
                _ => {}
            },
            Node::Text(text) if in_text && fallback_depth == 0 && field_depth == 0 => {
                output.push(text)?;
            }
            Node::Text(_) => {}
        }
        Ok::<_, Lost>(output.flow())
    })?;
    Ok(())
}
