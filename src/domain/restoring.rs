//! Records that come back from a backup: put one by one, so that indexes and the change log are
//! built anew, whatever version wrote them.

use std::collections::BTreeSet;

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
    users::{self, User},
    versions::Version,
};
use crate::{
    error::{Error, Result},
    hash::ContentHash,
    store::{ReadTx, Record, Table, WriteTx},
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

/// Two portals must not write to the same place, and look after it, unless somebody wants that.
impl Restored for Plan {
    fn restored(mut self, _rules: Rules) -> Option<Self> {
        self.is_held |= self.is_on;
        (self.is_on, self.on_since, self.next_run, self.next_drill) = (false, None, None, None);
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

/// Looks whether people can work in what came back, although records of these tables are lost.
///
/// # Errors
/// `Invalid` when they cannot: then what is there should not take the place of anything.
pub fn require_usable(tx: &ReadTx, lost: &BTreeSet<String>) -> Result<()> {
    let is_lost = |table: Table| lost.contains(table.name);
    let what = if is_lost(Organization::TABLE) {
        "the organizations"
    } else if is_lost(Settings::TABLE) {
        "the settings"
    } else if is_lost(User::TABLE) && !users::has_administrator(tx)? {
        "the accounts of those who administer the portal"
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!(
        "In this backup {what} are damaged, and without them nobody could work in the portal. Nothing \
         was changed. Use another one: “appliance backup list” shows those there are."
    )))
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
