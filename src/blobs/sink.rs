//! What an upload's batches pass through on another thread: they are hashed, written and synced,
//! and the whole file gets its name.

use std::{fs::File, io, mem, os::unix::fs::FileExt, path::Path, sync::Arc};

use anyhow::Context;
use jiff::Timestamp;

use super::{
    Digest,
    disk::{self, TemporaryFile},
    room::Promise,
};
use crate::{error::Result, hash::ContentHash};

pub(super) struct Sink {
    file: TemporaryFile,
    written_bytes: u64,
    digest: Digest,
    promise: Promise,
    /// The buffer of the batch before, empty.
    spare: Vec<u8>,
}

/// A file whose bytes and time are durable under its temporary name.
pub(super) struct Whole {
    file: TemporaryFile,
    pub hash: ContentHash,
    pub size_bytes: u64,
}

impl Sink {
    pub fn new(file: TemporaryFile, promise: Promise) -> Box<Self> {
        let digest = Digest::new();
        Box::new(Sink { file, written_bytes: 0, digest, promise, spare: Vec::new() })
    }

    pub fn file(&self) -> &Arc<File> {
        self.file.file()
    }

    pub fn take_spare(&mut self) -> Vec<u8> {
        mem::take(&mut self.spare)
    }

    /// Hashes and writes one batch. On an error the file goes at once, to give its room back.
    pub fn take_in(mut self: Box<Self>, mut batch: Vec<u8>) -> Result<Box<Self>> {
        match self.append(&batch) {
            Ok(()) => {
                batch.clear();
                self.spare = batch;
                Ok(self)
            }
            Err(error) => {
                self.file.discard();
                Err(error)
            }
        }
    }

    fn append(&mut self, batch: &[u8]) -> Result<()> {
        self.promise.use_up(batch.len() as u64)?;
        self.file
            .file()
            .write_all_at(batch, self.written_bytes)
            .map_err(|error| disk::write_failed(error, || self.doing()))?;
        self.written_bytes += batch.len() as u64;
        self.digest.update(batch);
        Ok(())
    }

    /// Syncs what was written, and gives it the time of its arrival.
    pub fn make_durable(self: Box<Self>, now: Timestamp) -> Result<Whole> {
        let file = self.file.file();
        // The time goes first, so that the one sync makes both durable.
        match disk::set_modified(file, now).and_then(|()| file.sync_all()) {
            Ok(()) => Ok(Whole {
                hash: self.digest.finish(),
                size_bytes: self.written_bytes,
                file: self.file,
            }),
            Err(error) => {
                let failed = disk::write_failed(error, || self.doing());
                self.file.discard();
                Err(failed)
            }
        }
    }

    fn doing(&self) -> String {
        format!("writing the upload {}", self.file.path().display())
    }
}

impl Whole {
    /// Makes it a blob, or drops it when the same content is here already. True when it is new.
    /// Under the hash's lock.
    pub fn give_name(self, spooled: &Path, stored: &Path, now: Timestamp) -> Result<bool> {
        let hash = self.hash;
        for path in [spooled, stored] {
            let renewed = renew(path, self.size_bytes, now);
            if renewed.with_context(|| format!("looking for blob {hash}"))? {
                self.file.discard();
                return Ok(false);
            }
        }
        self.file.give_name(spooled).with_context(|| format!("naming blob {hash}"))?;
        Ok(true)
    }
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
