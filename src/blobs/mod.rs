//! Blobs: files of any size, each kept once, named by the SHA-256 of its content, never changed.
//!
//! An upload streams into `spool/incoming/` while it is being hashed, and becomes `spool/<hash>`
//! when it is whole and on the disk ([`Incoming::finish`]). A job later moves it to where files
//! rest ([`Blobs::store`]): the objects of this machine, or S3. Readers ask [`Blobs::open`] and never
//! care where it is. What is computed from a blob (its text, its page images) always stays on this
//! machine, so previews cost nothing and work while S3 does not, and goes when the blob goes.
//!
//! ```text
//! spool/incoming/<uuid>             being written; worthless after a crash
//! spool/<hash>                      whole, durable, waiting for its move
//! spool/multipart/<hash>            its upload to S3 in parts, and which of them are there
//! objects/<2 hex>/<hash>            the source, stored
//! objects/<2 hex>/<hash>.<name>     derived from it: text, thumb, page-3 …
//! objects/incoming/<uuid>           a copy in the making, when the two are on different disks
//! cache/<hash>                      a copy of a source that was read from S3
//! s3://bucket/<prefix>/<2 hex>/<hash>
//! s3://bucket/<prefix>/appliance-owner   the portal that brings files there and removes them
//! ```
//!
//! # When S3 is out of order
//!
//! Uploads go on: they wait in the spool, up to a configured size. Whoever needs S3 is told `Busy` at
//! once by a breaker, which probes in the background and closes by itself; a move is then tried
//! again. Only S3 with the checksum of what arrived, and a look at the object, end a move: until then
//! the spool has the file. Every step may be repeated after a crash.
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
//! # Several portals and one bucket
//!
//! A bucket says whose it is ([`remote`]'s `owner`), and only the owner brings files there and removes
//! them. Every other portal reads there, and what it is brought waits in its spool.
//!
//! # What is deliberately absent
//!
//! No record, no reference count, no retry: a failed move is tried again by whoever asked for it.
//! Nothing here ever makes up bytes: a missing blob is a [`Missing`] fault, and a damaged one on S3
//! ends its stream in an error when it is read whole. Of a part that comes from S3 only the length and the
//! version of the object are certain: its hash says nothing before all is there. Scrubbing finds what is
//! damaged.

mod cache;
mod derived;
mod digest;
mod disk;
mod fetching;
mod incoming;
mod inventory;
mod layout;
mod linking;
mod migrating;
mod moving;
mod objects;
mod opening;
mod remote;
mod removal;
mod room;
mod scrubbing;
mod sink;
mod spool_limit;
mod status;
mod streaming;
mod verify;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::Context;
use jiff::SignedDuration;
use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore};
use uuid::Uuid;

use self::{
    cache::Cache, layout::Spool, objects::Objects, remote::Remote, room::Room,
    spool_limit::SpoolLimit,
};
pub use self::{
    cache::CacheStatus,
    incoming::{HEAD_BYTES, Incoming, Spooled},
    inventory::{Listed, Swept, Tally, Usage},
    migrating::{Cleared, Migrated},
    opening::{Opened, Source},
    remote::{BreakerStatus, CheckStep, LastError, Outcome, Ownership, S3Requests},
    removal::Removal,
    scrubbing::{Health, Place, Scrubbed},
    status::{RemoteStatus, Status},
    verify::Verdict,
};
pub use crate::config::Backend;
use crate::{
    clock::Clock,
    config::StorageConfig,
    error::{Error, Result},
    hash::ContentHash,
};

/// The folders of the engine.
#[derive(Clone, Debug)]
pub struct Folders {
    pub spool: PathBuf,
    /// On the spool's file system a move is a rename.
    pub objects: PathBuf,
    pub cache: PathBuf,
}

