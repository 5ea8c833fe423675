//! Jobs: durable work for later, written in the transaction of its cause.

mod running;
mod state;
mod task;

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use self::running::give_up;
pub use self::{
    running::{
        Failure, advance, claim, claim_one, complete, fail, hurry_moves, is_due, next_due,
        note_progress, put_off, requeue_interrupted,
    },
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
