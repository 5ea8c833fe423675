//! Removing a blob and everything derived from it.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use tokio::task;

use super::{Blobs, disk, layout::FileName};
use crate::{
    error::{Error, Result},
    hash::ContentHash,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Nothing of it is left; perhaps nothing was there.
    Removed,
    /// It arrived, or arrived again, after the cutoff: somebody may be about to refer to it.
    Kept,
}

impl Blobs {
    /// Removes a blob that nothing refers to, if it has not arrived since the cutoff, with all that
    /// was derived from it. A copy in a bucket of another portal stays, and so does one in our own during
    /// the probation, until the sweep. May be repeated. See the rules at the head of this module for
    /// where the cutoff comes from; `Timestamp::MAX` removes in any case.
    ///
    /// A removal is not synced: after a power cut it may have to be done again.
    ///
    /// # Errors
    /// `Busy` while S3 is away, if one is configured: whether it has the blob cannot be known.
    pub async fn remove(&self, hash: ContentHash, cutoff: Timestamp) -> Result<Removal> {
        let blobs = self.clone();
        // A task of its own goes on when the caller is gone. Else the lock would be let go while a
        // deletion is still on its way, and that could meet a new upload of the same content.
        task::spawn(async move { blobs.remove_locked(hash, cutoff).await })
            .await
            .unwrap_or_else(|stopped| Err(Error::Internal(anyhow!(stopped))))
    }

    async fn remove_locked(&self, hash: ContentHash, cutoff: Timestamp) -> Result<Removal> {
        let _traffic = self.traffic(hash).await;
        let on_s3 = match &self.shared.remote {
            Some(remote) => remote.head(hash).await?,
            None => None,
        };
        let is_on_s3 = on_s3.is_some();
        if self.remove_here(hash, cutoff, on_s3.map(|object| object.modified_at)).await?
            == Removal::Kept
        {
            return Ok(Removal::Kept);
        }
        // Last: while it is there, a listing names what is left of the blob. An upload that finishes
        // from now on has a file of its own, which cannot travel before this is over.
        if let Some(remote) = &self.shared.remote
            && remote.may_remove().await?
        {
            remote.abort_noted(hash).await?;
            if is_on_s3 {
                remote.delete(hash).await?;
            }
        }
        Ok(Removal::Removed)
    }

    async fn remove_here(
        &self,
        hash: ContentHash,
        cutoff: Timestamp,
        on_s3_at: Option<Timestamp>,
    ) -> Result<Removal> {
        let _lock = self.lock(hash).await;
        let source = FileName::source(hash);
        let spooled = self.shared.spool.path(&source);
        let in_spool = spooled.clone();
        let spooled_at = disk::blocking(move || {
            let found = disk::open_if_there(&in_spool)
                .and_then(|file| file.map(|file| file.metadata()?.modified()).transpose());
            let found = found.context("looking into the spool")?;
            Ok(found.map(Timestamp::try_from).transpose().context("reading the time of a file")?)
        })
        .await?;
        let objects = self.shared.objects.of_blob(hash).await?;
        let times = objects.iter().map(|object| object.modified_at);
        let last_at = times.chain(spooled_at).chain(on_s3_at).max();
        if last_at.is_some_and(|last_at| last_at > cutoff) {
            return Ok(Removal::Kept);
        }

        // The source goes last: while it is there, a listing names what is left of the blob.
        for object in objects.iter().rev() {
            self.shared.objects.delete(&object.name).await?;
        }
        let shared = Arc::clone(&self.shared);
        disk::blocking(move || {
            disk::remove_if_there(&spooled).context("removing a blob from the spool")?;
            if let Some(cache) = &shared.cache {
                cache.remove(hash).context("removing a blob from the cache")?;
            }
            Ok(Removal::Removed)
        })
        .await
    }
}
