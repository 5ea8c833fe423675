//! Text as it should be stored and searched: composed (NFC), without control characters, with
//! single blanks and at most one empty line in a row.

use icu_normalizer::ComposingNormalizerBorrowed;

/// Works piece by piece; remembers what the previous piece ended with.
pub struct Normalizer {
    composer: ComposingNormalizerBorrowed<'static>,
    /// Line ends at the end of what was given out so far; a page starts as if after many.
    line_ends: usize,
    /// A blank that is only given out if something follows on the same line.
    blank_is_due: bool,
}

impl Default for Normalizer {
    fn default() -> Self {
        Normalizer {
            composer: ComposingNormalizerBorrowed::new_nfc(),
            line_ends: LINE_ENDS_MAX,
            blank_is_due: false,
        }
    }
}

const LINE_ENDS_MAX: usize = 2;

impl Normalizer {
    /// Forgets the previous page, so that the next begins without blanks and empty lines.
    pub fn start_page(&mut self) {
        self.line_ends = LINE_ENDS_MAX;
        self.blank_is_due = false;
    }

    pub fn normalize(&mut self, raw: &str) -> String {
        let composed = self.composer.normalize(raw);
        let mut text = String::with_capacity(composed.len());
        let mut previous = '\0';
        for character in composed.chars() {
            match character {
                '\n' if previous == '\r' => {}
                '\n' | '\r' | '\x0b' | '\x0c' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                    self.line_end(&mut text);
                }
                blank if blank.is_whitespace() => self.blank_is_due = self.line_ends == 0,
                // Ligatures that fonts bring along (U+FB00 to FB06): people search for letters.
                '\u{fb00}' => self.visible(&mut text, "ff"),
                '\u{fb01}' => self.visible(&mut text, "fi"),
                '\u{fb02}' => self.visible(&mut text, "fl"),
                '\u{fb03}' => self.visible(&mut text, "ffi"),
                '\u{fb04}' => self.visible(&mut text, "ffl"),
                '\u{fb05}' | '\u{fb06}' => self.visible(&mut text, "st"),
                dropped if is_invisible(dropped) => {}
                other => self.visible(&mut text, other.encode_utf8(&mut [0; 4])),
            }
            previous = character;
        }
        text
    }

    fn line_end(&mut self, text: &mut String) {
        self.blank_is_due = false;
        if self.line_ends < LINE_ENDS_MAX {
            self.line_ends += 1;
            text.push('\n');
        }
    }

    fn visible(&mut self, text: &mut String, characters: &str) {
        if self.blank_is_due {
            text.push(' ');
            self.blank_is_due = false;
        }
        self.line_ends = 0;
        text.push_str(characters);
    }
}

/// Controls, soft hyphens, zero-width blanks, direction marks, byte order marks, replacement
/// characters, private use. Joiners (U+200C, U+200D) stay: they change words in Persian and Hindi.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff0}'..='\u{ffff}'
                | '\u{e000}'..='\u{f8ff}'
                | '\u{f0000}'..='\u{10ffff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalize(raw: &str) -> String {
        Normalizer::default().normalize(raw)
    }

    #[test]
    fn blanks_and_empty_lines_collapse() {
        assert_eq!(normalize("  a \t b\u{a0}c  \r\n\r\n\n\n  d"), "a b c\n\nd");
    }

    #[test]
    fn letters_are_composed_and_ligatures_opened() {
        assert_eq!(normalize("Gro\u{308}ße ﬁnden"), "Größe finden");
    }

    #[test]
    fn what_nobody_sees_is_dropped() {
        assert_eq!(normalize("a\u{ad}b\u{200b}c\0d\u{fffd}e\u{f123}f\x1b"), "abcdef");
    }

    #[test]
    fn pieces_join_as_if_they_were_one() {
        let mut normalizer = Normalizer::default();
        let joined: String =
            ["a ", " b\n", "\n\n", " c"].iter().map(|piece| normalizer.normalize(piece)).collect();
        assert_eq!(joined, "a b\n\nc");
    }
}
