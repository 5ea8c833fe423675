//! What a backup says of itself.

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Fault,
    signing::{Purpose, Signature, Signer, SignerKey, Signers},
};
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
    /// Whose signature the manifest with this head has.
    #[serde(skip)]
    pub signer: Option<SignerKey>,
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

    /// Where a snapshot stands among those of its store.
    pub fn order(&self, signers: Signers) -> Order {
        let is_signed = signers.key().is_some_and(|key| self.signer == Some(key));
        Order { is_signed, sequence: self.sequence, created_at: self.created_at }
    }

    /// Of an archive: whether its frames have marks.
    pub fn is_of_marked_archive(&self) -> bool {
        self.format >= 2
    }
}

/// Sorts the snapshots of a store in the order in which it made them. Its clock may have been wrong, but
/// the number of its changes only grows. Whoever may write to the place chooses both as he likes, so what
/// does not have the signature that is known comes before all that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    is_signed: bool,
    sequence: u64,
    pub created_at: Timestamp,
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
    /// Of all the rest; there was none in the first versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
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
            signature: None,
        }
    }

    /// Reads one, and looks who has signed it.
    ///
    /// # Errors
    /// [`Fault::Forged`] when its signature is another one's, [`Fault::Future`] when it is of a later
    /// format; the outer one when it is none.
    pub fn read(json: &[u8]) -> serde_json::Result<Result<Self, Fault>> {
        if is_dense(json) {
            return Ok(Err(Fault::Excessive("its manifest is no list of parts")));
        }
        let value: Value = serde_json::from_slice(json)?;
        if let Err(fault) = Fault::if_of_later_format(&value, ARCHIVE_FORMAT) {
            return Ok(Err(fault));
        }
        let mut manifest = Manifest::deserialize(&value)?;
        let Some(signature) = &manifest.signature else { return Ok(Ok(manifest)) };
        let signer = signature.signer(Purpose::Manifest, &message(value)?);
        Ok(signer.map(|signer| {
            manifest.head.signer = Some(signer);
            manifest
        }))
    }

    pub fn sign(&mut self, signer: &Signer) -> Result<()> {
        let value = serde_json::to_value(&*self).context("signing a manifest")?;
        let message = message(value).context("signing a manifest")?;
        self.signature = Some(signer.sign(Purpose::Manifest, &message));
        self.head.signer = Some(signer.public());
        Ok(())
    }

    pub fn records(&self) -> u64 {
        self.parts.iter().fold(0, |sum: u64, part| sum.saturating_add(part.lines))
    }

    /// The tables with their numbers of records.
    pub fn tables(&self) -> Vec<(&str, u64)> {
        let mut tables: Vec<(&str, u64)> = Vec::new();
        for part in &self.parts {
            match tables.last_mut().filter(|(name, _)| *name == part.table) {
                Some((_, records)) => *records = records.saturating_add(part.lines),
                None => tables.push((&part.table, part.lines)),
            }
        }
        tables
    }
}

/// Whether there are far more values than a list of parts has: each takes many times its text of memory.
fn is_dense(json: &[u8]) -> bool {
    let values = json.iter().filter(|byte| b",[{".contains(byte)).count();
    values > 1_024 + json.len() / 8
}

/// What is signed: everything, also what this version does not know, in the order of the names.
fn message(mut manifest: Value) -> serde_json::Result<Vec<u8>> {
    if let Value::Object(fields) = &mut manifest {
        fields.remove("signature");
    }
    serde_json::to_vec(&manifest)
}
