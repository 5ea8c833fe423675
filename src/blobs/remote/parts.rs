//! A large file travels to S3 in parts, several on their way at the same time, in a bounded amount of
//! memory.
//!
//! ```text
//! begin ─▶ note the upload's id ─▶ parts, each noted … ─▶ complete ─▶ forget it
//! ```
//!
//! An outage that is over soon is waited out. Whatever else ends this in between, the next try finds
//! the [`journal`](super::journal) and sends what is missing. Only an upload that cannot be completed is
//! aborted (its parts cost money and no listing of objects shows them) and begun anew. A crash between
//! the first two steps leaves an upload that [`abandoned`](super::abandoned) finds by asking S3.

use std::{
    collections::BTreeMap,
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::anyhow;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{
    MultipartId, PutMultipartOptions, PutPayload,
    multipart::{MultipartStore, PartId},
    path::Path as Key,
};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::{
    Direction, Remote,
    breaker::Pass,
    failed,
    journal::{Noted, NotedPart},
    upload::{MIB, PART_MIB_MIN, read_part, require_same},
};
use crate::{
    blobs::{
        disk,
        verify::{Verdict, judge},
    },
    error::{Error, Result},
    hash::{ContentHash, Digest},
    s3::Fault,
};

/// S3 takes no more of one object.
const PARTS_MAX: u64 = 10_000;
/// How often a part is sent before the upload waits for a later try; each of them has the client's own
/// retry in it.
const PART_TRIES_MAX: usize = 3;
/// So long a part waits for an S3 that takes no files. Not longer: meanwhile it keeps memory and a
/// place from others.
const OUTAGE_PATIENCE: Duration = Duration::from_secs(15);

/// An upload in parts that is under way.
struct Upload {
    hash: ContentHash,
    key: Key,
    id: MultipartId,
    /// An earlier try has begun it.
    is_resumed: bool,
    /// What that one has brought.
    parts: BTreeMap<usize, NotedPart>,
    /// Another try will find it.
    is_noted: bool,
    /// This try has brought something.
    has_grown: AtomicBool,
}

impl Upload {
    /// One that an earlier try has left, and that takes nothing any more, may have been ended: not
    /// every S3 says so.
    fn may_go_on(&self) -> bool {
        self.is_noted && (!self.is_resumed || self.has_grown.load(Ordering::Relaxed))
    }
}

/// A part of a file, and the memory that it takes.
struct Part {
    index: usize,
    bytes: Bytes,
    hash_so_far: ContentHash,
    _room: OwnedSemaphorePermit,
}

impl Remote {
    /// Brings a whole file there in parts. Not looked at when it returns.
    ///
    /// # Errors
    /// As [`Remote::put`].
    pub(super) async fn put_in_parts(
        self: &Arc<Self>,
        hash: ContentHash,
        file: &Arc<File>,
        size_bytes: u64,
    ) -> Result<()> {
        loop {
            let with_checksums = self.parts_have_checksums();
            let upload = Arc::new(self.upload_of(hash).await?);
            let fault = match self.put_and_complete(&upload, file, size_bytes).await {
                Ok(()) => return Ok(()),
                // What is there of it stays, and the next try goes on with that.
                Err(fault @ Error::Busy { .. }) if upload.may_go_on() => return Err(fault),
                Err(fault) => fault,
            };
            // In an outage nothing is given up.
            self.admit_soon().await?;
            self.abort(&upload.key, upload.id.clone()).await?;
            self.forget(hash).await?;
            // Somebody may have ended what was left; and on the way is learnt how this S3 takes parts.
            if !upload.is_resumed && with_checksums == self.parts_have_checksums() {
                return Err(fault);
            }
            tracing::info!("the upload of {} begins anew: {}", upload.key, fault.chain());
        }
    }

    /// The upload that an earlier try has left, or a new one.
    async fn upload_of(self: &Arc<Self>, hash: ContentHash) -> Result<Upload> {
        let key = self.key(hash);
        let has_grown = AtomicBool::new(false);
        if let Some(Noted { id, parts }) = self.noted(hash).await? {
            let (is_resumed, is_noted) = (true, true);
            return Ok(Upload { hash, key, id, is_resumed, parts, is_noted, has_grown });
        }
        let options =
            PutMultipartOptions { attributes: self.attributes(), ..PutMultipartOptions::default() };
        let pass = self.admit(Direction::Write)?;
        let begun = self.store.create_multipart_opts(&key, options).await;
        let id = self
            .judged(Direction::Write, pass, begun)
            .await?
            .map_err(|fault| failed(fault, || format!("beginning to put object {key}")))?;
        let (journal, noted) = (Arc::clone(&self.journal), id.clone());
        let noting = disk::blocking(move || Ok(journal.note(hash, &noted)?)).await;
        // On a full disk it goes on all the same: that makes room.
        if let Err(fault) = &noting {
            tracing::warn!("the upload of {key} cannot be noted: {}", fault.chain());
        }
        let (is_resumed, parts, is_noted) = (false, BTreeMap::new(), noting.is_ok());
        Ok(Upload { hash, key, id, is_resumed, parts, is_noted, has_grown })
    }

    async fn put_and_complete(
        self: &Arc<Self>,
        upload: &Arc<Upload>,
        file: &Arc<File>,
        size_bytes: u64,
    ) -> Result<()> {
        let parts = self.put_parts(upload, file, size_bytes).await?;
        let found = parts.last().map_or_else(|| Digest::of(&[]), |last| last.hash_so_far);
        require_same(upload.hash, found)?;
        let ids = parts.into_iter().map(|part| PartId { content_id: part.content_id }).collect();
        let pass = self.admit_soon().await?;
        let completed = self.sending.complete_multipart(&upload.key, &upload.id, ids).await;
        match self.judged(Direction::Write, pass, completed).await? {
            Ok(_) => Ok(()),
            // A try whose answer was lost may have done it; or else somebody has ended the upload.
            Err(fault) if fault.is_missing_object() => self.require_intact(upload.hash).await,
            Err(fault) => Err(failed(fault, || format!("putting object {}", upload.key))),
        }
    }

    /// Reads the object: an old one may be there that is damaged.
    async fn require_intact(self: &Arc<Self>, hash: ContentHash) -> Result<()> {
        let verdict = match self.get(hash, None).await? {
            Some(opened) => judge(hash, opened).await?,
            None => Verdict::Missing,
        };
        match verdict {
            Verdict::Intact { .. } => Ok(()),
            _ => Err(Error::Internal(anyhow!("the upload of blob {hash} was ended from outside"))),
        }
    }

    /// Reads one part after the other and hashes it; several are on their way at the same time.
    async fn put_parts(
        self: &Arc<Self>,
        upload: &Arc<Upload>,
        file: &Arc<File>,
        size_bytes: u64,
    ) -> Result<Vec<NotedPart>> {
        let part_bytes = part_bytes(size_bytes);
        let reader = (Arc::clone(self), Arc::clone(file), Digest::new(), 0);
        let parts = stream::try_unfold(reader, move |(remote, file, digest, start)| async move {
            if start >= size_bytes {
                return Ok(None);
            }
            let length = part_bytes.min(size_bytes - start);
            let room = remote.room_for(length).await?;
            let bytes = read_part(Arc::clone(&file), start, length).await?;
            let (hashed, mut hashing) = (bytes.clone(), digest);
            let digest = disk::blocking(move || {
                hashing.update(&hashed);
                Ok(hashing)
            })
            .await?;
            let (index, hash_so_far) = ((start / part_bytes) as usize, digest.clone().finish());
            let part = Part { index, bytes, hash_so_far, _room: room };
            Ok::<_, Error>(Some((part, (remote, file, digest, start + length))))
        });
        let (remote, upload) = (Arc::clone(self), Arc::clone(upload));
        parts
            .map_ok(move |part| {
                let (remote, upload) = (Arc::clone(&remote), Arc::clone(&upload));
                async move { remote.bring_part(&upload, part).await }
            })
            .try_buffered(self.in_flight_mib_max.div_ceil(PART_MIB_MIN) as usize)
            .boxed()
            .try_collect()
            .await
    }

    /// Sends a part, unless it is there.
    async fn bring_part(self: &Arc<Self>, upload: &Upload, part: Part) -> Result<NotedPart> {
        let known = upload.parts.get(&part.index);
        if let Some(known) = known.filter(|known| known.hash_so_far == part.hash_so_far) {
            return Ok(known.clone());
        }
        let mut further_tries = 1..PART_TRIES_MAX;
        let id = loop {
            let pass = self.admit_soon().await?;
            match self.put_part(upload, &part, pass).await {
                Err(Error::Busy { .. }) if further_tries.next().is_some() => {}
                outcome => break outcome?,
            }
        };
        upload.has_grown.store(true, Ordering::Relaxed);
        let brought = NotedPart { content_id: id.content_id, hash_so_far: part.hash_so_far };
        let (journal, noted) = (Arc::clone(&self.journal), brought.clone());
        let hash = upload.hash;
        let noting = disk::blocking(move || Ok(journal.note_part(hash, part.index, &noted)?));
        if let Err(fault) = noting.await {
            tracing::debug!("a part of {} cannot be noted: {}", upload.key, fault.chain());
        }
        Ok(brought)
    }

    async fn put_part(
        self: &Arc<Self>,
        upload: &Upload,
        part: &Part,
        pass: Pass,
    ) -> Result<PartId> {
        let put = self.send_part(&upload.key, &upload.id, part.index, part.bytes.clone()).await;
        // It says nothing about other requests.
        if let Err(error) = &put
            && Fault::of(error).is_not_implemented()
        {
            return Err(Error::Internal(anyhow!("this S3 does not take parts: {error}")));
        }
        self.judged(Direction::Write, pass, put).await?.map_err(|fault| {
            failed(fault, || format!("putting part {} of object {}", part.index, upload.key))
        })
    }

    /// Sends a part as this S3 takes them; when it takes none with a checksum (R2 knows them only for
    /// whole objects), the next ones go without.
    pub(super) async fn send_part(
        &self,
        key: &Key,
        id: &MultipartId,
        index: usize,
        bytes: Bytes,
    ) -> object_store::Result<PartId> {
        let payload = PutPayload::from_bytes(bytes);
        if !self.parts_have_checksums() {
            return self.sending_without_checksum.put_part(key, id, index, payload).await;
        }
        let put = self.sending.put_part(key, id, index, payload).await;
        if put.as_ref().is_err_and(|error| Fault::of(error).is_not_implemented()) {
            self.parts_have_checksums.store(false, Ordering::Relaxed);
        }
        put
    }

    pub(super) fn parts_have_checksums(&self) -> bool {
        self.parts_have_checksums.load(Ordering::Relaxed)
    }

    /// A pass for one of many steps: what has failed elsewhere, and is over soon, does not end them.
    async fn admit_soon(&self) -> Result<Pass> {
        let mut takes_files = self.writes.watch();
        // Should it take longer, the breaker says so.
        drop(timeout(OUTAGE_PATIENCE, takes_files.wait_for(|takes| *takes)).await);
        self.admit(Direction::Write)
    }
}

/// Whole mebibytes, so that all parts but the last are alike (R2 wants that), and no more than
/// 10,000 of them. Up to 78 GiB they are 8 MiB; of 5 TiB one is 525 MiB. However large, parts share
/// the memory for what is on its way: one that needs all of it travels alone ([`Remote::room_for`]).
fn part_bytes(size_bytes: u64) -> u64 {
    let least = size_bytes.div_ceil(PARTS_MAX).next_multiple_of(MIB);
    least.max(u64::from(PART_MIB_MIN) * MIB)
}

#[cfg(test)]
mod tests {
    use super::{super::upload::OBJECT_BYTES_MAX, *};

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
