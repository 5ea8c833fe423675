//! Reading everything again: disks and buckets lose bytes without telling anybody. Each night a share
//! of all files, in the order of their hashes and round and round, so that each has its turn.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        access::{Action, Actor, decide},
        blobs::{self, Blob},
        jobs::{self, Job, Progress, Task},
    },
    error::{Error, Result},
    hash::ContentHash,
    id::Id,
    store::{ReadTx, Record, Table, WriteTx},
};

/// Where the reading is, and what came of it last.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Scrubbing {
    /// The last file that was read: the next share begins behind it.
    pub after: Option<ContentHash>,
    pub next_run: Option<Timestamp>,
    /// The one under way, or the last one.
    pub run: Option<ScrubRun>,
}

impl Record for Scrubbing {
    const TABLE: Table = Table { number: 40, name: "scrubbing" };

    type Key = ();

    fn key(&self) -> Self::Key {}
}

/// One reading of a share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScrubRun {
    pub started_at: Timestamp,
    /// `None` while it goes on, and when it was stopped.
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    /// How many files it is to read.
    pub wanted: u64,
    #[serde(default)]
    pub files: u64,
    /// Of all copies together.
    #[serde(default)]
    pub bytes: u64,
    /// Files of which a damaged copy was made anew from a good one.
    #[serde(default)]
    pub healed: u64,
    /// Files without any good copy.
    #[serde(default)]
    pub faulty: u64,
    /// What does the work.
    pub job: Id<Job>,
}

/// A file that has no good copy any more; gone when a later look finds one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFault {
    pub blob: ContentHash,
    pub fault: Fault,
    pub found_at: Timestamp,
    pub seen_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fault")]
pub enum Fault {
    Missing,
    /// Other bytes than were uploaded.
    Damaged,
    /// The reason is for the operator.
    Unreadable {
        reason: String,
    },
}

impl Record for FileFault {
    const TABLE: Table = Table { number: 41, name: "file_faults" };

    type Key = ContentHash;

    fn key(&self) -> Self::Key {
        self.blob
    }
}

/// What a look at one file gave.
#[derive(Clone, Debug)]
pub struct LookedAt {
    pub blob: ContentHash,
    /// Of all its copies.
    pub bytes: u64,
    pub is_healed: bool,
    pub fault: Option<Fault>,
}

/// When files are read again by themselves.
#[derive(Clone, Copy, Debug)]
pub struct Nightly {
    /// Each file within so many days; 0 is never.
    pub days: u32,
    /// UTC.
    pub hour: u32,
}

impl Nightly {
    /// The first moment after `now`; `None` when there is none.
    fn next_after(self, now: Timestamp) -> Option<Timestamp> {
        const DAY_S: i64 = 24 * 3_600;
        if self.days == 0 {
            return None;
        }
        let first = 3_600 * i64::from(self.hour);
        let days = (now.as_second() - first).div_euclid(DAY_S) + 1;
        Timestamp::from_second(first + days * DAY_S).ok()
    }
}

pub fn scrubbing(tx: &ReadTx) -> Result<Scrubbing> {
    Ok(tx.get(&())?.unwrap_or_default())
}

/// Begins to read this share of all files, or more exactly one in `divisor`, rounded up.
///
/// # Errors
/// `Conflict` while files are being read.
pub fn begin_scrub(tx: &mut WriteTx, actor: &Actor, percent: u32) -> Result<Job> {
    decide(actor, Action::Operate)?;
    if !(1..=100).contains(&percent) {
        return Err(Error::invalid_field("percent", "The share is 1 to 100 percent."));
    }
    if jobs::is_under_way(tx, &Task::Scrub)? {
        return Err(Error::conflict(
            "Files are being read already. Wait until that is done, or cancel it.",
        ));
    }
    let all = tx.records::<Blob>().count()?;
    begin(tx, (all * u64::from(percent)).div_ceil(100))
}

fn begin(tx: &mut WriteTx, wanted: u64) -> Result<Job> {
    let mut scrubbing = scrubbing(tx)?;
    let job = jobs::enqueue(tx, Task::Scrub)?;
    scrubbing.run = Some(ScrubRun {
        started_at: tx.now(),
        finished_at: None,
        wanted,
        files: 0,
        bytes: 0,
        healed: 0,
        faulty: 0,
        job: job.id,
    });
    tx.put(&scrubbing)?;
    Ok(job)
}

