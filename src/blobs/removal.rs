//! Removing a blob and everything derived from it.

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
    /// was derived from it. May be repeated. See the rules at the head of this module for where the
    /// cutoff comes from; `Timestamp::MAX` removes in any case.
    ///
    /// A removal is not synced: after a power cut it may have to be done again.
    pub async fn remove(&self, hash: ContentHash, cutoff: Timestamp) -> Result<Removal> {
        let blobs = self.clone();
        // A task of its own goes on when the caller is gone. Else the lock would be let go while a
        // deletion is still on its way, and that could meet a new upload of the same content.
        task::spawn(async move { blobs.remove_locked(hash, cutoff).await })
            .await
            .unwrap_or_else(|stopped| Err(Error::Internal(anyhow!(stopped))))
    }

    async fn remove_locked(&self, hash: ContentHash, cutoff: Timestamp) -> Result<Removal> {
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
        let last_at = objects.iter().map(|object| object.modified_at).chain(spooled_at).max();
        if last_at.is_some_and(|last_at| last_at > cutoff) {
            return Ok(Removal::Kept);
        }

        // The source goes last: while it is there, a listing names what is left of the blob.
        for object in objects.iter().rev() {
            self.shared.objects.delete(&object.name).await?;
        }
        disk::blocking(move || {
            disk::remove_if_there(&spooled).context("removing a blob from the spool")?;
            Ok(Removal::Removed)
        })
        .await
    }
}
