//! What is computed from a blob and kept beside it: its text, a thumbnail, images of its pages.
//! It can be computed again, so it may be replaced, and it may not be there yet.

use std::{fs::File, io, os::unix::fs::FileExt};

use anyhow::Context;
use bytes::Bytes;
use jiff::Timestamp;

use super::{
    Blobs, Opened,
    disk::{self, TemporaryFile},
    layout::FileName,
};
use crate::{error::Result, hash::ContentHash};

impl Blobs {
    /// Keeps these bytes under a name of lower-case letters, digits and hyphens, in place of
    /// earlier ones. Durable when it returns.
    ///
    /// # Errors
    /// `Full` when the disk is nearly full.
    pub async fn put_derived(&self, hash: ContentHash, name: &str, bytes: Bytes) -> Result<()> {
        let name = FileName::derived(hash, name)?;
        let blobs = self.clone();
        let file = disk::blocking(move || {
            let shared = &blobs.shared;
            let _promise = shared.room.promise(bytes.len() as u64)?;
            let file = TemporaryFile::create(shared.objects.new_incoming_path())?;
            let written = write(file.file(), &bytes, shared.clock.now());
            written.map_err(|error| disk::write_failed(error, || "writing".to_owned()))?;
            Ok(file)
        })
        .await?;

        let path = self.shared.objects.path(&name);
        let lock = self.lock(hash).await;
        disk::blocking(move || {
            let named = file.give_name(&path);
            drop(lock);
            named
                .and_then(|()| disk::sync_folder(disk::folder_of(&path)))
                .with_context(|| format!("naming {name}"))?;
            Ok(())
        })
        .await
    }

    /// Opens something derived; `None` when it was not made yet.
    pub async fn open_derived(&self, hash: ContentHash, name: &str) -> Result<Option<Opened>> {
        self.shared.objects.get(&FileName::derived(hash, name)?, None).await
    }

    /// Reads something derived; `None` when it was not made yet.
    ///
    /// # Errors
    /// `TooLarge` when it has more than `bytes_max`.
    pub async fn read_derived(
        &self,
        hash: ContentHash,
        name: &str,
        bytes_max: usize,
    ) -> Result<Option<Bytes>> {
        match self.open_derived(hash, name).await? {
            Some(opened) => Ok(Some(opened.read(bytes_max).await?)),
            None => Ok(None),
        }
    }

    /// Reads the beginning of something derived; `None` when it was not made yet.
    pub async fn read_derived_start(
        &self,
        hash: ContentHash,
        name: &str,
        bytes_max: usize,
    ) -> Result<Option<Bytes>> {
        let name = FileName::derived(hash, name)?;
        match self.shared.objects.get(&name, Some(0..bytes_max as u64)).await? {
            Some(opened) => Ok(Some(opened.read(bytes_max).await?)),
            None => Ok(None),
        }
    }
}

fn write(file: &File, bytes: &[u8], now: Timestamp) -> io::Result<()> {
    file.write_all_at(bytes, 0)?;
    disk::set_modified(file, now)?;
    file.sync_all()
}
