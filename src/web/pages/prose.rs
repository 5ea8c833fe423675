//! CommonMark that people wrote, as HTML that can only be read: pure functions.
//!
//! Nothing is cleaned afterwards. What the parser found passes a list of what may be shown, and
//! only then becomes HTML, so markup, pictures and scripts of the author never do. Every step takes
//! time in proportion to the text, however it is nested.

use pulldown_cmark::{Alignment, CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// Lists in lists and quotes in quotes beyond this are shown at this depth.
const DEPTH_MAX: usize = 16;

/// A short text, such as a description, with line breaks where they were typed.
pub fn prose(text: &str) -> String {
    html(Parser::new(text), |event| match event {
        Event::SoftBreak => Some(Event::HardBreak),
        Event::Start(Tag::Heading { .. }) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::Heading(_)) => Some(Event::End(TagEnd::Paragraph)),
        Event::Rule => None,
        event => Some(event),
    })
}

/// A whole text, with headings, which begin below those of the page around it, and tables.
pub fn page_of_prose(text: &str) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    html(Parser::new_ext(text, options), Some)
}

fn html<'a>(parser: Parser<'a>, of_this_kind: impl Fn(Event<'a>) -> Option<Event<'a>>) -> String {
    let mut depth = 0;
    let mut in_link = false;
    let events = parser
        .filter_map(as_shown)
        .filter_map(of_this_kind)
        .filter(|event| is_harmless_link(event, &mut in_link))
        .filter(|event| is_within_depth(event, &mut depth));
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, events);
    html
}

