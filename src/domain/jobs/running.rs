//! Running jobs: what the worker takes, how it goes on, and how it ends. All of it may draw on the
//! last of the disk, since most of it makes room.

use jiff::{SignedDuration, Timestamp};

use super::{BY_STATE, Job, Lane, Progress, QUEUED, State, Task};
use crate::{
    domain::blobs,
    error::Result,
    id::Id,
    store::{ReadTx, WriteTx},
};

/// Takes up to `limit` jobs of a lane that are due and marks them as running.
pub fn claim(tx: &mut WriteTx, lane: Lane, limit: usize) -> Result<Vec<Job>> {
    tx.draw_on_reserve();
    let now = tx.now();
    let mut due = Vec::new();
    for entry in tx.index(&QUEUED).within(&lane).keys()?.take(limit) {
        let ((_, run_at), id) = entry?;
        if run_at > now {
            break;
        }
        due.push(id);
    }
    let mut claimed = Vec::new();
    for id in due {
        let Some(mut job) = tx.get::<Job>(&id)? else { continue };
        job.state = State::Running;
        job.attempts += 1;
        job.started_at = Some(now);
        tx.put(&job)?;
        claimed.push(job);
    }
    Ok(claimed)
}

/// True when a job of this lane should run by now.
pub fn is_due(tx: &ReadTx, lane: Lane) -> Result<bool> {
    let next = tx.index(&QUEUED).within(&lane).keys()?.next().transpose()?;
    Ok(next.is_some_and(|((_, run_at), _)| run_at <= tx.now()))
}

/// When the next queued job is due.
pub fn next_due(tx: &ReadTx) -> Result<Option<Timestamp>> {
    let next = tx.index(&BY_STATE).within(&State::Queued).keys()?.next().transpose()?;
    Ok(next.map(|((_, run_at), _)| run_at))
}

/// What counts as running and is none of `known`, the jobs that do run, is queued again: the program
/// ended meanwhile. A job that was cut off as often as it may fail has failed: perhaps it is what
/// ends the program.
pub fn requeue_interrupted(tx: &mut WriteTx, known: &[Id<Job>]) -> Result<usize> {
    tx.draw_on_reserve();
    let mut interrupted = Vec::new();
    for job in tx.index(&BY_STATE).within(&State::Running).records()? {
        interrupted.push(job?);
    }
    interrupted.retain(|job| !known.contains(&job.id));
    let count = interrupted.len();
    for mut job in interrupted {
        if job.attempts >= job.task.attempts_max() {
            job.state = State::Failed;
            job.error = Some("The program ended each time that it ran this job.".into());
            job.finished_at = Some(tx.now());
            give_up(tx, &job.task, "Reading the file was cut off each time.")?;
        } else {
            job.state = State::Queued;
            job.run_at = tx.now();
        }
        tx.put(&job)?;
    }
    Ok(count)
}

/// Takes one job that waits, whether it is due or not; `None` when it does not wait.
pub fn claim_one(tx: &mut WriteTx, id: Id<Job>) -> Result<Option<Job>> {
    tx.draw_on_reserve();
    let waiting = tx.get::<Job>(&id)?.filter(|job| job.state == State::Queued);
    let Some(mut job) = waiting else { return Ok(None) };
    job.state = State::Running;
    job.attempts += 1;
    job.started_at = Some(tx.now());
    tx.put(&job)?;
    Ok(Some(job))
}

/// A job whose ending is to be noted; one that was cancelled has ended already.
fn to_be_ended(tx: &ReadTx, id: Id<Job>) -> Result<Option<Job>> {
    Ok(tx.get::<Job>(&id)?.filter(|job| job.state != State::Cancelled))
}

/// A job is over and succeeded.
pub fn complete(tx: &mut WriteTx, id: Id<Job>) -> Result<()> {
    tx.draw_on_reserve();
    let Some(mut job) = to_be_ended(tx, id)? else { return Ok(()) };
    job.state = State::Done;
    job.error = None;
    job.finished_at = Some(tx.now());
    tx.put(&job)
}

/// Why a run of a job failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// For the administrator.
    pub error: String,
    /// A sentence for whoever waits for what the job should have made.
    pub reason: String,
    /// Another try makes no sense.
    pub is_final: bool,
}

/// A run failed: the job waits and is tried again, or, when that makes no sense or was done often
/// enough, has failed.
pub fn fail(tx: &mut WriteTx, id: Id<Job>, failure: &Failure) -> Result<()> {
    tx.draw_on_reserve();
    let Some(mut job) = to_be_ended(tx, id)? else { return Ok(()) };
    job.error = Some(failure.error.clone());
    if failure.is_final || job.attempts >= job.task.attempts_max() {
        job.state = State::Failed;
        job.finished_at = Some(tx.now());
        give_up(tx, &job.task, &failure.reason)?;
    } else {
        job.state = State::Queued;
        job.run_at = tx.now() + retry_delay(job.attempts);
    }
    tx.put(&job)
}

/// Tells those who wait for what a task would have made that it does not come.
pub(super) fn give_up(tx: &mut WriteTx, task: &Task, reason: &str) -> Result<()> {
    match task {
        Task::ExtractBlob { blob } => blobs::give_up_reading(tx, *blob, reason),
        _ => Ok(()),
    }
}

/// A run could not begin, because something it needs is out of order or has too much to do: the job
/// waits, and this was none of its attempts.
pub fn put_off(tx: &mut WriteTx, id: Id<Job>, error: &str, delay: SignedDuration) -> Result<()> {
    tx.draw_on_reserve();
    let Some(mut job) = to_be_ended(tx, id)? else { return Ok(()) };
    job.state = State::Queued;
    job.attempts = job.attempts.saturating_sub(1);
    job.error = Some(error.into());
    job.run_at = tx.now() + delay;
    tx.put(&job)
}

/// Lets moves of bytes that were put off begin now, at most `limit`; says how many.
pub fn hurry_moves(tx: &mut WriteTx, limit: usize) -> Result<usize> {
    tx.draw_on_reserve();
    let now = tx.now();
    let mut waiting = Vec::new();
    let later = tx.index(&BY_STATE).within(&State::Queued).after(&(State::Queued, now));
    for job in later.records()? {
        let job = job?;
        if matches!(job.task, Task::StoreBlob { .. }) && job.run_at > now {
            waiting.push(job);
            if waiting.len() == limit {
                break;
            }
        }
    }
    for job in &mut waiting {
        job.run_at = now;
        tx.put(job)?;
    }
    Ok(waiting.len())
}

/// 2 s, 4 s, 8 s … up to ten minutes.
fn retry_delay(attempts: u32) -> SignedDuration {
    SignedDuration::from_secs(1 << attempts.clamp(1, 10)).min(SignedDuration::from_mins(10))
}

pub fn note_progress(tx: &mut WriteTx, id: Id<Job>, progress: Progress) -> Result<()> {
    tx.draw_on_reserve();
    let Some(mut job) = tx.get::<Job>(&id)? else { return Ok(()) };
    job.progress = Some(progress);
    tx.put(&job)
}

/// [`note_progress`], for a job that goes on where it was when it is started again: since it has come
/// further, what happened to it before does not count. `false` when it was cancelled meanwhile.
pub fn advance(tx: &mut WriteTx, id: Id<Job>, progress: Progress) -> Result<bool> {
    tx.draw_on_reserve();
    let running = tx.get::<Job>(&id)?.filter(|job| job.state == State::Running);
    let Some(mut job) = running else { return Ok(false) };
    job.progress = Some(progress);
    job.attempts = 1;
    job.error = None;
    tx.put(&job)?;
    Ok(true)
}
