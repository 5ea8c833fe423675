//! Whether there is room for an upload: what is free, less what other uploads were promised, less
//! a [reserve](crate::space). Room is promised a step ahead of what has come, so
//! that uploads which announce much and bring nothing do not keep the disk from everybody else.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::disk;
use crate::{error::Result, space::space};

/// A pebibyte: more than any disk has free.
const PROMISE_BYTES_MAX: u64 = 1 << 50;
/// How far ahead room is kept.
const STEP_BYTES: u64 = 64 << 20;

pub(super) struct Room {
    folder: PathBuf,
    reserve_bytes: u64,
    promised_bytes: AtomicU64,
}

impl Room {
    pub fn new(folder: PathBuf, reserve_bytes: u64) -> Self {
        Room { folder, reserve_bytes, promised_bytes: AtomicU64::new(0) }
    }

    /// Promises room for so many bytes, a step at a time, until they are written or the promise is
    /// dropped.
    ///
    /// # Errors
    /// `Full` when the disk would be full with all of them.
    pub fn promise(self: &Arc<Self>, bytes: u64) -> Result<Promise> {
        // A limit, so that absurd sizes cannot wrap the sum around.
        let bytes = bytes.min(PROMISE_BYTES_MAX);
        self.check(bytes)?;
        let mut promise = Promise { room: Arc::clone(self), ahead_bytes: 0, to_come_bytes: bytes };
        promise.extend(0)?;
        Ok(promise)
    }

    fn check(&self, further_bytes: u64) -> Result<()> {
        let free_bytes = space(&self.folder)?.free_bytes;
        let wanted_bytes = self
            .promised_bytes
            .load(Ordering::SeqCst)
            .saturating_add(further_bytes)
            .saturating_add(self.reserve_bytes);
        if free_bytes < wanted_bytes {
            tracing::debug!(
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

/// Room kept for one upload. What is written no longer counts: the disk counts it.
pub(super) struct Promise {
    room: Arc<Room>,
    /// Kept, and not written yet.
    ahead_bytes: u64,
    /// Announced, and not kept yet.
    to_come_bytes: u64,
}

impl Promise {
    /// Called before so many bytes are written. More than was announced is fine while there is room.
    pub fn use_up(&mut self, bytes: u64) -> Result<()> {
        if self.ahead_bytes < bytes {
            self.extend(bytes - self.ahead_bytes)?;
        }
        self.give_back(bytes);
        Ok(())
    }

    /// Keeps the next step, of at least so many bytes.
    fn extend(&mut self, bytes_min: u64) -> Result<()> {
        let step_bytes = self.to_come_bytes.min(STEP_BYTES).max(bytes_min);
        self.to_come_bytes = self.to_come_bytes.saturating_sub(step_bytes);
        // Kept first and looked at then, so that two who ask at once both count.
        self.room.promised_bytes.fetch_add(step_bytes, Ordering::SeqCst);
        self.ahead_bytes += step_bytes;
        self.room.check(0)
    }

    fn give_back(&mut self, bytes: u64) {
        self.ahead_bytes -= bytes;
        self.room.promised_bytes.fetch_sub(bytes, Ordering::SeqCst);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.give_back(self.ahead_bytes);
    }
}
