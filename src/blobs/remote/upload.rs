//! Bringing a file to S3: a small one at once, a large one in [`parts`](super::parts). S3 compares the
//! SHA-256 of what arrives; we compare that of the whole with the name before it becomes an object, and
//! look at the object before anybody relies on it.

use std::{fs::File, os::unix::fs::FileExt, sync::Arc};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use jiff::Timestamp;
use object_store::{
    Attribute, Attributes, ObjectStore, PutOptions, PutPayload, multipart::MultipartStore,
    path::Path as Key,
};
use tokio::sync::OwnedSemaphorePermit;

use super::{Direction, Remote, failed, journal::Noted};
use crate::{
    blobs::disk,
    error::{Error, Result},
    hash::{ContentHash, Digest},
};

/// Large enough that requests cost little, small enough for several in memory.
pub(super) const PART_MIB_MIN: u32 = 8;
/// S3 takes no larger object: 5 TiB.
pub(super) const OBJECT_BYTES_MAX: u64 = 5 << 40;
pub(super) const MIB: u64 = 1 << 20;

impl Remote {
    /// Brings a whole file there. Durable and looked at when it returns; may be repeated, and then goes
    /// on where it was, but not by two for the same hash at the same time.
    ///
    /// # Errors
    /// `Busy` while S3 is away or the files there are not ours; `Internal` when the bytes are not those
    /// that the hash names: then there is no new object.
    pub async fn put(
        self: &Arc<Self>,
        hash: ContentHash,
        file: &Arc<File>,
        size_bytes: u64,
    ) -> Result<()> {
        if size_bytes > OBJECT_BYTES_MAX {
            return Err(Error::Internal(anyhow!(
                "blob {hash} has {size_bytes} bytes, and S3 takes no object of more than 5 TiB"
            )));
        }
        // Before the first file is there: a place without files becomes ours.
        self.may_bring().await?;
        match size_bytes <= u64::from(PART_MIB_MIN) * MIB {
            true => self.put_at_once(hash, file, size_bytes).await?,
            false => self.put_in_parts(hash, file, size_bytes).await?,
        }
        let object = self.head(hash).await?;
        // Whatever is there now, the upload is over.
        self.forget(hash).await?;
        match object {
            Some(object) if object.size_bytes == size_bytes => Ok(()),
            Some(object) => Err(Error::Internal(anyhow!(
                "blob {hash} has {size_bytes} bytes, its object {}",
                object.size_bytes
            ))),
            None => Err(Error::Internal(anyhow!("the new object of blob {hash} is gone"))),
        }
    }

    /// Aborts the upload that an earlier try has noted, if there is one.
    pub async fn abort_noted(self: &Arc<Self>, hash: ContentHash) -> Result<()> {
        if let Some(noted) = self.noted(hash).await? {
            self.abort(&self.key(hash), noted.id).await?;
        }
        self.forget(hash).await
    }

    pub(super) async fn noted(&self, hash: ContentHash) -> Result<Option<Noted>> {
        let journal = Arc::clone(&self.journal);
        disk::blocking(move || Ok(journal.find(hash).context("reading an upload's id")?)).await
    }

    pub(super) async fn forget(&self, hash: ContentHash) -> Result<()> {
        let journal = Arc::clone(&self.journal);
        disk::blocking(move || Ok(journal.forget(hash).context("forgetting an upload")?)).await
    }

    /// Every blob with a noted upload, and when the last of its parts was noted.
    pub async fn all_noted(&self) -> Result<Vec<(ContentHash, Timestamp)>> {
        let journal = Arc::clone(&self.journal);
        disk::blocking(move || journal.all()).await
    }

    /// Frees the parts of an upload; one that S3 does not know (any more) is fine.
    pub(super) async fn abort(self: &Arc<Self>, key: &Key, id: String) -> Result<()> {
        let pass = self.admit(Direction::Delete)?;
        let aborted = self.store.abort_multipart(key, &id).await;
        if let Err(fault) = self.judged(Direction::Delete, pass, aborted).await?
            && !fault.is_missing_object()
        {
            // It must not keep the file from being brought there; a rule of the bucket's life cycle
            // removes what is left.
            tracing::warn!("cannot abort an old upload of {key}: {}", fault.text);
        }
        Ok(())
    }

    async fn put_at_once(
        self: &Arc<Self>,
        hash: ContentHash,
        file: &Arc<File>,
        size_bytes: u64,
    ) -> Result<()> {
        // Of a version with smaller parts.
        self.abort_noted(hash).await?;
        let _room = self.room_for(size_bytes).await?;
        let bytes = read_part(Arc::clone(file), 0, size_bytes).await?;
        let hashed = bytes.clone();
        let found = disk::blocking(move || Ok(Digest::of(&hashed))).await?;
        require_same(hash, found)?;
        let key = self.key(hash);
        let options = PutOptions { attributes: self.attributes(), ..PutOptions::default() };
        let pass = self.admit(Direction::Write)?;
        let put = self.sending.put_opts(&key, PutPayload::from_bytes(bytes), options).await;
        self.judged(Direction::Write, pass, put)
            .await?
            .map(drop)
            .map_err(|fault| failed(fault, || format!("putting object {key}")))
    }

    /// Waits until there is memory for so many bytes on their way.
    pub(super) async fn room_for(&self, bytes: u64) -> Result<OwnedSemaphorePermit> {
        let mib = bytes.div_ceil(MIB).clamp(1, self.in_flight_mib_max.into()) as u32;
        let places = Arc::clone(&self.in_flight_mib);
        Ok(places.acquire_many_owned(mib).await.context("waiting for a place to upload")?)
    }

    pub(super) fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::new();
        if !self.config.storage_class.is_empty() {
            attributes.insert(Attribute::StorageClass, self.config.storage_class.clone().into());
        }
        attributes
    }
}

pub(super) async fn read_part(file: Arc<File>, start: u64, length: u64) -> Result<Bytes> {
    disk::blocking(move || {
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, start).context("reading a file for S3")?;
        Ok(bytes.into())
    })
    .await
}

pub(super) fn require_same(hash: ContentHash, found: ContentHash) -> Result<()> {
    match found == hash {
        true => Ok(()),
        false => Err(Error::Internal(anyhow!(
            "blob {hash} was not moved: its file has the hash {found}"
        ))),
    }
}
