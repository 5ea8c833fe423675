//! The words in HTML and SVG.
//!
//! The source is scanned in one pass, without a tree: a tree of a hostile page costs memory and
//! depth, and for searching only the words and the line ends matter.

mod scanner;

use encoding_rs::Encoding;

use super::output::{Lost, Output, Stop};
use super::plain;
use scanner::{Scanner, Token, attribute, decode_entities};

pub fn extract(bytes: &[u8], output: &mut Output) -> Result<(), Stop> {
    let bytes = plain::beginning(bytes, output);
    let source = plain::decode(bytes, declared_charset(bytes));
    Ok(push_words(&source, true, output)?)
}

/// An SVG is close enough to HTML: elements, text, a title, scripts and styles to leave out.
pub fn extract_svg(bytes: &[u8], output: &mut Output) -> Result<(), Stop> {
    let bytes = plain::beginning(bytes, output);
    Ok(push_words(&plain::decode(bytes, None), true, output)?)
}

/// Sends the words of an HTML text that is part of something else: its title is not the file's.
pub fn push(source: &str, output: &mut Output) -> Result<(), Lost> {
    push_words(source, false, output)
}

fn push_words(source: &str, is_whole_file: bool, output: &mut Output) -> Result<(), Lost> {
    let mut scanner = Scanner::new(source);
    let mut lines = Lines { output, is_at_start: true, preformatted: 0, in_cell: false };
    let mut title: Option<String> = None;
    let mut template_depth = 0usize;
    while let Some(token) = scanner.next() {
        match token {
            Token::Text(text) if template_depth > 0 || text.is_empty() => {}
            Token::Text(text) => match &mut title {
                Some(title) => title.push_str(&decode_entities(text)),
                None => lines.text(&decode_entities(text))?,
            },
            Token::Open { name, attributes } => match name.as_str() {
                "script" | "style" => scanner.skip_raw(&name),
                "template" => template_depth += 1,
                "title" => title = Some(String::new()),
                "html" => {
                    if let Some(tag) = attribute(attributes, "lang") {
                        lines.output.declare_language(tag);
                    }
                }
                "img" | "area" => {
                    if let Some(alternative) = attribute(attributes, "alt") {
                        lines.text(&format!(" {} ", decode_entities(alternative)))?;
                    }
                }
                name => lines.open(name)?,
            },
            Token::Close { name } => match name.as_str() {
                "template" => template_depth = template_depth.saturating_sub(1),
                "title" => {
                    if let Some(title) = title.take().filter(|_| is_whole_file) {
                        lines.output.title(&title)?;
                    }
                }
                name => lines.close(name)?,
            },
        }
        if lines.output.is_full() {
            break;
        }
    }
    Ok(())
}

/// Puts line ends where a browser would begin a new line. A row of a table is one line, whatever
/// its cells contain.
struct Lines<'a> {
    output: &'a mut Output,
    is_at_start: bool,
    preformatted: usize,
    in_cell: bool,
}

impl Lines<'_> {
    fn text(&mut self, text: &str) -> Result<(), Lost> {
        if self.preformatted > 0 {
            self.output.push(text)?;
        } else {
            self.output.push(&text.replace(['\n', '\r'], " "))?;
        }
        self.is_at_start &= text.trim().is_empty();
        Ok(())
    }

    fn open(&mut self, name: &str) -> Result<(), Lost> {
        match name {
            "pre" | "textarea" => {
                self.preformatted += 1;
                self.new_line("\n")
            }
            "td" | "th" => {
                self.in_cell = true;
                self.new_line("\t")
            }
            "tr" | "table" => {
                self.in_cell = false;
                self.new_line("\n")
            }
            "br" => {
                self.is_at_start = false;
                self.new_line("\n")
            }
            name if is_block(name) => self.new_line("\n"),
            _ => Ok(()),
        }
    }

    fn close(&mut self, name: &str) -> Result<(), Lost> {
        match name {
            "pre" | "textarea" => {
                self.preformatted = self.preformatted.saturating_sub(1);
                self.new_line("\n")
            }
            "td" | "th" => {
                self.in_cell = false;
                Ok(())
            }
            "tr" | "table" => {
                self.in_cell = false;
                self.new_line("\n")
            }
            "p" | "ul" | "ol" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.new_line("\n\n"),
            name if is_block(name) => self.new_line("\n"),
            _ => Ok(()),
        }
    }

    fn new_line(&mut self, line_end: &str) -> Result<(), Lost> {
        if self.in_cell {
            self.output.push("\t")?;
        } else if !self.is_at_start {
            self.output.push(line_end)?;
            self.is_at_start = true;
        }
        Ok(())
    }
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
