//! Looks through everything that is stored: can each record be read, do its index entries stand
//! where they belong, does everything exist that it names, are the files there, and does the search
//! index show what the store holds? Changes nothing, and may run while the portal is in use.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{App, Reporter};
use crate::{
    blobs::{Missing, Verdict},
    blocking::blocking,
    domain::{
        EVERY_TABLE, TableAccess,
        blobs::{self, Blob},
        documents::Document,
    },
    error::{Error, Result},
    hash::ContentHash,
    id::Id,
    store::{Inspection, ReadTx},
};

/// Records in one transaction: a view must not be held for long.
const STEP: usize = 2_000;
/// Files in one transaction; each is opened.
const FILES_STEP: usize = 200;
/// More would only hide what is wrong; the rest is counted.
const DAMAGES_MAX: usize = 1_000;
/// Differences of the search index may be changes that are just on their way: looked at again.
const INDEX_ROUNDS: usize = 3;

/// What was looked at and what was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    pub records: u64,
    pub index_entries: u64,
    pub files: u64,
    /// Whether every file was read and its hash compared.
    pub is_deep: bool,
    /// Documents in the search index.
    pub documents: u64,
    pub damages: Vec<Damage>,
    /// Those beyond the first thousand too.
    pub damages_total: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Damage {
    /// `records`, `changes`, `files` or `search index`.
    pub part: String,
    /// A sentence.
    pub what: String,
    /// What to do, when there is something to do about this one.
    pub remedy: Option<String>,
}

impl App {
    /// Checks everything. With `deep`, every file is read and its hash compared, which takes as long
    /// as reading them all from the disk.
    ///
    /// # Errors
    /// Only what keeps it from looking at all; whatever it finds is in the report.
    pub async fn check(self: &Arc<Self>, deep: bool, reporter: &Reporter) -> Result<Report> {
        let mut report = Report { is_deep: deep, ..self.check_records(reporter).await };
        self.check_files(deep, &mut report, reporter).await;
        self.check_index(&mut report, reporter).await;
        Ok(report)
    }

    /// [`check`](Self::check) for records, their indexes and the change log alone: for a copy of the
    /// store without its files.
    pub async fn check_records(&self, reporter: &Reporter) -> Report {
        let mut report = Report::default();
        for inspector in EVERY_TABLE {
            self.check_table(inspector, &mut report, reporter).await;
        }
        self.check_changes(&mut report, reporter).await;
        report
    }

    async fn check_table(
        &self,
        table: &'static TableAccess,
        report: &mut Report,
        reporter: &Reporter,
    ) {
        let name = table.table.name.replace('_', " ");
        let count = self.store.read(table.count).await.ok();
        reporter.begin(&format!("Reading {name}"), count);
        report.records += self.walk(table.records, table.table.name, report, reporter).await;
        reporter.begin(&format!("Reading the indexes of {name}"), None);
        report.index_entries += self.walk(table.index, table.table.name, report, reporter).await;
    }

    /// Takes all steps of a walk. One that cannot go on is a damage too, and ends it.
    async fn walk(
        &self,
        step: fn(&ReadTx, Option<Vec<u8>>, usize) -> Result<Inspection>,
        table: &str,
        report: &mut Report,
        reporter: &Reporter,
    ) -> u64 {
        let (mut after, mut looked_at) = (None, 0);
        loop {
            let found = match self.store.read(move |tx| step(tx, after, STEP)).await {
                Ok(found) => found,
                Err(fault) => {
                    let what = format!("The table {table} cannot be read: {}.", fault.chain());
                    report.add("records", what, Some(RESTORE));
                    return looked_at;
                }
            };
            looked_at += found.looked_at;
            reporter.advance(found.looked_at);
            for fault in found.faults {
                let what = format!("{} {} {}.", fault.table, fault.key, fault.what);
                report.add("records", what, None);
            }
            after = found.next;
            if after.is_none() {
                return looked_at;
            }
        }
    }

    async fn check_changes(&self, report: &mut Report, reporter: &Reporter) {
        reporter.begin("Reading the change log", None);
        match self.store.read(|tx| tx.inspect_changes()).await {
            Ok(found) => {
                for fault in found.faults {
                    let what = format!("{} {} {}.", fault.table, fault.key, fault.what);
                    report.add("changes", what, Some(REINDEX));
                }
            }
            Err(fault) => {
                let what = format!("The change log cannot be read: {}.", fault.chain());
                report.add("changes", what, Some(RESTORE));
            }
        }
    }

    async fn check_files(&self, deep: bool, report: &mut Report, reporter: &Reporter) {
        let count = self.store.read(|tx| tx.records::<Blob>().count()).await.ok();
        reporter.begin(if deep { "Reading files" } else { "Looking for files" }, count);
        let mut after = None;
        loop {
            // What cannot be read was reported with its table.
            let Ok(page) = self.store.read(move |tx| next_blobs(tx, after)).await else { return };
            let Some(last) = page.last() else { return };
            after = Some(last.hash);
            for blob in page {
                report.files += 1;
                reporter.advance(1);
                if let Some(what) = self.file_damage(&blob, deep).await
                    && self.is_still_known(blob.hash).await
                {
                    report.add("files", what, Some(RESTORE));
                }
            }
        }
    }

