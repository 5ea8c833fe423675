//! Transactions: what a closure given to [`Store`](super::Store) reads and writes through.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
};

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use uuid::{ContextV7, Uuid};

use super::{
    changes,
    engine::{Direction, Pair, Pairs, Reader, Span, Writer},
    key::Key,
    scan::{IndexScan, RecordScan},
    table::{Index, IndexEntries, META, Record, record_key},
};
use crate::{
    error::{Error, Result},
    id::Id,
};

/// What a write has changed so far: `None` for a key it removed.
pub(super) type Overlay = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A view of the store that does not change while it is held.
pub struct ReadTx<'a> {
    reader: &'a dyn Reader,
    overlay: Overlay,
    now: Timestamp,
}

impl<'a> ReadTx<'a> {
    pub(super) fn new(reader: &'a dyn Reader, now: Timestamp) -> Self {
        ReadTx { reader, overlay: Overlay::new(), now }
    }

    /// The one time of this transaction, in whole milliseconds.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn get<R: Record>(&self, key: &R::Key) -> Result<Option<R>> {
        self.get_at(R::TABLE.name, &record_key(R::TABLE, &key.to_bytes()))
    }

    /// The one record with this key in a unique index.
    pub fn find<R: Record, K: Key>(&self, index: &Index<R, K>, key: &K) -> Result<Option<R>> {
        debug_assert!(index.is_unique(), "`find` needs a unique index");
        match self.get_bytes(&index.unique_key(key))? {
            Some(primary) => self.get_at(R::TABLE.name, &record_key(R::TABLE, &primary)),
            None => Ok(None),
        }
    }

    /// All records of a table in the order of their keys.
    pub fn records<R: Record>(&self) -> RecordScan<'_, R> {
        RecordScan::new(self)
    }

    /// The entries of an index in the order of its keys.
    pub fn index<R: Record, K: Key>(&self, index: &Index<R, K>) -> IndexScan<'_, R, K> {
        IndexScan::new(self, index)
    }

    /// A fact about the store itself, such as the version of its layout.
    pub fn meta<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        self.get_at("meta", &meta_key(name))
    }

    pub(super) fn get_at<T: DeserializeOwned>(&self, what: &str, at: &[u8]) -> Result<Option<T>> {
        let Some(json) = self.get_bytes(at)? else { return Ok(None) };
        decode(what, &json).map(Some)
    }

    pub(super) fn get_bytes(&self, at: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.overlay.get(at) {
            Some(own) => Ok(own.clone()),
            None => Ok(self.reader.get(at)?),
        }
    }

    pub(super) fn scan(&self, span: &Span, direction: Direction) -> Result<Pairs<'_>> {
        if span.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        let below = self.reader.scan(span, direction)?;
        if self.overlay.is_empty() {
            return Ok(below);
        }
        let own = self.overlay.range((span.from.clone(), span.to.clone()));
        Ok(match direction {
            Direction::Forward => Box::new(Merged::new(own, below, direction)),
            Direction::Backward => Box::new(Merged::new(own.rev(), below, direction)),
        })
    }
}

/// A transaction that writes. What it wrote, it reads; nobody else does before it is committed,
/// and when the closure returns an error nothing of it remains.
///
/// It reads like a [`ReadTx`].
pub struct WriteTx<'a> {
    view: ReadTx<'a>,
    changed: BTreeSet<Vec<u8>>,
    draws_on_reserve: bool,
    id_context: &'a ContextV7,
}

impl<'a> Deref for WriteTx<'a> {
    type Target = ReadTx<'a>;

    fn deref(&self) -> &Self::Target {
        &self.view
    }
}

impl<'a> WriteTx<'a> {
    pub(super) fn new(reader: &'a dyn Reader, now: Timestamp, id_context: &'a ContextV7) -> Self {
        let view = ReadTx::new(reader, now);
        WriteTx { view, changed: BTreeSet::new(), draws_on_reserve: false, id_context }
    }

    /// Lets this transaction be written also when the disk is full up to the last of its reserve:
    /// for verbs that make room, take a right away, let somebody in, or note what has happened
    /// already. All others are then refused.
    pub fn draw_on_reserve(&mut self) {
        self.draws_on_reserve = true;
    }

    /// A new id that sorts after all earlier ones of the same clock.
    pub fn new_id<T>(&self) -> Id<T> {
        let since_epoch = self.now.as_duration();
        let seconds = since_epoch.as_secs().max(0) as u64;
        let subsec_nanos = since_epoch.subsec_nanos().max(0) as u32;
        let timestamp = uuid::Timestamp::from_unix(self.id_context, seconds, subsec_nanos);
        Id::from_uuid(Uuid::new_v7(timestamp))
    }

