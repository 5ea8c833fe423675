//! The words in Markdown (CommonMark with the usual extensions), without its marks.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::html;
use super::output::{Output, Stop};
use super::plain;

pub fn extract(bytes: &[u8], output: &mut Output) -> Result<(), Stop> {
    let bytes = plain::beginning(bytes, output);
    let source = plain::decode(bytes, None);
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    // The first top heading serves as the title.
    let mut title: Option<String> = None;
    let mut title_is_open = false;
    for event in Parser::new_ext(&source, options) {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) if title.is_none() => {
                title = Some(String::new());
                title_is_open = true;
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some(title) = title.as_deref().filter(|_| title_is_open) {
                    output.title(title)?;
                }
                title_is_open = false;
                output.push("\n")?;
            }
            Event::Text(text) | Event::Code(text) => {
                if title_is_open && let Some(title) = &mut title {
                    title.push_str(&text);
                }
                if !output.push(&text)? {
                    break;
                }
            }
            Event::Html(html) => html::push(&html, output)?,
            Event::SoftBreak | Event::HardBreak | Event::Rule => {
                output.push("\n")?;
            }
            Event::End(TagEnd::TableCell) => {
                output.push("\t")?;
            }
            Event::End(TagEnd::Paragraph | TagEnd::CodeBlock | TagEnd::Table) => {
                output.push("\n\n")?;
            }
            Event::End(TagEnd::Item | TagEnd::TableRow | TagEnd::TableHead) => {
                output.push("\n")?;
            }
            _ => {}
        }
    }
    Ok(())
}
