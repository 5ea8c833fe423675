//! Jobs: durable work for later, written in the transaction of its cause.

mod state;
mod task;

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::{
    state::{Progress, State},
    task::{Lane, Task},
};
use super::{
    access::{Action, Actor, decide},
    blobs,
};
use crate::{
    error::{Error, Result},
    id::Id,
    store::{Index, IndexEntries, ReadTx, Record, Table, WriteTx},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub id: Id<Job>,
    pub task: Task,
    pub state: State,
    /// How often it was started.
    #[serde(default)]
    pub attempts: u32,
    /// Not to be started before.
    pub run_at: Timestamp,
    /// What went wrong last.
    #[serde(default)]
    pub error: Option<String>,
    #[serde(default)]
    pub progress: Option<Progress>,
    pub created_at: Timestamp,
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
}

impl Job {
    /// Whether the library stays whole without it, or without the rest of it.
    pub fn can_be_cancelled(&self) -> bool {
        match self.task {
            Task::ExtractBlob { .. } => self.state == State::Queued,
            // These look for it after each step.
            Task::Scrub | Task::Migrate => matches!(self.state, State::Queued | State::Running),
            _ => false,
        }
    }
}

impl Record for Job {
    const TABLE: Table = Table { number: 13, name: "jobs" };

    type Key = Id<Job>;

    fn key(&self) -> Self::Key {
        self.id
    }

    fn index(&self, entries: &mut IndexEntries<Self>) {
        entries.add(&BY_STATE, &(self.state, self.finished_at.unwrap_or(self.run_at)));
        if self.state == State::Queued {
            entries.add(&QUEUED, &(self.task.lane(), self.run_at));
        }
    }
}

/// In each state by time: when it is due, or when it was over.
const BY_STATE: Index<Job, (State, Timestamp)> = Index::new(1);
/// What waits in each lane by the time when it is due.
const QUEUED: Index<Job, (Lane, Timestamp)> = Index::new(2);

pub fn enqueue(tx: &mut WriteTx, task: Task) -> Result<Job> {
    enqueue_after(tx, task, SignedDuration::ZERO)
}

