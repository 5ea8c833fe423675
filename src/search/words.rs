//! Cutting text into the pieces under which it is found: used for indexing, for what a person
//! types, and for highlighting, so that the three always agree.
//!
//! * A **word** is a run of letters, digits and the marks on them; everything else separates.
//!   `INV-2024-001` is three words in a row, found whole as a phrase and each by itself.
//! * A **part** is a piece of a word whose inside changes from letters to digits or from lower to
//!   upper case: `Report2024` is also found by `report` and by `2024`.
//! * **Joined** words are tied by a hyphen, an apostrophe or the dots of initials: `e-mail` is also
//!   found as `email`, `O'Brien` as `obrien`, `U.S.A.` as `usa`.
//! * Scripts that put no space between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) and
//!   Korean, which ties particles to them, are cut into overlapping **pairs** of characters. Two
//!   or more characters are then found anywhere as a phrase of pairs; one alone as the beginning of
//!   a pair, or as the **last** character of its run.

use super::fold;

/// Most parts and most joined words that are taken as such; more is not a word but a code.
const PARTS_MAX: usize = 4;
const JOINED_MAX: usize = 3;
const INITIALS_MAX: usize = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Part,
    Joined,
    Pair,
    Last,
}

/// One piece of a text: where it stands, and which place it takes in the row of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub kind: Kind,
    /// Byte offsets in the text.
    pub start: usize,
    pub end: usize,
    /// Parts and joined words stand at the position of the (first) word they belong to.
    pub position: usize,
}

impl Piece {
    /// Appends the piece of `text` in the form in which it is indexed.
    pub fn fold(&self, text: &str, folded: &mut String) {
        match self.kind {
            Kind::Joined => fold::fold_word(&without_joiners(&text[self.start..self.end]), folded),
            _ => fold::fold_word(&text[self.start..self.end], folded),
        }
    }

    /// Appends the piece of `text` in lower case, accents kept: what a stemmer reads.
    pub fn lower(&self, text: &str, lowered: &mut String) {
        match self.kind {
            Kind::Joined => {
                fold::lower_word(&without_joiners(&text[self.start..self.end]), lowered)
            }
            _ => fold::lower_word(&text[self.start..self.end], lowered),
        }
    }
}

/// Walks through a text piece by piece; never fails and never looks back.
pub(super) struct Pieces<'t> {
    text: &'t str,
    at: usize,
    position: usize,
    /// Parts and a joined word that wait behind the word they belong to; read from the front.
    waiting: Vec<Piece>,
    waiting_read: usize,
    chain: Option<Chain>,
}

/// Words tied together so far.
#[derive(Clone, Copy)]
struct Chain {
    start: usize,
    position: usize,
    words: usize,
    is_initials: bool,
}

impl<'t> Pieces<'t> {
    pub fn new(text: &'t str) -> Self {
        Pieces { text, at: 0, position: 0, waiting: Vec::new(), waiting_read: 0, chain: None }
    }

    fn cut_word(&mut self, start: usize) -> Piece {
        let (end, may_change) = scan_word(self.text, start);
        let word = Piece { kind: Kind::Word, start, end, position: self.position };
        self.at = end;
        self.position += 1;
        if may_change && changes_inside(&self.text[start..end]) {
            self.cut_parts(word);
        }
        self.follow_chain(word);
        word
    }

    /// One step through a run of characters without spaces: a pair, or the last one.
    fn cut_pair(&mut self, start: usize) -> Piece {
        let first = char_at(self.text, start).map_or(1, char::len_utf8);
        let middle = start + first;
        let second = char_at(self.text, middle).filter(|&next| class(next) == Class::Pair);
        let (kind, end) = match second {
            Some(second) => (Kind::Pair, middle + second.len_utf8()),
            None => (Kind::Last, middle),
        };
        let piece = Piece { kind, start, end, position: self.position };
        self.at = middle;
        self.position += 1;
        piece
    }

