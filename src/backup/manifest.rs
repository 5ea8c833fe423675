//! What a backup says of itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Fault;
use crate::{error::Result, hash::ContentHash, version};

/// The formats that are written. What is added to one and may be missing does not change it.
///
/// Archives of format 1 had frames without marks.
pub const ARCHIVE_FORMAT: u32 = 2;
pub const REPOSITORY_FORMAT: u32 = 1;

/// Known at the beginning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    pub format: u32,
    /// The version of the program that wrote it.
    pub application: String,
    /// The [number](crate::version::records) of its records; there was none before 2.
    #[serde(default = "first")]
    pub records: u32,
    /// Whose portal it is; part of file names.
    pub instance: String,
    /// The moment that it shows.
    pub created_at: Timestamp,
    /// The store that it shows: sequences are compared only within one.
    pub lineage: Uuid,
    /// The last change that it shows.
    pub sequence: u64,
    /// The files were left where they are.
    #[serde(default)]
    pub is_records_only: bool,
}

impl Head {
    /// # Errors
    /// [`Fault::Future`] and [`Fault::FutureRecords`] for what this program cannot read.
    pub fn check(&self) -> Result<(), Fault> {
        Fault::if_later(self.format, ARCHIVE_FORMAT)?;
        match self.records > version::records() {
            true => Err(Fault::FutureRecords(self.records)),
            false => Ok(()),
        }
    }

    /// Of an archive: whether its frames have marks.
    pub fn is_of_marked_archive(&self) -> bool {
        self.format >= 2
    }
}

fn first() -> u32 {
    1
}

/// Known at the end; written last, so that what has one is whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    #[serde(flatten)]
    pub head: Head,
    /// The records, table by table, in their order.
    pub parts: Vec<Part>,
    /// Lines of `<hash> <size in bytes>`, in the order of the hashes.
    pub lists: Vec<Part>,
    pub files: Totals,
    /// Files that could not be read when the backup was made.
    #[serde(default)]
    pub missing: Vec<ContentHash>,
}

/// Some lines that belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub table: String,
    pub lines: u64,
    pub size_bytes: u64,
    pub sha256: ContentHash,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub count: u64,
    pub size_bytes: u64,
}

impl Totals {
    pub fn add(&mut self, size_bytes: u64) {
        self.count += 1;
        self.size_bytes += size_bytes;
    }
}

impl Manifest {
    pub fn new(head: Head) -> Self {
        Manifest {
            head,
            parts: Vec::new(),
            lists: Vec::new(),
            files: Totals::default(),
            missing: Vec::new(),
        }
    }

    pub fn records(&self) -> u64 {
        self.parts.iter().map(|part| part.lines).sum()
    }

    /// The tables with their numbers of records.
    pub fn tables(&self) -> Vec<(&str, u64)> {
        let mut tables: Vec<(&str, u64)> = Vec::new();
        for part in &self.parts {
            match tables.last_mut().filter(|(name, _)| *name == part.table) {
                Some((_, records)) => *records += part.lines,
                None => tables.push((&part.table, part.lines)),
            }
        }
        tables
    }
}
