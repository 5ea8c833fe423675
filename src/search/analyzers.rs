//! The two tokenizers of the index, over the pieces of [`words`](super::words).
//!
//! * `words` gives each piece in its folded form: exact words, beginnings of words, phrases and
//!   misspellings are looked up in fields cut by it.
//! * `stems` gives the stem of each word that is not its own stem, in the language that the first
//!   character of the text names; `words and stems` gives both, for the short fields that only
//!   weigh a hit.

use std::collections::HashMap;

use tantivy::{
    Index,
    tokenizer::{TextAnalyzer, Token, TokenStream, Tokenizer},
};

use super::{
    languages::{self, Language},
    words::{Kind, Piece, Pieces},
};

pub(super) const WORDS: &str = "words";
pub(super) const STEMS: &str = "stems";
pub(super) const WORDS_AND_STEMS: &str = "words and stems";

/// Makes the tokenizers known to an index that was just opened.
pub(super) fn register(index: &Index) {
    let tokenizers = index.tokenizers();
    tokenizers.register(WORDS, TextAnalyzer::from(Words));
    tokenizers.register(STEMS, TextAnalyzer::from(Stems::default()));
    let both = Stems { with_words: true, ..Stems::default() };
    tokenizers.register(WORDS_AND_STEMS, TextAnalyzer::from(both));
}

#[derive(Clone)]
struct Words;

impl Tokenizer for Words {
    type TokenStream<'t> = WordStream<'t>;

    fn token_stream<'t>(&'t mut self, text: &'t str) -> WordStream<'t> {
        WordStream { text, pieces: Pieces::new(text), token: Token::default() }
    }
}

struct WordStream<'t> {
    text: &'t str,
    pieces: Pieces<'t>,
    token: Token,
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        for piece in self.pieces.by_ref() {
            self.token.text.clear();
            piece.fold(self.text, &mut self.token.text);
            if piece.kind == Kind::Joined && is_said(self.text, &piece, &self.token.text) {
                continue;
            }
            if !self.token.text.is_empty() {
                self.token.position = piece.position;
                self.token.offset_from = piece.start;
                self.token.offset_to = piece.end;
                return true;
            }
        }
        false
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

/// Whether one of the joined words but the first says the same already, since the others fold to
/// nothing. A joined word stands at the place of its first one, and the library takes the places of a
/// term in their order alone.
fn is_said(text: &str, joined: &Piece, folded: &str) -> bool {
    let inside = &text[joined.start..joined.end];
    let mut said = String::new();
    Pieces::new(inside).any(|piece| {
        said.clear();
        piece.fold(inside, &mut said);
        piece.position > 0 && said == folded
    })
}

/// Words whose stems are remembered, per language. Most words of a text come again and again, and
/// finding a stem costs ten times as much as remembering it.
const REMEMBERED_MAX: usize = 20_000;

#[derive(Clone, Default)]
struct Stems {
    with_words: bool,
    /// For each language the terms of words as they stood in a text; none for a word that is its
    /// own stem.
    remembered: HashMap<Language, HashMap<Box<str>, Option<Box<str>>>>,
}

impl Tokenizer for Stems {
    type TokenStream<'t> = StemStream<'t>;

    fn token_stream<'t>(&'t mut self, marked: &'t str) -> StemStream<'t> {
        let (language, text) = languages::split_marker(marked);
        StemStream {
            text,
            language: language
                .map(|language| (language, self.remembered.entry(language).or_default())),
            with_words: self.with_words,
            pieces: Pieces::new(text),
            waiting: None,
            token: Token::default(),
        }
    }
}

struct StemStream<'t> {
    text: &'t str,
    language: Option<(Language, &'t mut HashMap<Box<str>, Option<Box<str>>>)>,
    with_words: bool,
    pieces: Pieces<'t>,
    /// The piece whose word has been given, and whose stem comes next.
    waiting: Option<Piece>,
    token: Token,
}

impl StemStream<'_> {
    /// Makes the stem of a piece the token, if it has one that is not the word itself.
    fn put_stem(&mut self, piece: &Piece) -> bool {
        let Some((language, remembered)) = &mut self.language else { return false };
        // Pairs are no words and have no stem.
        if matches!(piece.kind, Kind::Pair | Kind::Last) {
            return false;
        }
        let word = &self.text[piece.start..piece.end];
        let term = match remembered.get(word) {
            Some(Some(term)) => term,
            Some(None) => return false,
            None if remembered.len() >= REMEMBERED_MAX => {
                let Some(term) = stem_term(*language, self.text, piece) else { return false };
                self.token.text = term;
                return true;
            }
            None => {
                let term = stem_term(*language, self.text, piece).map(String::into_boxed_str);
                let Some(term) = remembered.entry(word.into()).or_insert(term) else {
                    return false;
                };
                term
            }
        };
        self.token.text.clear();
        self.token.text.push_str(term);
        true
    }
}

impl TokenStream for StemStream<'_> {
    fn advance(&mut self) -> bool {
        if let Some(piece) = self.waiting.take()
            && self.put_stem(&piece)
        {
            return true;
        }
        while let Some(piece) = self.pieces.next() {
            self.token.position = piece.position;
            self.token.offset_from = piece.start;
            self.token.offset_to = piece.end;
            if self.with_words {
                self.token.text.clear();
                piece.fold(self.text, &mut self.token.text);
                self.waiting = Some(piece);
                if !self.token.text.is_empty() {
                    return true;
                }
            } else if self.put_stem(&piece) {
                return true;
            }
        }
        false
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

fn stem_term(language: Language, text: &str, piece: &Piece) -> Option<String> {
    let (mut lowered, mut folded) = (String::new(), String::new());
    piece.lower(text, &mut lowered);
    piece.fold(text, &mut folded);
    let mut term = String::from_iter(languages::stem_mark(language));
    languages::stem(language, &lowered, &folded, &mut term).then_some(term)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_places_of_each_term_come_in_their_order() {
        let mut are_dropped = false;
        for letter in '\u{0}'..='\u{1FFFF}' {
            for text in
                [format!("{letter}-b"), format!("b{letter}'{letter}c-b"), format!("{letter}.b.c.")]
            {
                let mut latest: HashMap<String, usize> = HashMap::new();
                let mut words = Words;
                let mut stream = words.token_stream(&text);
                while stream.advance() {
                    let Token { text: term, position, .. } = stream.token();
                    let before = latest.insert(term.clone(), *position);
                    assert!(before.is_none_or(|before| before <= *position), "{text:?}");
                }
                are_dropped |= text.ends_with("-b") && latest.len() == 1;
            }
        }
        assert!(are_dropped, "no letter folds to nothing any more");
    }
}
