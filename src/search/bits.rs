//! A set of documents of one segment as bits, and the walk through it that the engine below asks
//! for. Looking up one document costs the same wherever it stands, which makes these sets the
//! cheapest partner in an intersection.

use std::{fmt, sync::Arc};

use tantivy::{
    COLLECT_BLOCK_BUFFER_LEN, DocId, DocSet, Score, SegmentReader, TERMINATED,
    index::InvertedIndexReader,
    postings::TermInfo,
    query::{EnableScoring, Explanation, Query, Scorer, Weight},
    schema::IndexRecordOption,
};

/// Which documents of a segment are in the set.
pub(super) struct Bits {
    words: Box<[u64]>,
    count: u32,
}

impl Bits {
    pub fn bytes(&self) -> usize {
        self.words.len() * 8
    }
}

/// Collects documents for a [`Bits`].
pub(super) struct BitsBuilder {
    words: Vec<u64>,
}

impl BitsBuilder {
    pub fn new(max_doc: DocId) -> Self {
        BitsBuilder { words: vec![0; max_doc as usize / 64 + 1] }
    }

    /// Adds every document in which the term stands.
    pub fn add_term(
        &mut self,
        index: &InvertedIndexReader,
        term: &TermInfo,
    ) -> tantivy::Result<()> {
        let records = IndexRecordOption::Basic;
        let mut postings = index.read_block_postings_from_terminfo(term, records)?;
        while !postings.docs().is_empty() {
            for &doc in postings.docs() {
                self.words[doc as usize / 64] |= 1 << (doc % 64);
            }
            postings.advance();
        }
        Ok(())
    }

    pub fn intersect(&mut self, other: &BitsBuilder) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    pub fn build(self) -> Bits {
        let count = self.words.iter().map(|word| word.count_ones()).sum();
        Bits { words: self.words.into_boxed_slice(), count }
    }
}

/// Makes the set for a segment.
pub(super) trait BitsSource: Send + Sync + fmt::Debug + 'static {
    fn bits(&self, segment: &SegmentReader) -> tantivy::Result<Arc<Bits>>;
}

/// The query that finds what is in the sets of a source, each with the same score.
#[derive(Clone, Debug)]
pub(super) struct BitsQuery {
    source: Arc<dyn BitsSource>,
    score: Score,
}

impl BitsQuery {
    pub fn new(source: impl BitsSource, score: Score) -> Self {
        BitsQuery { source: Arc::new(source), score }
    }
}

impl Query for BitsQuery {
    fn weight(&self, _scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for BitsQuery {
    fn scorer(&self, segment: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let bits = self.source.bits(segment)?;
        Ok(Box::new(BitsWalk::new(bits, self.score * boost)))
    }

    fn explain(&self, _segment: &SegmentReader, _doc: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new("one score for all", self.score))
    }
}

struct BitsWalk {
    bits: Arc<Bits>,
    doc: DocId,
    score: Score,
}

impl BitsWalk {
    fn new(bits: Arc<Bits>, score: Score) -> Self {
        let mut walk = BitsWalk { bits, doc: 0, score };
        walk.doc = walk.first_from(0);
        walk
    }

    fn first_from(&self, doc: DocId) -> DocId {
        let first_word = doc as usize / 64;
        let Some(&word) = self.bits.words.get(first_word) else { return TERMINATED };
        let rest = word & (u64::MAX << (doc % 64));
        if rest != 0 {
            return (first_word as u32) * 64 + rest.trailing_zeros();
        }
        let following = self.bits.words[first_word + 1..].iter().position(|&word| word != 0);
        match following {
            Some(skipped) => {
                let word = first_word + 1 + skipped;
                (word as u32) * 64 + self.bits.words[word].trailing_zeros()
            }
            None => TERMINATED,
        }
    }
}

impl DocSet for BitsWalk {
    fn advance(&mut self) -> DocId {
        if self.doc != TERMINATED {
            self.doc = self.first_from(self.doc + 1);
        }
        self.doc
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if target > self.doc {
            self.doc = if target >= TERMINATED { TERMINATED } else { self.first_from(target) };
        }
        self.doc
    }

    fn fill_buffer(&mut self, buffer: &mut [DocId; COLLECT_BLOCK_BUFFER_LEN]) -> usize {
        let mut filled = 0;
        while filled < buffer.len() && self.doc != TERMINATED {
            buffer[filled] = self.doc;
            filled += 1;
            self.doc = self.first_from(self.doc + 1);
        }
        filled
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.bits.count
    }
}

impl Scorer for BitsWalk {
    fn score(&mut self) -> Score {
        self.score
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(docs: &[DocId], max_doc: DocId) -> BitsWalk {
        let mut builder = BitsBuilder::new(max_doc);
        for &doc in docs {
            builder.words[doc as usize / 64] |= 1 << (doc % 64);
        }
        BitsWalk::new(Arc::new(builder.build()), 1.0)
    }

    #[test]
    fn a_walk_visits_every_document_once_and_stays_at_the_end() {
        let docs = [0, 1, 63, 64, 127, 500, 501];
        let mut walk = walk(&docs, 502);
        let mut visited = vec![walk.doc()];
        while walk.advance() != TERMINATED {
            visited.push(walk.doc());
        }
        assert_eq!(visited, docs);
        assert_eq!(walk.advance(), TERMINATED);
        assert_eq!(walk.seek(TERMINATED), TERMINATED);
    }

    #[test]
    fn a_walk_seeks_to_the_next_document() {
        let mut walk = walk(&[3, 70, 400], 401);
        assert_eq!(walk.seek(3), 3);
        assert_eq!(walk.seek(4), 70);
        assert_eq!(walk.seek(70), 70);
        assert_eq!(walk.seek(401), TERMINATED);
    }

    #[test]
    fn a_full_buffer_is_followed_by_the_rest() {
        let docs: Vec<DocId> = (0..100).collect();
        let mut walk = walk(&docs, 100);
        let mut buffer = [0; COLLECT_BLOCK_BUFFER_LEN];
        assert_eq!(walk.fill_buffer(&mut buffer), 64);
        assert_eq!(walk.fill_buffer(&mut buffer), 36);
        assert_eq!(walk.fill_buffer(&mut buffer), 0);
    }
}
