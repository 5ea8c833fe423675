//! Walking through a table or an index: a prefix, a place to start after, a direction.

use std::marker::PhantomData;

use anyhow::anyhow;

use super::{
    engine::{Direction, Pairs, Span},
    key::Key,
    table::{Index, Record, record_key, record_prefix},
    tx::{ReadTx, dangling},
};
use crate::error::{Error, Result};

/// The part that both kinds of scan share: where to walk.
struct Walk {
    /// The beginning of every key of the table or index.
    base: Vec<u8>,
    prefix: Vec<u8>,
    after: Option<Vec<u8>>,
    direction: Direction,
}

impl Walk {
    fn all(base: Vec<u8>) -> Self {
        Walk { prefix: base.clone(), base, after: None, direction: Direction::Forward }
    }

    fn within(&mut self, prefix: &impl Key) {
        self.prefix = self.at(prefix);
    }

    fn after(&mut self, key: &impl Key) {
        self.after = Some(self.at(key));
    }

    fn at(&self, key: &impl Key) -> Vec<u8> {
        let mut at = self.base.clone();
        key.encode(&mut at);
        at
    }

    fn pairs<'tx>(&self, tx: &'tx ReadTx<'_>) -> Result<Pairs<'tx>> {
        let mut span = Span::prefix(&self.prefix);
        if let Some(after) = &self.after {
            span.narrow(after, self.direction);
        }
        tx.scan(&span, self.direction)
    }

    fn count(&self, tx: &ReadTx) -> Result<u64> {
        let mut count = 0;
        for pair in self.pairs(tx)? {
            pair?;
            count += 1;
        }
        Ok(count)
    }
}

/// A walk through the records of a table.
pub struct RecordScan<'tx, R> {
    tx: &'tx ReadTx<'tx>,
    walk: Walk,
    of: PhantomData<R>,
}

impl<'tx, R: Record> RecordScan<'tx, R> {
    pub(super) fn new(tx: &'tx ReadTx<'_>) -> Self {
        RecordScan { tx, walk: Walk::all(record_prefix(R::TABLE)), of: PhantomData }
    }

    /// Only records whose key begins with `prefix`.
    pub fn within(mut self, prefix: &impl Key) -> Self {
        self.walk.within(prefix);
        self
    }

    /// Only records beyond `key`, in the direction of the walk.
    pub fn after(mut self, key: &R::Key) -> Self {
        self.walk.after(key);
        self
    }

    pub fn backward(mut self) -> Self {
        self.walk.direction = Direction::Backward;
        self
    }

    /// How many records there are; walks through all of them.
    pub fn count(self) -> Result<u64> {
        self.walk.count(self.tx)
    }

    pub fn iter(self) -> Result<impl Iterator<Item = Result<R>> + 'tx> {
        Ok(self.walk.pairs(self.tx)?.map(|pair| {
            let (_, json) = pair?;
            serde_json::from_slice(&json).map_err(|fault| {
                Error::Internal(anyhow!(fault).context(format!("reading {}", R::TABLE.name)))
            })
        }))
    }
}

/// A walk through the entries of an index.
pub struct IndexScan<'tx, R, K> {
    tx: &'tx ReadTx<'tx>,
    walk: Walk,
    unique: bool,
    of: PhantomData<fn(K) -> R>,
}

impl<'tx, R: Record, K: Key> IndexScan<'tx, R, K> {
    pub(super) fn new(tx: &'tx ReadTx<'_>, index: &Index<R, K>) -> Self {
        IndexScan {
            tx,
            walk: Walk::all(index.prefix()),
            unique: index.is_unique(),
            of: PhantomData,
        }
    }

    /// Only entries whose key begins with `prefix`: the first parts of a `K` that is a tuple.
    pub fn within(mut self, prefix: &impl Key) -> Self {
        self.walk.within(prefix);
        self
    }

    /// Only entries beyond `key`, in the direction of the walk. `key` is a `K`, which leaves out
    /// every entry with it, or a `K` with the primary key as a last part, which leaves out one.
    pub fn after(mut self, key: &impl Key) -> Self {
        self.walk.after(key);
        self
    }

    pub fn backward(mut self) -> Self {
        self.walk.direction = Direction::Backward;
        self
    }

    /// The index keys with the keys of the records that they stand for.
    pub fn keys(self) -> Result<impl Iterator<Item = Result<(K, R::Key)>> + 'tx> {
        let skip = self.walk.base.len();
        let unique = self.unique;
        Ok(self.walk.pairs(self.tx)?.map(move |pair| {
            let (at, value) = pair?;
            let mut input = &at[skip..];
            let decoded = K::decode(&mut input).and_then(|key| {
                let primary = R::Key::from_bytes(if unique { &value } else { input })?;
                Some((key, primary))
            });
            decoded.ok_or_else(|| {
                Error::Internal(anyhow!("an index of {} has a broken key", R::TABLE.name))
            })
        }))
    }

    /// The records in the order of the index.
    pub fn records(self) -> Result<impl Iterator<Item = Result<R>> + 'tx> {
        let tx = self.tx;
        Ok(self.keys()?.map(move |entry| {
            let (_, primary) = entry?;
            tx.get_at(R::TABLE.name, &record_key(R::TABLE, &primary.to_bytes()))?
                .ok_or_else(|| dangling(R::TABLE.name))
        }))
    }

    /// How many entries there are; walks through all of them.
    pub fn count(self) -> Result<u64> {
        self.walk.count(self.tx)
    }
}
