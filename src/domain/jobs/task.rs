//! What can be put off, and with whom it waits.

use serde::{Deserialize, Serialize};

use crate::{
    domain::{categories::Category, documents::Shared, organizations::Organization, users::User},
    hash::ContentHash,
    id::Id,
    store::Key,
};

/// Everything that can be put off. A task carries ids; what they mean is read when it runs. Every
/// task may run twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "task")]
pub enum Task {
    /// Move bytes from the spool to the object store.
    StoreBlob { blob: ContentHash },
    /// Read a file in the sandbox: its text, its images.
    ExtractBlob { blob: ContentHash },
    /// Remove bytes that nothing refers to any more.
    RemoveBlob { blob: ContentHash },
    /// Give all documents of a leaving person to another, then remove the account.
    HandOver { from: Id<User>, to: Id<User> },
    /// Move all documents of one category to another, then remove the first.
    MergeCategory { organization: Id<Organization>, from: Id<Category>, to: Option<Id<Category>> },
    /// Bring the many documents that share what has changed up to date in the search index.
    IndexDocuments { shared: Shared },
    /// Write a backup as the plan says, then remove the old ones.
    BackUp,
    /// Restore the newest backup into a scratch folder, and look whether it is whole.
    Drill,
    /// Read a share of all files again, and heal what is damaged.
    Scrub,
    /// Copy all files to S3 or to the disk.
    Migrate,
    /// Read the backups again: all that are where the plan puts them, or one archive.
    VerifyBackups { archive: Option<String> },
}

impl Task {
    /// What the administrator reads.
    pub fn title(&self) -> &'static str {
        match self {
            Task::StoreBlob { .. } => "Move a file to its storage",
            Task::ExtractBlob { .. } => "Read a file's text and pages",
            Task::RemoveBlob { .. } => "Remove a file that is no longer used",
            Task::HandOver { .. } => "Hand a person's documents over",
            Task::MergeCategory { .. } => "Move documents to another category",
            Task::IndexDocuments { .. } => "Update the search for many documents",
            Task::BackUp => "Back the portal up",
            Task::Drill => "Rehearse restoring the newest backup",
            Task::Scrub => "Read files again to find damage",
            Task::Migrate => "Move all files to another storage",
            Task::VerifyBackups { .. } => "Read backups again and look whether they are whole",
        }
    }

    /// Whom it waits with.
    pub fn lane(&self) -> Lane {
        match self {
            Task::ExtractBlob { .. } => Lane::Reading,
            _ => Lane::Other,
        }
    }

    /// How often a task may fail before it is left to the administrator. Moving bytes never gives
    /// up: they would be lost to the readers.
    pub(super) fn attempts_max(&self) -> u32 {
        match self {
            Task::StoreBlob { .. } => u32::MAX,
            // They read everything, and come again by the plan.
            Task::Drill | Task::VerifyBackups { .. } => 1,
            _ => 5,
        }
    }
}

/// Jobs wait in lanes: a thousand files to be read hold up nothing but each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    Reading,
    Other,
}

impl Lane {
    pub const ALL: [Lane; 2] = [Lane::Reading, Lane::Other];
}

impl Key for Lane {
    fn encode(&self, out: &mut Vec<u8>) {
        (*self as u8).encode(out);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        let number = u8::decode(input)?;
        Lane::ALL.into_iter().find(|lane| *lane as u8 == number)
    }
}