    /// What is wrong with the bytes of a blob; a sentence.
    async fn file_damage(&self, blob: &Blob, deep: bool) -> Option<String> {
        let Blob { hash, size_bytes, .. } = blob;
        let found = match deep {
            true => self.blobs.verify(*hash).await,
            false => match self.blobs.open(*hash, None).await {
                Ok(opened) => Ok(Verdict::Intact { size_bytes: opened.size_bytes }),
                Err(Error::Internal(fault)) if fault.is::<Missing>() => Ok(Verdict::Missing),
                Err(fault) => Err(fault),
            },
        };
        match found {
            Ok(Verdict::Intact { size_bytes: found }) if found == *size_bytes => None,
            Ok(Verdict::Intact { size_bytes: found }) => {
                Some(format!("The file {hash} has {found} bytes instead of {size_bytes}."))
            }
            Ok(Verdict::Damaged { .. }) => {
                Some(format!("The file {hash} is damaged: its content has another hash."))
            }
            Ok(Verdict::Missing) => Some(format!("The file {hash} is missing.")),
            Err(fault) => Some(format!("The file {hash} cannot be read: {}.", fault.chain())),
        }
    }

    /// False for what was removed, properly, while the check was looking.
    async fn is_still_known(&self, hash: ContentHash) -> bool {
        self.store.read(move |tx| blobs::find(tx, hash)).await.is_ok_and(|found| found.is_some())
    }

    async fn check_index(self: &Arc<Self>, report: &mut Report, reporter: &Reporter) {
        reporter.begin("Comparing the search index", None);
        let mut found = self.compare_index(report).await;
        for _ in 1..INDEX_ROUNDS {
            if found.as_ref().is_ok_and(Vec::is_empty) {
                break;
            }
            found = self.compare_index(report).await;
        }
        match found {
            Ok(faults) => {
                for what in faults {
                    report.add("search index", what, Some(REINDEX));
                }
            }
            Err(fault) => {
                let what = format!("The search index cannot be read: {}.", fault.chain());
                report.add("search index", what, Some(REINDEX));
            }
        }
    }

    async fn compare_index(self: &Arc<Self>, report: &mut Report) -> Result<Vec<String>> {
        self.catch_up().await?;
        let index = self.index.clone();
        let read = move || Ok((index.inventory()?, index.damaged_files()?));
        let (mut entries, damaged_files) = blocking(read).await?;
        report.documents = entries.len() as u64;
        let mut faults: Vec<String> = damaged_files
            .into_iter()
            .map(|name| format!("The file {name} of the search index is damaged."))
            .collect();
        let mut after = None;
        loop {
            let page = self.store.read(move |tx| next_documents(tx, after)).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for document in page {
                match (entries.remove(&document.id.uuid()), document.is_found) {
                    (None, true) => {
                        faults.push(format!(
                            "Document {} is missing from the search index.",
                            document.id
                        ));
                    }
                    (Some(_), false) => faults.push(format!(
                        "Document {} is in the trash and still in the search index.",
                        document.id
                    )),
                    (Some(updated_ms), true) if updated_ms != document.updated_ms => {
                        faults.push(format!(
                            "The search index has an old state of document {}.",
                            document.id
                        ));
                    }
                    _ => {}
                }
            }
        }
        let gone = |id: Uuid| format!("The search index has document {id}, which does not exist.");
        faults.extend(entries.into_keys().map(gone));
        Ok(faults)
    }
}

const RESTORE: &str = "Restore it from a backup.";
const REINDEX: &str = "Build the search index anew: appliance reindex";

impl Report {
    fn add(&mut self, part: &str, what: String, remedy: Option<&str>) {
        self.damages_total += 1;
        if self.damages.len() < DAMAGES_MAX {
            self.damages.push(Damage { part: part.into(), what, remedy: remedy.map(Into::into) });
        }
    }
}

fn next_blobs(tx: &ReadTx, after: Option<ContentHash>) -> Result<Vec<Blob>> {
    let mut scan = tx.records::<Blob>();
    if let Some(after) = after {
        scan = scan.after(&after);
    }
    scan.iter()?.take(FILES_STEP).collect()
}

/// What the search index must know of a document.
struct Shown {
    id: Id<Document>,
    updated_ms: i64,
    is_found: bool,
}

fn next_documents(tx: &ReadTx, after: Option<Id<Document>>) -> Result<Vec<Shown>> {
    let mut scan = tx.records::<Document>();
    if let Some(after) = after {
        scan = scan.after(&after);
    }
    let shown = |document: Document| Shown {
        id: document.id,
        updated_ms: document.updated_at.as_millisecond(),
        is_found: document.trashed.is_none(),
    };
    scan.iter()?.take(STEP).map(|document| document.map(shown)).collect()
}
