//! How much room everything takes, for the administrator. Files are counted one by one, so the
//! answer is kept for a while.

use std::{fs, os::unix::fs::MetadataExt, path::Path, time::Duration};

use moka::sync::Cache;

use crate::{
    app::App,
    blocking::blocking,
    domain::access::{Action, Actor, decide},
    error::Result,
    space::{Space, space},
};

/// Room in bytes, each part by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Storage {
    /// The files of all versions, as far as they are on this machine.
    pub files_bytes: u64,
    /// What is made from them: text, thumbnails, page images.
    pub derived_bytes: u64,
    pub records_bytes: u64,
    pub index_bytes: u64,
    /// What the disk of the data folder still takes.
    pub free_bytes: u64,
}

/// A million files take a while to count.
const KEPT: Duration = Duration::from_secs(5 * 60);
/// Small portals are counted at once, and theirs should be fresh.
const FILES_KEPT_MIN: u64 = 10_000;

pub(in crate::app) type StorageCache = Cache<(), Storage>;

pub(in crate::app) fn cache() -> StorageCache {
    Cache::builder().max_capacity(1).time_to_live(KEPT).build()
}

impl App {
    pub async fn storage(&self, actor: &Actor) -> Result<Storage> {
        decide(actor, Action::Operate)?;
        if let Some(known) = self.storage.get(&()) {
            return Ok(known);
        }
        let usage = self.blobs.usage().await?;
        let (DataFiles { store_bytes: records_bytes, index_bytes }, space) =
            self.data_files().await?;
        let free_bytes = space.free_bytes;
        let storage = Storage {
            files_bytes: usage.spooled.bytes + usage.stored.bytes,
            derived_bytes: usage.derived.bytes,
            records_bytes,
            index_bytes,
            free_bytes,
        };
        if usage.stored.files + usage.derived.files > FILES_KEPT_MIN {
            self.storage.insert((), storage);
        }
        Ok(storage)
    }
}

/// What is written beside the files of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataFiles {
    /// As far as it takes room: the file of the database has holes.
    pub store_bytes: u64,
    pub index_bytes: u64,
}

impl App {
    /// How large they are, and the disk that they are on.
    pub async fn data_files(&self) -> Result<(DataFiles, Space)> {
        let data = self.config.data.clone();
        blocking(move || {
            // In blocks of 512 bytes (stat(2)), whatever the file system has.
            let store_bytes = fs::metadata(data.join(App::DATABASE))?.blocks() * 512;
            let index_bytes = folder_bytes(&data.join(App::INDEX))?;
            Ok((DataFiles { store_bytes, index_bytes }, space(&data)?))
        })
        .await
    }
}

/// The files of the index come and go while they are counted.
pub(in crate::app) fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(found) if found.is_dir() => bytes += folder_bytes(&entry.path())?,
            Ok(found) => bytes += found.len(),
            Err(_) => {}
        }
    }
    Ok(bytes)
}
