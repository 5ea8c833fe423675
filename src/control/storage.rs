//! The storage of files, as the command line asks for it. Long work is a job: the running server's
//! worker does it, and goes on when nobody waits any more; without a server it is done here.

use std::{sync::Arc, time::Duration};

use anyhow::anyhow;
use serde::{Deserialize, Serialize};

use super::Running;
use crate::{
    app::{App, Reporter, ScrubReport, Step, StorageCheck, StorageStanding},
    config::Backend,
    domain::{
        access::Actor,
        jobs::{self, Job, State},
        storage::{self, Migration},
    },
    error::{Error, Result},
    id::Id,
};

/// Between two looks at a job.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A move, and where new files go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Moved {
    pub migration: Migration,
    pub backend: Backend,
}

fn operator() -> Actor {
    Actor::system("Command line", None)
}

pub async fn check(app: &App) -> Result<StorageCheck> {
    let check = app.check_storage(&operator()).await?;
    Ok(Arc::unwrap_or_clone(check))
}

pub async fn claim(app: &App) -> Result<String> {
    app.claim_storage(operator()).await?;
    let remote = app.blobs.status().await?.remote;
    Ok(remote.map(|remote| remote.name).unwrap_or_default())
}

pub async fn migrate(
    app: &Arc<App>,
    running: Option<&Running>,
    (to, removes_old): (Backend, bool),
    reporter: &Reporter,
) -> Result<Moved> {
    let standing = standing(app, running).await?;
    let same = |old: &Migration| old.to == to && old.removes_old == removes_old;
    let begun = match (standing.migration, standing.migration_work) {
        (Some(old), Some(_)) if same(&old) => old,
        _ => app.begin_migration(operator(), to, removes_old).await?,
    };
    finish(app, running, begun.job, reporter).await?;
    let migration = app.store.read(storage::migration).await?.unwrap_or(begun);
    Ok(Moved { migration, backend: app.config.storage.backend })
}

pub async fn scrub(
    app: &Arc<App>,
    running: Option<&Running>,
    percent: u32,
    reporter: &Reporter,
) -> Result<ScrubReport> {
    let job = match standing(app, running).await?.scrub_work {
        Some(work) => work.job,
        None => app.begin_scrub(operator(), percent).await?.id,
    };
    finish(app, running, job, reporter).await?;
    app.scrub_report().await
}

/// What is under way already is waited for and not begun again: it may have been cut off here, or its
/// asker went away.
async fn standing(app: &Arc<App>, running: Option<&Running>) -> Result<StorageStanding> {
    if running.is_none() {
        // Nothing runs in this process yet, so whatever counts as running was cut off.
        app.store.write(|tx| jobs::requeue_interrupted(tx, &[])).await?;
    }
    app.storage_standing(&operator()).await
}

/// Waits for the end of a job, and does it when no server is there to do so.
async fn finish(
    app: &Arc<App>,
    running: Option<&Running>,
    job: Id<Job>,
    reporter: &Reporter,
) -> Result<()> {
    if running.is_some() {
        return follow(app, job, true, reporter).await;
    }
    tokio::select! {
        ended = follow(app, job, true, reporter) => ended,
        worked = app.work_off(job) => {
            worked?;
            follow(app, job, false, reporter).await
        }
    }
}

/// Says how far a job is, until it is over; one that waits is waited for only if somebody else takes
/// it.
async fn follow(app: &App, id: Id<Job>, is_patient: bool, reporter: &Reporter) -> Result<()> {
    loop {
        let job = app.store.read(move |tx| tx.get::<Job>(&id)).await?;
        let Some(job) = job else {
            return Err(Error::Internal(anyhow!("the job {id} is gone")));
        };
        let why = job.error.unwrap_or_default();
        match job.state {
            State::Done => return Ok(()),
            State::Failed => return Err(Error::Internal(anyhow!(why))),
            State::Cancelled => return Err(Error::conflict("It was cancelled.")),
            State::Queued if !is_patient => {
                let message = format!("{why} It goes on when the portal runs.");
                return Err(Error::Busy { message, retry_after_s: 1 });
            }
            State::Queued | State::Running => {
                let what = match why.as_str() {
                    "" => job.task.title().to_owned(),
                    why => format!("Waiting: {why}"),
                };
                let progress = job.progress.unwrap_or_default();
                reporter.repeat(Step { what, done: progress.done, total: progress.total });
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
