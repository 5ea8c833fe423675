//! Bringing a file to S3: a small one at once, a large one in parts, several on their way at the
//! same time, in a bounded amount of memory. S3 compares the SHA-256 of every part with what
//! arrived; we compare that of the whole with the name before it becomes an object.
//!
//! ```text
//! begin ─▶ note the upload's id ─▶ parts … ─▶ complete ─▶ look at the object ─▶ forget the id
//! ```
//!
//! Whatever ends this in between, the next try finds the noted id, aborts that upload (its parts
//! cost money and no listing of objects shows them) and begins anew. A crash between the first two
//! steps leaves an upload that [`abandoned`](super::abandoned) finds by asking S3.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{
    Attribute, Attributes, MultipartId, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    multipart::{MultipartStore, PartId},
    path::Path as Key,
};
use tokio::sync::OwnedSemaphorePermit;

use super::{Direction, Remote, failed};
use crate::{
    blobs::disk,
    error::{Error, Result},
    hash::{ContentHash, Digest},
    s3::Fault,
};

/// Large enough that requests cost little, small enough for several in memory.
pub(super) const PART_MIB_MIN: u32 = 8;
/// S3 takes no more of one object.
const PARTS_MAX: u64 = 10_000;
/// S3 takes no larger object: 5 TiB.
const OBJECT_BYTES_MAX: u64 = 5 << 40;
const MIB: u64 = 1 << 20;

/// The ids of uploads in parts that were begun: one small file for each, named by the hash.
pub(super) struct Journal {
    folder: PathBuf,
}

