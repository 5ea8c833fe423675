//! Work that keeps a thread busy, off the threads that answer requests.

use std::thread;

use anyhow::{Context, anyhow};
use tokio::{runtime::Handle, sync::oneshot, task};

use crate::error::{Error, Result};

/// Runs what may wait for the disk or keep a core busy on a thread meant for that.
///
/// # Errors
/// Those of the work, and `Internal` when it panicked.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    joined(task::spawn_blocking(work).await)
}

/// The same for long work that nobody waits for: on a thread of its own, which [gives way](give_way).
///
/// # Errors
/// Those of the work, and `Internal` when it panicked or no thread is to be had.
pub async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let runtime = Handle::current();
    let (done, outcome) = oneshot::channel();
    let work = move || {
        give_way();
        let _inside = runtime.enter();
        // Nobody takes it where whoever asked has gone meanwhile.
        let _ = done.send(work());
    };
    thread::Builder::new()
        .name("background".into())
        .spawn(work)
        .context("starting a thread for work in the background")?;
    outcome
        .await
        .unwrap_or_else(|_| Err(Error::Internal(anyhow!("work in the background panicked"))))
}

/// A core that somebody else wants, too, is theirs for nine tenths of the time.
const NICENESS: i32 = 10;

/// From here on this thread, and those that it starts, leave the processor to everybody else who
/// wants it.
pub fn give_way() {
    // On Linux each thread has a niceness of its own. It is a courtesy: without it the work is done,
    // too.
    let _ = rustix::process::setpriority_process(None, NICENESS);
}

/// The outcome of such a thread; that it panicked or was stopped is a fault.
pub fn joined<T>(outcome: std::result::Result<Result<T>, task::JoinError>) -> Result<T> {
    outcome.unwrap_or_else(|stopped| Err(Error::Internal(anyhow!(stopped))))
}
