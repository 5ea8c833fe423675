//! Whether there is room for an upload: what is free, less what other uploads were promised, less
//! a reserve that the database keeps for itself.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context;

use super::disk;
use crate::error::Result;

/// A pebibyte: more than any disk has free.
const PROMISE_BYTES_MAX: u64 = 1 << 50;

pub(super) struct Room {
    folder: PathBuf,
    reserve_bytes: u64,
    promised_bytes: AtomicU64,
}

impl Room {
    pub fn new(folder: PathBuf, reserve_bytes: u64) -> Self {
        Room { folder, reserve_bytes, promised_bytes: AtomicU64::new(0) }
    }

    /// Promises so many bytes until they are written or the promise is dropped.
    ///
    /// # Errors
    /// `Busy` when the disk would be full.
    pub fn promise(self: &Arc<Self>, bytes: u64) -> Result<Promise> {
        // A limit, so that absurd sizes cannot wrap the sum around.
        let bytes = bytes.min(PROMISE_BYTES_MAX);
        // Promised first and looked at then, so that two who ask at once both count.
        self.promised_bytes.fetch_add(bytes, Ordering::SeqCst);
        let promise = Promise { room: Arc::clone(self), left_bytes: bytes };
        self.check(0)?;
        Ok(promise)
    }

    fn check(&self, further_bytes: u64) -> Result<()> {
        let free_bytes = free_bytes(&self.folder)?;
        let wanted_bytes = self
            .promised_bytes
            .load(Ordering::SeqCst)
            .saturating_add(further_bytes)
            .saturating_add(self.reserve_bytes);
        if free_bytes < wanted_bytes {
            tracing::warn!(
                free_bytes,
                reserve_bytes = self.reserve_bytes,
                folder = %self.folder.display(),
                "an upload was refused: the disk is nearly full"
            );
            return Err(disk::disk_full());
        }
        Ok(())
    }
}

/// Free bytes for a process without privileges on the file system of this folder.
fn free_bytes(folder: &PathBuf) -> Result<u64> {
    let space = rustix::fs::statvfs(folder)
        .with_context(|| format!("reading the free space of {}", folder.display()))?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

/// Room kept for one upload. What is written no longer counts: the disk counts it.
pub(super) struct Promise {
    room: Arc<Room>,
    left_bytes: u64,
}

impl Promise {
    /// Called before so many bytes are written. More than was promised is fine while there is room.
    pub fn use_up(&mut self, bytes: u64) -> Result<()> {
        let covered_bytes = bytes.min(self.left_bytes);
        if covered_bytes < bytes {
            self.room.check(bytes - covered_bytes)?;
        }
        self.give_back(covered_bytes);
        Ok(())
    }

    fn give_back(&mut self, bytes: u64) {
        self.left_bytes -= bytes;
        self.room.promised_bytes.fetch_sub(bytes, Ordering::SeqCst);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.give_back(self.left_bytes);
    }
}
