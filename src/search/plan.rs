//! From what was asked to what the engine below runs: a query that says which entries match, some
//! that say which do not, and some that say how well.
//!
//! They are apart because they cost so differently. Matching reads no frequencies and no
//! positions unless a phrase asks for them; scoring only looks at documents that match and that
//! the request may see.

use std::ops::Bound;

use tantivy::{
    Score, Searcher, Term,
    query::{
        BooleanQuery, BoostQuery, EmptyQuery, Occur, PhraseQuery, Query, RangeQuery, TermQuery,
    },
    schema::{Field, IndexRecordOption},
};

use super::{
    bits::BitsQuery,
    entry,
    languages::{self, Language},
    prefix::{self, Prefix},
    request::{Filters, Scope},
    schema::Fields,
    typed::{Clause, Typed, Word},
};

/// Weights of a word by where it stands.
const TITLE: Score = 4.0;
const NAMES: Score = 2.5;
const DESCRIPTION: Score = 1.25;
const TEXT: Score = 1.0;
/// Another form of the word counts for so much of the word itself.
const STEM: Score = 0.5;
const PHRASE: Score = 2.0;
/// Scores, not weights: the beginning of a word has no frequency.
const TITLE_BEGINS: Score = 6.0;
const NAMES_BEGIN: Score = 3.0;

/// From this many letters on, the beginning of a word is looked up in whole texts; shorter ones
/// only in titles and names, where they are rare enough.
const PREFIX_CHARS_MIN: usize = 3;
/// Most endings of a phrase whose last word is not complete.
const PHRASE_ENDINGS_MAX: usize = 64;

/// What is needed to turn words into terms.
pub(super) struct Planner<'s> {
    pub fields: &'s Fields,
    pub searcher: &'s Searcher,
    /// Languages that entries of this index are stemmed in.
    pub languages: &'s [Language],
    pub scope: Scope,
}

