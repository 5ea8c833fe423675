//! An upload: bytes come in, are hashed and written as they come, and become a blob at the end.
//! Memory stays flat however large the file is: two batches, one being filled and one being
//! written.

use std::{io, mem, path::Path, sync::Arc};

use anyhow::{Context, anyhow};
use jiff::Timestamp;

use super::{
    Blobs,
    disk::{self, TemporaryFile},
    layout::FileName,
    sink::Sink,
    spool_limit::Kept,
};
use crate::{
    error::{Error, Result},
    hash::ContentHash,
    size::Size,
};

/// How much of the beginning is kept in memory, for recognizing the type of the file.
pub const HEAD_BYTES: usize = 8 << 10;

/// Large enough that handing over to another thread costs nothing beside hashing, small enough to
/// stay in the processor's cache between the two.
const BATCH_BYTES: usize = 512 << 10;

/// An upload under way. Dropping it removes what was written.
pub struct Incoming {
    blobs: Blobs,
    limit_bytes: u64,
    size_bytes: u64,
    kept: Kept,
    head: Vec<u8>,
    filling: Vec<u8>,
    sink: Sink,
    file: TemporaryFile,
    /// A `write` began and has not ended: it failed, or its future was dropped half-way.
    torn: bool,
}

/// A whole file, durable in the spool or stored already on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spooled {
    pub hash: ContentHash,
    pub size_bytes: u64,
    /// False when the same content was on this machine before.
    pub is_new: bool,
}

impl Blobs {
    /// Begins an upload of at most `limit_bytes`. `declared_bytes` is what the sender announced:
    /// there must be room for it, which is then kept a step ahead of what has come.
    ///
    /// # Errors
    /// `TooLarge` when more than the limit is announced; `Full` when the disk is nearly full, or
    /// when S3 is away and too much waits for it.
    pub async fn begin(&self, limit_bytes: u64, declared_bytes: Option<u64>) -> Result<Incoming> {
        let declared_bytes = declared_bytes.unwrap_or(0);
        if declared_bytes > limit_bytes {
            return Err(too_large(limit_bytes));
        }
        let mut kept = self.shared.spool_limit.keep_nothing();
        self.keep_in_spool(&mut kept, declared_bytes).await?;
        let shared = Arc::clone(&self.shared);
        let (file, promise) = disk::blocking(move || {
            let promise = shared.room.promise(declared_bytes)?;
            Ok((TemporaryFile::create(shared.spool.new_incoming_path())?, promise))
        })
        .await?;
        let hashing_places = Arc::clone(&self.shared.hashing_places);
        Ok(Incoming {
            blobs: self.clone(),
            limit_bytes,
            size_bytes: 0,
            kept,
            head: Vec::new(),
            filling: Vec::new(),
            sink: Sink::new(Arc::clone(file.file()), promise, hashing_places),
            file,
            torn: false,
        })
    }
}

impl Incoming {
    /// Takes the next bytes, of any number. Waits when the disk is slower than the sender.
    ///
    /// # Errors
    /// `TooLarge` beyond the limit, `Full` when the disk is full, or when S3 is away and too much waits
    /// for it. The upload has failed then.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<()> {
        if mem::replace(&mut self.torn, true) {
            return Err(torn());
        }
        if chunk.len() as u64 > self.limit_bytes - self.size_bytes {
            return Err(too_large(self.limit_bytes));
        }
        self.size_bytes += chunk.len() as u64;
        if self.size_bytes > self.kept.bytes() {
            self.blobs.keep_in_spool(&mut self.kept, self.size_bytes).await?;
        }
        let head_bytes = chunk.len().min(HEAD_BYTES - self.head.len());
        self.head.extend_from_slice(&chunk[..head_bytes]);

        let mut rest = chunk;
        while !rest.is_empty() {
            let (fitting, later) = rest.split_at(rest.len().min(BATCH_BYTES - self.filling.len()));
            self.filling.extend_from_slice(fitting);
            rest = later;
            if self.filling.len() == BATCH_BYTES {
                self.filling = self.sink.pass(mem::take(&mut self.filling)).await?;
            }
        }
        self.torn = false;
        Ok(())
    }

    /// The first bytes, up to [`HEAD_BYTES`] of them.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// How much has come so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Makes the upload a blob. When this returns, a power cut does not lose it.
    ///
    /// # Errors
    /// `Full` when the disk is full; nothing is left behind then.
    pub async fn finish(self) -> Result<Spooled> {
        let Incoming { blobs, size_bytes, kept, filling, mut sink, file, torn: is_torn, .. } = self;
        if is_torn {
            return Err(torn());
        }
        sink.pass(filling).await?;
        let hash = sink.end().await?;
        let now = blobs.shared.clock.now();
        let file = disk::blocking(move || {
            make_durable(&file, now)?;
            Ok(file)
        })
        .await?;

        let lock = blobs.lock(hash).await;
        disk::blocking(move || {
            let name = FileName::source(hash);
            let spooled = blobs.shared.spool.path(&name);
            let stored = blobs.shared.objects.path(&name);
            let not_needed = give_name(file, size_bytes, &spooled, &stored, now)
                .with_context(|| format!("naming blob {hash}"))?;
            drop(lock);
            let is_new = not_needed.is_none();
            match not_needed {
                Some(file) => file.discard(),
                None => kept.arrived(size_bytes),
            }
            Ok(Spooled { hash, size_bytes, is_new })
        })
        .await
    }
}

/// Syncs all that was written, with the time of its arrival.
fn make_durable(file: &TemporaryFile, now: Timestamp) -> Result<()> {
    disk::set_modified(file.file(), now)
        .and_then(|()| file.file().sync_all())
        .map_err(|error| disk::write_failed(error, || "syncing an upload".to_owned()))
}

/// Makes the file a blob; or, when the same content is here already, renews that one's time and
/// gives the file back as not needed. Either is durable then, and all of it happens under the
/// hash's lock: who brought the other one, or is moving it, may not have synced its folder yet.
fn give_name(
    file: TemporaryFile,
    size_bytes: u64,
    spooled: &Path,
    stored: &Path,
    now: Timestamp,
) -> io::Result<Option<TemporaryFile>> {
    for path in [spooled, stored] {
        if renew(path, size_bytes, now)? {
            disk::sync_folder(disk::folder_of(path))?;
            return Ok(Some(file));
        }
    }
    file.give_name(spooled)?;
    disk::sync_folder(disk::folder_of(spooled))?;
    Ok(None)
}

/// Renews the time of a blob that is here. One of another size is damaged and does not count: the
/// new copy takes its place.
fn renew(path: &Path, size_bytes: u64, now: Timestamp) -> io::Result<bool> {
    let Some(file) = disk::open_if_there(path)? else { return Ok(false) };
    let found_bytes = file.metadata()?.len();
    if found_bytes != size_bytes {
        tracing::warn!(
            "{} has {found_bytes} bytes instead of {size_bytes}: a new upload replaces it",
            path.display()
        );
        return Ok(false);
    }
    disk::set_modified(&file, now)?;
    Ok(true)
}

fn too_large(limit_bytes: u64) -> Error {
    Error::TooLarge(format!(
        "This file is larger than {}, which is the limit here. \
         Choose a smaller file, or ask your administrator to raise the limit.",
        Size(limit_bytes)
    ))
}

fn torn() -> Error {
    Error::Internal(anyhow!("this upload has failed before"))
}
