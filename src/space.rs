//! How full a disk is, and the reserve that is kept free on that of the data folder.
//!
//! A disk that is full to the last byte helps nobody: the database cannot even note that something
//! was deleted. So whatever brings much (uploads, backups, previews, a new index) stops when only the
//! reserve is free, and whatever else adds stops when half of it is gone. The last half belongs to what
//! makes room, takes rights away, and lets people in to do either.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use anyhow::Context;

use crate::{
    error::{Error, Result},
    size::Size,
};

/// A small disk keeps at most this part of itself in reserve.
const SHARE_MAX: u64 = 10;
/// The reserve is touched as well when so few files more fit on the file system.
const FILES_MIN: u64 = 1_000;

/// The size of the file system that a path is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub total_bytes: u64,
    /// What a process without privileges may still use.
    pub free_bytes: u64,
    /// How many files more there may be; `None` where the file system does not count them.
    pub free_files: Option<u64>,
}

/// Looks at the file system of a path that exists.
pub fn space(path: &Path) -> Result<Space> {
    let found = rustix::fs::statvfs(path)
        .with_context(|| format!("reading the free space of {}", path.display()))?;
    Ok(Space {
        total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        free_files: (found.f_files > 0).then_some(found.f_favail),
    })
}

/// Makes sure that so many bytes fit on the file system of a path and leave a reserve free.
///
/// # Errors
/// `Full`, with the numbers, when they do not.
pub fn require(path: &Path, needed_bytes: u64, reserve_bytes: u64) -> Result<()> {
    let Space { free_bytes, .. } = space(path)?;
    if free_bytes >= needed_bytes.saturating_add(reserve_bytes) {
        return Ok(());
    }
    Err(Error::Full(format!(
        "There is not enough room on the disk of {}: {} needed and {} to be left free, but {} free. \
         Make room on it, then try again.",
        path.display(),
        Size(needed_bytes),
        Size(reserve_bytes),
        Size(free_bytes),
    )))
}

/// How much room there is on the disk of the portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Room {
    /// Half of the reserve is gone: only what makes room, takes rights away or lets people in is
    /// written.
    Critical,
    /// The reserve is touched: nothing that brings much is begun.
    Low,
    Enough,
}

impl Room {
    /// For monitoring.
    pub fn word(self) -> &'static str {
        match self {
            Room::Critical => "full",
            Room::Low => "nearly full",
            Room::Enough => "ok",
        }
    }
}

/// What is kept free on the disk of a folder; clones share what was told in the log.
#[derive(Clone, Debug)]
pub struct Reserve {
    folder: PathBuf,
    bytes: u64,
    /// The last [`Room`] that was seen.
    told: Arc<AtomicU8>,
}

impl Reserve {
    /// Keeps so many bytes free, or a tenth of a small disk.
    pub fn of_disk(folder: &Path, wanted_bytes: u64) -> Result<Self> {
        let bytes = wanted_bytes.min(space(folder)?.total_bytes / SHARE_MAX);
        let told = Arc::new(AtomicU8::new(Room::Enough as u8));
        Ok(Reserve { folder: folder.to_owned(), bytes, told })
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Asks the file system, which takes a microsecond. Says in the log when it has changed.
    pub fn room(&self) -> Result<Room> {
        if self.bytes == 0 {
            return Ok(Room::Enough);
        }
        let space = space(&self.folder)?;
        let has_few_files = space.free_files.is_some_and(|files| files < FILES_MIN);
        let room = match space.free_bytes {
            free if free < self.bytes / 2 => Room::Critical,
            free if free < self.bytes || has_few_files => Room::Low,
            _ => Room::Enough,
        };
        if self.told.swap(room as u8, Ordering::Relaxed) != room as u8 {
            self.tell(room, space);
        }
        Ok(room)
    }

    fn tell(&self, room: Room, space: Space) {
        let (free, reserve) = (Size(space.free_bytes), Size(self.bytes));
        match room {
            Room::Enough => tracing::info!(%free, "there is room on the disk again"),
            Room::Low => tracing::warn!(
                %free, %reserve,
                "the disk is nearly full: uploads, backups and previews wait until there is room"
            ),
            Room::Critical => tracing::error!(
                %free, %reserve,
                "the disk is full up to the last of the reserve: only what makes room is written"
            ),
        }
    }
}
