//! Small pieces that several pages show: times, choices, marked text, the pager.

use std::ops::Range;

use jiff::Timestamp;

use super::format;
use crate::domain::access::Role;

/// A point in time: for machines, at a glance, and in full on hover.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// RFC 3339, for `<time datetime>`; the pages' script keeps the text beside it fresh.
    pub iso: String,
    /// `3 minutes ago`.
    pub text: String,
    /// `21 November 2026, 14:05 UTC`.
    pub full: String,
}

impl Moment {
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        Moment {
            iso: at.to_string(),
            text: format::relative(at, now),
            full: format::date_and_time(at),
        }
    }
}

/// How serious something is: the colour and the icon of a message or badge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    Good,
    Warning,
    Bad,
    Accent,
}

impl Tone {
    /// The end of the class name: `badge--good`.
    pub fn key(self) -> &'static str {
        match self {
            Tone::Plain => "plain",
            Tone::Good => "good",
            Tone::Warning => "warning",
            Tone::Bad => "bad",
            Tone::Accent => "accent",
        }
    }

    pub fn icon(self) -> &'static str {
        match self {
            Tone::Plain | Tone::Accent => "info",
            Tone::Good => "check-circle",
            Tone::Warning | Tone::Bad => "alert",
        }
    }
}

/// One option of a `<select>`, a radio group or a checkbox list.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    pub value: String,
    pub label: String,
    /// A second line: an email address, "12 members".
    pub detail: String,
    pub selected: bool,
}

impl Choice {
    pub fn new(value: impl Into<String>, label: impl Into<String>, selected: bool) -> Self {
        Choice { value: value.into(), label: label.into(), detail: String::new(), selected }
    }

    /// The labels of those that are chosen.
    pub fn chosen(all: &[Choice]) -> String {
        let chosen = all.iter().filter(|choice| choice.selected);
        chosen.map(|choice| choice.label.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// One option that is a link, because the address holds the state.
#[derive(Clone, Debug, Default)]
pub struct ChoiceLink {
    pub label: String,
    pub href: String,
    pub selected: bool,
    /// How many there are; `None` where nobody counts.
    pub count: Option<u64>,
}

/// A value that a form carries along.
#[derive(Clone, Debug, Default)]
pub struct HiddenField {
    pub name: String,
    pub value: String,
}

impl HiddenField {
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        HiddenField { name: name.into(), value: value.into() }
    }
}

/// Text with the words that were searched for marked.
#[derive(Clone, Debug, Default)]
pub struct Marked {
    pub spans: Vec<Span>,
}

/// A stretch of [`Marked`] text.
#[derive(Clone, Debug, Default)]
pub struct Span {
    pub text: String,
    pub is_match: bool,
}

impl Marked {
    pub fn plain(text: impl Into<String>) -> Self {
        Marked { spans: vec![Span { text: text.into(), is_match: false }] }
    }

    /// Marks byte ranges of a text, given in order. A range that overlaps the one before it, or
    /// does not fall between characters, is left unmarked.
    pub fn ranges(text: &str, ranges: &[Range<usize>]) -> Self {
        let mut spans = Vec::with_capacity(ranges.len() * 2 + 1);
        let mut push = |text: &str, is_match| {
            if !text.is_empty() {
                spans.push(Span { text: text.to_owned(), is_match });
            }
        };
        let mut from = 0;
        for range in ranges.iter().filter(|range| !range.is_empty()) {
            let (Some(before), Some(matched)) =
                (text.get(from..range.start), text.get(range.clone()))
            else {
                continue;
            };
            push(before, false);
            push(matched, true);
            from = range.end;
        }
        push(text.get(from..).unwrap_or_default(), false);
        Marked { spans }
    }

    pub fn is_empty(&self) -> bool {
        self.spans.iter().all(|span| span.text.is_empty())
    }
}

/// What a role is called.
pub fn role_label(role: Role) -> &'static str {
    match role {
        Role::Viewer => "Viewer",
        Role::Editor => "Editor",
        Role::Manager => "Manager",
        Role::Admin => "Administrator",
    }
}

/// The way through a long list, by cursor: forward, and back to the start.
#[derive(Clone, Debug, Default)]
pub struct Pager {
    /// `None` on the first page.
    pub first_href: Option<String>,
    /// `None` on the last page.
    pub next_href: Option<String>,
}

impl Pager {
    pub fn is_needed(&self) -> bool {
        self.first_href.is_some() || self.next_href.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_marked_between_characters_only() {
        let texts = |marked: Marked| -> Vec<(String, bool)> {
            marked.spans.into_iter().map(|span| (span.text, span.is_match)).collect()
        };
        let span = |text: &str, is_match| (text.to_owned(), is_match);
        let text = "Größe und Maß";
        assert_eq!(texts(Marked::ranges(text, &[])), [span(text, false)]);
        let size = 0.."Größe".len();
        let both = Marked::ranges(text, &[size.clone(), 12..14]);
        assert_eq!(
            texts(both),
            [span("Größe", true), span(" und ", false), span("Ma", true), span("ß", false)]
        );
        // Inside the two bytes of ö, and before the range that came first.
        assert_eq!(texts(Marked::ranges(text, &[3..4, size.clone(), 0..2])).len(), 2);
        assert_eq!(texts(Marked::ranges(text, &[0..400])), [span(text, false)]);
    }
}
