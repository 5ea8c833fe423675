//! How much may wait in the spool while S3 is away: what waits there, and what is on its way into it.
//! An upload keeps what it needs from its beginning to its end, so that many at once do not go beyond
//! the limit together.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Backend, Blobs};
use crate::{
    error::{Error, Result},
    size::Size,
};

/// Looking into the spool is cheap, but not for every upload of many.
const COUNT_KEPT: Duration = Duration::from_secs(1);

/// A pebibyte, so that absurd sizes cannot wrap the sum around.
const KEPT_BYTES_MAX: u64 = 1 << 50;

pub(super) struct SpoolLimit {
    bytes_max: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counted: Option<Counted>,
    /// Of all files that have come into the spool; only grows.
    arrived_bytes: u64,
    /// For uploads under way.
    kept_bytes: u64,
}

/// The spool as it was counted.
struct Counted {
    bytes: u64,
    /// What had arrived when the count began: what came since may or may not be in it.
    arrived_bytes: u64,
    at: Instant,
}

/// What one upload keeps.
pub(super) struct Kept {
    limit: Arc<SpoolLimit>,
    bytes: u64,
}

impl SpoolLimit {
    pub fn new(bytes_max: u64) -> Self {
        SpoolLimit { bytes_max, state: Mutex::default() }
    }

    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    pub fn keep_nothing(self: &Arc<Self>) -> Kept {
        Kept { limit: Arc::clone(self), bytes: 0 }
    }

    fn is_counted(&self) -> bool {
        let state = self.state();
        state.counted.as_ref().is_some_and(|counted| counted.at.elapsed() < COUNT_KEPT)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is whole in itself, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file has its name in the spool, which is counted from now on instead.
    pub fn arrived(self, size_bytes: u64) {
        self.limit.state().arrived_bytes += size_bytes;
    }

    fn keep(&mut self, bytes: u64) {
        let mut state = self.limit.state();
        state.kept_bytes = state.kept_bytes - self.bytes + bytes;
        self.bytes = bytes;
    }

    /// `false`, and nothing has changed, when that would be more than may wait.
    fn keep_within_limit(&mut self, bytes: u64) -> bool {
        let mut state = self.limit.state();
        let waiting_bytes = state
            .counted
            .as_ref()
            .map_or(0, |counted| counted.bytes + (state.arrived_bytes - counted.arrived_bytes));
        let others_bytes = state.kept_bytes - self.bytes;
        if waiting_bytes.saturating_add(others_bytes).saturating_add(bytes) > self.limit.bytes_max {
            return false;
        }
        state.kept_bytes = others_bytes + bytes;
        self.bytes = bytes;
        true
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.limit.state().kept_bytes -= self.bytes;
    }
}

impl Blobs {
    /// Keeps room in the spool for an upload of so many bytes, or for one that has grown to so many.
    ///
    /// # Errors
    /// `Full` when S3 is away and too much waits for it.
    pub(super) async fn keep_in_spool(&self, kept: &mut Kept, bytes: u64) -> Result<()> {
        let (limit, bytes) = (&self.shared.spool_limit, bytes.min(KEPT_BYTES_MAX));
        match &self.shared.remote {
            Some(remote) if self.shared.backend == Backend::S3 && remote.is_away() => {}
            _ => {
                kept.keep(bytes);
                return Ok(());
            }
        }
        if !limit.is_counted() {
            let (arrived_bytes, at) = (limit.state().arrived_bytes, Instant::now());
            let spooled = self.spooled().await?;
            limit.state().counted = Some(Counted { bytes: spooled.bytes, arrived_bytes, at });
        }
        match kept.keep_within_limit(bytes) {
            true => Ok(()),
            false => Err(Error::Full(format!(
                "The file storage does not answer, and the {} that may wait for it are used up, so \
                 this file was not saved. Reading works as before. Ask your administrator, or try \
                 again later.",
                Size(limit.bytes_max)
            ))),
        }
    }
}
