//! Blobs: files of any size, each kept once, named by the SHA-256 of its content, never changed.
//!
//! An upload streams into `spool/incoming/` while it is being hashed, and becomes `spool/<hash>`
//! when it is whole and on the disk ([`Incoming::finish`]). A job later moves it to the object
//! store ([`Blobs::store`]); readers ask [`Blobs::open`] and never care where it is. What is
//! computed from a blob (its text, its page images) is kept beside it and goes when it goes.
//!
//! ```text
//! spool/incoming/<uuid>             being written; worthless after a crash
//! spool/<hash>                      whole, durable, waiting for its move
//! objects/<2 hex>/<hash>            the source, stored
//! objects/<2 hex>/<hash>.<name>     derived from it: text, thumb, page-3 …
//! objects/incoming/<uuid>           a copy in the making, when the two are on different disks
//! ```
//!
//! # How a blob that is being removed is never referenced anew
//!
//! This engine knows no records, so it cannot know whether a blob is still needed. Who writes
//! records and who removes blobs keep four rules:
//!
//! 1. A record that names a blob is written within the *grace time* (a day, say) after
//!    [`Incoming::finish`], or else in a transaction that reads another record naming it.
//! 2. The sweep takes `cutoff = now - grace` **first**, then looks for references, and then
//!    calls [`Blobs::remove`] with that cutoff.
//! 3. `finish` renews the time of a blob that was here already; `remove` keeps every blob whose
//!    time is after the cutoff. The two exclude each other, hash by hash.
//! 4. One process has the folders open (the store sees to that).
//!
//! So an upload that finished before the removal either renewed the time, and the blob stays; or
//! is older than the cutoff, and its record was visible to the look. One that finishes after the
//! removal finds nothing and keeps its own bytes.
//!
//! # What is deliberately absent
//!
//! No record, no reference count, no retry, no breaker: a failed move is tried again by whoever
//! asked for it. Nothing here ever makes up bytes: a missing blob is a [`Missing`] fault.

mod derived;
mod digest;
mod disk;
mod incoming;
mod inventory;
mod layout;
mod moving;
mod objects;
mod opening;
mod removal;
mod room;
mod sink;
mod streaming;
mod verify;

use std::{fmt, path::PathBuf, sync::Arc, thread};

use anyhow::Context;
use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore};

pub use self::{
    incoming::{HEAD_BYTES, Incoming, Spooled},
    inventory::{Listed, Swept, Tally, Usage},
    opening::{Opened, Source},
    removal::Removal,
    verify::Verdict,
};
use self::{layout::Spool, objects::Objects, room::Room};
use crate::{
    clock::Clock,
    error::{Error, Result},
    hash::ContentHash,
};

/// Where blobs rest once they have left the spool.
#[derive(Clone, Debug)]
pub enum Backend {
    /// A folder; on the spool's file system a move is a rename.
    Local { folder: PathBuf },
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Free bytes that uploads leave on the spool's file system: the database needs them.
    pub reserve_bytes: u64,
}

/// A handle to all blobs; clones share it.
#[derive(Clone)]
pub struct Blobs {
    shared: Arc<Shared>,
}

struct Shared {
    spool: Spool,
    objects: Objects,
    room: Arc<Room>,
    clock: Clock,
    /// Held while a blob gets its name, moves or goes; by the first byte of the hash, so that few
    /// wait for a stranger.
    locks: [Arc<Mutex<()>>; 256],
    /// As many as there are cores, so that many uploads at once do not starve the rest.
    hashing_places: Arc<Semaphore>,
}

impl Blobs {
    /// Opens the two places, making what is missing (files 0600, folders 0700). Blocks shortly.
    ///
    /// Follow with [`Blobs::sweep_incoming`] up to now, before the first upload: whatever lies
    /// there then was left by a process that is gone.
    pub fn at(spool: PathBuf, backend: Backend, limits: Limits, clock: Clock) -> Result<Self> {
        let opened = Spool::open(&spool)
            .with_context(|| format!("opening the spool in {}", spool.display()))?;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let shared = Shared {
            spool: opened,
            objects: Objects::open(backend)?,
            room: Arc::new(Room::new(spool, limits.reserve_bytes)),
            clock,
            locks: std::array::from_fn(|_| Arc::default()),
            hashing_places: Arc::new(Semaphore::new(cores)),
        };
        Ok(Blobs { shared: Arc::new(shared) })
    }

    async fn lock(&self, hash: ContentHash) -> OwnedMutexGuard<()> {
        Arc::clone(&self.shared.locks[usize::from(hash.0[0])]).lock_owned().await
    }
}

/// The fault of a blob that should be there and is not; inside an [`Error::Internal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing(pub ContentHash);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blob {} is neither in the spool nor in the object store", self.0)
    }
}

impl std::error::Error for Missing {}

impl From<Missing> for Error {
    fn from(missing: Missing) -> Self {
        Error::Internal(missing.into())
    }
}
