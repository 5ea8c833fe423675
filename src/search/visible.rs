//! Who sees what: the documents that a request may find at all.
//!
//! The set for a pair of (access terms, statuses) is the same for every search of a person until
//! groups change, and a segment never changes once written. So the sets are kept, per segment, up
//! to a number of bytes: each search then pays a bit test per document instead of merging the
//! postings of a dozen groups. Removed documents are left out later, with every other hit.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use tantivy::{SegmentReader, Term, index::SegmentId, schema::Field};
use uuid::Uuid;

use super::{
    bits::{Bits, BitsBuilder, BitsQuery, BitsSource},
    entry,
    schema::Fields,
};

/// A set nobody asked for in this time is dropped.
const KEPT_FOR: Duration = Duration::from_secs(10 * 60);

/// The sets that were computed lately; shared by all searches of an index.
#[derive(Clone)]
pub(super) struct VisibleSets {
    kept: Cache<(SegmentId, Arc<Eyes>), Arc<Bits>>,
}

impl VisibleSets {
    pub fn new(bytes_max: u64) -> Self {
        let kept = Cache::builder()
            .max_capacity(bytes_max)
            .weigher(|(_, eyes): &(SegmentId, Arc<Eyes>), bits: &Arc<Bits>| {
                u32::try_from(bits.bytes() + eyes.bytes()).unwrap_or(u32::MAX)
            })
            .time_to_idle(KEPT_FOR)
            .build();
        VisibleSets { kept }
    }

    /// The query that finds what these eyes may see.
    pub fn query(&self, eyes: Arc<Eyes>, fields: &Fields) -> BitsQuery {
        let visible =
            Visible { sets: self.clone(), eyes, access: fields.access, status: fields.status };
        BitsQuery::new(visible, 0.0)
    }
}

/// With which rights somebody looks: sorted, so that equal rights share their sets.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Eyes {
    /// Values of the field `access`; empty sees nothing.
    access: Vec<String>,
    /// Any of these; empty for all.
    statuses: Vec<String>,
}

impl Eyes {
    pub fn new(tenant: Uuid, access: &[String], statuses: &[String]) -> Self {
        let mut access: Vec<String> =
            access.iter().map(|access| entry::access_value(tenant, access)).collect();
        let mut statuses = statuses.to_vec();
        for terms in [&mut access, &mut statuses] {
            terms.sort_unstable();
            terms.dedup();
        }
        Eyes { access, statuses }
    }

    pub fn see_nothing(&self) -> bool {
        self.access.is_empty()
    }

    fn bytes(&self) -> usize {
        self.access.iter().chain(&self.statuses).map(|term| term.len() + 24).sum::<usize>() + 96
    }
}

struct Visible {
    sets: VisibleSets,
    eyes: Arc<Eyes>,
    access: Field,
    status: Field,
}

impl std::fmt::Debug for Visible {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Visible({:?})", self.eyes)
    }
}

impl BitsSource for Visible {
    fn bits(&self, segment: &SegmentReader) -> tantivy::Result<Arc<Bits>> {
        let key = (segment.segment_id(), Arc::clone(&self.eyes));
        if let Some(bits) = self.sets.kept.get(&key) {
            return Ok(bits);
        }
        let mut builder = any_of(segment, self.access, &self.eyes.access)?;
        if !self.eyes.statuses.is_empty() {
            builder.intersect(&any_of(segment, self.status, &self.eyes.statuses)?);
        }
        let bits = Arc::new(builder.build());
        self.sets.kept.insert(key, Arc::clone(&bits));
        Ok(bits)
    }
}

/// The documents that have any of these values in this field.
fn any_of(
    segment: &SegmentReader,
    field: Field,
    values: &[String],
) -> tantivy::Result<BitsBuilder> {
    let index = segment.inverted_index(field)?;
    let mut builder = BitsBuilder::new(segment.max_doc());
    for value in values {
        if let Some(term) = index.get_term_info(&Term::from_field_text(field, value))? {
            builder.add_term(&index, &term)?;
        }
    }
    Ok(builder)
}