    fn cut_parts(&mut self, word: Piece) {
        let text = &self.text[word.start..word.end];
        let first_new = self.waiting.len();
        let mut pieces = 0;
        let mut start = 0;
        let mut letters = text.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            let Some(&(next_at, next)) = letters.peek() else {
                pieces += 1;
                self.push_part(word, start, text.len());
                break;
            };
            let ends_capitals = letter.is_uppercase()
                && next.is_lowercase()
                && text[start..at].chars().last().is_some_and(char::is_uppercase);
            if ends_capitals {
                pieces += 1;
                self.push_part(word, start, at);
                start = at;
            }
            let changes = letter.is_numeric() != next.is_numeric() && !fold::is_mark(next);
            if changes || (letter.is_lowercase() && next.is_uppercase()) {
                pieces += 1;
                self.push_part(word, start, next_at);
                start = next_at;
            }
        }
        if pieces > PARTS_MAX {
            self.waiting.truncate(first_new);
        }
    }

    fn push_part(&mut self, word: Piece, start: usize, end: usize) {
        let (start, end) = (word.start + start, word.start + end);
        let is_whole_word = start == word.start && end == word.end;
        if !is_whole_word && self.text[start..end].chars().nth(1).is_some() {
            self.waiting.push(Piece { kind: Kind::Part, start, end, position: word.position });
        }
    }

    /// Ties this word to the one before it, and lets the joined word wait when the chain ends here.
    fn follow_chain(&mut self, word: Piece) {
        let mut chain = self.chain.take().unwrap_or(Chain {
            start: word.start,
            position: word.position,
            words: 0,
            is_initials: false,
        });
        chain.words += 1;
        if let Some(is_initials) = self.ties_on(word)
            && (chain.words == 1 || chain.is_initials == is_initials)
        {
            chain.is_initials = is_initials;
            self.chain = Some(chain);
            return;
        }
        let words_max = if chain.is_initials { INITIALS_MAX } else { JOINED_MAX };
        if (2..=words_max).contains(&chain.words) {
            let (start, end, position) = (chain.start, word.end, chain.position);
            self.waiting.push(Piece { kind: Kind::Joined, start, end, position });
        }
    }

    /// Whether a single joiner leads from this word to the next; true inside for initials.
    fn ties_on(&self, word: Piece) -> Option<bool> {
        let joiner = char_at(self.text, word.end)?;
        let next_start = word.end + joiner.len_utf8();
        let next = char_at(self.text, next_start).filter(|&next| class(next) == Class::Letter)?;
        if is_hyphen_or_apostrophe(joiner) {
            return Some(false);
        }
        let is_initial = joiner == '.'
            && is_one_letter(&self.text[word.start..word.end])
            && char_at(self.text, next_start + next.len_utf8())
                .is_none_or(|after| class(after) != Class::Letter);
        is_initial.then_some(true)
    }
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if let Some(&piece) = self.waiting.get(self.waiting_read) {
            self.waiting_read += 1;
            return Some(piece);
        }
        self.waiting.clear();
        self.waiting_read = 0;
        while let Some(letter) = char_at(self.text, self.at) {
            match class(letter) {
                Class::Letter => return Some(self.cut_word(self.at)),
                Class::Pair => return Some(self.cut_pair(self.at)),
                Class::Mark | Class::Other => self.at += letter.len_utf8(),
            }
        }
        None
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Pair,
    Mark,
    Other,
}

fn class(letter: char) -> Class {
    if letter.is_ascii() {
        return if letter.is_ascii_alphanumeric() { Class::Letter } else { Class::Other };
    }
    let is_letter = letter.is_alphanumeric();
    if is_written_without_spaces(letter as u32) {
        if is_letter || fold::is_mark(letter) || is_thai_sign(letter) {
            Class::Pair
        } else {
            Class::Other
        }
    } else if is_letter {
        Class::Letter
    } else if fold::is_mark(letter) {
        Class::Mark
    } else {
        Class::Other
    }
}

fn is_written_without_spaces(code: u32) -> bool {
    matches!(code,
        0x0E00..=0x0EFF      // Thai, Lao
        | 0x1000..=0x109F    // Burmese
        | 0x1100..=0x11FF    // Hangul jamo
        | 0x1780..=0x17FF    // Khmer
        | 0x3005..=0x3007 | 0x3040..=0x318F | 0x31A0..=0x31BF | 0x31F0..=0x31FF
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xAC00..=0xD7FF | 0xF900..=0xFAFF
        | 0xFF66..=0xFFDC    // halfwidth kana and Hangul
        | 0x20000..=0x323AF)
}

/// Thai and Lao signs that are neither letters nor have a combining class.
fn is_thai_sign(letter: char) -> bool {
    matches!(letter as u32, 0x0E46..=0x0E4E | 0x0EC6..=0x0ECE)
}

fn is_hyphen_or_apostrophe(letter: char) -> bool {
    matches!(letter, '-' | '\'' | '\u{2010}' | '\u{2011}' | '\u{2019}')
}

fn is_one_letter(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(char::is_alphabetic) && letters.next().is_none()
}

