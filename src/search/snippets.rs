//! Showing where a hit was found: its title with the words marked, and a few words around the best
//! place in its description and body.
//!
//! Cutting a text into words is the dearest part of an answer, so a page of hits has a budget of
//! bytes. In a long body only the places where a cheap search sees the beginning of a word are
//! cut. A hit that comes too late for the budget is shown without a snippet, never without itself.

use std::ops::Range;

use super::{
    marks::{Mark, Marker},
    request::{Snippet, Source},
};

/// Bytes that may be cut into words for one page of hits, and for one hit.
const PAGE_BYTES_MAX: usize = 640 * 1024;
const HIT_BYTES_MAX: usize = 64 * 1024;
/// A text up to this size is cut as a whole; of a longer one, windows.
const WHOLE_BYTES_MAX: usize = 1024;
/// Some snippets long, so that words that stand together are seen together.
const WINDOW_BYTES: usize = 768;
/// Where no window shows anything, the beginning of the text is cut.
const BEGINNING_BYTES: usize = 8 * 1024;
const WINDOWS_MAX: usize = 8;
/// Searching for letters is so much cheaper than cutting words.
const SEARCH_DISCOUNT: usize = 16;
/// Length of a snippet, and how much of it stands before the first mark, in bytes.
const SNIPPET_BYTES: usize = 240;
const BEFORE_BYTES: usize = 70;
/// A title is shown up to this length.
const TITLE_BYTES_MAX: usize = 1_000;
const FORM_FEED: char = '\u{C}';

/// Marks words for one page of hits.
pub(super) struct Snippets {
    marker: Marker,
    page_bytes: usize,
}

impl Snippets {
    pub fn new(marker: Marker) -> Self {
        Snippets { marker, page_bytes: PAGE_BYTES_MAX }
    }

    /// True when there is nothing to mark.
    pub fn are_empty(&self) -> bool {
        self.marker.is_empty()
    }

    /// A whole short text as HTML; the second value says whether anything is marked in it.
    pub fn whole(&mut self, text: &str) -> (String, bool) {
        let end = text.floor_char_boundary(TITLE_BYTES_MAX);
        let marks = self.find(text, 0..end);
        (html(text, 0..end, &marks), !marks.is_empty())
    }

    /// The best place in a text, if any word stands in it.
    pub fn best(&mut self, text: &str, source: Source) -> Option<Snippet> {
        if self.marker.is_empty() || text.is_empty() {
            return None;
        }
        let windows = self.windows(text);
        let is_whole = windows.as_slice() == [0..text.len()];
        let mut best = self.best_of(text, windows);
        if best.is_none() && !is_whole {
            // Letters stand there in another form, with accents say.
            best = self.best_of(text, vec![0..text.floor_char_boundary(BEGINNING_BYTES)]);
        }
        let fragment = best?;
        let range = around(text, &fragment);
        let has_pages = source == Source::Body && text.contains(FORM_FEED);
        let page = has_pages.then(|| text[..range.start].matches(FORM_FEED).count() as u32 + 1);
        Some(Snippet { source, html: html_with_dots(text, range, &fragment.marks), page })
    }

    /// The stretch with the most clauses in these windows.
    fn best_of(&mut self, text: &str, windows: Vec<Range<usize>>) -> Option<Fragment> {
        let mut bytes_left = HIT_BYTES_MAX.min(self.page_bytes);
        let mut best: Option<Fragment> = None;
        for window in windows {
            if window.len() > bytes_left {
                break;
            }
            bytes_left -= window.len();
            let marks = self.find(text, window);
            let Some(fragment) = Fragment::best(marks) else { continue };
            if best.as_ref().is_none_or(|best| fragment.patterns > best.patterns) {
                best = Some(fragment);
            }
            if best.as_ref().is_some_and(|best| best.patterns == self.marker.patterns()) {
                break;
            }
        }
        best
    }

    fn find(&mut self, text: &str, within: Range<usize>) -> Vec<Mark> {
        if self.marker.is_empty() {
            return Vec::new();
        }
        self.page_bytes = self.page_bytes.saturating_sub(within.len());
        self.marker.find(text, within)
    }

    /// The parts of a text that are worth cutting, best first.
    fn windows(&mut self, text: &str) -> Vec<Range<usize>> {
        if text.len() <= WHOLE_BYTES_MAX {
            return vec![0..text.len()];
        }
        let mut windows: Vec<Range<usize>> = Vec::new();
        for lead in self.marker.leads() {
            let mut from = 0;
            for _ in 0..WINDOWS_MAX / 2 {
                let Some(at) = find_letters(text, lead, from) else { break };
                let start = word_start(text, at.saturating_sub(BEFORE_BYTES * 2));
                let end = text.floor_char_boundary(start + WINDOW_BYTES);
                from = end;
                if windows.len() < WINDOWS_MAX && !windows.iter().any(|seen| seen.contains(&at)) {
                    windows.push(start..end);
                }
            }
        }
        let searched = text.len() * self.marker.patterns() / SEARCH_DISCOUNT;
        self.page_bytes = self.page_bytes.saturating_sub(searched);
        windows
    }
}

/// The marks that are close together.
struct Fragment {
    marks: Vec<Mark>,
    /// How many of the clauses are among them.
    patterns: usize,
}