/// True when [`queue_nightly`] has something to do: a look costs no commit.
pub fn is_nightly_due(tx: &ReadTx, nightly: Nightly) -> Result<bool> {
    let now = tx.now();
    Ok(match (scrubbing(tx)?.next_run, nightly.next_after(now)) {
        (next_run, None) => next_run.is_some(),
        (None, Some(_)) => true,
        // Earlier than planned: the hour was changed.
        (Some(planned), Some(next)) => planned <= now || planned > next,
    })
}

/// Begins the reading of tonight when its time has come, and sets the next. Nothing piles up.
pub fn queue_nightly(tx: &mut WriteTx, nightly: Nightly) -> Result<()> {
    let now = tx.now();
    let mut state = scrubbing(tx)?;
    let is_time = state.next_run.is_some_and(|next| next <= now);
    state.next_run = nightly.next_after(now);
    tx.put(&state)?;
    if is_time && state.next_run.is_some() && !jobs::is_under_way(tx, &Task::Scrub)? {
        let all = tx.records::<Blob>().count()?;
        begin(tx, all.div_ceil(nightly.days.into()))?;
    }
    Ok(())
}

/// The next files of the run, at most `limit`; none when it is done.
pub fn next_share(tx: &ReadTx, limit: usize) -> Result<Vec<ContentHash>> {
    let Scrubbing { after, run: Some(run), .. } = scrubbing(tx)? else { return Ok(Vec::new()) };
    let left = usize::try_from(run.wanted.saturating_sub(run.files)).unwrap_or(usize::MAX);
    let limit = limit.min(left);
    let mut share = blobs::after(tx, after, limit)?;
    if share.is_empty() && after.is_some() {
        // Round and round.
        share = blobs::after(tx, None, limit)?;
    }
    Ok(share.into_iter().map(|blob| blob.hash).collect())
}

/// Notes what was found. `false` when the job was cancelled meanwhile, and nothing more may be done.
pub fn note_scrubbed(tx: &mut WriteTx, job: Id<Job>, found: Vec<LookedAt>) -> Result<bool> {
    let mut scrubbing = scrubbing(tx)?;
    let Some(run) = &mut scrubbing.run else { return Ok(false) };
    for LookedAt { blob, bytes, is_healed, fault } in found {
        scrubbing.after = Some(blob);
        run.files += 1;
        run.bytes += bytes;
        run.healed += u64::from(is_healed);
        let is_known = blobs::find(tx, blob)?.is_some();
        match fault {
            // What was removed, properly, while it was looked for is not missing.
            Some(fault) if is_known => {
                run.faulty += 1;
                let now = tx.now();
                let found_at = tx.get::<FileFault>(&blob)?.map_or(now, |known| known.found_at);
                tx.put(&FileFault { blob, fault, found_at, seen_at: now })?;
            }
            _ => forget_fault(tx, blob)?,
        }
    }
    let progress = Progress { done: run.files, total: Some(run.wanted) };
    tx.put(&scrubbing)?;
    jobs::advance(tx, job, progress)
}

fn forget_fault(tx: &mut WriteTx, blob: ContentHash) -> Result<()> {
    if tx.get::<FileFault>(&blob)?.is_some() {
        tx.remove::<FileFault>(&blob)?;
    }
    Ok(())
}

pub fn end_scrub(tx: &mut WriteTx) -> Result<()> {
    let mut scrubbing = scrubbing(tx)?;
    if let Some(run) = &mut scrubbing.run {
        run.finished_at = Some(tx.now());
    }
    // Those of files that nobody has any more.
    for fault in faults(tx)? {
        if blobs::find(tx, fault.blob)?.is_none() {
            tx.remove::<FileFault>(&fault.blob)?;
        }
    }
    tx.put(&scrubbing)
}

/// Files without a good copy, as far as is known.
pub fn faults(tx: &ReadTx) -> Result<Vec<FileFault>> {
    tx.records::<FileFault>().iter()?.collect()
}

impl ScrubRun {
    /// How long it took.
    pub fn took(&self) -> Option<SignedDuration> {
        self.finished_at.map(|end| end.duration_since(self.started_at))
    }
}
