//! The second try, when nothing was found: words that stand nowhere are taken for similar words.
//!
//! Similar is one letter more, less, other or swapped with its neighbor; two of them in long words.
//! A word is only ever suggested if it stands in an entry that the request may see: the words of
//! hidden entries must not shine through.

use std::{cmp::Reverse, collections::HashMap};

use tantivy::{
    DocSet, TERMINATED, Term,
    query::{EnableScoring, FuzzyTermQuery, Query},
};

use super::{
    bits::BitsQuery,
    languages,
    plan::Planner,
    request::{Correction, Filters},
    typed::{Clause, Typed, Word},
};

/// Letters from which on one mistake is forgiven, and from which on two.
const ONE_MISTAKE_LETTERS_MIN: usize = 4;
const TWO_MISTAKES_LETTERS_MIN: usize = 8;
/// Similar words that are looked at, and most mistyped words of one question.
const SIMILAR_MAX: usize = 24;
const CORRECTED_MAX: usize = 4;

/// The question with other words for those that were not found, and which. None when every word
/// was found somewhere or nothing similar was.
pub(super) fn corrected(
    planner: &Planner<'_>,
    visible: &BitsQuery,
    typed: &Typed,
) -> tantivy::Result<Option<(Typed, Correction)>> {
    let mut corrected = typed.clone();
    let mut words = Vec::new();
    for clause in &mut corrected.clauses {
        if !can_be_mistyped(clause) || words.len() == CORRECTED_MAX {
            continue;
        }
        if is_visible(planner, visible, clause)? {
            continue;
        }
        if let Some(word) = similar_word(planner, visible, clause)? {
            let typed = clause.written.trim_matches(|letter: char| !letter.is_alphanumeric());
            words.push((typed.to_owned(), word.clone()));
            *clause = exactly(&word);
        }
    }
    Ok((!words.is_empty()).then_some((corrected, Correction { words })))
}

fn can_be_mistyped(clause: &Clause) -> bool {
    let [word] = clause.words.as_slice() else { return false };
    !clause.is_excluded
        && !clause.is_quoted
        && word.lowered.is_some()
        && word.folded.chars().count() >= ONE_MISTAKE_LETTERS_MIN
}

/// The most likely word for one that was not found: the nearest, then the most frequent. A word that
/// goes on is looked for whole first, then as the beginning of a longer one.
fn similar_word(
    planner: &Planner<'_>,
    visible: &BitsQuery,
    clause: &Clause,
) -> tantivy::Result<Option<String>> {
    let typed = &clause.words[0].folded;
    let mistakes_max = if typed.chars().count() >= TWO_MISTAKES_LETTERS_MIN { 2 } else { 1 };
    let ways = if clause.may_go_on { &[false, true][..] } else { &[false] };
    for &goes_on in ways {
        for mistakes in 1..=mistakes_max {
            for word in similar_words(planner, typed, mistakes, goes_on)? {
                if is_visible(planner, visible, &exactly(&word))? {
                    return Ok(Some(word));
                }
            }
        }
    }
    Ok(None)
}

/// Words of the index that `typed` may stand for, the most frequent first.
fn similar_words(
    planner: &Planner<'_>,
    typed: &str,
    mistakes: u8,
    goes_on: bool,
) -> tantivy::Result<Vec<String>> {
    let field = planner.words_field();
    let term = Term::from_field_text(field, typed);
    let query = if goes_on {
        FuzzyTermQuery::new_prefix(term, mistakes, true)
    } else {
        FuzzyTermQuery::new(term, mistakes, true)
    };
    let mut frequencies: HashMap<String, u64> = HashMap::new();
    for segment in planner.searcher.segment_readers() {
        let index = segment.inverted_index(field)?;
        let mut words = index.terms().search(query.automaton()?).into_stream()?;
        while words.advance() {
            let word = std::str::from_utf8(words.key()).unwrap_or("");
            if !word.is_empty() && !languages::is_stem(word) {
                *frequencies.entry(word.to_owned()).or_default() +=
                    u64::from(words.value().doc_freq);
            }
        }
    }
    let mut words: Vec<(String, u64)> = frequencies.into_iter().collect();
    words.sort_unstable_by(|left, right| {
        (Reverse(left.1), &left.0).cmp(&(Reverse(right.1), &right.0))
    });
    words.truncate(SIMILAR_MAX);
    Ok(words.into_iter().map(|(word, _)| word).collect())
}

/// The clause for a word of the index.
fn exactly(word: &str) -> Clause {
    let only = Word { folded: word.to_owned(), lowered: Some(word.to_owned()), position: 0 };
    Clause { words: vec![only], written: word.to_owned(), ..Clause::default() }
}

/// Whether any entry that may be seen has this clause.
fn is_visible(
    planner: &Planner<'_>,
    visible: &BitsQuery,
    clause: &Clause,
) -> tantivy::Result<bool> {
    let alone = Typed { clauses: vec![clause.clone()] };
    let query = planner.matching(visible.clone(), &Filters::default(), &alone)?;
    let weight = query.weight(EnableScoring::disabled_from_searcher(planner.searcher))?;
    for segment in planner.searcher.segment_readers() {
        let mut found = weight.scorer(segment, 1.0)?;
        let mut doc = found.doc();
        while doc != TERMINATED {
            if !segment.is_deleted(doc) {
                return Ok(true);
            }
            doc = found.advance();
        }
    }
    Ok(false)
}
