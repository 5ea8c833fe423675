//! Finding what begins with the letters typed so far.

use std::sync::Arc;

use tantivy::{Searcher, SegmentReader, postings::TermInfo, schema::Field};

use super::bits::{Bits, BitsBuilder, BitsSource};

/// Most words that one beginning stands for in one segment. More than that, and the beginning is so
/// short that the words left out (the last ones in the alphabet) will be asked for with more letters.
const WORDS_MAX: usize = 50_000;

/// The documents with a word in `field` that begins with `prefix`.
#[derive(Debug)]
pub(super) struct Prefix {
    pub field: Field,
    pub prefix: String,
}

impl BitsSource for Prefix {
    fn bits(&self, segment: &SegmentReader) -> tantivy::Result<Arc<Bits>> {
        let index = segment.inverted_index(self.field)?;
        let mut builder = BitsBuilder::new(segment.max_doc());
        for_each_word(segment, self.field, &self.prefix, |_, term| builder.add_term(&index, term))?;
        Ok(Arc::new(builder.build()))
    }
}

/// Up to `words_max` words of the field that begin with `prefix`, those in most documents first.
pub(super) fn frequent_words(
    searcher: &Searcher,
    field: Field,
    prefix: &str,
    words_max: usize,
) -> tantivy::Result<Vec<String>> {
    let mut documents = std::collections::HashMap::<String, u64>::new();
    for segment in searcher.segment_readers() {
        for_each_word(segment, field, prefix, |word, term| {
            if let Ok(word) = std::str::from_utf8(word) {
                let known = documents.get_mut(word);
                match known {
                    Some(count) => *count += u64::from(term.doc_freq),
                    None => {
                        documents.insert(word.to_owned(), u64::from(term.doc_freq));
                    }
                }
            }
            Ok(())
        })?;
    }
    let mut words: Vec<(String, u64)> = documents.into_iter().collect();
    words.sort_unstable_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    words.truncate(words_max);
    Ok(words.into_iter().map(|(word, _)| word).collect())
}

fn for_each_word(
    segment: &SegmentReader,
    field: Field,
    prefix: &str,
    mut visit: impl FnMut(&[u8], &TermInfo) -> tantivy::Result<()>,
) -> tantivy::Result<()> {
    let index = segment.inverted_index(field)?;
    let mut range = index.terms().range().ge(prefix);
    if let Some(end) = end_of_range(prefix) {
        range = range.lt(end);
    }
    let mut words = range.into_stream()?;
    for _ in 0..WORDS_MAX {
        if !words.advance() {
            break;
        }
        visit(words.key(), words.value())?;
    }
    Ok(())
}

/// The first string behind all that begin with `prefix`; none when there is no such string.
fn end_of_range(prefix: &str) -> Option<Vec<u8>> {
    let mut end = prefix.as_bytes().to_vec();
    // UTF-8 never contains 0xFF, so raising the last byte always works.
    *end.last_mut()? += 1;
    Some(end)
}
