//! An upload: bytes come in, are hashed and written in batches on another thread, and become a
//! blob at the end. Memory stays flat however large the file is: two batches, one being filled and
//! one being written.

use std::{io, mem, sync::Arc};

use anyhow::{Context, anyhow};
use tokio::task::{self, JoinHandle};

use super::{
    Blobs,
    disk::{self, TemporaryFile},
    layout::FileName,
    sink::Sink,
};
use crate::{
    error::{Error, Result},
    hash::ContentHash,
    size::Size,
};

/// How much of the beginning is kept in memory, for recognizing the type of the file.
pub const HEAD_BYTES: usize = 8 << 10;

/// Large enough that handing over to another thread costs nothing beside hashing.
const BATCH_BYTES: usize = 512 << 10;

/// Written bytes go to the disk while more arrive, so that the sync at the end has little to do
/// and one large upload does not make the syncs of the database wait for all of it.
const FLUSH_BYTES: u64 = 32 << 20;

/// An upload under way. Dropping it removes what was written.
pub struct Incoming {
    blobs: Blobs,
    limit_bytes: u64,
    size_bytes: u64,
    head: Vec<u8>,
    filling: Vec<u8>,
    writer: Writer,
    unflushed_bytes: u64,
    flushing: Option<JoinHandle<io::Result<()>>>,
    /// A `write` began and has not ended: it failed, or its future was dropped half-way.
    torn: bool,
}

/// A whole file, durable in the spool or stored already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spooled {
    pub hash: ContentHash,
    pub size_bytes: u64,
    /// False when the same content was here before.
    pub is_new: bool,
}

enum Writer {
    Idle(Box<Sink>),
    Busy(JoinHandle<Result<Box<Sink>>>),
    Gone,
}

impl Blobs {
    /// Begins an upload of at most `limit_bytes`. `declared_bytes` is what the sender announced;
    /// room for it is kept until it is written or the upload ends.
    ///
    /// # Errors
    /// `TooLarge` when more than the limit is announced; `Busy` when the disk is nearly full.
    pub async fn begin(&self, limit_bytes: u64, declared_bytes: Option<u64>) -> Result<Incoming> {
        let declared_bytes = declared_bytes.unwrap_or(0);
        if declared_bytes > limit_bytes {
            return Err(too_large(limit_bytes));
        }
        let shared = Arc::clone(&self.shared);
        let sink = disk::blocking(move || {
            let promise = shared.room.promise(declared_bytes)?;
            let file = TemporaryFile::create(shared.spool.new_incoming_path())?;
            Ok(Sink::new(file, promise))
        })
        .await?;
        Ok(Incoming {
            blobs: self.clone(),
            limit_bytes,
            size_bytes: 0,
            head: Vec::new(),
            filling: Vec::new(),
            writer: Writer::Idle(sink),
            unflushed_bytes: 0,
            flushing: None,
            torn: false,
        })
    }
}

impl Incoming {
    /// Takes the next bytes, of any number. Waits when the disk is slower than the sender.
    ///
    /// # Errors
    /// `TooLarge` beyond the limit, `Busy` when the disk is full. The upload has failed then.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<()> {
        if mem::replace(&mut self.torn, true) {
            return Err(Error::Internal(anyhow!("this upload has failed before")));
        }
        if chunk.len() as u64 > self.limit_bytes - self.size_bytes {
            return Err(too_large(self.limit_bytes));
        }
        self.size_bytes += chunk.len() as u64;
        let head_bytes = chunk.len().min(HEAD_BYTES - self.head.len());
        self.head.extend_from_slice(&chunk[..head_bytes]);

        let mut rest = chunk;
        while !rest.is_empty() {
            let (fitting, later) = rest.split_at(rest.len().min(BATCH_BYTES - self.filling.len()));
            self.filling.extend_from_slice(fitting);
            rest = later;
            if self.filling.len() == BATCH_BYTES {
                self.pass_on().await?;
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
    /// `Busy` when the disk is full; nothing is left behind then.
    pub async fn finish(mut self) -> Result<Spooled> {
        if self.torn {
            return Err(Error::Internal(anyhow!("this upload has failed before")));
        }
        self.pass_on().await?;
        self.wait_for_writer().await?;
        self.wait_for_flush().await?;
        let Writer::Idle(sink) = mem::replace(&mut self.writer, Writer::Gone) else {
            return Err(Error::Internal(anyhow!("the upload ended while it was being written")));
        };
        let now = self.blobs.shared.clock.now();
        let whole = disk::blocking(move || sink.make_durable(now)).await?;

        let lock = self.blobs.lock(whole.hash).await;
        let shared = Arc::clone(&self.blobs.shared);
        disk::blocking(move || {
            let hash = whole.hash;
            let size_bytes = whole.size_bytes;
            let name = FileName::source(hash);
            let spooled = shared.spool.path(&name);
            let stored = shared.objects.path(&name);
            let is_new = whole.give_name(&spooled, &stored, now)?;
            drop(lock);
            // Also for content that was here: who brought it first may not have come this far.
            for path in [&spooled, &stored] {
                disk::sync_folder(disk::folder_of(path))
                    .with_context(|| format!("making the name of blob {hash} durable"))?;
            }
            Ok(Spooled { hash, size_bytes, is_new })
        })
        .await
    }

    /// Hands the batch to another thread and takes an empty buffer in its place.
    async fn pass_on(&mut self) -> Result<()> {
        self.wait_for_writer().await?;
        if self.unflushed_bytes >= FLUSH_BYTES {
            self.wait_for_flush().await?;
            self.begin_flush();
        }
        let hashing = Arc::clone(&self.blobs.shared.hashing);
        let place = hashing.acquire_owned().await.context("waiting for a place to hash")?;
        let Writer::Idle(mut sink) = mem::replace(&mut self.writer, Writer::Gone) else {
            return Err(Error::Internal(anyhow!("the upload's writer is gone")));
        };
        let batch = mem::replace(&mut self.filling, sink.take_spare());
        self.unflushed_bytes += batch.len() as u64;
        self.writer = Writer::Busy(task::spawn_blocking(move || {
            let taken = sink.take_in(batch);
            drop(place);
            taken
        }));
        Ok(())
    }

    async fn wait_for_writer(&mut self) -> Result<()> {
        if let Writer::Busy(handle) = &mut self.writer {
            let outcome = handle.await;
            self.writer = Writer::Gone;
            self.writer = Writer::Idle(disk::joined(outcome)?);
        }
        Ok(())
    }

    /// Only called when none is under way, so that the unwritten bytes of one upload are bounded.
    fn begin_flush(&mut self) {
        if let Writer::Idle(sink) = &self.writer {
            let file = Arc::clone(sink.file());
            self.flushing = Some(task::spawn_blocking(move || file.sync_data()));
            self.unflushed_bytes = 0;
        }
    }

    /// A failed sync is told once per open file, so each must be asked for its outcome.
    async fn wait_for_flush(&mut self) -> Result<()> {
        let Some(handle) = &mut self.flushing else { return Ok(()) };
        let outcome = handle.await;
        self.flushing = None;
        disk::joined(outcome.map(|synced| {
            synced.map_err(|error| disk::write_failed(error, || "syncing an upload".to_owned()))
        }))
    }
}

fn too_large(limit_bytes: u64) -> Error {
    Error::TooLarge(format!(
        "This file is larger than {}, which is the limit here. \
         Choose a smaller file, or ask your administrator to raise the limit.",
        Size(limit_bytes)
    ))
}
