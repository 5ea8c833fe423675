//! What a snapshot leads to: the segments that go on from it, one from the other. Whoever may write to the
//! place names a segment as he likes, so none counts before it was read and is signed as the snapshot is;
//! what does not count is passed over, and never ends the way of those behind it.

use std::vec;

use super::fetching::patiently;
use crate::{
    backup::{Changes, Repository, Segment, SignerKey},
    error::Result,
};

/// A walk along the segments of one store.
pub(super) struct Chain {
    reached: u64,
    /// Those that were not looked at yet, in the order in which they begin.
    segments: vec::IntoIter<Segment>,
    /// The first one behind a gap.
    behind_gap: Option<Segment>,
}

impl Chain {
    /// Begins behind the change `reached`.
    pub fn after(reached: u64, mut segments: Vec<Segment>) -> Self {
        segments.sort_by_key(|segment| (segment.from, segment.to));
        Chain { reached, segments: segments.into_iter(), behind_gap: None }
    }

    /// The next one that leads on by its name; `None` at the end, and where one is missing.
    pub fn candidate(&mut self) -> Option<Segment> {
        let next = self.segments.find(|segment| segment.to > self.reached)?;
        if next.from <= self.reached.saturating_add(1) {
            return Some(next);
        }
        self.behind_gap = Some(next);
        None
    }

    /// After the last candidate: those that nothing leads to.
    pub fn unreached(self) -> impl Iterator<Item = Segment> {
        self.behind_gap.into_iter().chain(self.segments)
    }

    /// Goes on behind a candidate, which is [`proven`].
    pub fn take(&mut self, segment: &Segment) {
        self.reached = segment.to;
    }

    pub fn reached(&self) -> u64 {
        self.reached
    }
}

/// What a segment holds; `None` when it is damaged or was not signed by `signer`. Without a signer, as
/// before there were signatures, anybody's counts.
///
/// # Errors
/// When the repository cannot be reached: nothing is known of the segment then.
pub(super) async fn proven(
    repository: &Repository,
    segment: &Segment,
    signer: Option<SignerKey>,
) -> Result<Option<Changes>> {
    let (from, to) = (segment.from, segment.to);
    match patiently(|| repository.changes(segment)).await? {
        Ok(changes) if signer.is_some() && changes.signer != signer => {
            tracing::warn!(from, to, "a segment is not signed as it should be");
            Ok(None)
        }
        Ok(changes) => Ok(Some(changes)),
        Err(fault) => {
            tracing::warn!(from, to, "a segment cannot be read: {}", fault.chain());
            Ok(None)
        }
    }
}
