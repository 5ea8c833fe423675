//! Backups of the running portal, and what is done with them.
//!
//! A backup shows one moment: one read transaction gives the records, and the files that they name
//! are kept ([`Pins`]) until it is done. It locks nobody out. [`restore`] turns one into a data
//! folder, away from any server.
//!
//! `making` one: `gathering` what goes into it, `archiving` or `snapshotting` · `restore`: `unpacking`
//! an archive, or `choosing` a snapshot and `fetching` it from a repository, `staging` what comes, and the
//! `swap` at the end · `first_run`: into a fresh portal that runs · `drill` and what it is `sampling` ·
//! `looking` after what is there · `following` the changes between two snapshots, and the `chain` that they
//! make · `plan`: what happens by itself · `piping` an archive to somebody who may not take it.

mod archiving;
mod chain;
mod choosing;
mod drill;
mod fetching;
mod first_run;
mod following;
mod gathering;
mod known;
mod looking;
mod making;
mod pins;
mod piping;
mod plan;
mod restore;
mod sampling;
mod snapshotting;
mod source;
mod staging;
mod stopping;
mod swap;
mod unpacking;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{
    archiving::{Passing, read_again},
    drill::Drilled,
    first_run::{Arriving, FirstRestore, FirstWanted},
    following::Shipped,
    known::{PlanView, place_of},
    looking::{Found, Listed, list, prune, unlock, verify},
    restore::{Restore, Restored, restore},
    source::Source,
};
pub(super) use self::{
    first_run::FirstRestores,
    following::{Following, follow},
    making::reader,
    pins::Pins,
    swap::{finish_swap, locked, portal_that_shares_files},
};
use crate::{
    backup::{Key, Lock},
    error::Result,
};

/// Removes from a data folder what backups and drills left behind that were killed. Called at each start,
/// by whoever has the data.
pub(super) fn sweep(data: &Path) -> Result<()> {
    archiving::remove_unfinished(&data.join(FOLDER))?;
    archiving::remove_old(data, PIPES)?;
    drill::remove_old_drills(data)
}

/// How the named pipes begin, in the data folder, through which archives go.
pub const PIPES: &str = ".pipe-";
/// The folder of archives, in the data folder.
pub const FOLDER: &str = "backups";

/// A backup as somebody asks for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackupWanted {
    pub target: Target,
    pub lock: Lock,
    /// Opens an encrypted repository; needed only to look into it.
    pub key: Key,
    /// Files stay where they are, and are only looked for.
    pub is_records_only: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// An archive in the folder of backups.
    Folder,
    /// An archive into a pipe that somebody reads.
    Pipe(PathBuf),
    /// A snapshot in a repository: a folder or `s3://bucket/prefix`.
    Repository(String),
}

/// A backup that was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Made {
    /// The file, or the repository.
    pub place: String,
    /// Of the snapshot in a repository.
    pub snapshot: Option<String>,
    /// The moment that it shows.
    pub created_at: Timestamp,
    pub instance: String,
    pub records: u64,
    pub files: u64,
    pub files_bytes: u64,
    /// What was written: compressed, and without what a repository had already.
    pub written_objects: u64,
    pub written_bytes: u64,
    pub took_ms: u64,
    pub is_encrypted: bool,
    /// It was read again, and reads as it was written.
    pub is_verified: bool,
    /// What could not be backed up; sentences.
    pub damages: Vec<String>,
}
