//! Records that come back from a backup: put one by one, so that indexes and the change log are
//! built anew, whatever version wrote them.

use anyhow::{Context, anyhow};

use super::{
    TABLES,
    backups::{Plan, Run},
    blobs::{Blob, Extraction, Place},
    categories::Category,
    certificates::{AcmeAccount, Certificate, SelfSigned},
    documents::Document,
    events::Event,
    groups::{Group, GroupMember},
    jobs::{self, Job, State, Task},
    memberships::Membership,
    organizations::Organization,
    sessions::Session,
    settings::Settings,
    tokens::ApiToken,
    users::User,
    versions::Version,
};
use crate::{
    error::{Error, Result},
    hash::ContentHash,
    store::{Key, ReadTx, Record, Table, WriteTx},
};

/// How records come back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// People stay signed in.
    pub keeps_sessions: bool,
}

/// How the records of one table are brought back.
pub struct Loader {
    pub table: Table,
    pub count: fn(&ReadTx) -> Result<u64>,
    /// Puts one record. An error leaves nothing of it; the transaction may go on.
    pub load: fn(&mut WriteTx, &[u8], Rules) -> Result<()>,
    /// Removes one; that there is none is fine.
    pub remove: fn(&mut WriteTx, &[u8]) -> Result<()>,
}

/// One for every table.
pub const LOADERS: &[Loader] = &[
    loader::<Settings>(),
    loader::<Organization>(),
    loader::<User>(),
    loader::<Membership>(),
    loader::<Group>(),
    loader::<GroupMember>(),
    loader::<Category>(),
    loader::<Document>(),
    loader::<Version>(),
    loader::<Blob>(),
    loader::<Session>(),
    loader::<ApiToken>(),
    loader::<Job>(),
    loader::<Event>(),
    loader::<Plan>(),
    loader::<Run>(),
    loader::<AcmeAccount>(),
    loader::<Certificate>(),
    loader::<SelfSigned>(),
];

// A table that nobody loads would be lost in a restore.
const _: () = assert!(LOADERS.len() == TABLES.len());

impl Loader {
    pub fn of(table: &str) -> Option<&'static Loader> {
        LOADERS.iter().find(|loader| loader.table.name == table)
    }
}

const fn loader<R: Restored>() -> Loader {
    Loader {
        table: R::TABLE,
        count: |tx| tx.records::<R>().count(),
        load: |tx, json, rules| {
            let record: R = serde_json::from_slice(json)
                .with_context(|| format!("reading a record of {}", R::TABLE.name))?;
            match record.restored(rules) {
                Some(record) => tx.put(&record),
                None => Ok(()),
            }
        },
        remove: |tx, key| {
            let key = R::Key::from_bytes(key).ok_or_else(|| {
                Error::Internal(anyhow!("a key of {} cannot be read", R::TABLE.name))
            })?;
            tx.remove::<R>(&key).map(drop)
        },
    }
}

/// What a record becomes in another portal; `None` when it stays behind.
trait Restored: Record {
    fn restored(self, _rules: Rules) -> Option<Self> {
        Some(self)
    }
}

impl Restored for Settings {}
impl Restored for Organization {}
impl Restored for User {}
impl Restored for Membership {}
impl Restored for Group {}
impl Restored for GroupMember {}
impl Restored for Category {}
impl Restored for Document {}
impl Restored for Version {}
impl Restored for ApiToken {}
impl Restored for Event {}
impl Restored for Plan {}
impl Restored for Run {}
impl Restored for AcmeAccount {}
impl Restored for Certificate {}
impl Restored for SelfSigned {}

/// Its bytes are put where stored ones are; what was computed from them is computed again.
impl Restored for Blob {
    fn restored(mut self, _rules: Rules) -> Option<Self> {
        self.place = Place::Stored;
        if let Extraction::Done(_) = self.extraction {
            self.extraction = Extraction::Pending;
        }
        Some(self)
    }
}

impl Restored for Session {
    fn restored(self, rules: Rules) -> Option<Self> {
        rules.keeps_sessions.then_some(self)
    }
}

/// [`await_reading`] queues the reading of every file; bytes need no move; and the backup in which a
/// job was running is done.
impl Restored for Job {
    fn restored(self, _rules: Rules) -> Option<Self> {
        let is_done_anew = match self.task {
            Task::StoreBlob { .. } | Task::ExtractBlob { .. } | Task::BackUp | Task::Drill => true,
            Task::RemoveBlob { .. }
            | Task::HandOver { .. }
            | Task::MergeCategory { .. }
            | Task::IndexDocuments { .. } => false,
        };
        let is_over = !matches!(self.state, State::Queued | State::Running);
        (is_over || !is_done_anew).then_some(self)
    }
}

/// Queues the reading of files after `after`, at most `limit` of them; the last one looked at.
pub fn await_reading(
    tx: &mut WriteTx,
    after: Option<ContentHash>,
    limit: usize,
) -> Result<Option<ContentHash>> {
    let blobs = blobs_after(tx, after, limit)?;
    for blob in &blobs {
        if blob.extraction == Extraction::Pending {
            jobs::enqueue(tx, Task::ExtractBlob { blob: blob.hash })?;
        }
    }
    Ok(blobs.last().map(|blob| blob.hash))
}

/// At most `limit` blobs after `after`.
pub fn blobs_after(tx: &ReadTx, after: Option<ContentHash>, limit: usize) -> Result<Vec<Blob>> {
    let mut scan = tx.records::<Blob>();
    if let Some(after) = after {
        scan = scan.after(&after);
    }
    scan.iter()?.take(limit).collect()
}