/// Where the word ends that begins at `start`, and whether its inside may change at all.
fn scan_word(text: &str, start: usize) -> (usize, bool) {
    let bytes = text.as_bytes();
    let (mut digits, mut capitals_inside, mut others, mut beyond_ascii) =
        (false, false, false, false);
    let mut end = start;
    while let Some(&byte) = bytes.get(end) {
        match byte {
            b'a'..=b'z' => others = true,
            b'A'..=b'Z' if end == start => others = true,
            b'A'..=b'Z' => capitals_inside = true,
            b'0'..=b'9' => digits = true,
            0x80.. => {
                let Some(letter) = char_at(text, end) else { break };
                if !matches!(class(letter), Class::Letter | Class::Mark) {
                    break;
                }
                beyond_ascii = true;
                end += letter.len_utf8() - 1;
            }
            _ => break,
        }
        end += 1;
    }
    let may_change =
        beyond_ascii || (digits && (others || capitals_inside)) || (capitals_inside && others);
    (end, may_change)
}

/// Whether letters and digits, or small letters and capitals, meet inside this word.
fn changes_inside(word: &str) -> bool {
    if word.is_ascii() {
        return word.as_bytes().windows(2).any(|two| {
            two[0].is_ascii_digit() != two[1].is_ascii_digit()
                || (two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase())
        }) || word.as_bytes().windows(3).any(|three| {
            three[..2].iter().all(u8::is_ascii_uppercase) && three[2].is_ascii_lowercase()
        });
    }
    word.chars().zip(word.chars().skip(1)).any(|(letter, next)| {
        (letter.is_numeric() != next.is_numeric() && !fold::is_mark(next))
            || (letter.is_lowercase() && next.is_uppercase())
    })
}

fn without_joiners(words: &str) -> String {
    words.chars().filter(|&letter| class(letter) != Class::Other).collect()
}

fn char_at(text: &str, at: usize) -> Option<char> {
    match text.as_bytes().get(at) {
        Some(byte) if byte.is_ascii() => Some(char::from(*byte)),
        Some(_) => text[at..].chars().next(),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces as `position:folded`, in the order in which they come.
    fn cut(text: &str) -> String {
        let mut row = Vec::new();
        for piece in Pieces::new(text) {
            let mut folded = String::new();
            piece.fold(text, &mut folded);
            row.push(format!("{}:{folded}", piece.position));
        }
        row.join(" ")
    }

    #[test]
    fn codes_and_file_names_are_cut_into_words_in_a_row() {
        assert_eq!(cut("INV-2024-001"), "0:inv 1:2024 2:001 0:inv2024001");
        assert_eq!(cut("report_final.v2.pdf"), "0:report 1:final 2:v2 3:pdf");
        assert_eq!(cut("foo@bar.com"), "0:foo 1:bar 2:com");
    }

    #[test]
    fn words_that_change_inside_are_found_by_their_parts() {
        assert_eq!(
            cut("Report2024 AnnualReport"),
            "0:report2024 0:report 0:2024 1:annualreport 1:annual 1:report"
        );
        assert_eq!(cut("PDFReport v2 a1b2c3d4e5"), "0:pdfreport 0:pdf 0:report 1:v2 2:a1b2c3d4e5");
    }

    #[test]
    fn joined_words_are_found_in_one_piece() {
        assert_eq!(cut("e-mail O’Brien"), "0:e 1:mail 0:email 2:o 3:brien 2:obrien");
        assert_eq!(cut("the U.S.A. today"), "0:the 1:u 2:s 3:a 1:usa 4:today");
        assert_eq!(cut("a-b-c-d"), "0:a 1:b 2:c 3:d");
        assert_eq!(cut("end.Next"), "0:end 1:next");
    }

    #[test]
    fn marks_stay_with_their_word() {
        assert_eq!(cut("कोलम्बो तमिल").split(' ').count(), 2);
        assert_eq!(cut("ශ්‍රී ලංකාව").split(' ').count(), 2);
        assert_eq!(cut("தமிழ் மொழி").split(' ').count(), 2);
        assert_eq!(cut("مُحَمَّد"), "0:محمد");
    }

    #[test]
    fn scripts_without_spaces_are_cut_into_pairs() {
        assert_eq!(cut("東京都"), "0:東京 1:京都 2:都");
        assert_eq!(cut("2024年报"), "0:2024 1:年报 2:报");
        assert_eq!(cut("서울에서"), "0:서울 1:울에 2:에서 3:서");
        assert_eq!(cut("ภาษาไทย").split(' ').count(), 7);
    }
}