impl Journal {
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        disk::make_folder(&folder)?;
        disk::sync_folder(disk::folder_of(&folder))?;
        Ok(Journal { folder })
    }

    /// Durable when it returns. Blocks.
    fn note(&self, hash: ContentHash, id: &str) -> io::Result<()> {
        let path = self.folder.join(hash.to_string());
        fs::write(&path, id)?;
        File::open(&path)?.sync_all()?;
        disk::sync_folder(&self.folder)
    }

    fn find(&self, hash: ContentHash) -> io::Result<Option<String>> {
        match fs::read_to_string(self.folder.join(hash.to_string())) {
            Ok(id) => Ok(Some(id)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn forget(&self, hash: ContentHash) -> io::Result<()> {
        disk::remove_if_there(&self.folder.join(hash.to_string())).map(drop)
    }

    /// Every hash with a noted upload.
    fn all(&self) -> Result<Vec<ContentHash>> {
        let files = disk::files(&self.folder, |name| name.parse::<ContentHash>().is_ok())?;
        Ok(files.iter().filter_map(|file| file.name.parse().ok()).collect())
    }
}

impl Remote {
    /// Brings a whole file there. Durable and looked at when it returns; may be repeated, but not by
    /// two for the same hash at the same time.
    ///
    /// # Errors
    /// `Busy` while S3 is away or the files there are not ours; `Internal` when the bytes are not those that the hash names: then
    /// there is no object.
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
        self.abort_noted(hash).await?;
        match size_bytes <= u64::from(PART_MIB_MIN) * MIB {
            true => self.put_at_once(hash, file, size_bytes).await?,
            false => self.put_in_parts(hash, file, size_bytes).await?,
        }
        match self.head(hash).await? {
            Some(object) if object.size_bytes == size_bytes => {}
            Some(object) => {
                return Err(Error::Internal(anyhow!(
                    "blob {hash} has {size_bytes} bytes, its object {}",
                    object.size_bytes
                )));
            }
            None => return Err(Error::Internal(anyhow!("the new object of blob {hash} is gone"))),
        }
        self.forget(hash).await
    }

    /// Aborts the upload that an earlier try has noted, if there is one.
    pub async fn abort_noted(self: &Arc<Self>, hash: ContentHash) -> Result<()> {
        let looked_at = Arc::clone(&self.journal);
        let noted =
            disk::blocking(move || Ok(looked_at.find(hash).context("reading an upload's id")?));
        let Some(id) = noted.await? else { return Ok(()) };
        self.abort(&self.key(hash), id).await?;
        self.forget(hash).await
    }

    async fn forget(&self, hash: ContentHash) -> Result<()> {
        let journal = Arc::clone(&self.journal);
        disk::blocking(move || Ok(journal.forget(hash).context("forgetting an upload")?)).await
    }

    /// Every blob with a noted upload.
    pub async fn noted(&self) -> Result<Vec<ContentHash>> {
        let journal = Arc::clone(&self.journal);
        disk::blocking(move || journal.all()).await
    }

    /// Frees the parts of an upload; one that S3 does not know (any more) is fine.
    pub(super) async fn abort(self: &Arc<Self>, key: &Key, id: String) -> Result<()> {
        // A crash while it was noted: whatever it was, it cannot be asked for.
        if id.is_empty() {
            return Ok(());
        }
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
        let _room = self.room_for(size_bytes).await?;
        let bytes = read_part(Arc::clone(file), 0, size_bytes).await?;
        let hashed = bytes.clone();
        let found = disk::blocking(move || Ok(Digest::of(&hashed))).await?;
        require_same(hash, found)?;
        let key = self.key(hash);
        let options = PutOptions { attributes: self.attributes(), ..PutOptions::default() };
        let pass = self.admit(Direction::Write)?;
        let put = self.store.put_opts(&key, PutPayload::from_bytes(bytes), options).await;
        self.judged(Direction::Write, pass, put)
            .await?
            .map(drop)
            .map_err(|fault| failed(fault, || format!("putting object {key}")))
    }

    async fn put_in_parts(
        self: &Arc<Self>,
        hash: ContentHash,
        file: &Arc<File>,
        size_bytes: u64,
    ) -> Result<()> {
        let key = self.key(hash);
        let failed = |fault: Fault| failed(fault, || format!("putting object {key}"));
        let options =
            PutMultipartOptions { attributes: self.attributes(), ..PutMultipartOptions::default() };
        let pass = self.admit(Direction::Write)?;
        let begun = self.store.create_multipart_opts(&key, options).await;
        let id = self.judged(Direction::Write, pass, begun).await?.map_err(failed)?;
        let (noting, noted) = (Arc::clone(&self.journal), id.clone());
        disk::blocking(move || Ok(noting.note(hash, &noted).context("noting an upload's id")?))
            .await?;

        let (parts, found) = self.put_parts(&key, &id, file, size_bytes).await?;
        if let Err(damaged) = require_same(hash, found) {
            self.abort_noted(hash).await?;
            return Err(damaged);
        }
        let pass = self.admit(Direction::Write)?;
        let completed = self.store.complete_multipart(&key, &id, parts).await;
        match self.judged(Direction::Write, pass, completed).await? {
            Ok(_) => Ok(()),
            // A first try whose answer was lost may have done it: the look at the object tells.
            Err(fault) if fault.is_missing_object() => Ok(()),
            Err(fault) => Err(failed(fault)),
        }
    }

    /// Reads one part after the other and hashes it; several are on their way at the same time.
    async fn put_parts(
        self: &Arc<Self>,
        key: &Key,
        id: &MultipartId,
        file: &Arc<File>,
        size_bytes: u64,
    ) -> Result<(Vec<PartId>, ContentHash)> {
        let part_bytes = part_bytes(size_bytes);
        let digest = Arc::new(Mutex::new(Digest::new()));
        let reader = (Arc::clone(self), Arc::clone(file), Arc::clone(&digest), 0);
        let parts = stream::try_unfold(reader, move |(remote, file, digest, start)| async move {
            if start >= size_bytes {
                return Ok(None);
            }
            let length = part_bytes.min(size_bytes - start);
            let room = remote.room_for(length).await?;
            let bytes = read_part(Arc::clone(&file), start, length).await?;
            let (hashed, hashing) = (bytes.clone(), Arc::clone(&digest));
            disk::blocking(move || {
                hashing.lock().unwrap_or_else(PoisonError::into_inner).update(&hashed);
                Ok(())
            })
            .await?;
            let part = (start / part_bytes, bytes, room);
            Ok::<_, Error>(Some((part, (remote, file, digest, start + length))))
        });
        let (remote, key, id) = (Arc::clone(self), key.clone(), id.clone());
        let parts = parts
            .map_ok(move |(index, bytes, room)| {
                let (remote, key, id) = (Arc::clone(&remote), key.clone(), id.clone());
                async move { remote.put_part(&key, &id, index as usize, bytes, room).await }
            })
            .try_buffered(self.in_flight_mib_max.div_ceil(PART_MIB_MIN) as usize)
            .boxed()
            .try_collect()
            .await?;
        let digest = digest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok((parts, digest.finish()))
    }

    async fn put_part(
        self: &Arc<Self>,
        key: &Key,
        id: &MultipartId,
        index: usize,
        bytes: Bytes,
        _room: OwnedSemaphorePermit,
    ) -> Result<PartId> {
        let pass = self.admit(Direction::Write)?;
        let put = self.store.put_part(key, id, index, PutPayload::from_bytes(bytes)).await;
        self.judged(Direction::Write, pass, put)
            .await?
            .map_err(|fault| failed(fault, || format!("putting part {index} of object {key}")))
    }

    /// Waits until there is memory for so many bytes on their way.
    async fn room_for(&self, bytes: u64) -> Result<OwnedSemaphorePermit> {
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

/// Whole mebibytes, so that all parts but the last are alike (R2 wants that), and no more than
/// 10,000 of them. Up to 78 GiB they are 8 MiB; of 5 TiB one is 525 MiB. However large, parts share
/// the memory for what is on its way: one that needs all of it travels alone ([`Remote::room_for`]).
fn part_bytes(size_bytes: u64) -> u64 {
    let least = size_bytes.div_ceil(PARTS_MAX).next_multiple_of(MIB);
    least.max(u64::from(PART_MIB_MIN) * MIB)
}

async fn read_part(file: Arc<File>, start: u64, length: u64) -> Result<Bytes> {
    disk::blocking(move || {
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, start).context("reading a file for S3")?;
        Ok(bytes.into())
    })
    .await
}

fn require_same(hash: ContentHash, found: ContentHash) -> Result<()> {
    match found == hash {
        true => Ok(()),
        false => Err(Error::Internal(anyhow!(
            "blob {hash} was not moved: its file has the hash {found}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_mebibytes_and_never_too_many() {
        assert_eq!(part_bytes(9 * MIB), 8 * MIB);
        assert_eq!(part_bytes(80_000 * MIB), 8 * MIB);
        for size_bytes in [80_001 * MIB, 5_000_000 * MIB, 81_234_567_890, OBJECT_BYTES_MAX] {
            let part = part_bytes(size_bytes);
            assert!(part.is_multiple_of(MIB) && size_bytes.div_ceil(part) <= PARTS_MAX);
        }
    }
}
