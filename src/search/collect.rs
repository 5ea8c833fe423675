//! Running a plan over all segments: counts every match exactly, keeps the best for the page, and
//! counts values on the way.
//!
//! Nothing here depends on how many pages were turned before: a page is the best hits *behind* a
//! place (see [`order`](super::order)), so a heap of one page is enough.

use std::{collections::BinaryHeap, mem, sync::Arc};

use tantivy::{
    COLLECT_BLOCK_BUFFER_LEN, DocAddress, DocId, DocSet, SegmentReader,
    query::{EnableScoring, Query, Scorer, Weight},
};

use super::{
    edition::View,
    facets::{FacetCounter, SegmentFacets},
    order::{self, Key, SegmentOrder, Start},
    request::{Facets, Sort},
};

/// Which hits are wanted.
pub(super) struct Wanted<'r> {
    pub sort: Sort,
    pub count: usize,
    /// The last hit of the page before.
    pub after: Option<(&'r Key, u128)>,
    pub facets: bool,
}

#[derive(Default)]
pub(super) struct Collected {
    pub total: u64,
    /// The best hits in order.
    pub best: Vec<Best>,
    pub facets: Option<Facets>,
}

pub(super) struct Best {
    pub key: Key,
    /// Orders hits of the same key before the id does.
    tie: u64,
    pub id: u128,
    pub address: DocAddress,
}

/// What to run, see [`plan`](super::plan).
pub(super) struct Plan {
    pub matching: Box<dyn Query>,
    pub excluded: Vec<Box<dyn Query>>,
    pub scoring: Vec<Box<dyn Query>>,
}

pub(super) fn collect(view: &View, plan: &Plan, wanted: &Wanted<'_>) -> tantivy::Result<Collected> {
    let searcher = &view.searcher;
    let without_scores = EnableScoring::disabled_from_searcher(searcher);
    let matching = plan.matching.weight(without_scores)?;
    let excluded = weights(&plan.excluded, without_scores)?;
    let scoring = weights(&plan.scoring, EnableScoring::enabled_from_searcher(searcher))?;
    let mut facets = wanted.facets.then(FacetCounter::default);
    let mut collected = Collected::default();
    for (place, segment) in searcher.segment_readers().iter().enumerate() {
        // Every segment of a view has its columns.
        let columns = Arc::clone(&view.columns[&segment.segment_id()]);
        let order = SegmentOrder { sort: wanted.sort, columns };
        let facets = facets.as_mut().map(|facets| facets.open(&order.columns));
        let mut page = SegmentPage {
            start: wanted.after.map(|(key, id)| order.start_after(key, id)).transpose()?,
            segment,
            order,
            excluded: scorers(&excluded, segment)?,
            scorers: scorers(&scoring, segment)?,
            count: wanted.count,
            best: BinaryHeap::with_capacity(wanted.count.min(1_024)),
            total: 0,
            facets,
        };
        matching.for_each_no_score(segment, &mut |docs| page.add(docs))?;
        collected.total += page.total;
        page.close(place as u32, &mut collected.best)?;
    }
    collected.best.sort_by(|left, right| {
        (&left.key, left.tie, left.id).cmp(&(&right.key, right.tie, right.id))
    });
    collected.best.truncate(wanted.count);
    collected.facets = facets.map(FacetCounter::into_facets);
    Ok(collected)
}

fn weights(
    queries: &[Box<dyn Query>],
    scoring: EnableScoring<'_>,
) -> tantivy::Result<Vec<Box<dyn Weight>>> {
    queries.iter().map(|query| query.weight(scoring)).collect()
}

fn scorers(
    weights: &[Box<dyn Weight>],
    segment: &SegmentReader,
) -> tantivy::Result<Vec<Box<dyn Scorer>>> {
    weights.iter().map(|weight| weight.scorer(segment, 1.0)).collect()
}

/// A hit within a segment; the greatest is the worst.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    rank: u64,
    tie: u64,
    id: u128,
    doc: DocId,
}

/// The share of one segment in a page.
struct SegmentPage<'s> {
    segment: &'s SegmentReader,
    order: SegmentOrder,
    start: Option<Start>,
    excluded: Vec<Box<dyn Scorer>>,
    scorers: Vec<Box<dyn Scorer>>,
    count: usize,
    best: BinaryHeap<Candidate>,
    total: u64,
    facets: Option<SegmentFacets<'s>>,
}

