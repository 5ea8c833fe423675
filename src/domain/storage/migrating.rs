//! Moving house: which files have been copied from the disk to S3 or back, so that it goes on where
//! it was after a restart.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Amount;
use crate::{
    config::Backend,
    domain::{
        access::{Action, Actor, decide},
        blobs::Blob,
        events::{self, Verb},
        jobs::{self, Job, Progress, Task},
    },
    error::{Error, Result},
    hash::ContentHash,
    id::Id,
    store::{ReadTx, Record, Table, WriteTx},
};

/// What went wrong is remembered of so many files; the rest is counted.
const FAULTS_KEPT: usize = 100;

/// The move that is under way, or the last one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Migration {
    pub to: Backend,
    /// Whether the old copies go once everything is copied.
    pub removes_old: bool,
    pub phase: Phase,
    /// The last file that the phase has dealt with.
    #[serde(default)]
    pub after: Option<ContentHash>,
    /// How many the phase has dealt with, and of how many when it began.
    #[serde(default)]
    pub looked_at: u64,
    #[serde(default)]
    pub expected: u64,
    #[serde(default)]
    pub copied: Amount,
    /// Was there already.
    #[serde(default)]
    pub known: Amount,
    #[serde(default)]
    pub removed: Amount,
    /// Sentences: what could not be copied, or whose old copy stays.
    #[serde(default)]
    pub faults: Vec<String>,
    #[serde(default)]
    pub faults_total: u64,
    pub started_at: Timestamp,
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    /// What does the work.
    pub job: Id<Job>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Each file is copied to its new home and verified there.
    Copying,
    /// Each old copy goes after a look at the new one.
    Clearing,
    Done,
}

impl Record for Migration {
    const TABLE: Table = Table { number: 42, name: "migration" };

    type Key = ();

    fn key(&self) -> Self::Key {}
}

/// What one step of copying did.
#[derive(Clone, Debug, Default)]
pub struct Copied {
    pub next: Option<ContentHash>,
    pub copied: Amount,
    pub known: Amount,
    pub faults: Vec<String>,
}

/// What one step of clearing did.
#[derive(Clone, Debug, Default)]
pub struct Cleared {
    pub next: Option<ContentHash>,
    pub looked_at: u64,
    pub removed: Amount,
    pub faults: Vec<String>,
}

pub fn migration(tx: &ReadTx) -> Result<Option<Migration>> {
    tx.get(&())
}

/// Begins to move all files, or goes on with a move to the same place that was stopped. Not when some
/// could not be copied: they come before the place where it stopped, and have another chance.
///
/// # Errors
/// `Conflict` while one is under way.
pub fn begin_migration(
    tx: &mut WriteTx,
    actor: &Actor,
    to: Backend,
    removes_old: bool,
) -> Result<Migration> {
    decide(actor, Action::Operate)?;
    if jobs::is_under_way(tx, &Task::Migrate)? {
        return Err(Error::conflict(
            "Files are being moved already. Wait until that is done, or cancel it.",
        ));
    }
    let job = jobs::enqueue(tx, Task::Migrate)?.id;
    let goes_on =
        |old: &Migration| old.finished_at.is_none() && old.to == to && old.faults_total == 0;
    let stopped = migration(tx)?.filter(goes_on);
    let migration = match stopped {
        Some(old) if old.phase == Phase::Copying || removes_old => {
            Migration { removes_old, job, ..old }
        }
        _ => Migration {
            to,
            removes_old,
            phase: Phase::Copying,
            after: None,
            looked_at: 0,
            expected: tx.records::<Blob>().count()?,
            copied: Amount::default(),
            known: Amount::default(),
            removed: Amount::default(),
            faults: Vec::new(),
            faults_total: 0,
            started_at: tx.now(),
            finished_at: None,
            job,
        },
    };
    tx.put(&migration)?;
    let detail = match (to, removes_old) {
        (Backend::S3, false) => "to S3",
        (Backend::S3, true) => "to S3, and off the disk",
        (Backend::Disk, false) => "to the disk",
        (Backend::Disk, true) => "to the disk, and off S3",
    };
    let organization = actor.organization;
    let verb = Verb::FilesMoved;
    events::record(tx, actor, organization, verb, NOBODY, "the portal", Some(detail))?;
    Ok(migration)
}

/// The portal itself has no id.
const NOBODY: Id<Migration> = Id::from_uuid(Uuid::nil());

/// Notes a step. `false` when the job was cancelled meanwhile, and nothing more may be done.
pub fn note_copied(tx: &mut WriteTx, job: Id<Job>, step: Copied) -> Result<bool> {
    let looked_at = step.copied.files + step.known.files + step.faults.len() as u64;
    note(tx, job, step.next, looked_at, step.faults, |migration| {
        migration.copied.add_all(step.copied);
        migration.known.add_all(step.known);
    })
}

/// [`note_copied`], for the old copies.
pub fn note_cleared(tx: &mut WriteTx, job: Id<Job>, step: Cleared) -> Result<bool> {
    note(tx, job, step.next, step.looked_at, step.faults, |migration| {
        migration.removed.add_all(step.removed);
    })
}

fn note(
    tx: &mut WriteTx,
    job: Id<Job>,
    next: Option<ContentHash>,
    looked_at: u64,
    faults: Vec<String>,
    count: impl FnOnce(&mut Migration),
) -> Result<bool> {
    let Some(mut migration) = migration(tx)? else { return Ok(false) };
    migration.looked_at += looked_at;
    migration.after = next;
    migration.faults_total += faults.len() as u64;
    let room = FAULTS_KEPT.saturating_sub(migration.faults.len());
    migration.faults.extend(faults.into_iter().take(room));
    count(&mut migration);
    let progress = Progress {
        done: migration.looked_at,
        total: Some(migration.expected.max(migration.looked_at)),
    };
    tx.put(&migration)?;
    jobs::advance(tx, job, progress)
}

/// Everything was looked at and copied: do the old copies go now? Not one of them while a file could
/// not be copied.
pub fn clearing_follows(tx: &mut WriteTx) -> Result<bool> {
    let Some(mut migration) = migration(tx)? else { return Ok(false) };
    if !migration.removes_old || migration.faults_total > 0 {
        return Ok(false);
    }
    migration.phase = Phase::Clearing;
    migration.expected = migration.looked_at;
    migration.looked_at = 0;
    migration.after = None;
    tx.put(&migration)?;
    Ok(true)
}

pub fn end_migration(tx: &mut WriteTx) -> Result<()> {
    let Some(mut migration) = migration(tx)? else { return Ok(()) };
    migration.phase = Phase::Done;
    migration.finished_at = Some(tx.now());
    tx.put(&migration)
}
