//! Where an upload's batches go: each is written and hashed at the same time, on two other
//! threads, while the next one fills. What was written is synced as it goes.

use std::{fs::File, mem, os::unix::fs::FileExt, sync::Arc};

use anyhow::{Context, anyhow};
use tokio::{
    sync::Semaphore,
    task::{self, JoinHandle},
};

use super::{disk, room::Promise};
use crate::{
    error::{Error, Result},
    hash::{ContentHash, Digest},
};

/// Written bytes go to the disk while more arrive, so that the sync at the end has little to do
/// and one large upload does not make the syncs of the database wait for all of it.
const FLUSH_BYTES: u64 = 32 << 20;

/// After an error, or when a future of it was dropped before its end, it is of no more use.
pub(super) struct Sink {
    file: Arc<File>,
    /// Hashing keeps a core busy: so many uploads may do it at the same time.
    hashing_places: Arc<Semaphore>,
    stage: Stage,
    unflushed_bytes: u64,
    flushing: Option<JoinHandle<Result<()>>>,
}

enum Stage {
    Idle { output: Output, digest: Digest, spare: Vec<u8> },
    Busy { batch: Arc<Vec<u8>>, writing: JoinHandle<Result<Output>>, hashing: JoinHandle<Digest> },
    Gone,
}

/// What the writing thread needs, and gives back.
struct Output {
    file: Arc<File>,
    written_bytes: u64,
    promise: Promise,
}

impl Sink {
    pub fn new(file: Arc<File>, promise: Promise, hashing_places: Arc<Semaphore>) -> Self {
        let output = Output { file: Arc::clone(&file), written_bytes: 0, promise };
        let stage = Stage::Idle { output, digest: Digest::new(), spare: Vec::new() };
        Sink { file, hashing_places, stage, unflushed_bytes: 0, flushing: None }
    }

    /// Waits for the batch before, begins with this one, and gives an empty buffer in exchange.
    ///
    /// # Errors
    /// Those of the batch before: `Full` when the disk is full.
    pub async fn pass(&mut self, batch: Vec<u8>) -> Result<Vec<u8>> {
        self.wait_for_batch().await?;
        if self.unflushed_bytes >= FLUSH_BYTES {
            // One at a time: so the bytes of an upload that the disk does not have are bounded.
            self.wait_for_flush().await?;
            self.begin_flush();
        }
        let places = Arc::clone(&self.hashing_places);
        let place = places.acquire_owned().await.context("waiting for a place to hash")?;
        let (mut output, mut digest, spare) = self.take_idle()?;
        self.unflushed_bytes += batch.len() as u64;

        let batch = Arc::new(batch);
        let written = Arc::clone(&batch);
        let writing = task::spawn_blocking(move || {
            output.append(&written)?;
            Ok(output)
        });
        let hashed = Arc::clone(&batch);
        let hashing = task::spawn_blocking(move || {
            digest.update(&hashed);
            drop(place);
            digest
        });
        self.stage = Stage::Busy { batch, writing, hashing };
        Ok(spare)
    }

    /// Waits until all is written and tells its hash. The last of it is not synced.
    pub async fn end(mut self) -> Result<ContentHash> {
        self.wait_for_batch().await?;
        self.wait_for_flush().await?;
        let (_, digest, _) = self.take_idle()?;
        Ok(digest.finish())
    }

    async fn wait_for_batch(&mut self) -> Result<()> {
        let Stage::Busy { writing, hashing, .. } = &mut self.stage else { return Ok(()) };
        let (written, hashed) = tokio::join!(writing, hashing);
        let Stage::Busy { batch, .. } = mem::replace(&mut self.stage, Stage::Gone) else {
            return Ok(());
        };
        let output = disk::joined(written)?;
        let digest = disk::joined(hashed.map(Ok))?;
        // Both threads have let go of it.
        let mut spare = Arc::into_inner(batch).unwrap_or_default();
        spare.clear();
        self.stage = Stage::Idle { output, digest, spare };
        Ok(())
    }

    fn take_idle(&mut self) -> Result<(Output, Digest, Vec<u8>)> {
        match mem::replace(&mut self.stage, Stage::Gone) {
            Stage::Idle { output, digest, spare } => Ok((output, digest, spare)),
            _ => Err(Error::Internal(anyhow!("this upload has failed before"))),
        }
    }

    fn begin_flush(&mut self) {
        let file = Arc::clone(&self.file);
        self.unflushed_bytes = 0;
        self.flushing = Some(task::spawn_blocking(move || {
            file.sync_data().map_err(|error| disk::write_failed(error, || "syncing".to_owned()))
        }));
    }

    /// A failed sync is told once per open file, so each must be asked how it ended.
    async fn wait_for_flush(&mut self) -> Result<()> {
        let Some(flushing) = &mut self.flushing else { return Ok(()) };
        let flushed = flushing.await;
        self.flushing = None;
        disk::joined(flushed)
    }
}

impl Output {
    fn append(&mut self, batch: &[u8]) -> Result<()> {
        self.promise.use_up(batch.len() as u64)?;
        self.file
            .write_all_at(batch, self.written_bytes)
            .map_err(|error| disk::write_failed(error, || "writing an upload".to_owned()))?;
        self.written_bytes += batch.len() as u64;
        Ok(())
    }
}