/// The event as it may be shown: markup as the text that was typed, a picture as its description,
/// nothing that carries attributes of the author's.
fn as_shown(event: Event<'_>) -> Option<Event<'_>> {
    Some(match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        Event::Start(tag) => Event::Start(match tag {
            Tag::HtmlBlock => Tag::Paragraph,
            Tag::CodeBlock(_) => Tag::CodeBlock(CodeBlockKind::Indented),
            Tag::Table(columns) => Tag::Table(vec![Alignment::None; columns.len()]),
            Tag::Heading { level, .. } => Tag::Heading {
                level: below(level),
                id: None,
                classes: Vec::new(),
                attrs: Vec::new(),
            },
            Tag::Link { link_type, dest_url, id, .. } => {
                Tag::Link { link_type, dest_url, title: "".into(), id }
            }
            Tag::Paragraph
            | Tag::BlockQuote(None)
            | Tag::List(_)
            | Tag::Item
            | Tag::TableHead
            | Tag::TableRow
            | Tag::TableCell
            | Tag::Emphasis
            | Tag::Strong
            | Tag::Strikethrough
            | Tag::MetadataBlock(_) => tag,
            _ => return None,
        }),
        Event::End(end) => Event::End(match end {
            TagEnd::HtmlBlock => TagEnd::Paragraph,
            TagEnd::Heading(level) => TagEnd::Heading(below(level)),
            TagEnd::Paragraph
            | TagEnd::BlockQuote(None)
            | TagEnd::CodeBlock
            | TagEnd::List(_)
            | TagEnd::Item
            | TagEnd::Table
            | TagEnd::TableHead
            | TagEnd::TableRow
            | TagEnd::TableCell
            | TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
            | TagEnd::Link
            | TagEnd::MetadataBlock(_) => end,
            _ => return None,
        }),
        Event::Text(_) | Event::Code(_) | Event::SoftBreak | Event::HardBreak | Event::Rule => {
            event
        }
        _ => return None,
    })
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

/// Of a link that leads to what is not the web, the text stays. (Links do not nest in CommonMark.)
fn is_harmless_link(event: &Event<'_>, in_link: &mut bool) -> bool {
    match event {
        Event::Start(Tag::Link { dest_url, .. }) => {
            *in_link = leads_to_the_web(dest_url);
            *in_link
        }
        Event::End(TagEnd::Link) => std::mem::take(in_link),
        _ => true,
    }
}

/// Whether an address is relative, or one of the few schemes that run nothing. What stands before
/// the first colon is a scheme unless a `/`, `?` or `#` came earlier (RFC 3986, 4.2).
fn leads_to_the_web(address: &str) -> bool {
    let Some((before, _)) = address.split_once(':') else { return true };
    before.contains(['/', '?', '#'])
        || ["http", "https", "mailto"].iter().any(|scheme| before.eq_ignore_ascii_case(scheme))
}

/// Drops the containers below the deepest that is shown, not what stands in them.
fn is_within_depth(event: &Event<'_>, depth: &mut usize) -> bool {
    match event {
        Event::Start(tag) if nests(&tag.to_end()) => {
            *depth += 1;
            *depth <= DEPTH_MAX
        }
        Event::End(end) if nests(end) => {
            *depth -= 1;
            *depth < DEPTH_MAX
        }
        _ => true,
    }
}

fn nests(end: &TagEnd) -> bool {
    matches!(
        end,
        TagEnd::BlockQuote(_)
            | TagEnd::List(_)
            | TagEnd::Item
            | TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
    )
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn prose_knows_paragraphs_emphasis_and_links() {
        assert_eq!(prose("One\ntwo.\r\n\r\n\nThree"), "<p>One<br />\ntwo.</p>\n<p>Three</p>\n");
        assert_eq!(
            prose("**Lists** `a < b`"),
            "<p><strong>Lists</strong> <code>a &lt; b</code></p>\n"
        );
        assert_eq!(prose("# Loud"), "<p>Loud</p>\n");
        assert_eq!(prose(" \n\n "), "");
    }

    #[test]
    fn links_lead_to_the_web_or_are_text() {
        for (address, shown) in [
            ("https://example.com", Some("https://example.com")),
            ("HTTP://example.com", Some("HTTP://example.com")),
            ("mailto:ana@example.com", Some("mailto:ana@example.com")),
            ("/documents?q=a:b", Some("/documents?q=a:b")),
            ("#part", Some("#part")),
            ("javascript:alert(1)", None),
            ("JavaScript&colon;alert(1)", None),
            ("<java\tscript:alert(1)>", None),
            ("< javascript:alert(1)>", None),
            ("data:text/html,x", None),
            ("\u{1}javascript:alert(1)", None),
            (":", None),
        ] {
            let html = prose(&format!("a [here]({address}) b"));
            match shown {
                Some(address) => {
                    assert_eq!(html, format!("<p>a <a href=\"{address}\">here</a> b</p>\n"));
                }
                None => assert!(!html.contains("<a"), "{address:?} became {html}"),
            }
        }
        assert_eq!(
            prose("<ana@example.com> <javascript:a()>"),
            "<p><a href=\"mailto:ana@example.com\">ana@example.com</a> javascript:a()</p>\n"
        );
    }

    #[test]
    fn prose_carries_nothing_that_could_run_or_load() {
        for hostile in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "![x](https://elsewhere.example/pixel.png)",
            "[![x](https://elsewhere.example/pixel.png)](https://elsewhere.example)",
            "<div>\n<style>p{}</style>\n</div>",
            "```\" onmouseover=\"a()\nx\n```",
            "[x](https://a.example \"\\\" onclick=a()\")",
            "|a|\n|-:|\n|b|\n",
        ] {
            for html in [prose(hostile), page_of_prose(hostile)] {
                // What the author typed is text, where every `<` is escaped.
                for tag in html.split('<').skip(1).filter_map(|rest| rest.split_once('>')) {
                    let is_link =
                        tag.0.starts_with("a href=\"https://") && tag.0.matches(' ').count() == 1;
                    assert!(is_link || !tag.0.contains(['=', ' ']) || tag.0 == "br /", "{html}");
                    assert!(!["script", "style", "div", "img"].contains(&tag.0), "{html}");
                }
            }
        }
        assert_eq!(prose("a <b> & c"), "<p>a &lt;b&gt; &amp; c</p>\n");
        assert_eq!(prose("![a tide table](x.png)"), "<p>a tide table</p>\n");
    }

    #[test]
    fn a_page_of_prose_has_headings_and_tables() {
        let html =
            page_of_prose("---\nkind: note\n---\n# Tides\n\n| at | m |\n|--|-:|\n| 6 | 2 |\n");
        assert!(html.starts_with("<h2>Tides</h2>\n<table>"), "{html}");
        assert!(html.contains("<td>6</td><td>2</td>"), "{html}");
    }

    #[test]
    fn what_is_nested_too_deep_is_shown_at_the_last_depth() {
        let html = prose(&format!("{}a", "> ".repeat(1_000)));
        assert_eq!(html.matches("<blockquote>").count(), DEPTH_MAX);
        assert_eq!(html.matches("</blockquote>").count(), DEPTH_MAX);
        assert!(html.contains("<p>a</p>"), "{html}");
    }

    /// Twice the text may take four times the time of half of it, not sixteen times.
    #[test]
    fn no_text_takes_time_in_the_square_of_its_length() {
        for unit in
            [">", "> ", "- ", "1. ", "[", "[a](", "![", "*a **a ", "*a_ ", "&", "<a ", "`a "]
        {
            let time = |length: usize| {
                let text = unit.repeat(length / unit.len());
                (0..3)
                    .map(|_| {
                        let began = Instant::now();
                        page_of_prose(&text);
                        began.elapsed()
                    })
                    .min()
                    .unwrap_or_default()
            };
            let (short, long) = (time(8_000), time(64_000));
            assert!(long < short * 32, "{unit:?}: {short:?}, eight times of it {long:?}");
        }
    }
}
