//! Text as it should be stored and searched: composed (NFC), without control characters, with
//! single blanks and at most one empty line in a row. Tabs stand where [`CELL_END`] parted the
//! cells of a row, and nowhere else.

use std::{borrow::Cow, iter::repeat_n};

use icu_normalizer::ComposingNormalizerBorrowed;

/// Works piece by piece; remembers what the previous piece ended with.
pub struct Normalizer {
    composer: ComposingNormalizerBorrowed<'static>,
    simplifier: ComposingNormalizerBorrowed<'static>,
    /// Nothing visible has come on this page yet.
    is_page_start: bool,
    /// Line ends and a blank that are only given out if something visible follows.
    line_ends_due: usize,
    cell_ends_due: u32,
    blank_is_due: bool,
}

/// What a reader writes after a cell of a spreadsheet: the separator of units (ASCII). In other texts,
/// where hardly anybody uses it, it means the same.
pub const CELL_END: char = '\x1f';
/// So many in a row. The last column of a sheet may be far away.
pub const CELL_ENDS_MAX: u32 = 256;

impl Default for Normalizer {
    fn default() -> Self {
        Normalizer {
            composer: ComposingNormalizerBorrowed::new_nfc(),
            simplifier: ComposingNormalizerBorrowed::new_nfkc(),
            is_page_start: true,
            line_ends_due: 0,
            cell_ends_due: 0,
            blank_is_due: false,
        }
    }
}

/// One empty line in a row.
const LINE_ENDS_MAX: usize = 2;

impl Normalizer {
    /// Forgets the previous page: none begins or ends with blanks or empty lines.
    pub fn start_page(&mut self) {
        self.is_page_start = true;
        self.nothing_is_due();
    }

    fn nothing_is_due(&mut self) {
        self.line_ends_due = 0;
        self.cell_ends_due = 0;
        self.blank_is_due = false;
    }

    pub fn normalize(&mut self, raw: &str) -> String {
        let plain = self.plain_letters(raw);
        let composed = self.composer.normalize(&plain);
        let mut text = String::with_capacity(composed.len());
        let mut previous = '\0';
        for character in composed.chars() {
            match character {
                '\n' if previous == '\r' => {}
                '\n' | '\r' | '\x0b' | '\x0c' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                    self.line_ends_due = LINE_ENDS_MAX.min(self.line_ends_due + 1);
                    self.cell_ends_due = 0;
                }
                CELL_END => self.cell_ends_due = CELL_ENDS_MAX.min(self.cell_ends_due + 1),
                blank if blank.is_whitespace() => self.blank_is_due = true,
                dropped if is_invisible(dropped) => {}
                other => self.visible(&mut text, other.encode_utf8(&mut [0; 4])),
            }
            previous = character;
        }
        text
    }

    /// Ligatures (ﬁ), Arabic letters in the form of their place, letters of full or half width: what
    /// fonts and old encodings tell apart, people search as one.
    fn plain_letters<'a>(&self, raw: &'a str) -> Cow<'a, str> {
        if !raw.contains(is_presentation_form) {
            return Cow::Borrowed(raw);
        }
        let mut plain = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(start) = rest.find(is_presentation_form) {
            let (before, forms) = rest.split_at(start);
            let end = forms.find(|c| !is_presentation_form(c)).unwrap_or(forms.len());
            let (forms, after) = forms.split_at(end);
            plain.push_str(before);
            plain.push_str(&self.simplifier.normalize(forms));
            rest = after;
        }
        plain.push_str(rest);
        Cow::Owned(plain)
    }

    fn visible(&mut self, text: &mut String, characters: &str) {
        if !std::mem::take(&mut self.is_page_start) {
            text.extend(repeat_n('\n', self.line_ends_due));
            if self.blank_is_due && self.line_ends_due == 0 && self.cell_ends_due == 0 {
                text.push(' ');
            }
        }
        text.extend(repeat_n('\t', self.cell_ends_due as usize));
        self.nothing_is_due();
        text.push_str(characters);
    }
}

fn is_presentation_form(character: char) -> bool {
    matches!(character, '\u{fb00}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' | '\u{ff01}'..='\u{ffef}')
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
    fn tabs_part_cells_that_hold_something_or_stand_before_one() {
        assert_eq!(normalize("a\x1f b \x1f\x1fc\x1f\x1f\n\x1fd\x1f"), "a\tb\t\tc\n\td");
        assert_eq!(normalize("\x1fa"), "\ta");
    }

    #[test]
    fn letters_are_composed_and_ligatures_opened() {
        assert_eq!(normalize("Gro\u{308}ße ﬁnden, Stoﬀe"), "Größe finden, Stoffe");
        assert_eq!(normalize("ﻻ ｶﾞ Ｆｕｌｌ"), "لا ガ Full");
    }

    #[test]
    fn what_nobody_sees_is_dropped() {
        assert_eq!(normalize("a\u{ad}b\u{200b}c\0d\u{fffd}e\u{f123}f\x1b"), "abcdef");
    }

    #[test]
    fn pieces_join_as_if_they_were_one() {
        let mut normalizer = Normalizer::default();
        let joined: String = ["a ", " b\n", "\n\n", " c", "\n \n"]
            .iter()
            .map(|piece| normalizer.normalize(piece))
            .collect();
        assert_eq!(joined, "a b\n\nc");
    }
}
