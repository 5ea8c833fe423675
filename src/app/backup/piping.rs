//! A pipe that somebody reads, or does not: a reader that takes nothing must not keep a backup, and what
//! it holds on to, for ever.

use std::{
    io::{self, Write},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use rustix::io::Errno;
use tokio::{
    net::unix::pipe::{OpenOptions, Sender},
    runtime::Handle,
};

use crate::error::{Error, Result};

/// Between two looks whether somebody reads.
const PAUSE: Duration = Duration::from_millis(20);

/// Written on a thread of the runtime that may wait.
pub(super) struct PatientPipe {
    pipe: Sender,
    patience: Duration,
}

impl PatientPipe {
    /// Opens a pipe for writing as soon as somebody reads from it. Blocks.
    ///
    /// # Errors
    /// `Conflict` when nobody does for as long as `patience`.
    pub fn open(path: &Path, patience: Duration) -> Result<Self> {
        let begin = Instant::now();
        loop {
            match OpenOptions::new().open_sender(path) {
                Ok(pipe) => return Ok(PatientPipe { pipe, patience }),
                Err(fault) if fault.raw_os_error() != Some(Errno::NXIO.raw_os_error()) => {
                    return Err(fault).context("opening a pipe")?;
                }
                Err(_) if begin.elapsed() >= patience => return Err(stalled(patience)),
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }
}

impl Write for PatientPipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.pipe.try_write(bytes) {
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            let room = async { tokio::time::timeout(self.patience, self.pipe.writable()).await };
            Handle::current().block_on(room).map_err(|_| io::ErrorKind::TimedOut)??;
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is to be said about a pipe that could not be written.
pub(super) fn told(fault: Error, patience: Duration) -> Error {
    let is_stall = |cause: &(dyn std::error::Error + 'static)| {
        let fault = cause.downcast_ref::<io::Error>();
        fault.is_some_and(|fault| fault.kind() == io::ErrorKind::TimedOut)
    };
    match &fault {
        Error::Internal(chain) if chain.chain().any(is_stall) => stalled(patience),
        _ => fault,
    }
}

fn stalled(patience: Duration) -> Error {
    Error::conflict(format!(
        "Nobody has taken anything of the backup for {} seconds, so it was ended. Start it again with a \
         reader that goes on, or have it written to a file; how long it waits says \
         backups.stall_seconds.",
        patience.as_secs()
    ))
}