impl SegmentPage<'_> {
    /// Takes the next matches, in rising order.
    fn add(&mut self, docs: &[DocId]) {
        let mut alive = [0; COLLECT_BLOCK_BUFFER_LEN];
        let mut included = [0; COLLECT_BLOCK_BUFFER_LEN];
        for docs in docs.chunks(COLLECT_BLOCK_BUFFER_LEN) {
            let docs = self.without_removed(docs, &mut alive);
            let docs = self.without_excluded(docs, &mut included);
            self.total += docs.len() as u64;
            if let Some(facets) = &mut self.facets {
                facets.add(docs);
            }
            if self.count > 0 {
                self.rank(docs);
            }
        }
    }

    fn without_removed<'d>(
        &self,
        docs: &'d [DocId],
        alive: &'d mut [DocId; COLLECT_BLOCK_BUFFER_LEN],
    ) -> &'d [DocId] {
        let Some(bits) = self.segment.alive_bitset() else { return docs };
        let mut count = 0;
        for &doc in docs {
            alive[count] = doc;
            count += usize::from(bits.is_alive(doc));
        }
        &alive[..count]
    }

    fn without_excluded<'d>(
        &mut self,
        docs: &'d [DocId],
        included: &'d mut [DocId; COLLECT_BLOCK_BUFFER_LEN],
    ) -> &'d [DocId] {
        if self.excluded.is_empty() {
            return docs;
        }
        let mut count = 0;
        for &doc in docs {
            included[count] = doc;
            let is_excluded = self.excluded.iter_mut().any(|excluded| has(excluded, doc));
            count += usize::from(!is_excluded);
        }
        &included[..count]
    }

    fn rank(&mut self, docs: &[DocId]) {
        let mut ranks = [0; COLLECT_BLOCK_BUFFER_LEN];
        let ranks = &mut ranks[..docs.len()];
        if self.order.sort == Sort::Relevance {
            for (doc, rank) in docs.iter().zip(ranks.iter_mut()) {
                *rank = order::score_rank(score(&mut self.scorers, *doc));
            }
        } else {
            self.order.ranks(docs, ranks);
        }
        for (&doc, &rank) in docs.iter().zip(ranks.iter()) {
            self.offer(doc, rank);
        }
    }

    fn offer(&mut self, doc: DocId, rank: u64) {
        let is_full = self.best.len() == self.count;
        let worst = self.best.peek().filter(|_| is_full);
        if worst.is_some_and(|worst| rank > worst.rank) {
            return;
        }
        if self.start.is_some_and(|start| !start.is_before(rank, || self.order.id(doc))) {
            return;
        }
        let by_score = self.order.sort == Sort::Relevance;
        let tie = if by_score { self.order.age_rank(doc) } else { 0 };
        let candidate = Candidate { rank, tie, id: self.order.id(doc), doc };
        if !is_full {
            self.best.push(candidate);
        } else if let Some(mut worst) = self.best.peek_mut()
            && candidate < *worst
        {
            *worst = candidate;
        }
    }

    fn close(mut self, place: u32, best: &mut Vec<Best>) -> tantivy::Result<()> {
        for candidate in mem::take(&mut self.best) {
            best.push(Best {
                key: self.order.key(candidate.rank)?,
                tie: candidate.tie,
                id: candidate.id,
                address: DocAddress::new(place, candidate.doc),
            });
        }
        if let Some(facets) = self.facets.take() {
            facets.close()?;
        }
        Ok(())
    }
}

/// The scores of all scorers that have this document; documents come in rising order.
fn score(scorers: &mut [Box<dyn Scorer>], doc: DocId) -> f32 {
    let mut score = 0.0;
    for scorer in scorers {
        if has(scorer, doc) {
            score += scorer.score();
        }
    }
    score
}

/// Whether a walk has this document; documents come in rising order.
fn has(walk: &mut Box<dyn Scorer>, doc: DocId) -> bool {
    if walk.doc() < doc {
        walk.seek(doc);
    }
    walk.doc() == doc
}
