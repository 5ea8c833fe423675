//! What is computed from a blob and kept beside it: its text, a thumbnail, images of its pages.
//! It can be computed again, so it may be replaced, and it may not be there yet.

use std::{os::unix::fs::FileExt, path::Path};

use anyhow::Context;
use bytes::Bytes;

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
    /// `Busy` when the disk is nearly full.
    pub async fn put_derived(&self, hash: ContentHash, name: &str, bytes: Bytes) -> Result<()> {
        let name = FileName::derived(hash, name)?;
        let blobs = self.clone();
        disk::blocking(move || {
            let shared = &blobs.shared;
            let _promise = shared.room.promise(bytes.len() as u64)?;
            let now = shared.clock.now();
            let path = shared.objects.path(&name);
            let file = TemporaryFile::create(shared.objects.new_incoming_path())?;
            let written = file
                .file()
                .write_all_at(&bytes, 0)
                .and_then(|()| disk::set_modified(file.file(), now))
                .and_then(|()| file.file().sync_all());
            if let Err(error) = written {
                file.discard();
                return Err(disk::write_failed(error, || format!("writing {name}")));
            }
            give_name(file, &path).with_context(|| format!("naming {name}"))?;
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
}

fn give_name(file: TemporaryFile, path: &Path) -> std::io::Result<()> {
    file.give_name(path)?;
    disk::sync_folder(disk::folder_of(path))
}
