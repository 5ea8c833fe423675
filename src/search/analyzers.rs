//! The two tokenizers of the index, over the pieces of [`words`](super::words).
//!
//! * `words` gives each piece in its folded form: exact words, beginnings of words, phrases and
//!   misspellings are looked up in fields cut by it.
//! * `stems` gives the stem of each piece, in the language that the first character of the text
//!   names; `words and stems` gives both, for the short fields that only weigh a hit.

use std::mem;

use tantivy::{
    Index,
    tokenizer::{TextAnalyzer, Token, TokenStream, Tokenizer},
};

use super::{
    languages::{self, Language},
    words::{Kind, Pieces},
};

pub(super) const WORDS: &str = "words";
pub(super) const STEMS: &str = "stems";
pub(super) const WORDS_AND_STEMS: &str = "words and stems";

/// Makes the tokenizers known to an index that was just opened.
pub(super) fn register(index: &Index) {
    let tokenizers = index.tokenizers();
    tokenizers.register(WORDS, TextAnalyzer::from(Words));
    tokenizers.register(STEMS, TextAnalyzer::from(Stems { with_words: false }));
    tokenizers.register(WORDS_AND_STEMS, TextAnalyzer::from(Stems { with_words: true }));
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

#[derive(Clone)]
struct Stems {
    with_words: bool,
}

impl Tokenizer for Stems {
    type TokenStream<'t> = StemStream<'t>;

    fn token_stream<'t>(&'t mut self, marked: &'t str) -> StemStream<'t> {
        let (language, text) = languages::split_marker(marked);
        StemStream {
            text,
            language,
            with_words: self.with_words,
            pieces: Pieces::new(text),
            folded: String::new(),
            lowered: String::new(),
            stem_waits: false,
            token: Token::default(),
        }
    }
}

struct StemStream<'t> {
    text: &'t str,
    language: Option<Language>,
    with_words: bool,
    pieces: Pieces<'t>,
    folded: String,
    lowered: String,
    /// The folded word has been given, and its stem comes next.
    stem_waits: bool,
    token: Token,
}

impl StemStream<'_> {
    fn put_stem(&mut self) {
        self.token.text.clear();
        let term = &mut self.token.text;
        languages::stem_term(self.language, &self.lowered, &self.folded, term);
    }
}

impl TokenStream for StemStream<'_> {
    fn advance(&mut self) -> bool {
        if mem::take(&mut self.stem_waits) {
            self.put_stem();
            return true;
        }
        for piece in self.pieces.by_ref() {
            // Pairs are no words and have no stem; they are found by themselves.
            let has_stem = !matches!(piece.kind, Kind::Pair | Kind::Last);
            if !has_stem && !self.with_words {
                continue;
            }
            self.folded.clear();
            piece.fold(self.text, &mut self.folded);
            if self.folded.is_empty() {
                continue;
            }
            self.token.position = piece.position;
            self.token.offset_from = piece.start;
            self.token.offset_to = piece.end;
            if has_stem {
                self.lowered.clear();
                piece.lower(self.text, &mut self.lowered);
            }
            if self.with_words {
                self.token.text.clear();
                self.token.text.push_str(&self.folded);
                self.stem_waits = has_stem;
            } else {
                self.put_stem();
            }
            return true;
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
