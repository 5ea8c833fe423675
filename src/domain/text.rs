//! Rules for the short texts that people type: what is trimmed, how long they may be, and how two
//! spellings of the same name are recognized.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::error::{Error, Result};

const TAGS_MAX: usize = 30;
const TAG_CHARS_MAX: usize = 50;

/// Trims a one-line text and folds runs of white space to one space.
///
/// # Errors
/// `Invalid` naming `field` when nothing is left, or when it is longer than `chars_max`.
pub fn line(field: &'static str, text: &str, chars_max: usize) -> Result<String> {
    let text = optional_line(field, text, chars_max)?;
    if text.is_empty() {
        return Err(Error::invalid_field(field, format!("Fill in the {}.", name(field))));
    }
    Ok(text)
}

/// [`line`], where nothing is an answer too.
pub fn optional_line(field: &'static str, text: &str, chars_max: usize) -> Result<String> {
    let visible: String = text
        .chars()
        .filter(|&c| !turns_text_around(c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let text = composed(&visible.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned();
    limit(field, &text, chars_max)?;
    Ok(text)
}

/// Trims a text of several lines; line ends become `\n`, other control characters go.
pub fn paragraph(field: &'static str, text: &str, chars_max: usize) -> Result<String> {
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    let text: String =
        unified.chars().filter(|&c| c == '\n' || c == '\t' || !c.is_control()).collect();
    let text = composed(text.trim()).into_owned();
    limit(field, &text, chars_max)?;
    Ok(text)
}

fn limit(field: &'static str, text: &str, chars_max: usize) -> Result<()> {
    let chars = text.chars().count();
    if chars > chars_max {
        let message = format!(
            "The {} is too long: {chars} characters, and at most {chars_max} are possible.",
            name(field)
        );
        return Err(Error::invalid_field(field, message));
    }
    Ok(())
}

fn name(field: &str) -> String {
    field.replace('_', " ")
}

/// Letters and their accents as one character each (Unicode NFC): a Mac sends them apart, and the
/// same name would be two.
fn composed(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

/// Characters that show what follows them in another direction: with one, `annex\u{202E}fdp.exe`
/// reads like a PDF. Right-to-left scripts need none of them.
fn turns_text_around(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The form in which names are compared: two that fold to the same are the same name.
///
/// There and back again, since one step is not enough: `ß`, `ẞ` and `SS` meet, `ſ` and `s`, `ς` and
/// `σ`. Compatible forms, such as the wide letters of East Asian keyboards, count as the plain ones
/// (Unicode NFKC).
pub fn fold(text: &str) -> String {
    let compatible = ComposingNormalizerBorrowed::new_nfkc();
    let lower = compatible.normalize(text).to_lowercase();
    // A final sigma looks like another letter than one within a word.
    let folded = lower.to_uppercase().to_lowercase().replace('ς', "σ");
    compatible.normalize(&folded).into_owned()
}

/// A user name: 2 to 64 letters, digits, `.`, `_` or `-`, and no `@`, so that it can never be
/// taken for an e-mail address at sign-in.
pub fn username(text: &str) -> Result<String> {
    let text = line("username", text, 64)?;
    let fits = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if !fits || text.chars().count() < 2 {
        return Err(Error::invalid_field(
            "username",
            "A username has 2 to 64 letters, digits, dots, hyphens or underscores.",
        ));
    }
    Ok(text)
}

/// An e-mail address, checked for the shape `local@domain` and no more: whether it exists, only a
/// mail to it can tell.
pub fn email(text: &str) -> Result<String> {
    let text = line("email", text, 254)?;
    let shaped = text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.is_empty()
            && !domain.starts_with('.')
            && !domain.ends_with('.')
            && !domain.contains('@')
    });
    if !shaped || text.contains(char::is_whitespace) {
        return Err(Error::invalid_field(
            "email",
            "This is not an e-mail address. It looks like name@example.com.",
        ));
    }
    Ok(text)
}

/// The name of a file without any path, safe to write into a header or an archive.
///
/// # Errors
/// `Invalid` when nothing is left of it.
pub fn filename(text: &str) -> Result<String> {
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept = |c: &char| !c.is_control() && !turns_text_around(*c);
    let name: String = last.chars().filter(kept).collect();
    let name = composed(&name);
    let name = name.trim().trim_start_matches("..").trim();
    if name.is_empty() || name == "." {
        return Err(Error::invalid_field("file", "The file has no name."));
    }
    Ok(shorten(name, 200))
}

/// Cuts a file name to at most `chars_max` characters and keeps its extension.
fn shorten(name: &str, chars_max: usize) -> String {
    if name.chars().count() <= chars_max {
        return name.to_owned();
    }
    let extension = match name.rsplit_once('.') {
        Some((_, extension)) if extension.chars().count() <= 12 => format!(".{extension}"),
        _ => String::new(),
    };
    let kept = chars_max - extension.chars().count();
    name.chars().take(kept).chain(extension.chars()).collect()
}

/// A title made from a file name: without the extension, underscores as spaces.
pub fn title_from_filename(filename: &str) -> String {
    let is_extension = |end: &str| {
        let is_word = end.chars().all(|c| c.is_ascii_alphanumeric());
        is_word && end.len() <= 8 && end.contains(|c: char| c.is_ascii_alphabetic())
    };
    let stem = match filename.rsplit_once('.') {
        Some((stem, end)) if !stem.is_empty() && is_extension(end) => stem,
        _ => filename,
    };
    let words = stem.replace('_', " ");
    let title = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if title.is_empty() { filename.to_owned() } else { title }
}

/// Tags as people type them, `a, b; c`: trimmed, without a leading `#`, each once, in order.
pub fn tags(texts: &[String]) -> Result<Vec<String>> {
    let mut tags: Vec<String> = Vec::new();
    for text in texts.iter().flat_map(|text| text.split([',', ';', '\n'])) {
        let typed = text.trim().trim_start_matches('#');
        let tag = optional_line("tags", typed, TAG_CHARS_MAX).map_err(|_| {
            let start: String = typed.chars().take(20).collect();
            let message =
                format!("The tag “{start}…” is too long: at most {TAG_CHARS_MAX} characters.");
            Error::invalid_field("tags", message)
        })?;
        if !tag.is_empty() && !tags.iter().any(|known| fold(known) == fold(&tag)) {
            tags.push(tag);
        }
        if tags.len() > TAGS_MAX {
            return Err(Error::invalid_field("tags", "A document has at most 30 tags."));
        }
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filename_loses_its_path_and_control_characters() {
        assert_eq!(filename("C:\\docs\\plan.pdf").unwrap(), "plan.pdf");
        assert_eq!(filename("../../etc/passwd").unwrap(), "passwd");
        assert_eq!(filename("a\r\nSet-Cookie: x.pdf").unwrap(), "aSet-Cookie: x.pdf");
        assert!(filename("..").is_err());
        assert!(filename("dir/").is_err());
    }

    #[test]
    fn a_long_filename_keeps_its_extension() {
        let long = format!("{}.pdf", "ä".repeat(300));
        let short = filename(&long).unwrap();
        assert_eq!(short.chars().count(), 200);
        assert!(short.ends_with(".pdf"));
    }

    #[test]
    fn tags_are_told_apart_without_regard_to_case() {
        let typed = ["#Budget, budget; 2026".to_owned(), "plan".to_owned()];
        assert_eq!(tags(&typed).unwrap(), ["Budget", "2026", "plan"]);
    }

    #[test]
    fn a_tag_that_is_too_long_is_named() {
        let typed =
            ["plan, minutes of the meeting in which the board of the harbor met".to_owned()];
        let refused = tags(&typed).unwrap_err().to_string();
        assert_eq!(refused, "The tag “minutes of the meeti…” is too long: at most 50 characters.");
    }

    #[test]
    fn an_address_needs_both_of_its_sides() {
        assert!(email("ann@example.com").is_ok());
        for wrong in ["ann", "@example.com", "ann@", "a b@example.com", "ann@.com"] {
            assert!(email(wrong).is_err(), "{wrong}");
        }
    }
}
