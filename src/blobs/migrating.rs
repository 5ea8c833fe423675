//! Moving house: from the disk to S3 or back, while the portal runs. First everything is copied and
//! verified, as often as one likes; the old copies go in a second round, each after a look at its new
//! one. Between the two both are there, and readers take whichever is nearer.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use futures_util::{StreamExt, TryStreamExt, future, stream};

use super::{
    Backend, Blobs, Listed, Missing, Tally, Verdict, digest::hash_file, disk, layout::FileName,
    moving::Left, remote::Remote, verify::judge,
};
use crate::{
    error::{Error, Result},
    hash::ContentHash,
};

/// Copies at the same time.
const COPIES_MAX: usize = 4;
/// After this time a step begins no further file, so that whoever counts steps hears of it.
const STEP_LASTS: Duration = Duration::from_secs(5);

/// What one step of copying did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// Where the next step goes on; `None` after the last one.
    pub next: Option<ContentHash>,
    pub copied: Tally,
    /// Was there already.
    pub known: Tally,
    /// What cannot be copied, and why, for the operator.
    pub failed: Vec<(ContentHash, String)>,
}

/// What one step of clearing did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    pub next: Option<ContentHash>,
    pub looked_at: u64,
    pub removed: Tally,
    /// Stays, because its new copy is missing or wrong.
    pub kept: Vec<(ContentHash, String)>,
}

impl Blobs {
    /// Copies up to `limit` sources that come after the given hash to the other home. Call it again
    /// with `next`, also after a restart, until that is `None`. What waits in the spool goes to its
    /// home by its own job.
    ///
    /// # Errors
    /// `Invalid` when no S3 is configured, `Conflict` when the bucket is not ours to fill; `Busy` while
    /// it is away and `Full` when the disk is: do the same step again later.
    pub async fn migrate(
        &self,
        to: Backend,
        after: Option<ContentHash>,
        limit: usize,
    ) -> Result<Migrated> {
        let remote = self.required_remote()?;
        if to == Backend::S3 {
            remote.must_be_ours().await?;
        }
        let page = self.page(after, limit).await?;
        let (last, count) = (next(&page, limit), page.len());
        let (mut done, mut migrated) = (0, Migrated::default());
        let blobs = self.clone();
        let began = Instant::now();
        let in_time = move |_: &Listed| future::ready(began.elapsed() < STEP_LASTS);
        let copies = stream::iter(page).take_while(in_time).map(move |blob| {
            let (blobs, remote) = (blobs.clone(), Arc::clone(&remote));
            async move {
                let copied = match to {
                    Backend::S3 => blobs.copy_to_s3(&remote, &blob).await,
                    Backend::Disk => blobs.copy_to_disk(&blob).await,
                };
                (blob, copied)
            }
        });
        let mut copies = copies.buffered(COPIES_MAX).boxed();
        while let Some((blob, copied)) = copies.next().await {
            let bytes = blob.stored_bytes.or(blob.remote_bytes);
            done += 1;
            migrated.next = if done == count { last } else { Some(blob.hash) };
            match copied {
                Ok(true) => migrated.copied.count(bytes),
                Ok(false) => migrated.known.count(bytes),
                Err(fault @ (Error::Busy { .. } | Error::Full(_))) => return Err(fault),
                Err(fault) => migrated.failed.push((blob.hash, fault.chain())),
            }
        }
        Ok(migrated)
    }

    /// Removes up to `limit` old copies: those outside the home that new files go to. A copy goes only
    /// after its new one was read and has the right hash.
    ///
    /// # Errors
    /// As [`Blobs::migrate`], and `Conflict` when either copy is in a bucket of another portal.
    pub async fn clear_old(&self, after: Option<ContentHash>, limit: usize) -> Result<Cleared> {
        let remote = self.required_remote()?;
        match self.shared.backend {
            // In a bucket of others a new copy is not safe.
            Backend::S3 => remote.must_be_ours().await?,
            Backend::Disk => remote.must_be_free_to_remove().await?,
        }
        let page = self.page(after, limit).await?;
        let (last, count, began) = (next(&page, limit), page.len() as u64, Instant::now());
        let mut cleared = Cleared::default();
        for blob in page {
            cleared.looked_at += 1;
            cleared.next = if cleared.looked_at == count { last } else { Some(blob.hash) };
            let (old_bytes, outcome) = match self.shared.backend {
                Backend::S3 if blob.stored_bytes.is_some() => {
                    (blob.stored_bytes, self.clear_on_disk(&remote, &blob).await)
                }
                Backend::Disk if blob.remote_bytes.is_some() => {
                    (blob.remote_bytes, self.clear_on_s3(&remote, &blob).await)
                }
                _ => continue,
            };
            match outcome {
                Ok(()) => cleared.removed.count(old_bytes),
                Err(fault @ (Error::Busy { .. } | Error::Full(_))) => return Err(fault),
                Err(fault) => cleared.kept.push((blob.hash, fault.chain())),
            }
            if began.elapsed() >= STEP_LASTS {
                break;
            }
        }
        Ok(cleared)
    }

