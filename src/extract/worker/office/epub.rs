//! Electronic books (EPUB 3.3): the chapters in reading order, each an XHTML part.

use std::collections::HashMap;

use super::super::html;
use super::super::output::{Output, Stop};
use super::super::plain;
use super::container::Container;
use super::slides::resolve;
use super::xml;
use crate::extract::error::Refusal;

const CHAPTERS_MAX: usize = 10_000;

pub fn extract(container: &mut Container<'_>, output: &mut Output) -> Result<(), Stop> {
    if container.contains("META-INF/rights.xml") {
        return Err(Refusal::Encrypted.into());
    }
    let book = Book::read(container)?;
    if let Some(title) = &book.title {
        output.title(title)?;
    }
    if let Some(language) = &book.language {
        output.declare_language(language);
    }
    for chapter in &book.chapters {
        if output.is_full() {
            break;
        }
        if let Some(part) = container.read(chapter)? {
            html::push(&plain::decode(&part, None), output)?;
            output.push("\n\n")?;
        }
    }
    if container.is_cut() {
        output.will_be_cut();
    }
    Ok(())
}

/// The part that holds the picture on the cover.
pub fn cover(container: &mut Container<'_>) -> Option<String> {
    Book::read(container).ok()?.cover
}

#[derive(Default)]
struct Book {
    title: Option<String>,
    language: Option<String>,
    chapters: Vec<String>,
    cover: Option<String>,
}

impl Book {
    /// Follows the container to the package, and the package to its parts (EPUB 3.3, 4.2.6.3 and 5).
    fn read(container: &mut Container<'_>) -> Result<Self, Stop> {
        let missing = || Refusal::broken("its list of chapters is missing");
        let start = container.read("META-INF/container.xml")?.ok_or_else(missing)?;
        let mut package = None;
        xml::each_element(&start, |element| {
            if element.name() == "rootfile" && package.is_none() {
                package = element.attribute("full-path");
            }
        });
        let package = package.ok_or_else(missing)?;
        let folder = package.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let parts = container.read(&package)?.ok_or_else(missing)?;
        Ok(Self::from_package(&parts, &folder))
    }

    fn from_package(package: &[u8], folder: &str) -> Self {
        let mut book = Book::default();
        let mut parts: HashMap<String, String> = HashMap::new();
        let mut cover_id = None;
        for (name, value) in xml::leaves(package) {
            match name.as_str() {
                "title" if book.title.is_none() => book.title = Some(value),
                "language" if book.language.is_none() => book.language = Some(value),
                _ => {}
            }
        }
        xml::each_element(package, |element| match element.name() {
            "item" if parts.len() < CHAPTERS_MAX => {
                if let (Some(id), Some(href)) = (element.attribute("id"), element.attribute("href"))
                {
                    let part = resolve(folder, &unescaped(&href));
                    let properties = element.attribute("properties").unwrap_or_default();
                    if properties.split(' ').any(|property| property == "cover-image") {
                        book.cover = Some(part.clone());
                    }
                    parts.insert(id, part);
                }
            }
            "meta" if element.attribute("name").as_deref() == Some("cover") => {
                cover_id = element.attribute("content");
            }
            "itemref" if book.chapters.len() < CHAPTERS_MAX => {
                let part = element.attribute("idref").and_then(|id| parts.get(&id));
                book.chapters.extend(part.cloned());
            }
            _ => {}
        });
        if book.cover.is_none() {
            book.cover = cover_id.and_then(|id| parts.remove(&id));
        }
        book
    }
}

/// Addresses of parts are URLs: "chapter%201.xhtml".
fn unescaped(href: &str) -> String {
    let mut bytes = Vec::with_capacity(href.len());
    let mut rest = href.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
