//! The words in HTML, SVG and Markdown.
//!
//! HTML is scanned in one pass, without a tree: a tree of a hostile page costs memory and depth,
//! and for searching only the words and the line ends matter.

use std::borrow::Cow;

use encoding_rs::Encoding;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::output::{Lost, Output, Stop};
use super::plain;

/// Markup beyond this is not looked at; its text alone would exceed the limit for text.
const MARKUP_BYTES_MAX: usize = 64 * 1024 * 1024;

pub fn extract_html(bytes: &[u8], output: &mut Output) -> Result<(), Stop> {
    let bytes = beginning(bytes, output);
    let source = plain::decode(bytes, declared_charset(bytes));
    Ok(push_words(&source, true, output)?)
}

/// An SVG is close enough to HTML: elements, text, a title, scripts and styles to leave out.
pub fn extract_svg(bytes: &[u8], output: &mut Output) -> Result<(), Stop> {
    let bytes = beginning(bytes, output);
    Ok(push_words(&plain::decode(bytes, None), true, output)?)
}

pub fn extract_markdown(bytes: &[u8], output: &mut Output) -> Result<(), Stop> {
    let bytes = beginning(bytes, output);
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
            Event::Html(html) => push_html(&html, output)?,
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

fn beginning<'a>(bytes: &'a [u8], output: &mut Output) -> &'a [u8] {
    if bytes.len() > MARKUP_BYTES_MAX {
        output.will_be_cut();
    }
    &bytes[..bytes.len().min(MARKUP_BYTES_MAX)]
}

/// The encoding named in a `meta` element or an XML declaration near the start (HTML, 13.2.3.2).
fn declared_charset(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes[..bytes.len().min(4096)].to_ascii_lowercase();
    ["charset=", "encoding="].iter().find_map(|key| {
        let at = head.windows(key.len()).position(|part| part == key.as_bytes())? + key.len();
        let label: Vec<u8> = head[at..]
            .iter()
            .copied()
            .skip_while(|byte| matches!(byte, b'"' | b'\'' | b' '))
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            .collect();
        Encoding::for_label(&label)
    })
}

/// Sends the words of an HTML text that is part of something else: its title is not the file's.
pub fn push_html(source: &str, output: &mut Output) -> Result<(), Lost> {
    push_words(source, false, output)
}

fn push_words(source: &str, is_whole_file: bool, output: &mut Output) -> Result<(), Lost> {
    let mut scanner = Scanner { rest: source, quotes_count: true };
    let mut preformatted = 0usize;
    let mut title: Option<String> = None;
    let mut template_depth = 0usize;
    // A row of a table is one line, whatever its cells contain.
    let mut in_cell = false;
    while let Some(token) = scanner.next() {
        match token {
            Token::Text(text) if template_depth > 0 || text.is_empty() => {}
            Token::Text(text) => {
                let text = decode_entities(text);
                if let Some(title) = &mut title {
                    title.push_str(&text);
                } else if preformatted > 0 {
                    output.push(&text)?;
                } else {
                    output.push(&text.replace(['\n', '\r'], " "))?;
                }
            }
            Token::Open { name, attributes } => match name.as_str() {
                "script" | "style" => scanner.skip_raw(&name),
                "template" => template_depth += 1,
                "title" => title = Some(String::new()),
                "pre" | "textarea" => {
                    preformatted += 1;
                    output.push("\n")?;
                }
                "html" => {
                    if let Some(tag) = attribute(attributes, "lang") {
                        output.declare_language(tag);
                    }
                }
                "img" | "area" => {
                    if let Some(alternative) = attribute(attributes, "alt") {
                        output.push(" ")?;
                        output.push(&decode_entities(alternative))?;
                        output.push(" ")?;
                    }
                }
                "td" | "th" => {
                    in_cell = true;
                    output.push("\t")?;
                }
                name if is_block(name) => {
                    in_cell &= !matches!(name, "tr" | "table");
                    output.push(if in_cell { "\t" } else { "\n" })?;
                }
                _ => {}
            },
            Token::Close { name } => match name.as_str() {
                "template" => template_depth = template_depth.saturating_sub(1),
                "title" => {
                    if let Some(title) = title.take().filter(|_| is_whole_file) {
                        output.title(&title)?;
                    }
                }
                "pre" | "textarea" => {
                    preformatted = preformatted.saturating_sub(1);
                    output.push("\n")?;
                }
                "td" | "th" => in_cell = false,
                "p" | "ul" | "ol" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" if in_cell => {
                    output.push("\t")?;
                }
                "p" | "table" | "ul" | "ol" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                    output.push("\n\n")?;
                }
                name if is_block(name) => {
                    in_cell &= !matches!(name, "tr" | "table");
                    output.push(if in_cell { "\t" } else { "\n" })?;
                }
                _ => {}
            },
        }
        if output.is_full() {
            break;
        }
    }
    Ok(())
}

fn is_block(name: &str) -> bool {
    const BLOCKS: [&str; 37] = [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "br",
        "caption",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "option",
        "p",
        "section",
        "summary",
        "table",
        "text",
        "tr",
        "ul",
    ];
    BLOCKS.contains(&name)
}