    pub(super) fn required_remote(&self) -> Result<Arc<Remote>> {
        self.shared.remote.clone().ok_or_else(|| {
            Error::invalid("No S3 is configured. Name its bucket with storage.s3.bucket.")
        })
    }

    async fn page(&self, after: Option<ContentHash>, limit: usize) -> Result<Vec<Listed>> {
        self.list(after).take(limit).try_collect().await
    }

    /// `false` when it is there already, or nothing is here that could be copied.
    async fn copy_to_s3(&self, remote: &Arc<Remote>, blob: &Listed) -> Result<bool> {
        let Some(size_bytes) = blob.stored_bytes else { return Ok(false) };
        if blob.remote_bytes == Some(size_bytes) {
            return Ok(false);
        }
        let hash = blob.hash;
        let _traffic = self.traffic(hash).await;
        let path = self.shared.objects.path(&FileName::source(hash));
        let file = disk::blocking(move || Ok(disk::open_if_there(&path)?)).await?;
        // Removed since it was listed.
        let Some(file) = file else { return Ok(false) };
        let size_bytes = file.metadata()?.len();
        remote.put(hash, &Arc::new(file), size_bytes).await?;
        Ok(true)
    }

    async fn copy_to_disk(&self, blob: &Listed) -> Result<bool> {
        let hash = blob.hash;
        if blob.remote_bytes.is_none() || blob.stored_bytes == blob.remote_bytes {
            return Ok(false);
        }
        let _traffic = self.traffic(hash).await;
        let (file, _) = match self.fetch(hash).await {
            Ok(fetched) => fetched,
            // Removed since it was listed.
            Err(Error::Internal(fault)) if fault.is::<Missing>() => return Ok(false),
            Err(fault) => return Err(fault),
        };
        let path = self.shared.objects.path(&FileName::source(hash));
        let lock = self.lock(hash).await;
        disk::blocking(move || {
            let named = file.give_name(&path);
            drop(lock);
            named
                .and_then(|()| disk::sync_folder(disk::folder_of(&path)))
                .with_context(|| format!("naming blob {hash}"))?;
            Ok(true)
        })
        .await
    }

    async fn clear_on_disk(&self, remote: &Arc<Remote>, blob: &Listed) -> Result<()> {
        let hash = blob.hash;
        let _traffic = self.traffic(hash).await;
        // All of it is read: S3 may never have compared the hash, or lost a bit since.
        match remote.get(hash, None).await? {
            None => return Err(Error::Internal(anyhow!("it has no copy on S3"))),
            Some(opened) => {
                if let Verdict::Damaged { found, .. } = judge(hash, opened).await? {
                    return Err(Error::Internal(anyhow!("its copy on S3 has the hash {found}")));
                }
            }
        }
        let path = self.shared.objects.path(&FileName::source(hash));
        // Removed since it was listed.
        let Some(old) = self.open_leaving(&path).await? else { return Ok(()) };
        // Whoever has brought the content again relies on the time of that until its record is written.
        let object = remote.head(hash).await?;
        if object.is_none_or(|object| object.modified_at < old.modified_at) {
            remote.put(hash, &old.file, old.size_bytes).await?;
        }
        // Reading may have taken hours.
        remote.was_ours_until(Instant::now()).await?;
        match self.remove_leaving(hash, &path, old).await? {
            Left::Removed => Ok(()),
            Left::Renewed => Err(Error::Internal(anyhow!("it has just arrived again"))),
        }
    }

    async fn clear_on_s3(&self, remote: &Arc<Remote>, blob: &Listed) -> Result<()> {
        let hash = blob.hash;
        let _traffic = self.traffic(hash).await;
        let path = self.shared.objects.path(&FileName::source(hash));
        let read = path.clone();
        let inode = disk::blocking(move || {
            let Some(file) = disk::open_if_there(&read)? else {
                return Err(Error::Internal(anyhow!("it has no copy on the disk")));
            };
            match hash_file(&file)? {
                (found, _) if found == hash => Ok(file.metadata()?.ino()),
                (found, _) => {
                    Err(Error::Internal(anyhow!("its copy on the disk has the hash {found}")))
                }
            }
        })
        .await?;
        // Nobody may take the one that was looked at away until the other is gone.
        let _lock = self.lock(hash).await;
        if !fs::metadata(&path).is_ok_and(|found| found.ino() == inode) {
            return Err(Error::Internal(anyhow!("its copy on the disk was replaced")));
        }
        match remote.delete(hash).await? {
            true => Ok(()),
            false => Err(Error::Internal(anyhow!("its copy on S3 is not ours to remove any more"))),
        }
    }
}

fn next(page: &[Listed], limit: usize) -> Option<ContentHash> {
    (page.len() == limit).then(|| page.last().map(|blob| blob.hash)).flatten()
}