/// Queues a task that waits for `delay` first.
pub fn enqueue_after(tx: &mut WriteTx, task: Task, delay: SignedDuration) -> Result<Job> {
    let job = Job {
        id: tx.new_id(),
        task,
        state: State::Queued,
        attempts: 0,
        run_at: tx.now() + delay,
        error: None,
        progress: None,
        created_at: tx.now(),
        started_at: None,
        finished_at: None,
    };
    tx.put(&job)?;
    Ok(job)
}

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
fn give_up(tx: &mut WriteTx, task: &Task, reason: &str) -> Result<()> {
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
    for job in tx.index(&BY_STATE).within(&State::Queued).records()? {
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

/// Jobs in one state, or in all, the newest first.
pub fn list(tx: &ReadTx, actor: &Actor, state: Option<State>, limit: usize) -> Result<Vec<Job>> {
    decide(actor, Action::Operate)?;
    let mut jobs = Vec::new();
    for state in State::ALL.into_iter().filter(|one| state.is_none_or(|state| state == *one)) {
        let newest = tx.index(&BY_STATE).within(&state).backward().records()?.take(limit);
        for job in newest {
            jobs.push(job?);
        }
    }
    jobs.sort_by_key(|job| Reverse(job.id));
    jobs.truncate(limit);
    Ok(jobs)
}

/// Where a page of jobs ended: in one state they are in the order of its index, in all of them in the
/// order of their making.
pub type Place = (Timestamp, Id<Job>);

/// Up to `limit` jobs in one state, or in all, after `after`, the latest first, and where to go on.
pub fn page(
    tx: &ReadTx,
    actor: &Actor,
    state: Option<State>,
    after: Option<Place>,
    limit: usize,
) -> Result<(Vec<Job>, Option<Place>)> {
    decide(actor, Action::Operate)?;
    let mut page = Vec::new();
    let mut last = None;
    match state {
        None => {
            let mut scan = tx.records::<Job>().backward();
            if let Some((_, id)) = after {
                scan = scan.after(&id);
            }
            for job in scan.iter()? {
                let job = job?;
                if page.len() == limit {
                    return Ok((page, last));
                }
                last = Some((job.created_at, job.id));
                page.push(job);
            }
        }
        Some(state) => {
            let mut scan = tx.index(&BY_STATE).within(&state).backward();
            if let Some((at, id)) = after {
                scan = scan.after(&(state, at, id));
            }
            for entry in scan.keys()? {
                let ((_, at), id) = entry?;
                if page.len() == limit {
                    return Ok((page, last));
                }
                last = Some((at, id));
                page.extend(tx.get::<Job>(&id)?);
            }
        }
    }
    Ok((page, None))
}

/// How many jobs are in one state.
pub fn count(tx: &ReadTx, state: State) -> Result<u64> {
    tx.index(&BY_STATE).within(&state).count()
}

/// How many jobs are in each state.
pub fn counts(tx: &ReadTx) -> Result<Vec<(State, u64)>> {
    State::ALL.into_iter().map(|state| Ok((state, count(tx, state)?))).collect()
}

/// True while a job with this very task waits or runs.
pub fn is_under_way(tx: &ReadTx, task: &Task) -> Result<bool> {
    for state in [State::Queued, State::Running] {
        for job in tx.index(&BY_STATE).within(&state).records()? {
            if job?.task == *task {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// True when nothing is waiting to run now or running.
pub fn is_idle(tx: &ReadTx) -> Result<bool> {
    let is_running = tx.index(&BY_STATE).within(&State::Running).count()? > 0;
    Ok(!is_running && next_due(tx)?.is_none_or(|due| due > tx.now()))
}

pub fn get(tx: &ReadTx, actor: &Actor, id: Id<Job>) -> Result<Job> {
    decide(actor, Action::Operate)?;
    tx.get(&id)?.ok_or_else(|| Error::not_found("job"))
}

/// Starts a job that failed or was cancelled over, or one that waits for its next try at once.
pub fn retry(tx: &mut WriteTx, actor: &Actor, id: Id<Job>) -> Result<Job> {
    let mut job = get(tx, actor, id)?;
    if !matches!(job.state, State::Failed | State::Cancelled | State::Queued) {
        return Err(Error::conflict(
            "Only a job that failed, was cancelled or waits can be started over.",
        ));
    }
    job.state = State::Queued;
    job.attempts = 0;
    job.run_at = tx.now();
    job.finished_at = None;
    tx.put(&job)?;
    if let Task::ExtractBlob { blob } = job.task {
        blobs::await_reading(tx, blob)?;
    }
    Ok(job)
}

/// Cancels a job that has not started, or a long one that can stop half-way.
///
/// # Errors
/// `Conflict` for others that run or are over, and for the moving of bytes, which must happen.
pub fn cancel(tx: &mut WriteTx, actor: &Actor, id: Id<Job>) -> Result<Job> {
    tx.draw_on_reserve();
    let mut job = get(tx, actor, id)?;
    if !job.can_be_cancelled() {
        return Err(Error::conflict(match job.state {
            State::Queued => "This job keeps the library consistent and cannot be cancelled.",
            _ => "Only a job that waits can be cancelled.",
        }));
    }
    job.state = State::Cancelled;
    job.finished_at = Some(tx.now());
    tx.put(&job)?;
    give_up(tx, &job.task, "An administrator cancelled the reading of this file.")?;
    Ok(job)
}

/// Forgets jobs that were done or cancelled before `before`, at most `limit`.
pub fn sweep(tx: &mut WriteTx, before: Timestamp, limit: usize) -> Result<usize> {
    let mut old = Vec::new();
    for state in [State::Done, State::Cancelled] {
        let left = limit - old.len();
        for entry in tx.index(&BY_STATE).within(&state).keys()?.take(left) {
            let ((_, finished_at), id) = entry?;
            if finished_at >= before {
                break;
            }
            old.push(id);
        }
    }
    for id in &old {
        tx.remove::<Job>(id)?;
    }
    Ok(old.len())
}
