//! Numbers, sizes and times as people read them: pure functions, used by the view models and,
//! through [`filters`](super::filters), by the templates.

use jiff::{Timestamp, tz::TimeZone};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::size::Size;

/// `1204` → `1,204`.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1, "document", "documents"` → `1 document`; `1204, …` → `1,204 documents`.
pub fn count(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(value), if value == 1 { one } else { many })
}

/// `2_400_000` → `2.4 MB`.
pub fn bytes(size_bytes: u64) -> String {
    Size(size_bytes).to_string()
}

/// `21 Nov 2026`, in UTC.
pub fn date(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%-d %b %Y").to_string()
}

/// `21 November 2026, 14:05 UTC`.
pub fn date_and_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%-d %B %Y, %H:%M UTC").to_string()
}

/// `3 minutes ago`, `in 2 hours`; beyond 30 days the date. The pages' script
/// (`scripts/times.js`) refreshes the text in the same words.
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.duration_since(now).as_secs();
    let away = seconds.unsigned_abs();
    let (value, one, many) = match away {
        0..45 => return "just now".to_owned(),
        45..3570 => ((away + 30) / 60, "minute", "minutes"),
        3570..84_600 => ((away + 1800) / 3600, "hour", "hours"),
        84_600..2_592_000 => ((away + 43_200) / 86_400, "day", "days"),
        _ => return date(at),
    };
    let (value, text) = match value.max(1) {
        1 if one == "day" && seconds < 0 => return "yesterday".to_owned(),
        1 if one == "day" => return "tomorrow".to_owned(),
        value => (value, if value == 1 { one } else { many }),
    };
    if seconds < 0 { format!("{value} {text} ago") } else { format!("in {value} {text}") }
}

/// `1500 ms` → `1.5 s`, `95_000` → `1 min 35 s`: how long a job took.
pub fn duration_ms(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds} ms"),
        1000..9_950 => format!("{:.1} s", milliseconds as f64 / 1000.0),
        9_950..60_000 => format!("{} s", (milliseconds + 500) / 1000),
        60_000..3_600_000 => {
            format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1000)
        }
        _ => format!("{} h {} min", milliseconds / 3_600_000, milliseconds % 3_600_000 / 60_000),
    }
}

/// When a wait is over, for a sentence: `47 seconds`, `3 minutes`. Rounded up, so that whoever
/// comes back then is let in.
pub fn wait_s(seconds: u64) -> String {
    match seconds {
        0..90 => count(seconds.max(1), "second", "seconds"),
        90..5400 => count(seconds.div_ceil(60), "minute", "minutes"),
        _ => count(seconds.div_ceil(3600), "hour", "hours"),
    }
}

/// The letters in a person's round picture: `Ana María López` → `AL`.
pub fn initials(name: &str) -> String {
    let mut words =
        name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let first = words.next();
    let last = words.next_back();
    let letters: String = first.into_iter().chain(last).flat_map(char::to_uppercase).collect();
    if letters.is_empty() { "?".to_owned() } else { letters }
}

/// CommonMark as HTML, with line breaks where they were typed. Markup of its own, pictures and what
/// could run code show as what was written.
pub fn prose(text: &str) -> String {
    let events = Parser::new(text).map(as_written).map(|event| match event {
        Event::SoftBreak => Event::HardBreak,
        event => event,
    });
    harmless(events, &[])
}

/// A whole text in CommonMark, with tables and headings; these begin below those of the page around
/// it.
pub fn page_of_prose(text: &str) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let events = Parser::new_ext(text, options).map(as_written).map(|event| match event {
        Event::Start(Tag::Heading { level, .. }) => Event::Start(Tag::Heading {
            level: below(level),
            id: None,
            classes: Vec::new(),
            attrs: Vec::new(),
        }),
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(below(level))),
        event => event,
    });
    let tags =
        ["h2", "h3", "h4", "h5", "h6", "hr", "del", "table", "thead", "tbody", "tr", "th", "td"];
    harmless(events, &tags)
}

fn below(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H2,
        HeadingLevel::H2 => HeadingLevel::H3,
        HeadingLevel::H3 => HeadingLevel::H4,
        HeadingLevel::H4 => HeadingLevel::H5,
        HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    }
}

/// Markup of its own becomes what was typed.
fn as_written(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        event => event,
    }
}

fn harmless<'a>(events: impl Iterator<Item = Event<'a>>, more_tags: &[&str]) -> String {
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, events);
    let tags = ["p", "br", "strong", "em", "code", "pre", "ul", "ol", "li", "blockquote", "a"];
    ammonia::Builder::new()
        .tags(tags.iter().chain(more_tags).copied().collect())
        .url_schemes(["http", "https", "mailto"].into())
        .link_rel(Some("noopener noreferrer"))
        .clean(&html)
        .to_string()
}

