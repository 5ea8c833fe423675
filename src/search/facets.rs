//! Counting the values of all matches.
//!
//! A column holds numbers that stand for values, so a segment is counted by raising places of an
//! array, and a value becomes text once per segment and not once per match.

use std::{collections::HashMap, hash::Hash};

use tantivy::{
    COLLECT_BLOCK_BUFFER_LEN, DocId,
    columnar::{Cardinality, Column, StrColumn},
};
use uuid::Uuid;

use super::{
    columns::Columns,
    request::{FACET_VALUES_MAX, Facets},
};

/// Years are counted in an array from the first year of a segment on.
const YEARS_MAX: u64 = 10_000;

/// What was counted so far, over all segments.
#[derive(Default)]
pub(super) struct FacetCounter {
    categories: HashMap<String, u64>,
    kinds: HashMap<String, u64>,
    tags: HashMap<String, u64>,
    persons: HashMap<String, u64>,
    file_types: HashMap<String, u64>,
    years: HashMap<u64, u64>,
}

impl FacetCounter {
    pub fn open<'c>(&'c mut self, columns: &Columns) -> SegmentFacets<'c> {
        let texts = [
            (&mut self.categories, &columns.category),
            (&mut self.kinds, &columns.kind),
            (&mut self.tags, &columns.tag),
            (&mut self.persons, &columns.person),
            (&mut self.file_types, &columns.file_type),
        ];
        let texts = texts.map(|(counts, column)| {
            (Counts::new(column.ords().clone(), column.num_terms()), column.clone(), counts)
        });
        let years = &columns.year;
        let span = years.max_value().saturating_sub(years.min_value()).min(YEARS_MAX) as usize;
        SegmentFacets {
            texts,
            first_year: years.min_value(),
            by_year: Counts::new(years.clone(), span + 1),
            years: &mut self.years,
        }
    }

    pub fn into_facets(self) -> Facets {
        let mut years: Vec<(i32, u64)> =
            self.years.into_iter().map(|(year, count)| (year as i32, count)).collect();
        years.sort_unstable_by_key(|&(year, _)| std::cmp::Reverse(year));
        years.truncate(FACET_VALUES_MAX);
        Facets {
            categories: most_frequent(with_ids(self.categories)),
            kinds: most_frequent(self.kinds),
            tags: most_frequent(self.tags),
            persons: most_frequent(with_ids(self.persons)),
            file_types: most_frequent(self.file_types),
            years,
        }
    }
}

/// The counts of one segment.
pub(super) struct SegmentFacets<'c> {
    texts: [(Counts, StrColumn, &'c mut HashMap<String, u64>); 5],
    by_year: Counts,
    first_year: u64,
    years: &'c mut HashMap<u64, u64>,
}

impl SegmentFacets<'_> {
    pub fn add(&mut self, docs: &[DocId]) {
        for (by_value, ..) in &mut self.texts {
            by_value.add(docs, 0);
        }
        self.by_year.add(docs, self.first_year);
    }

    /// Adds this segment's counts to those of the others.
    pub fn close(self) -> tantivy::Result<()> {
        for (by_value, column, counts) in self.texts {
            let mut counted = by_value.found().map(|(_, count)| count);
            let values: Vec<u64> = by_value.found().map(|(value, _)| value as u64).collect();
            column.dictionary().sorted_ords_to_term_cb(&values, |value| {
                let (Ok(value), Some(count)) = (std::str::from_utf8(value), counted.next()) else {
                    return;
                };
                match counts.get_mut(value) {
                    Some(total) => *total += count,
                    None => {
                        counts.insert(value.to_owned(), count);
                    }
                }
            })?;
        }
        for (place, count) in self.by_year.found() {
            *self.years.entry(self.first_year + place as u64).or_default() += count;
        }
        Ok(())
    }
}

/// How many documents have each number of a column.
struct Counts {
    column: Column<u64>,
    is_multivalued: bool,
    counts: Vec<u32>,
}

impl Counts {
    fn new(column: Column<u64>, values: usize) -> Self {
        let is_multivalued = column.get_cardinality() == Cardinality::Multivalued;
        Counts { column, is_multivalued, counts: vec![0; values] }
    }

    fn add(&mut self, docs: &[DocId], first: u64) {
        if self.is_multivalued {
            for &doc in docs {
                for value in self.column.values_for_doc(doc) {
                    if let Some(count) = self.counts.get_mut((value - first) as usize) {
                        *count += 1;
                    }
                }
            }
            return;
        }
        let mut values = [None; COLLECT_BLOCK_BUFFER_LEN];
        self.column.first_vals(docs, &mut values[..docs.len()]);
        for value in values[..docs.len()].iter().flatten() {
            if let Some(count) = self.counts.get_mut((value - first) as usize) {
                *count += 1;
            }
        }
    }

    /// The numbers that were found at all, in rising order, and how often.
    fn found(&self) -> impl Iterator<Item = (usize, u64)> {
        let counts = self.counts.iter().enumerate().filter(|&(_, &count)| count > 0);
        counts.map(|(value, &count)| (value, u64::from(count)))
    }
}

fn with_ids(counts: HashMap<String, u64>) -> HashMap<Uuid, u64> {
    counts.into_iter().filter_map(|(id, count)| Some((Uuid::parse_str(&id).ok()?, count))).collect()
}

/// The most frequent values first, equally frequent ones in their own order.
fn most_frequent<V: Ord + Hash>(counts: HashMap<V, u64>) -> Vec<(V, u64)> {
    let mut counts: Vec<(V, u64)> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
    counts.sort_unstable_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    counts.truncate(FACET_VALUES_MAX);
    counts
}
