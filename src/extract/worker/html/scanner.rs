//! HTML cut into tags and text, in time that grows with its length whatever it contains.

use std::borrow::Cow;

pub enum Token<'a> {
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

pub struct Scanner<'a> {
    rest: &'a str,
    /// Off after the first quote without an end, so that a page full of them is still read once.
    quotes_count: bool,
}

impl<'a> Scanner<'a> {
    pub fn new(source: &'a str) -> Self {
        Scanner { rest: source, quotes_count: true }
    }

    pub fn next(&mut self) -> Option<Token<'a>> {
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
    pub fn skip_raw(&mut self, name: &str) {
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
pub fn attribute<'a>(attributes: &'a str, wanted: &str) -> Option<&'a str> {
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
pub fn decode_entities(text: &str) -> Cow<'_, str> {
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
