//! Records that come back from a backup: put one by one, so that indexes and the change log are
//! built anew, whatever version wrote them.

use super::{
    backups::{Plan, Run},
    blobs::{self, Blob, Extraction, Place},
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
    storage::{FileFault, Migration, Owner, Scrubbing},
    tokens::ApiToken,
    users::User,
    versions::Version,
};
use crate::{
    error::Result,
    hash::ContentHash,
    store::{Record, WriteTx},
};

/// How records come back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// People stay signed in.
    pub keeps_sessions: bool,
}

/// What a record becomes in another portal; `None` when it stays behind.
pub(super) trait Restored: Record {
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

/// What is known about the files of another machine says nothing about these.
impl Restored for Scrubbing {
    fn restored(self, _rules: Rules) -> Option<Self> {
        None
    }
}

impl Restored for FileFault {
    fn restored(self, _rules: Rules) -> Option<Self> {
        None
    }
}

impl Restored for Migration {
    fn restored(self, _rules: Rules) -> Option<Self> {
        None
    }
}

/// The portal that the backup is of may still be at work, and know files that this one does not.
impl Restored for Owner {
    fn restored(self, _rules: Rules) -> Option<Self> {
        None
    }
}

/// [`await_reading`] queues the reading of every file; bytes need no move; and the backup in which a
/// job was running is done.
impl Restored for Job {
    fn restored(self, _rules: Rules) -> Option<Self> {
        let is_done_anew = match self.task {
            Task::StoreBlob { .. }
            | Task::ExtractBlob { .. }
            | Task::BackUp
            | Task::Drill
            | Task::Scrub
            | Task::Migrate
            | Task::VerifyBackups { .. } => true,
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
    let blobs = blobs::after(tx, after, limit)?;
    for blob in &blobs {
        if blob.extraction == Extraction::Pending {
            jobs::enqueue(tx, Task::ExtractBlob { blob: blob.hash })?;
        }
    }
    Ok(blobs.last().map(|blob| blob.hash))
}
