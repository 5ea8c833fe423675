//! Looks at what is stored, for the command `check`: can every record be read, do its index
//! entries stand where they belong, and is there none that belongs to no record?
//!
//! A look at a table is taken in steps, each in a transaction of its own, so that it may last while
//! others write. What a step says is true for its moment: a record and its entries are compared in
//! one view.

use std::ops::Bound;

use uuid::Uuid;

use super::{
    engine::{Direction, Pairs, Span},
    key::Key,
    table::{CHANGES, INDEXES, IndexEntries, RECORDS, Record},
    tx::ReadTx,
};
use crate::error::Result;

/// What one step found.
#[derive(Debug, Default)]
pub struct Inspection {
    pub looked_at: u64,
    pub faults: Vec<Fault>,
    /// Where the next step begins; `None` when this was the last.
    pub next: Option<Vec<u8>>,
}

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub table: &'static str,
    /// Of the record, in a form for people.
    pub key: String,
    /// Ends the sentence that the table and the key begin.
    pub what: String,
}

impl ReadTx<'_> {
    /// Looks at up to `limit` records of a table. `look` adds what only the caller knows to be
    /// wrong with a record.
    pub fn inspect_records<R: Record>(
        &self,
        after: Option<Vec<u8>>,
        limit: usize,
        look: impl Fn(&R) -> Result<Vec<String>>,
    ) -> Result<Inspection> {
        let mut inspection = Inspection::default();
        for pair in self.walk(vec![RECORDS, R::TABLE.number], after)?.take(limit) {
            let (at, json) = pair?;
            let key = &at[2..];
            let faults = match serde_json::from_slice::<R>(&json) {
                Err(fault) => vec![format!("cannot be read: {fault}")],
                Ok(record) if record.key().to_bytes() != key => {
                    vec!["stands in the place of another record".into()]
                }
                Ok(record) => {
                    let mut faults = self.entry_faults(&record)?;
                    faults.extend(look(&record)?);
                    faults
                }
            };
            inspection.note::<R>(key, faults);
            inspection.next = Some(at);
        }
        Ok(inspection.ended_before(limit))
    }

    /// Looks at up to `limit` index entries of a table: each must be one that a record declares.
    pub fn inspect_index<R: Record>(
        &self,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Inspection> {
        let mut inspection = Inspection::default();
        for pair in self.walk(vec![INDEXES, R::TABLE.number], after)?.take(limit) {
            let (at, value) = pair?;
            let mut faults = Vec::new();
            if !self.is_declared::<R>(&at, &value)? {
                faults.push("is in an index and belongs to no record".into());
            }
            inspection.note::<R>(&at[2..], faults);
            inspection.next = Some(at);
        }
        Ok(inspection.ended_before(limit))
    }

    /// Looks at the whole change log: its numbers must follow each other up to the last one.
    pub fn inspect_changes(&self) -> Result<Inspection> {
        let mut inspection = Inspection::default();
        let mut before = None;
        let mut fault = |key: String, what: &str| {
            inspection.faults.push(Fault { table: "changes", key, what: what.into() });
        };
        for pair in self.walk(vec![CHANGES], None)? {
            let (at, value) = pair?;
            inspection.looked_at += 1;
            let Some(sequence) = u64::from_bytes(&at[1..]).filter(|_| !value.is_empty()) else {
                fault(readable(&at[1..]), "cannot be read");
                continue;
            };
            if before.is_some_and(|before| sequence != before + 1) {
                fault(sequence.to_string(), "does not follow the change before it");
            }
            before = Some(sequence);
        }
        if before.is_some_and(|before| before != self.latest_change().unwrap_or(0)) {
            fault(readable(&[]), "do not end with the last change that was made");
        }
        Ok(inspection)
    }

    fn walk(&self, prefix: Vec<u8>, after: Option<Vec<u8>>) -> Result<Pairs<'_>> {
        let mut span = Span::prefix(&prefix);
        if let Some(after) = after {
            span.from = Bound::Excluded(after);
        }
        self.scan(&span, Direction::Forward)
    }

    fn entry_faults<R: Record>(&self, record: &R) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        for (at, entry) in IndexEntries::of(record).entries {
            let number = at[2];
            match self.get_bytes(&at)? {
                Some(value) if value == entry.value => {}
                Some(_) => faults.push(format!("has lost its place in index {number} to another")),
                None => faults.push(format!("is missing from index {number}")),
            }
        }
        Ok(faults)
    }

    /// Which part of an entry's key is the record's, only its record can tell: the parts are not
    /// separated. So every ending that could be a record's key is tried.
    fn is_declared<R: Record>(&self, at: &[u8], value: &[u8]) -> Result<bool> {
        let declares = |primary: &[u8]| -> Result<bool> {
            let Some(key) = R::Key::from_bytes(primary) else { return Ok(false) };
            // One that cannot be read has been reported as such.
            let Ok(Some(record)) = self.get::<R>(&key) else { return Ok(false) };
            let entries = IndexEntries::of(&record).entries;
            Ok(entries.get(at).is_some_and(|entry| entry.value == value))
        };
        if !value.is_empty() {
            return declares(value);
        }
        for start in 3..=at.len() {
            if declares(&at[start..])? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Inspection {
    fn note<R: Record>(&mut self, key: &[u8], faults: Vec<String>) {
        self.looked_at += 1;
        let fault = |what| Fault { table: R::TABLE.name, key: readable(key), what };
        self.faults.extend(faults.into_iter().map(fault));
    }

    fn ended_before(mut self, limit: usize) -> Self {
        if self.looked_at < limit as u64 {
            self.next = None;
        }
        self
    }
}

/// Identifiers as such, everything else in hexadecimal digits.
fn readable(key: &[u8]) -> String {
    match Uuid::from_slice(key) {
        Ok(id) => id.to_string(),
        Err(_) => key.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}
