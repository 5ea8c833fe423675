//! Reading what a person typed. Nothing is ever wrong with it: what cannot be read is left out.
//!
//! * Words must all be found, in any order and anywhere in the entry: `contract berlin`.
//! * Words in quotes must stand side by side: `"annual report"`.
//! * A word or phrase behind a minus must not be there: `contract -draft`.
//! * The last word may go on, unless a space or a quote follows it: `contr` finds `contract`.
//! * Words tied by punctuation stand side by side, too: `INV-2024-001`, `foo@bar.com`.

use super::{
    fold,
    words::{Kind, Piece, Pieces},
};

/// How much is read; the rest is ignored.
const CHARS_MAX: usize = 1_000;
const WORDS_MAX: usize = 32;

/// A question, as a list of clauses that must all hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Typed {
    pub clauses: Vec<Clause>,
}

/// Words that must stand in a row, or one word.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Clause {
    /// Never empty.
    pub words: Vec<Word>,
    /// The words without the hyphens or apostrophes between them: `email` for `e-mail`.
    pub joined: Option<Word>,
    pub is_excluded: bool,
    pub is_quoted: bool,
    /// The last word may be the beginning of a longer one.
    pub may_go_on: bool,
    /// The clause as it was typed.
    pub written: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    /// In the form in which words are indexed.
    pub folded: String,
    /// In lower case, for stemmers; none for pairs of characters, which have no stem.
    pub lowered: Option<String>,
    /// Place within the clause.
    pub position: usize,
}

impl Typed {
    pub fn read(text: &str) -> Typed {
        let text = match text.char_indices().nth(CHARS_MAX) {
            Some((end, _)) => &text[..end],
            None => text,
        };
        let text = fold::composed(text);
        let mut typed = Typed::default();
        let mut words_left = WORDS_MAX;
        let mut rest = text.trim_start();
        while let Some(chunk) = Chunk::split_from(&mut rest) {
            let is_last = rest.is_empty();
            if let Some(clause) = chunk.clause(is_last, words_left) {
                words_left -= clause.words.len();
                typed.clauses.push(clause);
            }
            if words_left == 0 {
                break;
            }
            rest = rest.trim_start();
        }
        typed
    }

    pub fn included(&self) -> impl Iterator<Item = &Clause> {
        self.clauses.iter().filter(|clause| !clause.is_excluded)
    }
}

/// What stands between two spaces, or between two quotes.
struct Chunk<'t> {
    text: &'t str,
    is_excluded: bool,
    is_quoted: bool,
    /// The closing quote is there, or a space follows.
    is_complete: bool,
}

