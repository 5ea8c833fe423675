//! From the spool to the object store. A crash between any two steps leaves the blob in one of the
//! two places, or in both with the same content; doing it again ends well from each.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use tokio::sync::OwnedMutexGuard;

use super::{
    Blobs, Missing,
    digest::hash_file,
    disk::{self, TemporaryFile},
    layout::FileName,
};
use crate::{
    error::{Error, Result},
    hash::ContentHash,
};

/// What became of a rename.
enum Renamed {
    Done,
    /// The two folders are on different file systems.
    MustCopy,
    Missing,
}

impl Blobs {
    /// Moves a blob from the spool to the object store. Durable when it returns; that the blob is
    /// stored already is fine.
    ///
    /// # Errors
    /// `Internal` with [`Missing`] when the blob is nowhere; `Internal` when the bytes are not
    /// those that the hash names (looked at only when they must be copied): the blob stays where
    /// it is then.
    pub async fn store(&self, hash: ContentHash) -> Result<()> {
        let name = FileName::source(hash);
        let spooled = self.shared.spool.path(&name);
        let stored = self.shared.objects.path(&name);

        let lock = self.lock(hash).await;
        let (from, to) = (spooled.clone(), stored.clone());
        let renamed = disk::blocking(move || {
            Ok(rename(&from, &to, lock).with_context(|| format!("moving blob {hash}"))?)
        });
        match renamed.await? {
            Renamed::Done => Ok(()),
            Renamed::MustCopy => self.copy(hash, spooled, stored).await,
            Renamed::Missing => Err(Missing(hash).into()),
        }
    }

    /// The long part goes on without the lock, so that nobody waits for it: blobs do not change.
    async fn copy(&self, hash: ContentHash, from: PathBuf, to: PathBuf) -> Result<()> {
        let temporary = self.shared.objects.new_incoming_path();
        let source = from.clone();
        let copied = disk::blocking(move || copy_verified(hash, &source, temporary)).await?;

        let lock = self.lock(hash).await;
        disk::blocking(move || {
            let replaced = replace(copied, &from, &to);
            drop(lock);
            match replaced.with_context(|| format!("moving the copy of blob {hash}"))? {
                true => Ok(()),
                false => Err(Missing(hash).into()),
            }
        })
        .await
    }
}

fn rename(from: &Path, to: &Path, lock: OwnedMutexGuard<()>) -> io::Result<Renamed> {
    match disk::rename(from, to) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::CrossesDevices => return Ok(Renamed::MustCopy),
        Err(error) if error.kind() == ErrorKind::NotFound && !from.try_exists()? => {
            if !to.try_exists()? {
                return Ok(Renamed::Missing);
            }
            // Moved before, perhaps by a process that died before the folders were synced.
        }
        Err(error) => return Err(error),
    }
    drop(lock);
    // The new name first: a power cut in between must not leave neither.
    disk::sync_folder(disk::folder_of(to))?;
    disk::sync_folder(disk::folder_of(from))?;
    Ok(Renamed::Done)
}

/// Copies the bytes and reads the copy again: if it has the right hash, so had what was read.
/// `None` when there is nothing to copy any more.
fn copy_verified(
    hash: ContentHash,
    from: &Path,
    temporary: PathBuf,
) -> Result<Option<TemporaryFile>> {
    let doing = || format!("copying {} to {}", from.display(), temporary.display());
    let Some(source) = disk::open_if_there(from).with_context(doing)? else { return Ok(None) };
    let copy = TemporaryFile::create(temporary.clone())?;
    let copied = io::copy(&mut &source, &mut &**copy.file())
        .and_then(|_| copy.file().sync_all())
        .map_err(|error| disk::write_failed(error, doing));
    let found = copied.and_then(|()| Ok(hash_file(copy.file()).with_context(doing)?));
    match found {
        Ok((found, _)) if found == hash => Ok(Some(copy)),
        Ok((found, _)) => {
            copy.discard();
            Err(Error::Internal(anyhow!(
                "blob {hash} was not moved: the copy of {} has the hash {found}",
                from.display()
            )))
        }
        Err(error) => {
            copy.discard();
            Err(error)
        }
    }
}

/// Puts the copy in its place and removes what it was copied from. Under the hash's lock: an upload
/// of the same content may have renewed the time of the one, so the other gets that time too.
/// False when the blob is nowhere: removed while it was copied.
fn replace(copied: Option<TemporaryFile>, from: &Path, to: &Path) -> io::Result<bool> {
    let (Some(copy), Some(source)) = (copied, disk::open_if_there(from)?) else {
        return to.try_exists();
    };
    copy.file().set_modified(source.metadata()?.modified()?)?;
    copy.give_name(to)?;
    disk::sync_folder(disk::folder_of(to))?;
    fs::remove_file(from)?;
    disk::sync_folder(disk::folder_of(from))?;
    Ok(true)
}
