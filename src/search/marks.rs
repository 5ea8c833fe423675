//! Finding the typed words again in a text, in whatever form they stand there: another case, with
//! accents, in the plural, or as the beginning of a longer word.

use std::{collections::HashMap, ops::Range};

use super::{
    languages::{self, Language},
    typed::{Clause, Typed, Word},
    words::{Kind, Pieces},
};

/// Most words that are looked for: the bits of a mask.
const ELEMENTS_MAX: usize = 64;
/// Most forms whose answer is remembered.
const REMEMBERED_MAX: usize = 20_000;

/// A place in a text that was found, and by which clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub range: Range<usize>,
    pub pattern: usize,
}

/// What is looked for.
pub(super) struct Marker {
    patterns: Vec<Pattern>,
    elements: Vec<Element>,
    languages: Vec<Language>,
    /// Which elements a folded word was found to match: most words of a text come again.
    remembered: HashMap<String, u64>,
}

/// Words in a row; their places among the elements.
struct Pattern {
    elements: Range<usize>,
}

struct Element {
    folded: String,
    /// The stem of the word in each language; empty when only the word itself will do.
    stems: Vec<(Language, String)>,
    begins: bool,
    is_character: bool,
}

impl Marker {
    /// `languages` are those in which the index holds stems.
    pub fn new(typed: &Typed, languages: &[Language]) -> Self {
        let mut marker = Marker {
            patterns: Vec::new(),
            elements: Vec::new(),
            languages: languages.to_vec(),
            remembered: HashMap::new(),
        };
        for clause in typed.included() {
            marker.add_pattern(clause, &clause.words);
            if let Some(joined) = clause.joined.as_ref().filter(|_| !clause.is_quoted) {
                marker.add_pattern(clause, std::slice::from_ref(joined));
            }
        }
        marker
    }

    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    pub fn patterns(&self) -> usize {
        self.patterns.len()
    }

    /// For each pattern, letters with which its first word begins in every form of it.
    pub fn leads(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().map(|pattern| self.elements[pattern.elements.start].lead())
    }

    fn add_pattern(&mut self, clause: &Clause, words: &[Word]) {
        let first = self.elements.len();
        if first + words.len() > ELEMENTS_MAX {
            return;
        }
        let is_one_word = words.len() == 1 && !clause.is_quoted;
        for (place, word) in words.iter().enumerate() {
            let begins = clause.may_go_on && place + 1 == words.len();
            let element = Element::new(word, begins, is_one_word, &self.languages);
            self.elements.push(element);
        }
        self.patterns.push(Pattern { elements: first..self.elements.len() });
    }

    /// Everything found in `text[within]`, by its start.
    pub fn find(&mut self, text: &str, within: Range<usize>) -> Vec<Mark> {
        let offset = within.start;
        let text = &text[within];
        let mut marks = Vec::new();
        let mut row: Vec<(Range<usize>, u64)> = Vec::new();
        let mut folded = String::new();
        for piece in Pieces::new(text) {
            folded.clear();
            piece.fold(text, &mut folded);
            let mask = self.mask(&folded, || {
                let mut lowered = String::new();
                piece.lower(text, &mut lowered);
                lowered
            });
            let range = piece.start..piece.end;
            match piece.kind {
                Kind::Part | Kind::Joined => self.mark_alone(text, &range, mask, &mut marks),
                Kind::Word | Kind::Pair | Kind::Last => {
                    self.mark_alone(text, &range, mask, &mut marks);
                    row.push((range, mask));
                }
            }
        }
        self.mark_rows(&row, &mut marks);
        marks.sort_by_key(|mark| (mark.range.start, mark.range.end));
        for mark in &mut marks {
            mark.range = mark.range.start + offset..mark.range.end + offset;
        }
        marks
    }

    fn mark_alone(&self, text: &str, range: &Range<usize>, mask: u64, marks: &mut Vec<Mark>) {
        if mask == 0 {
            return;
        }
        for (place, pattern) in self.patterns.iter().enumerate() {
            if pattern.elements.len() != 1 || mask & (1 << pattern.elements.start) == 0 {
                continue;
            }
            let mut range = range.clone();
            if self.elements[pattern.elements.start].is_character {
                // The pair holds one character more than was asked for.
                let first = text[range.clone()].chars().next().map_or(0, char::len_utf8);
                range.end = range.start + first;
            }
            marks.push(Mark { range, pattern: place });
        }
    }

    fn mark_rows(&self, row: &[(Range<usize>, u64)], marks: &mut Vec<Mark>) {
        for (place, pattern) in self.patterns.iter().enumerate() {
            let length = pattern.elements.len();
            if length < 2 {
                continue;
            }
            for words in row.windows(length) {
                let all = words
                    .iter()
                    .zip(pattern.elements.clone())
                    .all(|((_, mask), element)| mask & (1 << element) != 0);
                if all {
                    let range = words[0].0.start..words[length - 1].0.end;
                    marks.push(Mark { range, pattern: place });
                }
            }
        }
    }

    /// Which elements a word matches.
    fn mask(&mut self, folded: &str, lowered: impl FnOnce() -> String) -> u64 {
        if !self.elements.iter().any(|element| element.begins_like(folded)) {
            return 0;
        }
        if let Some(&mask) = self.remembered.get(folded) {
            return mask;
        }
        let mut lowered = Some(lowered);
        let mut lowered_word = None;
        let mut mask = 0;
        for (place, element) in self.elements.iter().enumerate() {
            let is_match = element.is_word(folded)
                || (!element.stems.is_empty() && element.begins_like(folded) && {
                    let word: &String = lowered_word
                        .get_or_insert_with(|| lowered.take().map_or_else(String::new, |l| l()));
                    element.shares_stem(word, folded)
                });
            mask |= u64::from(is_match) << place;
        }
        if self.remembered.len() < REMEMBERED_MAX {
            self.remembered.insert(folded.to_owned(), mask);
        }
        mask
    }
}

impl Element {
    fn new(word: &Word, begins: bool, any_form: bool, languages: &[Language]) -> Self {
        let mut stems = Vec::new();
        if let (Some(lowered), true) = (&word.lowered, any_form) {
            let stem = |&language: &Language| (language, stem_of(language, lowered, &word.folded));
            stems.extend(languages.iter().map(stem));
        }
        let is_character = word.lowered.is_none() && word.folded.chars().count() == 1;
        Element { folded: word.folded.clone(), stems, begins, is_character }
    }

    fn is_word(&self, folded: &str) -> bool {
        folded == self.folded || (self.begins && folded.starts_with(&self.folded))
    }

    /// Stemmers hardly ever touch the first letter, so most words need no further look.
    fn begins_like(&self, folded: &str) -> bool {
        folded.chars().next() == self.folded.chars().next()
    }

    fn shares_stem(&self, lowered: &str, folded: &str) -> bool {
        self.stems.iter().any(|(language, stem)| *stem == stem_of(*language, lowered, folded))
    }

    fn lead(&self) -> &str {
        let mut lead = self.folded.as_str();
        for (_, stem) in &self.stems {
            let common = lead
                .char_indices()
                .zip(stem.chars())
                .find(|((_, letter), stem_letter)| letter != stem_letter)
                .map_or(lead.len().min(stem.len()), |((at, _), _)| at);
            lead = &lead[..lead.floor_char_boundary(common)];
        }
        lead
    }
}

fn stem_of(language: Language, lowered: &str, folded: &str) -> String {
    let mut stem = String::new();
    if !languages::stem(language, lowered, folded, &mut stem) {
        stem.push_str(folded);
    }
    stem
}
