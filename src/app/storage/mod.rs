//! The storage of files, for who operates it: its check, the move to S3 or back, reading everything
//! again, and how all of it is. The bytes are moved by [`blobs`](crate::blobs); what has come of it is
//! noted in [`domain::storage`](crate::domain::storage), so that it goes on after a restart.

mod checking;
mod claiming;
mod hurrying;
mod migrating;
mod room;
mod scrubbing;
mod standing;
mod usage;

use tokio::sync::Mutex;

pub(super) use self::{
    checking::LastCheck,
    claiming::owner,
    hurrying::run as hurry_moves,
    room::{StorageCache, cache, folder_bytes},
    usage::{UsageCache, usage_cache},
};
pub use self::{
    checking::StorageCheck,
    room::{DataFiles, Storage},
    scrubbing::{FaultyFile, ScrubReport},
    standing::{LongWork, StorageStanding},
};

/// Held by the one who does it: a job that was started over while its first run ends waits.
#[derive(Default)]
pub(super) struct Turns {
    scrubbing: Mutex<()>,
    migrating: Mutex<()>,
}
