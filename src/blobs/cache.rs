//! Copies of sources that were read from S3, on the local disk, up to so many bytes: the least
//! recently used go first.
//!
//! A copy gets its name only when it is whole and has the right hash. What happens to the file later
//! is noticed too: it is hashed again before the first use after a start, and whenever its size or
//! times are not those of the last look.

use std::{
    collections::HashMap,
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    digest::hash_file,
    disk::{self, TemporaryFile},
    inventory::Tally,
};
use crate::{error::Result, hash::ContentHash};

/// One file may take this part of the cache: else a single film would push out everything.
const SHARE_MAX: u64 = 4;

pub(super) struct Cache {
    folder: PathBuf,
    bytes_max: u64,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    by_hash: HashMap<ContentHash, Entry>,
    bytes: u64,
}

struct Entry {
    size_bytes: u64,
    used_at: Timestamp,
    /// `None` until it was hashed by this process.
    verified: Option<Stamp>,
}

/// What changes when somebody writes to a file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size_bytes: u64,
    changed_at: (i64, i64),
}

/// How much of the cache is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStatus {
    pub used: Tally,
    pub bytes_max: u64,
}

impl Cache {
    /// Takes over what an earlier process left. Blocks shortly.
    pub fn open(folder: PathBuf, bytes_max: u64) -> Result<Self> {
        let doing = || format!("opening the cache in {}", folder.display());
        disk::make_folder(&folder).with_context(doing)?;
        disk::make_folder(&folder.join("incoming")).with_context(doing)?;
        let mut entries = Entries::default();
        for file in disk::files(&folder, |name| name.parse::<ContentHash>().is_ok())? {
            let Ok(hash) = file.name.parse() else { continue };
            entries.bytes += file.size_bytes;
            let (size_bytes, used_at) = (file.size_bytes, file.modified_at);
            entries.by_hash.insert(hash, Entry { size_bytes, used_at, verified: None });
        }
        let cache = Cache { folder, bytes_max, entries: Mutex::new(entries) };
        cache.make_room(0).with_context(|| "making room in the cache")?;
        Ok(cache)
    }

    pub fn incoming(&self) -> PathBuf {
        self.folder.join("incoming")
    }

    /// Whether a file of this size may be kept.
    pub fn takes(&self, size_bytes: u64) -> bool {
        size_bytes <= self.bytes_max / SHARE_MAX
    }

    /// A file in the making. Blocks.
    pub fn begin(&self) -> Result<TemporaryFile> {
        TemporaryFile::create(self.incoming().join(Uuid::new_v4().to_string()))
    }

    /// Keeps a file that is whole and has the right hash. Blocks.
    pub fn keep(
        &self,
        hash: ContentHash,
        file: TemporaryFile,
        size_bytes: u64,
        now: Timestamp,
    ) -> io::Result<()> {
        self.make_room(size_bytes)?;
        disk::set_modified(file.file(), now)?;
        let handle = file.file().clone();
        let mut entries = self.entries();
        // Not synced: what a power cut damages is found by its hash, and fetched again.
        file.give_name(&self.path(hash))?;
        // The name changes the time of the file too.
        let verified = Some(stamp(&handle)?);
        let entry = Entry { size_bytes, used_at: now, verified };
        entries.bytes += size_bytes;
        if let Some(before) = entries.by_hash.insert(hash, entry) {
            entries.bytes -= before.size_bytes;
        }
        Ok(())
    }

    /// The file, if it is here and has the right bytes. Blocks: the first time it is read whole.
    pub fn open_file(&self, hash: ContentHash, now: Timestamp) -> io::Result<Option<File>> {
        let known = match self.entries().by_hash.get(&hash) {
            Some(entry) => entry.verified,
            None => return Ok(None),
        };
        let Some(file) = disk::open_if_there(&self.path(hash))? else {
            self.forget(hash);
            return Ok(None);
        };
        if known != Some(stamp(&file)?) {
            let (found, _) = hash_file(&file)?;
            if found != hash {
                tracing::warn!("a cached copy of blob {hash} was damaged; it is fetched anew");
                self.remove(hash)?;
                return Ok(None);
            }
        }
        let mut entries = self.entries();
        if let Some(entry) = entries.by_hash.get_mut(&hash) {
            // On the disk as well, for the order after a restart.
            disk::set_modified(&file, now)?;
            entry.used_at = now;
            entry.verified = Some(stamp(&file)?);
        }
        Ok(Some(file))
    }

    /// Removes a copy; that there is none is fine. Blocks.
    pub fn remove(&self, hash: ContentHash) -> io::Result<()> {
        self.forget(hash);
        disk::remove_if_there(&self.path(hash)).map(drop)
    }

    pub fn status(&self) -> CacheStatus {
        let entries = self.entries();
        let used = Tally { files: entries.by_hash.len() as u64, bytes: entries.bytes };
        CacheStatus { used, bytes_max: self.bytes_max }
    }

    /// Removes what was not used for the longest time until so many bytes fit.
    fn make_room(&self, size_bytes: u64) -> io::Result<()> {
        let mut leaving = Vec::new();
        {
            let mut entries = self.entries();
            let mut excess = (entries.bytes + size_bytes).saturating_sub(self.bytes_max);
            if excess > 0 {
                let mut by_use: Vec<_> =
                    entries.by_hash.iter().map(|(hash, entry)| (entry.used_at, *hash)).collect();
                by_use.sort();
                for (_, hash) in by_use {
                    if excess == 0 {
                        break;
                    }
                    if let Some(entry) = entries.by_hash.remove(&hash) {
                        entries.bytes -= entry.size_bytes;
                        excess = excess.saturating_sub(entry.size_bytes);
                        leaving.push(hash);
                    }
                }
            }
        }
        for hash in leaving {
            disk::remove_if_there(&self.path(hash))?;
        }
        Ok(())
    }

    fn forget(&self, hash: ContentHash) {
        let mut entries = self.entries();
        if let Some(entry) = entries.by_hash.remove(&hash) {
            entries.bytes -= entry.size_bytes;
        }
    }

    pub fn path(&self, hash: ContentHash) -> PathBuf {
        self.folder.join(Path::new(&hash.to_string()))
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(file: &File) -> io::Result<Stamp> {
    let metadata = file.metadata()?;
    Ok(Stamp {
        inode: metadata.ino(),
        size_bytes: metadata.len(),
        changed_at: (metadata.ctime(), metadata.ctime_nsec()),
    })
}