enum Token<'a> {
    Text(&'a str),
    /// The name in small letters, and everything up to the closing bracket.
    Open {
        name: String,
        attributes: &'a str,
    },
    Close {
        name: String,
    },
}

struct Scanner<'a> {
    rest: &'a str,
    /// Off after the first quote without an end, so that a page full of them is still read once.
    quotes_count: bool,
}

impl<'a> Scanner<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let Some(tag) = self.rest.strip_prefix('<') else {
            let end = self.rest.find('<').unwrap_or(self.rest.len());
            return Some(Token::Text(self.take(end)));
        };
        if let Some(comment) = tag.strip_prefix("!--") {
            self.rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
            return Some(Token::Text(""));
        }
        if let Some(data) = tag.strip_prefix("![CDATA[") {
            let (text, rest) = data.split_once("]]>").unwrap_or((data, ""));
            self.rest = rest;
            return Some(Token::Text(text));
        }
        if tag.starts_with(['!', '?']) {
            self.rest = tag.split_once('>').map_or("", |(_, rest)| rest);
            return Some(Token::Text(""));
        }
        let (name_at, is_close) = if tag.starts_with('/') { (1, true) } else { (0, false) };
        if !tag[name_at..].starts_with(|first: char| first.is_ascii_alphabetic()) {
            return Some(Token::Text(self.take(1)));
        }
        let inside = self.tag_end(tag);
        let body = &tag[name_at..inside];
        self.rest = tag[inside..].strip_prefix('>').unwrap_or("");
        let name_end =
            body.find(|c: char| c.is_whitespace() || c == '/' || c == '>').unwrap_or(body.len());
        let (name, attributes) = body.split_at(name_end);
        // Prefixed names (svg:text) count as their local part; absurdly long ones as nothing.
        let name = name.rsplit(':').next().filter(|name| name.len() <= 20).unwrap_or_default();
        let name = name.to_ascii_lowercase();
        Some(if is_close { Token::Close { name } } else { Token::Open { name, attributes } })
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        text
    }

    /// Where the closing bracket of a tag is, not counting those in quoted values.
    fn tag_end(&mut self, tag: &str) -> usize {
        if self.quotes_count {
            let mut quote = None;
            for (at, byte) in tag.bytes().enumerate() {
                match (quote, byte) {
                    (None, b'>') => return at,
                    (None, b'"' | b'\'') => quote = Some(byte),
                    (Some(open), byte) if open == byte => quote = None,
                    _ => {}
                }
            }
            self.quotes_count = false;
        }
        tag.find('>').unwrap_or(tag.len())
    }

    /// Leaves out everything up to the closing tag of a script or style.
    fn skip_raw(&mut self, name: &str) {
        let bytes = self.rest.as_bytes();
        let mut at = 0;
        while let Some(next) = bytes[at..].iter().position(|byte| *byte == b'<') {
            at += next + 1;
            let closes = bytes[at..].strip_prefix(b"/").is_some_and(|after| {
                after.len() >= name.len()
                    && after[..name.len()].eq_ignore_ascii_case(name.as_bytes())
            });
            if closes {
                self.rest = &self.rest[at - 1..];
                return;
            }
        }
        self.rest = "";
    }
}

/// The value of an attribute, still with its entities.
fn attribute<'a>(attributes: &'a str, wanted: &str) -> Option<&'a str> {
    // Longer lists are not written by people.
    const ATTRIBUTES_MAX: usize = 50;
    let mut rest = attributes;
    for _ in 0..ATTRIBUTES_MAX {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        let name_end = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        if name.is_empty() && after.is_empty() {
            return None;
        }
        let Some(value) = after.trim_start().strip_prefix('=').map(str::trim_start) else {
            rest = after;
            continue;
        };
        let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
        let (value, after) = match quote {
            Some(quote) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
            None => value.split_at(value.find(char::is_whitespace).unwrap_or(value.len())),
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = after;
    }
    None
}

/// Character references in their meaning; what is none stays as it is.
fn decode_entities(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        decoded.push_str(before);
        let end = from.bytes().take(40).position(|byte| byte == b';');
        let Some(end) = end else {
            decoded.push('&');
            rest = &from[1..];
            continue;
        };
        let (reference, after) = from.split_at(end + 1);
        match windows_1252_reference(reference) {
            Some(character) => decoded.push(character),
            None => {
                let token = reference.as_bytes();
                mail_parser::decoders::html::add_html_token(&mut decoded, token, false);
            }
        }
        rest = after;
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

/// Numbers 128 to 159 mean what Windows means by them (HTML, 13.2.5.80).
fn windows_1252_reference(reference: &str) -> Option<char> {
    let number: u8 = reference.strip_prefix("&#")?.strip_suffix(';')?.parse().ok()?;
    if !(128..160).contains(&number) {
        return None;
    }
    encoding_rs::WINDOWS_1252.decode_without_bom_handling(&[number]).0.chars().next()
}
