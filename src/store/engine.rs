//! The seam below the store: an ordered map of bytes with durable transactions. It knows no
//! record, no index and no noun, so that another engine can take redb's place.
//!
//! `tests/it/store_engine` is the contract; every engine passes all of it.

use std::ops::Bound;

use anyhow::Result;

/// One key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// What a scan yields, in the order that was asked for.
pub type Pairs<'a> = Box<dyn Iterator<Item = Result<Pair>> + 'a>;

/// A range of keys; the bounds hold whichever way the scan runs.
#[derive(Clone, Debug)]
pub struct Span {
    pub from: Bound<Vec<u8>>,
    pub to: Bound<Vec<u8>>,
}

impl Span {
    /// All keys that begin with `prefix`.
    pub fn prefix(prefix: &[u8]) -> Self {
        let to = match successor(prefix) {
            Some(end) => Bound::Excluded(end),
            None => Bound::Unbounded,
        };
        Span { from: Bound::Included(prefix.to_vec()), to }
    }

    /// Leaves out what a walk in `direction` meets up to and including the keys that begin with
    /// `prefix`. It never grows: a `prefix` from elsewhere leaves all of the span, or nothing.
    pub(super) fn narrow(&mut self, prefix: &[u8], direction: Direction) {
        match direction {
            Direction::Forward => match (successor(prefix), &self.from) {
                (Some(next), Bound::Included(from) | Bound::Excluded(from)) if next <= *from => {}
                (Some(next), _) => self.from = Bound::Included(next),
                // Nothing lies beyond a prefix without a successor.
                (None, _) => self.to = Bound::Excluded(Vec::new()),
            },
            Direction::Backward => match &self.to {
                Bound::Included(to) if to.as_slice() < prefix => {}
                Bound::Excluded(to) if to.as_slice() <= prefix => {}
                _ => self.to = Bound::Excluded(prefix.to_vec()),
            },
        }
    }

    /// True when no key can lie inside.
    pub fn is_empty(&self) -> bool {
        match (&self.from, &self.to) {
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to))
            | (Bound::Excluded(from), Bound::Included(to)) => from >= to,
            (Bound::Unbounded, Bound::Excluded(to)) => to.is_empty(),
            _ => false,
        }
    }
}

/// The smallest key above all that begin with `prefix`; `None` when there is none.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != 0xFF)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Backward,
}

/// A view that does not change while it is held (inside a write: apart from its own writes).
pub trait Reader {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// The pairs of `span`; none when it is empty.
    fn scan(&self, span: &Span, direction: Direction) -> Result<Pairs<'_>>;
}

/// A transaction in the making: sees its own writes, and nobody else does.
pub trait Writer: Reader {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()>;

    /// Removing what is not there is no error.
    fn remove(&mut self, key: &[u8]) -> Result<()>;
}

/// An ordered key-value engine.
pub trait Engine: Send + Sync {
    /// A snapshot of what has been committed.
    fn read(&self) -> Result<Box<dyn Reader + '_>>;

    /// Runs `work` in a transaction. `Ok` means that all of it is on the disk and would survive a
    /// power cut. After an `Err` from `work` none of it is visible. An `Err` from the commit leaves
    /// none of it or, when the disk failed at the very last step, all of it; never a part. Whatever
    /// went wrong, the next call finds a working engine as soon as the disk works again.
    fn write(&self, work: &mut dyn FnMut(&mut dyn Writer) -> Result<()>) -> Result<()>;
}
