//! From the search engine's marks to those of the templates. The engine writes HTML, escaped, with
//! `<mark>` around the words that were found; the templates escape for themselves and take spans of
//! plain text. Nothing but these marks and five entities is understood, so that no other markup can
//! come through whatever the engine lets slip.

use super::{Marked, Span};

const BEGIN: &str = "<mark>";
const END: &str = "</mark>";

const ENTITIES: [(&str, char); 6] = [
    ("&amp;", '&'),
    ("&lt;", '<'),
    ("&gt;", '>'),
    ("&quot;", '"'),
    ("&#39;", '\''),
    ("&#x27;", '\''),
];

impl Marked {
    /// What the engine's HTML says, as plain text with marked spans.
    pub fn from_html(html: &str) -> Self {
        let mut spans = Vec::new();
        let mut push = |html: &str, is_match: bool| {
            if !html.is_empty() {
                spans.push(Span { text: unescape(html), is_match });
            }
        };
        let mut rest = html;
        while let Some((before, after)) = rest.split_once(BEGIN) {
            push(before, false);
            let (inside, behind) = after.split_once(END).unwrap_or((after, ""));
            push(inside, true);
            rest = behind;
        }
        push(rest, false);
        Marked { spans }
    }
}

fn unescape(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('&') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        match ENTITIES.iter().find(|(entity, _)| rest.starts_with(entity)) {
            Some((entity, character)) => {
                text.push(*character);
                rest = &rest[entity.len()..];
            }
            None => {
                text.push('&');
                rest = &rest[1..];
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(html: &str) -> Vec<(String, bool)> {
        let spans = Marked::from_html(html).spans;
        spans.into_iter().map(|span| (span.text, span.is_match)).collect()
    }

    fn span(text: &str, is_match: bool) -> (String, bool) {
        (text.to_owned(), is_match)
    }

    #[test]
    fn marks_become_spans() {
        assert_eq!(read(""), []);
        assert_eq!(read("Plan"), [span("Plan", false)]);
        assert_eq!(
            read("The <mark>annual</mark> <mark>report</mark>."),
            [
                span("The ", false),
                span("annual", true),
                span(" ", false),
                span("report", true),
                span(".", false)
            ]
        );
        assert_eq!(read("<mark>cut off"), [span("cut off", true)]);
    }

    #[test]
    fn text_comes_out_as_it_was_before_escaping() {
        assert_eq!(
            read("&lt;b&gt; &amp;amp; <mark>R&amp;D</mark> &#39;x&#x27; &quot;y&quot; & &unknown;"),
            [span("<b> &amp; ", false), span("R&D", true), span(" 'x' \"y\" & &unknown;", false)]
        );
    }

    #[test]
    fn other_markup_stays_text() {
        assert_eq!(read("<script>x</script>"), [span("<script>x</script>", false)]);
    }
}