    /// Writes the record, its index entries and one entry of the change log; nothing at all when
    /// the store holds just this record already.
    ///
    /// # Errors
    /// `Conflict` when a unique index has the key for another record.
    pub fn put<R: Record>(&mut self, record: &R) -> Result<()> {
        let table = R::TABLE;
        let at = record_key(table, &record.key().to_bytes());
        let json = serde_json::to_vec(record)
            .with_context(|| format!("writing a record of {}", table.name))?;
        let before = self.view.get_bytes(&at)?;
        if before.as_deref() == Some(json.as_slice()) {
            return Ok(());
        }
        let stale = match before {
            Some(json) => IndexEntries::of(&decode::<R>(table.name, &json)?).entries,
            None => BTreeMap::new(),
        };
        let fresh = IndexEntries::of(record).entries;
        // All checks come before the first change: a closure may go on after a conflict.
        for (key, entry) in &fresh {
            let is_taken = || Ok::<_, Error>(self.view.get_bytes(key)?.is_some());
            if entry.unique && !stale.contains_key(key) && is_taken()? {
                return Err(Error::conflict("Something with this name exists already."));
            }
        }
        for key in stale.keys().filter(|key| !fresh.contains_key(*key)) {
            self.view.overlay.insert(key.clone(), None);
        }
        for (key, entry) in fresh {
            if stale.get(&key) != Some(&entry) {
                self.view.overlay.insert(key, Some(entry.value));
            }
        }
        self.write(at, Some(json));
        Ok(())
    }

    /// Removes a record with its index entries and says so in the change log. Returns what it was.
    pub fn remove<R: Record>(&mut self, key: &R::Key) -> Result<Option<R>> {
        let Some(record) = self.view.get::<R>(key)? else { return Ok(None) };
        for entry in IndexEntries::of(&record).entries.into_keys() {
            self.view.overlay.insert(entry, None);
        }
        self.write(record_key(R::TABLE, &key.to_bytes()), None);
        Ok(Some(record))
    }

    /// Sets a fact about the store itself; not part of the change log.
    pub fn set_meta<T: serde::Serialize>(&mut self, name: &str, value: &T) -> Result<()> {
        let json = serde_json::to_vec(value).context("writing a fact about the store")?;
        self.view.overlay.insert(meta_key(name), Some(json));
        Ok(())
    }

    /// Removes a key that is no record.
    pub(super) fn discard(&mut self, at: Vec<u8>) {
        self.view.overlay.insert(at, None);
    }

    fn write(&mut self, at: Vec<u8>, value: Option<Vec<u8>>) {
        self.changed.insert(at[1..].to_vec());
        self.view.overlay.insert(at, value);
    }

    pub(super) fn finish(self) -> Finished {
        let WriteTx { view, changed, draws_on_reserve, .. } = self;
        Finished { overlay: view.overlay, changed, draws_on_reserve }
    }
}

/// What a closure leaves behind when it returned `Ok`.
pub(super) struct Finished {
    overlay: Overlay,
    changed: BTreeSet<Vec<u8>>,
    draws_on_reserve: bool,
}

impl Finished {
    /// Whether it takes room and has no leave to do so when only the reserve is left.
    pub fn only_adds(&self) -> bool {
        !self.draws_on_reserve && self.overlay.values().any(Option::is_some)
    }

    /// Moves everything into the engine's transaction; changes are numbered from
    /// `next_sequence` on. Returns the number after the last.
    pub fn flush(self, writer: &mut dyn Writer, next_sequence: u64) -> anyhow::Result<u64> {
        for (key, value) in self.overlay {
            match value {
                Some(value) => writer.put(&key, &value)?,
                None => writer.remove(&key)?,
            }
        }
        let mut sequence = next_sequence;
        for changed in self.changed {
            writer.put(&changes::key(sequence), &changed)?;
            sequence += 1;
        }
        Ok(sequence)
    }
}

fn decode<T: DeserializeOwned>(what: &str, json: &[u8]) -> Result<T> {
    serde_json::from_slice(json)
        .with_context(|| {
            format!(
                "reading a record of {what}: {}",
                String::from_utf8_lossy(&json[..json.len().min(60)])
            )
        })
        .map_err(Error::Internal)
}

pub(super) fn meta_key(name: &str) -> Vec<u8> {
    let mut out = vec![META];
    out.extend_from_slice(name.as_bytes());
    out
}

/// Two sorted sequences as one; where both have a key, the overlay's word counts.
struct Merged<'a, O: Iterator> {
    own: std::iter::Peekable<O>,
    below: std::iter::Peekable<Pairs<'a>>,
    direction: Direction,
}

impl<'a, O> Merged<'a, O>
where
    O: Iterator<Item = (&'a Vec<u8>, &'a Option<Vec<u8>>)>,
{
    fn new(own: O, below: Pairs<'a>, direction: Direction) -> Self {
        Merged { own: own.peekable(), below: below.peekable(), direction }
    }
}

impl<'a, O> Iterator for Merged<'a, O>
where
    O: Iterator<Item = (&'a Vec<u8>, &'a Option<Vec<u8>>)>,
{
    type Item = anyhow::Result<Pair>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((own_key, _)) = self.own.peek() else { return self.below.next() };
            match self.below.peek() {
                Some(Err(_)) => return self.below.next(),
                Some(Ok((key, _))) => {
                    let order = match self.direction {
                        Direction::Forward => key.cmp(own_key),
                        Direction::Backward => own_key.cmp(&key),
                    };
                    if order.is_lt() {
                        return self.below.next();
                    }
                    if order.is_eq() {
                        self.below.next();
                    }
                }
                None => {}
            }
            let (key, value) = self.own.next()?;
            if let Some(value) = value {
                return Some(Ok((key.clone(), value.clone())));
            }
        }
    }
}

pub(super) fn dangling(table: &str) -> Error {
    Error::Internal(anyhow!("an index of {table} points to a record that is not there"))
}