impl Folders {
    /// Where they are in a data folder.
    pub fn below(data: &Path) -> Self {
        Folders {
            spool: data.join("spool"),
            objects: data.join("objects"),
            cache: data.join("cache"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Free bytes that uploads leave on the spool's file system: the database needs them.
    pub reserve_bytes: u64,
    /// The longest pause between two probes of an S3 that is out of order.
    pub outage_pause_max: Duration,
    /// How long an owner of a bucket removes nothing there after a start or a claim.
    pub probation: SignedDuration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            reserve_bytes: 0,
            outage_pause_max: Duration::from_secs(30),
            probation: SignedDuration::from_mins(5),
        }
    }
}

/// A handle to all blobs; clones share it.
#[derive(Clone)]
pub struct Blobs {
    shared: Arc<Shared>,
}

struct Shared {
    spool: Spool,
    objects: Objects,
    /// S3, also while it is not where new files go: it may still have some.
    remote: Option<Arc<Remote>>,
    backend: Backend,
    cache: Option<Cache>,
    spool_limit: Arc<SpoolLimit>,
    room: Arc<Room>,
    clock: Clock,
    /// Held while a blob gets its name, moves or goes; by the first byte of the hash, so that few
    /// wait for a stranger.
    locks: [Arc<Mutex<()>>; 256],
    /// Held, by the same byte, while a blob travels to or from S3 or goes from there: uploads do
    /// not wait for it. Taken before the other.
    traffic: [Arc<Mutex<()>>; 256],
    /// As many as there are cores, so that many uploads at once do not starve the rest.
    hashing_places: Arc<Semaphore>,
}

impl Blobs {
    /// Opens the folders, making what is missing (files 0600, folders 0700). Blocks shortly. S3 is
    /// not asked for anything, so it may be away. `owner` is what this portal is called where several
    /// may come to the same bucket: only the owner of what is there brings and removes anything.
    ///
    /// Follow with [`Blobs::sweep_incoming`] up to now, before the first upload: whatever lies
    /// there then was left by a process that is gone.
    ///
    /// # Errors
    /// `Invalid` with a sentence that names the setting that is wrong.
    pub fn at(
        folders: Folders,
        config: &StorageConfig,
        owner: Uuid,
        limits: Limits,
        clock: Clock,
    ) -> Result<Self> {
        let Folders { spool, objects, cache } = folders;
        let doing = || format!("opening the spool in {}", spool.display());
        let opened = Spool::open(&spool).with_context(doing)?;
        let remote = match config.s3.is_configured() {
            true => Some(Remote::open(config, owner, opened.uploads(), clock.clone(), limits)?),
            false => None,
        };
        let cache_bytes = u64::from(config.cache_mb) << 20;
        let has_cache = remote.is_some() && cache_bytes > 0;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let shared = Shared {
            objects: Objects::open(objects)?,
            remote,
            backend: config.backend,
            cache: has_cache.then(|| Cache::open(cache, cache_bytes)).transpose()?,
            spool_limit: Arc::new(SpoolLimit::new(u64::from(config.spool_mb) << 20)),
            room: Arc::new(Room::new(spool, limits.reserve_bytes)),
            spool: opened,
            clock,
            locks: std::array::from_fn(|_| Arc::default()),
            traffic: std::array::from_fn(|_| Arc::default()),
            hashing_places: Arc::new(Semaphore::new(cores)),
        };
        Ok(Blobs { shared: Arc::new(shared) })
    }

    async fn lock(&self, hash: ContentHash) -> OwnedMutexGuard<()> {
        Arc::clone(&self.shared.locks[usize::from(hash.0[0])]).lock_owned().await
    }

    async fn traffic(&self, hash: ContentHash) -> OwnedMutexGuard<()> {
        Arc::clone(&self.shared.traffic[usize::from(hash.0[0])]).lock_owned().await
    }
}

/// The fault of a blob that should be there and is not; inside an [`Error::Internal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing(pub ContentHash);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blob {} is neither on this machine nor on S3", self.0)
    }
}

impl std::error::Error for Missing {}

impl From<Missing> for Error {
    fn from(missing: Missing) -> Self {
        Error::Internal(missing.into())
    }
}