impl Planner<'_> {
    /// Which entries match: visible, within the filters, and with every clause that must hold.
    pub fn matching(
        &self,
        visible: BitsQuery,
        filters: &Filters,
        typed: &Typed,
    ) -> tantivy::Result<Box<dyn Query>> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = vec![(Occur::Must, Box::new(visible))];
        clauses.extend(self.filters(filters).into_iter().map(|filter| (Occur::Must, filter)));
        for clause in typed.included() {
            clauses.push((Occur::Must, self.clause(clause)?));
        }
        Ok(Box::new(BooleanQuery::new(clauses)))
    }

    /// Which entries do not: those with any clause that must not hold.
    pub fn excluded(&self, typed: &Typed) -> tantivy::Result<Vec<Box<dyn Query>>> {
        let excluded = typed.clauses.iter().filter(|clause| clause.is_excluded);
        excluded.map(|clause| self.clause(clause)).collect()
    }

    /// How well they match: the scores of all these queries add up.
    pub fn scoring(&self, typed: &Typed) -> Vec<Box<dyn Query>> {
        let mut scoring: Vec<Box<dyn Query>> = Vec::new();
        for clause in typed.included() {
            for word in clause.words.iter().chain(&clause.joined) {
                self.score_word(word, &mut scoring);
            }
            if clause.words.len() > 1 {
                let phrase = self.phrase(&clause.words);
                scoring.push(Box::new(BoostQuery::new(phrase, PHRASE)));
            }
            if let (true, Some(last)) = (clause.may_go_on, clause.words.last()) {
                let fields = self.fields;
                for (field, score) in [(fields.title, TITLE_BEGINS), (fields.names, NAMES_BEGIN)] {
                    scoring.push(begins_with(field, &last.folded, score));
                }
            }
        }
        scoring
    }

    /// The entries in which one clause holds, excluded or not.
    pub fn clause(&self, clause: &Clause) -> tantivy::Result<Box<dyn Query>> {
        let mut alternatives = Vec::new();
        match clause.words.as_slice() {
            [word] => self.word(word, clause, &mut alternatives),
            words if self.scope == Scope::Title => {
                alternatives.push(self.all_in_title(words, clause))
            }
            words if clause.may_go_on => alternatives.push(self.open_phrase(words)?),
            words => alternatives.push(self.phrase(words)),
        }
        if let (Some(joined), false) = (&clause.joined, clause.is_quoted) {
            self.word(joined, clause, &mut alternatives);
        }
        Ok(any(alternatives))
    }

    /// The field that holds the words that can be asked for.
    pub fn words_field(&self) -> Field {
        match self.scope {
            Scope::Everything => self.fields.text,
            Scope::Title => self.fields.title,
        }
    }

    fn word(&self, word: &Word, clause: &Clause, alternatives: &mut Vec<Box<dyn Query>>) {
        let words = self.words_field();
        let stems = match self.scope {
            Scope::Everything => self.fields.stem,
            Scope::Title => self.fields.title,
        };
        alternatives.push(matches_term(term(words, &word.folded)));
        if let (Some(lowered), false) = (&word.lowered, clause.is_quoted || clause.is_excluded) {
            let forms = self.other_forms(words, stems, lowered, &word.folded);
            alternatives.extend(forms.into_iter().map(matches_term));
        }
        if clause.may_go_on {
            let is_short = word.folded.chars().count() < PREFIX_CHARS_MIN;
            if is_short && word.lowered.is_some() && self.scope == Scope::Everything {
                alternatives.push(begins_with(self.fields.title, &word.folded, 0.0));
                alternatives.push(begins_with(self.fields.names, &word.folded, 0.0));
            } else {
                alternatives.push(begins_with(words, &word.folded, 0.0));
            }
        }
    }

    fn phrase(&self, words: &[Word]) -> Box<dyn Query> {
        let terms = words.iter().map(|word| (word.position, term(self.fields.text, &word.folded)));
        Box::new(PhraseQuery::new_with_offset(terms.collect()))
    }

    /// A phrase whose last word may go on: the phrase with each of the likeliest last words. The
    /// word as typed is always among them.
    fn open_phrase(&self, words: &[Word]) -> tantivy::Result<Box<dyn Query>> {
        let text = self.fields.text;
        let Some((last, words)) = words.split_last() else { return Ok(Box::new(EmptyQuery)) };
        let begin = &last.folded;
        let mut endings = prefix::frequent_words(self.searcher, text, begin, PHRASE_ENDINGS_MAX)?;
        if !endings.contains(begin) {
            endings.push(begin.clone());
        }
        let phrases = endings.into_iter().map(|folded| {
            let ending = Word { folded, ..last.clone() };
            self.phrase(&[words, &[ending]].concat())
        });
        Ok(any(phrases.collect()))
    }

    fn all_in_title(&self, words: &[Word], clause: &Clause) -> Box<dyn Query> {
        let last = words.len() - 1;
        let found = words.iter().enumerate().map(|(place, word)| {
            let found = if place == last && clause.may_go_on {
                begins_with(self.fields.title, &word.folded, 0.0)
            } else {
                matches_term(term(self.fields.title, &word.folded))
            };
            (Occur::Must, found)
        });
        Box::new(BooleanQuery::new(found.collect()))
    }

    fn score_word(&self, word: &Word, scoring: &mut Vec<Box<dyn Query>>) {
        let fields = self.fields;
        let weights = [
            (fields.title, fields.title, TITLE),
            (fields.names, fields.names, NAMES),
            (fields.description, fields.description, DESCRIPTION),
            (fields.text, fields.stem, TEXT),
        ];
        for (words, stems, weight) in weights {
            scoring.push(scores_term(term(words, &word.folded), weight));
            if let Some(lowered) = &word.lowered {
                let forms = self.other_forms(words, stems, lowered, &word.folded);
                scoring.extend(forms.into_iter().map(|form| scores_term(form, weight * STEM)));
            }
        }
    }

    /// What finds other forms of a word: its stem in every language of the index, as the stem of
    /// longer words and, where it differs from the word, as a word.
    fn other_forms(&self, words: Field, stems: Field, lowered: &str, folded: &str) -> Vec<Term> {
        let mut forms: Vec<Term> = Vec::with_capacity(2 * self.languages.len());
        for &language in self.languages {
            let mark = String::from_iter(languages::stem_mark(language));
            let mut stem = String::new();
            if languages::stem(language, lowered, folded, &mut stem) {
                forms.push(term(words, &stem));
            } else {
                stem.push_str(folded);
            }
            forms.push(term(stems, &(mark + &stem)));
        }
        forms.sort_unstable();
        forms.dedup();
        forms
    }

    fn filters(&self, filters: &Filters) -> Vec<Box<dyn Query>> {
        let fields = self.fields;
        let ids = |ids: &[uuid::Uuid]| ids.iter().copied().map(entry::id_value).collect::<Vec<_>>();
        let any_of = [
            (fields.category, ids(&filters.categories)),
            (fields.person, ids(&filters.persons)),
            (fields.kind, filters.kinds.clone()),
            (fields.media_type, filters.media_types.clone()),
            (fields.file_type, filters.file_types.clone()),
        ];
        let mut queries: Vec<Box<dyn Query>> = Vec::new();
        for (field, values) in any_of.into_iter().filter(|(_, values)| !values.is_empty()) {
            queries
                .push(any(values.iter().map(|value| matches_term(term(field, value))).collect()));
        }
        queries.extend(filters.tags.iter().map(|tag| matches_term(term(fields.tag, tag))));
        if filters.created_from_ms.is_some() || filters.created_before_ms.is_some() {
            let time = |time_ms: i64| Term::from_field_i64(fields.created, time_ms);
            let from =
                filters.created_from_ms.map_or(Bound::Unbounded, |at| Bound::Included(time(at)));
            let before =
                filters.created_before_ms.map_or(Bound::Unbounded, |at| Bound::Excluded(time(at)));
            queries.push(Box::new(RangeQuery::new(from, before)));
        }
        queries
    }
}

fn term(field: Field, text: &str) -> Term {
    Term::from_field_text(field, text)
}

fn matches_term(term: Term) -> Box<dyn Query> {
    Box::new(TermQuery::new(term, IndexRecordOption::Basic))
}

fn scores_term(term: Term, weight: Score) -> Box<dyn Query> {
    let query = TermQuery::new(term, IndexRecordOption::WithFreqs);
    Box::new(BoostQuery::new(Box::new(query), weight))
}

fn begins_with(field: Field, prefix: &str, score: Score) -> Box<dyn Query> {
    Box::new(BitsQuery::new(Prefix { field, prefix: prefix.to_owned() }, score))
}

fn any(mut alternatives: Vec<Box<dyn Query>>) -> Box<dyn Query> {
    match alternatives.len() {
        0 => Box::new(EmptyQuery),
        1 => alternatives.remove(0),
        _ => Box::new(BooleanQuery::union(alternatives)),
    }
}
