//! Characters in drawing order, put into reading order.
//!
//! That is the same for most scripts. Hebrew and Arabic are read from right to left, but most
//! programs draw each stretch of them from left to right, as it lies on the page; such a stretch is
//! turned around here. (Where glyphs are placed one by one from right to left, nothing is turned.)

/// How a glyph lies to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joint {
    /// Right after it.
    Close,
    /// After a gap.
    Gap,
    /// Before it on the same line.
    Back,
    /// On another line, or far off.
    Elsewhere,
}

#[derive(Default)]
pub struct Words {
    text: String,
    /// A stretch from right to left, as drawn: one entry for each glyph.
    stretch: Vec<String>,
}

impl Words {
    /// Adds what one glyph stands for.
    pub fn push(&mut self, glyph: &str, joint: Joint) {
        match joint {
            Joint::Elsewhere => {
                self.end_stretch();
                self.text.push('\n');
            }
            Joint::Gap if self.stretch.is_empty() => self.text.push(' '),
            Joint::Gap => self.stretch.push(" ".to_owned()),
            Joint::Back => self.end_stretch(),
            Joint::Close => {}
        }
        if glyph.chars().any(is_right_to_left) {
            self.stretch.push(glyph.to_owned());
        } else if !self.stretch.is_empty() && !glyph.chars().any(char::is_alphanumeric) {
            // Punctuation and blanks belong to whatever is around them.
            self.stretch.push(glyph.to_owned());
        } else {
            self.end_stretch();
            self.text.push_str(glyph);
        }
    }

    pub fn len(&self) -> usize {
        self.text.len() + self.stretch.len()
    }

    pub fn finish(mut self) -> String {
        self.end_stretch();
        self.text
    }

    fn end_stretch(&mut self) {
        let last_letter = self.stretch.iter().rposition(|g| g.chars().any(is_right_to_left));
        let after = last_letter.map_or(0, |at| at + 1);
        let (letters, rest) = self.stretch.split_at(after);
        self.text.extend(letters.iter().rev().map(String::as_str));
        self.text.extend(rest.iter().map(String::as_str));
        self.stretch.clear();
    }
}

/// The blocks of Hebrew, Arabic and their neighbors, with the forms that fonts use.
fn is_right_to_left(character: char) -> bool {
    matches!(character, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}')
        && character.is_alphabetic()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(glyphs: &[(&str, Joint)]) -> String {
        let mut words = Words::default();
        for (glyph, joint) in glyphs {
            words.push(glyph, *joint);
        }
        words.finish()
    }

    #[test]
    fn a_stretch_drawn_from_the_left_is_turned_around() {
        use Joint::*;
        let glyphs =
            [("ם", Close), ("ו", Close), ("ל", Close), ("ש", Close), ("ב", Gap), ("ט", Close)];
        assert_eq!(drawn(&glyphs), "טב שלום");
    }

    #[test]
    fn a_stretch_drawn_from_the_right_stays() {
        use Joint::*;
        assert_eq!(drawn(&[("ש", Close), ("ל", Back), ("ו", Back), ("ם", Back)]), "שלום");
    }

    #[test]
    fn other_scripts_and_numbers_end_a_stretch() {
        use Joint::*;
        let glyphs =
            [("a", Close), ("ב", Gap), ("א", Close), (".", Close), ("7", Gap), ("ג", Elsewhere)];
        assert_eq!(drawn(&glyphs), "a אב. 7\nג");
    }

    #[test]
    fn a_glyph_for_two_letters_is_not_torn() {
        assert_eq!(drawn(&[("م", Joint::Close), ("لا", Joint::Close)]), "لام");
    }
}
