//! The change log: which record changed, in the order of the commits. Followers (the search index,
//! and later backup and webhooks) read it after their own cursor.

use std::ops::Bound;

use anyhow::anyhow;

use super::{
    engine::{Direction, Span},
    key::Key,
    table::{CHANGES, Record},
    tx::{ReadTx, WriteTx},
};
use crate::error::{Error, Result};

/// One entry: the record `key` of table number `table` was written or removed. What it is now, the
/// table tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub sequence: u64,
    pub table: u8,
    pub key: Vec<u8>,
}

impl Change {
    /// The key of the changed record, when it is one of `R`.
    pub fn key_of<R: Record>(&self) -> Option<R::Key> {
        (self.table == R::TABLE.number).then(|| R::Key::from_bytes(&self.key)).flatten()
    }
}

/// What a follower finds after its cursor.
#[derive(Debug, PartialEq, Eq)]
pub enum Changes {
    /// The next entries, oldest first; empty when the follower has seen all.
    Next(Vec<Change>),
    /// The log no longer reaches back to the cursor, or the cursor is from another store: the
    /// follower must start over from the records and then go on from sequence `latest`.
    StartOver { latest: u64 },
}

impl ReadTx<'_> {
    /// At most `limit` changes after the sequence `cursor`.
    pub fn changes(&self, cursor: u64, limit: usize) -> Result<Changes> {
        let latest = self.latest_change()?;
        let oldest = self.oldest_change()?.unwrap_or(latest + 1);
        if cursor > latest || cursor + 1 < oldest {
            return Ok(Changes::StartOver { latest });
        }
        let mut span = Span::prefix(&[CHANGES]);
        span.from = Bound::Excluded(key(cursor));
        let mut next = Vec::new();
        for pair in self.scan(&span, Direction::Forward)?.take(limit) {
            let (at, value) = pair?;
            next.push(decode(&at, &value)?);
        }
        Ok(Changes::Next(next))
    }

    /// The sequence of the last change ever made; 0 before the first.
    pub fn latest_change(&self) -> Result<u64> {
        Ok(self.meta(LATEST)?.unwrap_or(0))
    }

    fn oldest_change(&self) -> Result<Option<u64>> {
        let first = self.scan(&Span::prefix(&[CHANGES]), Direction::Forward)?.next().transpose()?;
        Ok(first.and_then(|(at, _)| u64::from_bytes(&at[1..])))
    }
}

impl WriteTx<'_> {
    /// Forgets the oldest entries up to and including `sequence`, at most `limit` of them. Returns
    /// how many. Only for what every follower has seen.
    pub fn trim_changes(&mut self, sequence: u64, limit: usize) -> Result<usize> {
        let mut span = Span::prefix(&[CHANGES]);
        span.to = Bound::Included(key(sequence));
        let oldest: Vec<_> = self.scan(&span, Direction::Forward)?.take(limit).collect();
        let count = oldest.len();
        for pair in oldest {
            self.discard(pair?.0);
        }
        Ok(count)
    }
}

/// The name of the fact that outlives a trimmed log: the last sequence given out.
pub(super) const LATEST: &str = "latest_change";

pub(super) fn key(sequence: u64) -> Vec<u8> {
    let mut out = vec![CHANGES];
    sequence.encode(&mut out);
    out
}

fn decode(at: &[u8], value: &[u8]) -> Result<Change> {
    match (u64::from_bytes(&at[1..]), value.split_first()) {
        (Some(sequence), Some((&table, key))) => Ok(Change { sequence, table, key: key.to_vec() }),
        _ => Err(Error::Internal(anyhow!("the change log has a broken entry"))),
    }
}
