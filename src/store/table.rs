//! Tables and indexes as types: what a record declares, and how that becomes keys.
//!
//! Every key of the engine starts with its space: `0` facts about the store itself, `1` records,
//! `2` index entries, `3` the change log.

use std::{collections::BTreeMap, marker::PhantomData};

use serde::{Serialize, de::DeserializeOwned};

use super::key::Key;

pub(super) const META: u8 = 0;
pub(super) const RECORDS: u8 = 1;
pub(super) const INDEXES: u8 = 2;
pub(super) const CHANGES: u8 = 3;

/// The name of a table. The number is in every key: it is never given to another table, also not
/// after this one is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    pub number: u8,
    pub name: &'static str,
}

/// What a table holds: JSON in the store, readable in a dump.
pub trait Record: Serialize + DeserializeOwned + 'static {
    const TABLE: Table;

    type Key: Key;

    fn key(&self) -> Self::Key;

    /// Declares every index entry of this record.
    fn index(&self, _entries: &mut IndexEntries<Self>) {}
}

/// A way to find records of `R` by a `K`. Numbers are distinct within a table.
pub struct Index<R, K> {
    number: u8,
    unique: bool,
    of: PhantomData<fn(K) -> R>,
}

impl<R: Record, K: Key> Index<R, K> {
    /// Any number of records may share a key; they follow each other in the order of their own.
    pub const fn new(number: u8) -> Self {
        Index { number, unique: false, of: PhantomData }
    }

    /// One record for each key: a second one is refused with a conflict.
    pub const fn unique(number: u8) -> Self {
        Index { number, unique: true, of: PhantomData }
    }

    pub(super) fn is_unique(&self) -> bool {
        self.unique
    }

    pub(super) fn prefix(&self) -> Vec<u8> {
        vec![INDEXES, R::TABLE.number, self.number]
    }

    pub(super) fn unique_key(&self, key: &K) -> Vec<u8> {
        let mut out = self.prefix();
        key.encode(&mut out);
        out
    }
}

/// Collects the index entries of one record.
pub struct IndexEntries<R> {
    primary: Vec<u8>,
    pub(super) entries: BTreeMap<Vec<u8>, IndexEntry>,
    of: PhantomData<R>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub unique: bool,
    pub value: Vec<u8>,
}

impl<R: Record> IndexEntries<R> {
    pub(super) fn of(record: &R) -> Self {
        let mut entries = IndexEntries {
            primary: record.key().to_bytes(),
            entries: BTreeMap::new(),
            of: PhantomData,
        };
        record.index(&mut entries);
        entries
    }

    pub fn add<K: Key>(&mut self, index: &Index<R, K>, key: &K) {
        let mut at = index.unique_key(key);
        let value = if index.unique {
            self.primary.clone()
        } else {
            at.extend_from_slice(&self.primary);
            Vec::new()
        };
        self.entries.insert(at, IndexEntry { unique: index.unique, value });
    }
}

pub(super) fn record_prefix(table: Table) -> Vec<u8> {
    vec![RECORDS, table.number]
}

pub(super) fn record_key(table: Table, key: &[u8]) -> Vec<u8> {
    let mut out = record_prefix(table);
    out.extend_from_slice(key);
    out
}