impl<'t> Chunk<'t> {
    fn split_from(rest: &mut &'t str) -> Option<Chunk<'t>> {
        let mut letters = rest.chars();
        let first = letters.next()?;
        let is_excluded = matches!(first, '-' | '\u{2212}')
            && letters.next().is_some_and(|next| next.is_alphanumeric() || is_quote(next));
        if is_excluded {
            *rest = &rest[first.len_utf8()..];
        }
        let opening = rest.chars().next().filter(|&letter| is_quote(letter));
        let is_quoted = opening.is_some();
        let inside = &rest[opening.map_or(0, char::len_utf8)..];
        let end = inside
            .char_indices()
            .find(|&(_, letter)| is_quote(letter) || (!is_quoted && letter.is_whitespace()));
        let text = &inside[..end.map_or(inside.len(), |(end, _)| end)];
        let closing =
            end.map(|(_, letter)| letter).filter(|&letter| is_quoted || !is_quote(letter));
        *rest = &inside[text.len() + closing.map_or(0, char::len_utf8)..];
        Some(Chunk { text, is_excluded, is_quoted, is_complete: end.is_some() })
    }

    fn clause(&self, is_last: bool, words_max: usize) -> Option<Clause> {
        let mut words: Vec<(Piece, Word)> = Vec::new();
        let mut joined = None;
        for piece in Pieces::new(self.text) {
            match piece.kind {
                Kind::Part => {}
                Kind::Joined => joined = Some(piece),
                Kind::Word | Kind::Pair | Kind::Last if words.len() < words_max => {
                    words.extend(word(self.text, piece).map(|word| (piece, word)));
                }
                Kind::Word | Kind::Pair | Kind::Last => break,
            }
        }
        // The last character of a run is in the pair before it already.
        let ends_in_pair = words.len() > 1 && words[words.len() - 2].0.kind == Kind::Pair;
        if ends_in_pair && words.last().is_some_and(|(piece, _)| piece.kind == Kind::Last) {
            words.pop();
        }
        let (first, last) = (words.first()?.0, words.last()?.0);
        let goes_on = is_last && !self.is_complete && last.end == self.text.len();
        let is_one_character = last.kind == Kind::Last;
        let joined = joined.filter(|joined| joined.start == first.start && joined.end == last.end);
        Some(Clause {
            joined: joined.and_then(|piece| word(self.text, piece)),
            words: words.into_iter().map(|(_, word)| word).collect(),
            is_excluded: self.is_excluded,
            is_quoted: self.is_quoted,
            may_go_on: is_one_character
                || (goes_on && !self.is_excluded && last.kind == Kind::Word),
            written: self.text.to_owned(),
        })
    }
}

fn word(text: &str, piece: Piece) -> Option<Word> {
    let mut folded = String::new();
    piece.fold(text, &mut folded);
    let has_stem = !matches!(piece.kind, Kind::Pair | Kind::Last);
    let lowered = has_stem.then(|| {
        let mut lowered = String::new();
        piece.lower(text, &mut lowered);
        lowered
    });
    (!folded.is_empty()).then_some(Word { folded, lowered, position: piece.position })
}

fn is_quote(letter: char) -> bool {
    matches!(letter, '"' | '\u{201C}'..='\u{201F}' | '«' | '»' | '「' | '」')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clauses as `-"a b"*`: excluded, quoted, may go on.
    fn read(text: &str) -> String {
        let clauses = Typed::read(text).clauses.into_iter().map(|clause| {
            let words: Vec<String> = clause.words.into_iter().map(|word| word.folded).collect();
            let mut shown = words.join(" ");
            if clause.is_quoted {
                shown = format!("\"{shown}\"");
            }
            let minus = if clause.is_excluded { "-" } else { "" };
            let star = if clause.may_go_on { "*" } else { "" };
            format!("{minus}{shown}{star}")
        });
        clauses.collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn words_phrases_and_exclusions_are_told_apart() {
        assert_eq!(read("Annual report"), "annual | report*");
        assert_eq!(read("annual report "), "annual | report");
        assert_eq!(read("\"annual report\" -draft"), "\"annual report\" | -draft");
        assert_eq!(read("-\"first draft\" x"), "-\"first draft\" | x*");
        assert_eq!(read("„Bericht 2024“ neu"), "\"bericht 2024\" | neu*");
        assert_eq!(read("\"annual rep"), "\"annual rep\"*");
    }

    #[test]
    fn punctuation_ties_words_and_ends_them() {
        assert_eq!(read("INV-2024-001"), "inv 2024 001*");
        assert_eq!(read("foo@bar.com"), "foo bar com*");
        assert_eq!(read("report."), "report");
        assert_eq!(read("a - b"), "a | b*");
        assert_eq!(read("word\"phrase\""), "word | \"phrase\"");
        let joined = Typed::read("e-mail").clauses[0].joined.clone();
        assert_eq!(joined.map(|word| word.folded), Some("email".to_owned()));
    }

    #[test]
    fn runs_without_spaces_are_rows_of_pairs() {
        assert_eq!(read("東京都"), "東京 京都");
        assert_eq!(read("東"), "東*");
        assert_eq!(read("2024年报告"), "2024 年报 报告");
        assert_eq!(read("报告2024"), "报告 告 2024*");
    }

    #[test]
    fn nothing_to_read_is_nothing() {
        for text in ["", "   ", "\"", "\"\"", "-", "--", "()[]{}", "!?…", "\u{301}\u{301}"] {
            assert_eq!(read(text), "", "{text}");
        }
    }

    #[test]
    fn only_so_much_is_read() {
        let typed = Typed::read(&"word ".repeat(100_000));
        assert_eq!(typed.clauses.len(), WORDS_MAX);
        let typed = Typed::read(&"a.".repeat(100_000));
        assert_eq!(typed.clauses[0].words.len(), WORDS_MAX);
    }
}
