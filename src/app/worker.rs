//! The worker: takes jobs that are due and runs them, a few at a time. It is woken by commits, and
//! by the clock for jobs that wait.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use jiff::SignedDuration;
use tokio::{sync::watch, task::JoinSet};

use super::{App, stops_within, tasks};
use crate::{
    domain::jobs::{self, Job},
    error::{Error, Result},
};

/// How many quick jobs may run beside those that wait for a place in the sandbox.
const RUNNING_MAX: usize = 8;
/// How long running jobs may go on when the portal stops. Reading a file may take half a minute,
/// and nobody wants to wait that long for a restart.
const GRACE: Duration = Duration::from_secs(3);
/// How long a broken store is left alone before the next try.
const PAUSE: Duration = Duration::from_secs(5);
/// A held clock moves without anybody being woken, and so can the system's.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn run(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let mut commits = app.store.latest_change();
    let mut running = JoinSet::new();
    match app.store.write(jobs::requeue_interrupted).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "jobs that were cut off by the last stop run again"),
        Err(fault) => log(&fault),
    }
    while !*stopped.borrow() {
        commits.mark_unchanged();
        match take(&app, RUNNING_MAX - running.len()).await {
            Ok(claimed) => {
                for job in claimed {
                    running.spawn(execute(app.clone(), job));
                }
            }
            Err(fault) => {
                log(&fault);
                stops_within(&mut stopped, PAUSE).await;
                continue;
            }
        }
        let is_full = running.len() == RUNNING_MAX;
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => {}
            _ = running.join_next(), if !running.is_empty() => {}
            _ = commits.changed(), if !is_full => {}
            () = tokio::time::sleep(LOOK_EVERY), if !is_full => {}
        }
    }
    let finish = async { while running.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, finish).await.is_err() {
        // What is cut off here runs again after the next start; a child that reads a file ends
        // with the one who waits for it.
        tracing::info!(count = running.len(), "jobs are cut off; they run again at the next start");
        running.shutdown().await;
    }
}

/// Claims what is due; looks first, since a look costs no commit.
async fn take(app: &App, limit: usize) -> Result<Vec<Job>> {
    let is_due = app.store.read(|tx| Ok(jobs::next_due(tx)?.is_some_and(|due| due <= tx.now())));
    if limit == 0 || !is_due.await? {
        return Ok(Vec::new());
    }
    app.store.write(move |tx| jobs::claim(tx, limit)).await
}

async fn execute(app: Arc<App>, job: Job) {
    let id = job.id;
    // A panic is a failed job and nothing more.
    let outcome = AssertUnwindSafe(tasks::run(&app, &job)).catch_unwind().await;
    let noted = match outcome {
        Ok(Ok(())) => app.store.write(move |tx| jobs::complete(tx, id)).await,
        // Nothing is wrong with the job: S3 is away, or the disk is full.
        Ok(Err(Error::Busy { message, retry_after_s })) => {
            let delay = SignedDuration::from_secs(retry_after_s as i64);
            app.store.write(move |tx| jobs::put_off(tx, id, &message, delay)).await
        }
        Ok(Err(fault)) => {
            let message = fault.chain();
            tracing::warn!(job = %id, task = ?job.task, attempt = job.attempts, "a job failed: {message}");
            app.store.write(move |tx| jobs::fail(tx, id, &message, false)).await
        }
        Err(_) => {
            tracing::error!(job = %id, task = ?job.task, "a job panicked; its message is above");
            let message = "The program failed while it ran this job; the log says where.";
            app.store.write(move |tx| jobs::fail(tx, id, message, false)).await
        }
    };
    if let Err(fault) = noted {
        log(&fault);
    }
}

fn log(fault: &Error) {
    tracing::error!("the worker could not use the store: {}", fault.chain());
}
