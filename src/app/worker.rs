//! The worker: takes jobs that are due and runs them, a few at a time. It is woken by commits, and
//! by the clock for jobs that wait.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use jiff::SignedDuration;
use tokio::{
    sync::watch,
    task::{self, JoinSet},
};

use super::{App, stops_within, tasks};
use crate::{
    domain::jobs::{self, Failure, Job, Lane},
    error::{Error, Result},
    extract::ExtractError,
    id::Id,
    space::Room,
};

/// How many jobs run at the same time beside those that read files.
const OTHERS_MAX: usize = 8;
/// How long running jobs may go on when the portal stops. Reading a file may take half a minute,
/// and nobody wants to wait that long for a restart.
const GRACE: Duration = Duration::from_secs(3);
/// How long a broken store is left alone before the next try.
const PAUSE: Duration = Duration::from_secs(5);
/// Room on a disk is made by a person.
const FULL_DISK_PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// A held clock moves without anybody being woken, and so can the system's.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn run(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let mut commits = app.store.latest_change();
    let mut running = Running::default();
    // After a start, and after a fault: a claim that failed may be on the disk all the same.
    let mut may_have_lost_some = true;
    while !*stopped.borrow() {
        commits.mark_unchanged();
        if let Err(fault) = take(&app, &mut running, may_have_lost_some).await {
            log(&fault);
            may_have_lost_some = true;
            stops_within(&mut stopped, PAUSE).await;
            continue;
        }
        may_have_lost_some = false;
        let is_full = Lane::ALL.into_iter().all(|lane| running.room(&app, lane) == 0);
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => {}
            () = running.ended(), if !running.tasks.is_empty() => {}
            _ = commits.changed(), if !is_full => {}
            () = tokio::time::sleep(LOOK_EVERY), if !is_full => {}
        }
    }
    let finish = async {
        while !running.tasks.is_empty() {
            running.ended().await;
        }
    };
    if tokio::time::timeout(GRACE, finish).await.is_err() {
        // What is cut off here runs again after the next start; a child that reads a file ends
        // with the one who waits for it.
        let count = running.tasks.len();
        tracing::info!(count, "jobs are cut off; they run again at the next start");
        running.tasks.shutdown().await;
    }
}

/// The jobs under way.
#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    jobs: HashMap<task::Id, (Id<Job>, Lane)>,
}

impl Running {
    /// How many more jobs of a lane may be started. Of those that read a file one more than there
    /// are places in the sandbox, so that no place is ever empty.
    fn room(&self, app: &App, lane: Lane) -> usize {
        let most = match lane {
            Lane::Reading => app.config.worker.jobs as usize + 1,
            Lane::Other => OTHERS_MAX,
        };
        most.saturating_sub(self.jobs.values().filter(|(_, its)| *its == lane).count())
    }

    fn start(&mut self, app: &Arc<App>, job: Job) {
        let known = (job.id, job.task.lane());
        let started = self.tasks.spawn(execute(app.clone(), job));
        self.jobs.insert(started.id(), known);
    }

    /// Waits until one of them is over.
    async fn ended(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(fault)) => fault.id(),
            None => return,
        };
        self.jobs.remove(&id);
    }
}

/// Starts what is due, as far as there is room; looks first, since a look costs no commit.
async fn take(app: &Arc<App>, running: &mut Running, may_have_lost_some: bool) -> Result<()> {
    if may_have_lost_some {
        let known: Vec<Id<Job>> = running.jobs.values().map(|(id, _)| *id).collect();
        let count = app.store.write(move |tx| jobs::requeue_interrupted(tx, &known)).await?;
        if count > 0 {
            tracing::info!(count, "jobs that were cut off run again");
        }
    }
    for lane in Lane::ALL {
        let room = running.room(app, lane);
        // Their texts and previews would not fit: they wait, and go on when there is room again.
        if lane == Lane::Reading && app.reserve.room()? < Room::Enough {
            continue;
        }
        if room == 0 || !app.store.read(move |tx| jobs::is_due(tx, lane)).await? {
            continue;
        }
        for job in app.store.write(move |tx| jobs::claim(tx, lane, room)).await? {
            running.start(app, job);
        }
    }
    Ok(())
}

impl App {
    /// Does one job here and now, for a process without a worker.
    pub async fn work_off(self: &Arc<Self>, id: Id<Job>) -> Result<()> {
        if let Some(job) = self.store.write(move |tx| jobs::claim_one(tx, id)).await? {
            execute(self.clone(), job).await;
        }
        Ok(())
    }
}

async fn execute(app: Arc<App>, job: Job) {
    let id = job.id;
    // A panic is a failed job and nothing more.
    let outcome = AssertUnwindSafe(tasks::run(&app, &job)).catch_unwind().await;
    let ending = match outcome {
        Ok(Ok(())) => Ending::Done,
        // Nothing is wrong with the job: the disk is full, or S3 is away.
        Ok(Err(Error::Full(message))) => Ending::PutOff { message, delay: FULL_DISK_PAUSE },
        Ok(Err(Error::Busy { message, retry_after_s })) => {
            Ending::PutOff { message, delay: SignedDuration::from_secs(retry_after_s as i64) }
        }
        Ok(Err(fault)) => {
            let failure = failure_of(&fault);
            let attempt = job.attempts;
            tracing::warn!(job = %id, task = ?job.task, attempt, "a job failed: {}", failure.error);
            Ending::Failed(failure)
        }
        Err(_) => {
            tracing::error!(job = %id, task = ?job.task, "a job panicked; its message is above");
            Ending::Failed(Failure {
                error: "The program failed while it ran this job; the log says where.".into(),
                reason: "This failed because of a fault on our side.".into(),
                is_final: false,
            })
        }
    };
    // Until it is noted the job counts as running, and nobody else may take it.
    while let Err(fault) = note(&app, id, ending.clone()).await {
        log(&fault);
        tokio::time::sleep(PAUSE).await;
    }
}

/// How a run of a job ended.
#[derive(Clone)]
enum Ending {
    Done,
    PutOff { message: String, delay: SignedDuration },
    Failed(Failure),
}

async fn note(app: &App, id: Id<Job>, ending: Ending) -> Result<()> {
    app.store
        .write(move |tx| match ending {
            Ending::Done => jobs::complete(tx, id),
            Ending::PutOff { message, delay } => jobs::put_off(tx, id, &message, delay),
            Ending::Failed(failure) => jobs::fail(tx, id, &failure),
        })
        .await
}

fn failure_of(fault: &Error) -> Failure {
    let reading = match fault {
        Error::Internal(chain) => chain.downcast_ref::<ExtractError>(),
        _ => None,
    };
    Failure {
        error: fault.chain(),
        reason: reading.map_or_else(|| fault.to_string(), ExtractError::sentence),
        is_final: reading.is_some_and(ExtractError::is_final),
    }
}

fn log(fault: &Error) {
    tracing::error!("the worker could not use the store: {}", fault.chain());
}