/// Percent-encodes a value for a query string (RFC 3986: only unreserved characters stay).
pub fn query_value(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// An address with the fields that are not empty behind its `?`.
pub fn address(path: &str, fields: &[(&str, &str)]) -> String {
    let mut address = path.to_owned();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        address.push(if address.len() == path.len() { '?' } else { '&' });
        address.push_str(&format!("{name}={}", query_value(value)));
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        for (value, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (1_204, "1,204"), (12_345_678, "12,345,678")]
        {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn counts_have_a_plural() {
        assert_eq!(count(0, "document", "documents"), "0 documents");
        assert_eq!(count(1, "document", "documents"), "1 document");
        assert_eq!(count(1204, "document", "documents"), "1,204 documents");
        assert_eq!(count(2, "person", "people"), "2 people");
    }

    #[test]
    fn times_are_told_from_now() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let ago = |seconds: i64| relative(now - jiff::SignedDuration::from_secs(seconds), now);
        for (seconds, text) in [
            (0, "just now"),
            (44, "just now"),
            (45, "1 minute ago"),
            (180, "3 minutes ago"),
            (3569, "59 minutes ago"),
            (3570, "1 hour ago"),
            (7200, "2 hours ago"),
            (84_599, "23 hours ago"),
            (86_400, "yesterday"),
            (3 * 86_400, "3 days ago"),
            (40 * 86_400, "12 Oct 2026"),
            (-120, "in 2 minutes"),
            (-86_400, "tomorrow"),
            (-5 * 86_400, "in 5 days"),
        ] {
            assert_eq!(ago(seconds), text, "{seconds} s");
        }
        assert_eq!(date(now), "21 Nov 2026");
        assert_eq!(date_and_time(now), "21 November 2026, 12:00 UTC");
    }

    #[test]
    fn durations_and_waits_fit_their_size() {
        assert_eq!(duration_ms(412), "412 ms");
        assert_eq!(duration_ms(1_500), "1.5 s");
        assert_eq!(duration_ms(9_990), "10 s");
        assert_eq!(duration_ms(95_000), "1 min 35 s");
        assert_eq!(duration_ms(7_260_000), "2 h 1 min");
        assert_eq!(wait_s(0), "1 second");
        assert_eq!(wait_s(47), "47 seconds");
        assert_eq!(wait_s(121), "3 minutes");
        assert_eq!(wait_s(7201), "3 hours");
    }

    #[test]
    fn initials_come_from_the_first_and_last_name() {
        assert_eq!(initials("Ana María López"), "AL");
        assert_eq!(initials("øyvind"), "Ø");
        assert_eq!(initials("(Li) Wei"), "LW");
        assert_eq!(initials(" - "), "?");
    }

    #[test]
    fn prose_knows_paragraphs_emphasis_and_links() {
        assert_eq!(prose("One\ntwo.\r\n\r\n\nThree"), "<p>One<br>\ntwo.</p>\n<p>Three</p>\n");
        assert_eq!(
            prose("**Lists** `a < b`"),
            "<p><strong>Lists</strong> <code>a &lt; b</code></p>\n"
        );
        assert_eq!(
            prose("[here](https://example.com)"),
            "<p><a href=\"https://example.com\" rel=\"noopener noreferrer\">here</a></p>\n"
        );
        assert_eq!(prose(" \n\n "), "");
    }

    #[test]
    fn prose_carries_nothing_that_could_run_or_load() {
        for hostile in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "[x](javascript:alert(1))",
            "![x](https://elsewhere.example/pixel.png)",
            "<div>\n<style>p{}</style>\n</div>",
        ] {
            for html in [prose(hostile), page_of_prose(hostile)] {
                for tag in ["<script", "<img", "<style", "<div", "href=\"javascript"] {
                    assert!(!html.contains(tag), "{hostile} became {html}");
                }
            }
        }
        assert_eq!(prose("a <b> & c"), "<p>a &lt;b&gt; &amp; c</p>\n");
    }

    #[test]
    fn a_page_of_prose_has_headings_and_tables() {
        let html =
            page_of_prose("---\nkind: note\n---\n# Tides\n\n| at | m |\n|--|--|\n| 6 | 2 |\n");
        assert!(html.starts_with("<h2>Tides</h2>\n<table>"), "{html}");
        assert!(html.contains("<td>6</td>"), "{html}");
    }

    #[test]
    fn query_values_are_encoded() {
        assert_eq!(query_value("annual report & café"), "annual%20report%20%26%20caf%C3%A9");
    }
}
