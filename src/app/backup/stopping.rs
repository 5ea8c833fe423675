//! Ends work on another thread when nobody waits for it any more: a thread that may wait cannot be
//! cancelled from outside.

use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::anyhow;

use crate::error::{Error, Result};

/// Held by the one who waits.
#[derive(Default)]
pub(super) struct StopOnDrop(Arc<AtomicBool>);

/// Asked by the one who works.
#[derive(Clone)]
pub(super) struct Stopped(Arc<AtomicBool>);

impl StopOnDrop {
    pub fn stopped(&self) -> Stopped {
        Stopped(self.0.clone())
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Stopped {
    pub fn check(&self) -> Result<()> {
        match self.0.load(Ordering::Relaxed) {
            true => Err(Error::Internal(anyhow!("it was cut off"))),
            false => Ok(()),
        }
    }

    pub fn reader<R: Read>(&self, reader: R) -> impl Read + use<R> {
        UntilStopped { reader, stopped: self.clone() }
    }
}

struct UntilStopped<R> {
    reader: R,
    stopped: Stopped,
}

impl<R: Read> Read for UntilStopped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stopped.check() {
            Ok(()) => self.reader.read(buffer),
            Err(_) => Err(io::Error::other("it was cut off")),
        }
    }
}
