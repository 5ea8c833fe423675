//! From the spool to where blobs rest. A crash between any two steps leaves the blob in one of the
//! two places, or in both with the same content; doing it again ends well from each.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use tokio::sync::OwnedMutexGuard;

use super::{
    Backend, Blobs, Missing,
    digest::hash_file,
    disk::{self, TemporaryFile},
    layout::FileName,
    remote::Remote,
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

/// How often a file may be replaced in the spool while it travels.
const TRAVELS_MAX: usize = 3;

/// A copy on this machine that is to go to S3, as it was opened.
pub(super) struct Leaving {
    pub file: Arc<File>,
    pub size_bytes: u64,
    /// When the content arrived last.
    pub modified_at: Timestamp,
}

/// What became of the copy here of a blob that is on S3 now.
pub(super) enum Left {
    /// It is not here any more.
    Removed,
    /// The file is another one, or arrived again: it must travel, too.
    Renewed,
}

impl Blobs {
    /// Moves a blob from the spool to where blobs rest. Durable when it returns; that the blob is
    /// stored already is fine.
    ///
    /// # Errors
    /// `Internal` with [`Missing`] when the blob is nowhere; `Internal` when the bytes are not
    /// those that the hash names (looked at only when they must be copied); `Busy` while S3 is away, or
    /// while the bucket is not ours: the blob stays where it is then.
    pub async fn store(&self, hash: ContentHash) -> Result<()> {
        match (self.shared.backend, &self.shared.remote) {
            (Backend::S3, Some(remote)) => self.store_on_s3(hash, remote).await,
            _ => self.store_on_disk(hash).await,
        }
    }

    async fn store_on_s3(&self, hash: ContentHash, remote: &Arc<Remote>) -> Result<()> {
        let _traffic = self.traffic(hash).await;
        let path = self.shared.spool.path(&FileName::source(hash));
        for _ in 0..TRAVELS_MAX {
            let Some(spooled) = self.open_leaving(&path).await? else {
                let is_here =
                    self.shared.objects.get(&FileName::source(hash), None).await?.is_some();
                return match is_here || remote.head(hash).await?.is_some() {
                    true => Ok(()),
                    false => Err(Missing(hash).into()),
                };
            };
            // Whatever is there already: it may be damaged, or so old that the sweep takes it for
            // something that nobody needs.
            remote.put(hash, &spooled.file, spooled.size_bytes).await?;
            remote.was_ours_until(Instant::now()).await?;
            match self.remove_leaving(hash, &path, spooled).await? {
                Left::Removed => return Ok(()),
                Left::Renewed => {}
            }
        }
        Err(Error::Internal(anyhow!("blob {hash} arrives again and again while it is moved")))
    }

    pub(super) async fn open_leaving(&self, path: &Path) -> Result<Option<Leaving>> {
        let path = path.to_owned();
        disk::blocking(move || {
            let doing = || format!("opening {}", path.display());
            let Some(file) = disk::open_if_there(&path).with_context(doing)? else {
                return Ok(None);
            };
            let metadata = file.metadata().with_context(doing)?;
            let modified = metadata.modified().with_context(doing)?;
            let modified_at = Timestamp::try_from(modified).with_context(doing)?;
            Ok(Some(Leaving { file: Arc::new(file), size_bytes: metadata.len(), modified_at }))
        })
        .await
    }

    /// Removes the copy here, if it still is the one that travelled and nobody has brought the same
    /// content again: that renewed its time, which the object does not have.
    pub(super) async fn remove_leaving(
        &self,
        hash: ContentHash,
        path: &Path,
        leaving: Leaving,
    ) -> Result<Left> {
        let path = path.to_owned();
        let lock = self.lock(hash).await;
        disk::blocking(move || {
            let doing = || format!("removing {}", path.display());
            let Some(now) = disk::open_if_there(&path).with_context(doing)? else {
                // Not by us, who wait for those who travel; and now the one on S3 is the only one.
                return Ok(Left::Removed);
            };
            let (before, now) = (leaving.file.metadata()?, now.metadata()?);
            let is_renewed = Timestamp::try_from(now.modified()?).context("a file's time")?
                != leaving.modified_at;
            // Open as it is, its number was given to no other file.
            if before.ino() != now.ino() || is_renewed {
                return Ok(Left::Renewed);
            }
            fs::remove_file(&path).with_context(doing)?;
            drop(lock);
            // Not synced: after a power cut it travels once more.
            Ok(Left::Removed)
        })
        .await
    }

    async fn store_on_disk(&self, hash: ContentHash) -> Result<()> {
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
            Renamed::Missing => match &self.shared.remote {
                Some(remote) if remote.head(hash).await?.is_some() => Ok(()),
                _ => Err(Missing(hash).into()),
            },
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
pub(super) fn copy_verified(
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