impl Fragment {
    /// The marks of a stretch as long as a snippet with the most clauses, then with the most marks.
    fn best(marks: Vec<Mark>) -> Option<Fragment> {
        let mut best: Option<(usize, Range<usize>)> = None;
        for first in 0..marks.len() {
            let end = marks[first].range.start + SNIPPET_BYTES - BEFORE_BYTES;
            let rest = &marks[first..];
            let count = rest.iter().take_while(|mark| mark.range.end <= end).count().max(1);
            let mut patterns: Vec<usize> = rest[..count].iter().map(|mark| mark.pattern).collect();
            patterns.sort_unstable();
            patterns.dedup();
            let better = best
                .as_ref()
                .is_none_or(|(most, range)| (patterns.len(), count) > (*most, range.len()));
            if better {
                best = Some((patterns.len(), first..first + count));
            }
        }
        let (patterns, range) = best?;
        Some(Fragment { marks: marks[range].to_vec(), patterns })
    }
}

/// The stretch of text to show: from the beginning of a sentence if one is near, else of a word,
/// and never over the end of a page.
fn around(text: &str, fragment: &Fragment) -> Range<usize> {
    // A fragment has at least one mark.
    let first = fragment.marks.first().map_or(0, |mark| mark.range.start);
    let last = fragment.marks.iter().map(|mark| mark.range.end).max().unwrap_or(first);
    let earliest = text.ceil_char_boundary(first.saturating_sub(BEFORE_BYTES));
    let before = &text[earliest..first];
    let start = match before.rfind(FORM_FEED).or_else(|| sentence_end(before)) {
        Some(end) => earliest + end + 1,
        None => word_start(text, earliest).min(first),
    };
    let start = start + text[start..first].len() - text[start..first].trim_start().len();
    let latest = text.floor_char_boundary((start + SNIPPET_BYTES).max(last));
    let after = &text[last..latest];
    let end = match after.find(FORM_FEED) {
        Some(end) => last + end,
        None if latest == text.len() => latest,
        None => last + after.rfind(char::is_whitespace).unwrap_or(after.len()),
    };
    start..end
}

/// Where the last sentence before a place ends: the byte before its following space.
fn sentence_end(before: &str) -> Option<usize> {
    let bytes = before.as_bytes();
    (1..bytes.len())
        .rev()
        .find(|&at| bytes[at].is_ascii_whitespace() && matches!(bytes[at - 1], b'.' | b'!' | b'?'))
}

/// The start of the first word that begins at `at` or behind it; `at` itself in scripts without
/// spaces.
fn word_start(text: &str, at: usize) -> usize {
    let at = text.ceil_char_boundary(at);
    if at == 0 || text[..at].ends_with(char::is_whitespace) {
        return at;
    }
    let near = &text[at..text.floor_char_boundary(at + BEFORE_BYTES / 2)];
    match near.char_indices().find(|(_, letter)| letter.is_whitespace()) {
        Some((space, letter)) => at + space + letter.len_utf8(),
        None => at,
    }
}

/// The first place from `from` on where these letters stand at the beginning of a word. ASCII
/// letters are found in either case; others as they are.
fn find_letters(text: &str, letters: &str, from: usize) -> Option<usize> {
    let from = text.ceil_char_boundary(from);
    let first = letters.as_bytes().first()?;
    if !letters.is_ascii() {
        return text[from..].find(letters).map(|at| from + at);
    }
    let bytes = text.as_bytes();
    let either_case = [first.to_ascii_lowercase(), first.to_ascii_uppercase()];
    let starts_word = |at: usize| at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
    let stands_at = |at: usize| {
        let found = bytes.get(at..at + letters.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(letters.as_bytes()))
    };
    memchr::memchr2_iter(either_case[0], either_case[1], &bytes[from..])
        .map(|at| from + at)
        .find(|&at| starts_word(at) && stands_at(at))
}

fn html_with_dots(text: &str, range: Range<usize>, marks: &[Mark]) -> String {
    let starts_inside = !matches!(
        text[..range.start].trim_end_matches(' ').chars().last(),
        None | Some('.' | '!' | '?' | '\n' | FORM_FEED)
    );
    let ends_inside = !text[range.end..].trim().is_empty();
    let mut shown = String::new();
    if starts_inside {
        shown.push('…');
    }
    shown.push_str(&html(text, range, marks));
    if ends_inside {
        shown.push('…');
    }
    shown
}

/// Escapes a stretch of text and puts `<mark>` around the marks in it. Runs of white space become
/// one space.
fn html(text: &str, range: Range<usize>, marks: &[Mark]) -> String {
    let mut html = String::with_capacity(range.len() + 32);
    let mut at = range.start;
    for mark in merged(marks) {
        let start = mark.start.clamp(at, range.end);
        let end = mark.end.clamp(start, range.end);
        if start == end {
            continue;
        }
        escape(&text[at..start], &mut html);
        html.push_str("<mark>");
        escape(&text[start..end], &mut html);
        html.push_str("</mark>");
        at = end;
    }
    escape(&text[at..range.end], &mut html);
    html
}

/// The ranges of the marks, those that overlap as one. Marks come by their start.
fn merged(marks: &[Mark]) -> Vec<Range<usize>> {
    let mut merged: Vec<Range<usize>> = Vec::new();
    for mark in marks {
        match merged.last_mut() {
            Some(last) if mark.range.start < last.end => last.end = last.end.max(mark.range.end),
            _ => merged.push(mark.range.clone()),
        }
    }
    merged
}

fn escape(text: &str, html: &mut String) {
    let mut after_space = false;
    for letter in text.chars() {
        let is_space = letter.is_whitespace() || letter.is_control();
        match letter {
            _ if is_space && after_space => {}
            _ if is_space => html.push(' '),
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(letter),
        }
        after_space = is_space;
    }
}
