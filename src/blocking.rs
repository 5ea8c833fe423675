//! Work that keeps a thread busy, off the threads that answer requests.

use anyhow::anyhow;
use tokio::task;

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

/// A core that somebody else wants, too, is theirs for nine tenths of the time.
const NICENESS: i32 = 10;

/// From here on this thread leaves the processor to everybody else who wants it. So do the threads that
/// it starts: it must start none that answers requests.
pub fn give_way() {
    // On Linux each thread has a niceness of its own. It is a courtesy: without it the work is done,
    // too.
    let _ = rustix::process::setpriority_process(None, NICENESS);
}

/// The outcome of such a thread; that it panicked or was stopped is a fault.
pub fn joined<T>(outcome: std::result::Result<Result<T>, task::JoinError>) -> Result<T> {
    outcome.unwrap_or_else(|stopped| Err(Error::Internal(anyhow!(stopped))))
}
