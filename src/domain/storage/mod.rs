//! The storage of files as its operator keeps it: moving house between the disk and S3, reading
//! everything again to find what was damaged, and how much of it belongs to whom. The bytes are the
//! business of the blobs engine.

mod migrating;
mod owner;
mod scrubbing;
mod usage;

use serde::{Deserialize, Serialize};

pub use self::{
    migrating::{
        Cleared, Copied, Migration, Phase, begin_migration, clearing_follows, end_migration,
        migration, note_cleared, note_copied,
    },
    owner::{Home, Owner, note_claim, owner},
    scrubbing::{
        Fault, FileFault, LookedAt, Nightly, ScrubRun, Scrubbing, begin_scrub, end_scrub, faults,
        is_nightly_due, next_share, note_scrubbed, queue_nightly, scrubbing,
    },
    usage::{Counted, OrganizationUsage, Usage, count, count_blobs},
};

/// So many files, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Amount {
    pub files: u64,
    pub bytes: u64,
}

impl Amount {
    pub fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }

    pub fn add_all(&mut self, others: Amount) {
        self.files += others.files;
        self.bytes += others.bytes;
    }
}
