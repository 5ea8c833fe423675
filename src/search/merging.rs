//! Which segments to merge.
//!
//! Every commit writes a segment, even for one entry, and every search visits all of them. So
//! segments of about the same size are merged as soon as there are eight: an entry is then written
//! again about once for every factor of eight its segment grows, and a million entries lie in some
//! twenty segments.

use tantivy::index::SegmentId;

/// Segments of one size class that are merged together.
const TOGETHER: usize = 8;
/// Each size class holds this many times the entries of the one below; the first one up to so many.
const CLASS_FACTOR: u32 = 8;
const FIRST_CLASS_ENTRIES: u32 = 64;
/// Segments with more entries are left alone, unless many were removed.
const ENTRIES_MAX: u32 = 4_000_000;
/// A segment is written anew when this share of it (one in so many) was removed.
const REMOVED_SHARE: u32 = 3;

/// What counts about a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub id: SegmentId,
    /// Entries that can still be found.
    pub entries: u32,
    /// Entries that were removed or replaced since it was written.
    pub removed: u32,
}

/// The next segments to merge into one, if any; the smallest class first.
pub(super) fn wanted(segments: &[Segment]) -> Option<Vec<SegmentId>> {
    let mut by_size: Vec<&Segment> =
        segments.iter().filter(|segment| segment.entries <= ENTRIES_MAX).collect();
    by_size.sort_unstable_by_key(|segment| segment.entries);
    let same_class = by_size.chunk_by(|left, right| class(left.entries) == class(right.entries));
    let full_class = same_class.into_iter().find(|class| class.len() >= TOGETHER);
    if let Some(class) = full_class {
        return Some(class.iter().map(|segment| segment.id).collect());
    }
    let worn = segments.iter().find(|segment| {
        segment.removed > 0
            && segment.removed >= segment.entries.saturating_add(segment.removed) / REMOVED_SHARE
    });
    worn.map(|segment| vec![segment.id])
}

fn class(entries: u32) -> u32 {
    match entries / FIRST_CLASS_ENTRIES {
        0 => 0,
        many => 1 + many.ilog(CLASS_FACTOR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(entries: u32, removed: u32) -> Segment {
        Segment { id: SegmentId::generate_random(), entries, removed }
    }

    #[test]
    fn commits_of_single_entries_leave_few_segments_and_little_rewriting() {
        let mut segments: Vec<Segment> = Vec::new();
        let mut written = 0_u64;
        let mut most = 0;
        for _ in 0..20_000 {
            segments.push(segment(1, 0));
            while let Some(ids) = wanted(&segments) {
                let (merged, kept): (Vec<Segment>, Vec<Segment>) =
                    segments.iter().partition(|segment| ids.contains(&segment.id));
                let entries: u32 = merged.iter().map(|segment| segment.entries).sum();
                written += u64::from(entries);
                segments = kept;
                segments.push(segment(entries, 0));
            }
            most = most.max(segments.len());
        }
        assert!(most <= 36, "{most} segments");
        assert!(written < 20_000 * 12, "each entry was written {} times", written / 20_000);
    }

    #[test]
    fn a_worn_segment_is_written_anew_once() {
        let worn = segment(600, 400);
        assert_eq!(wanted(&[segment(5_000, 10), worn]), Some(vec![worn.id]));
        assert_eq!(wanted(&[segment(5_000, 10), segment(600, 0)]), None);
        let emptied = segment(0, 1);
        assert_eq!(wanted(&[emptied]), Some(vec![emptied.id]));
    }
}
