//! Sources that come from S3: compared with their hash while they are read, and kept in the cache
//! on the way when they fit.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    sync::Arc,
};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    Blobs, Missing, Opened, Shared, Source,
    disk::{self, TemporaryFile},
    opening::Pieces,
    room::Promise,
};
use crate::{
    error::{Error, Result},
    hash::{ContentHash, Digest},
};

/// Handed to another thread at once: hashing so much costs more than the way there.
const BATCH_BYTES: usize = 256 << 10;

impl Blobs {
    /// A whole object as a reader gets it. Its last pieces are held back until all of it has the
    /// right hash: damage ends in an error, never in a complete download of other bytes.
    pub(super) async fn verified(&self, hash: ContentHash, opened: Opened) -> Result<Opened> {
        let Opened { size_bytes, range, source: Source::Stream(pieces) } = opened else {
            return Ok(opened);
        };
        let shared = Arc::clone(&self.shared);
        let copy = disk::blocking(move || Ok(begin_copy(&shared, size_bytes))).await?;
        let checked = Checked {
            shared: Arc::clone(&self.shared),
            hash,
            size_bytes,
            pieces: Some(pieces),
            digest: Digest::new(),
            read_bytes: 0,
            copy,
            ready: VecDeque::new(),
        };
        let source = Source::Stream(
            stream::try_unfold(checked, |mut checked| async move {
                Ok(checked.next().await?.map(|piece| (piece, checked)))
            })
            .boxed(),
        );
        Ok(Opened { size_bytes, range, source })
    }

    /// A source as a file of this machine, for who cannot do with a stream: it is fetched if need
    /// be, and stays in the cache if it fits.
    pub async fn open_file(&self, hash: ContentHash) -> Result<File> {
        let opened = self.open(hash, None).await?;
        let size_bytes = opened.size_bytes;
        let pieces = match opened.source {
            Source::File(file) => return Ok(file),
            Source::Stream(pieces) => pieces,
        };
        let shared = Arc::clone(&self.shared);
        let (file, _promise) = disk::blocking(move || {
            let promise = shared.room.promise(size_bytes)?;
            Ok((TemporaryFile::create(shared.spool.new_incoming_path())?, promise))
        })
        .await?;
        write_all(pieces, Arc::clone(file.file()))
            .await
            .with_context(|| format!("fetching blob {hash}"))?;
        let handle = file.file().try_clone().context("keeping a file open")?;
        // Without a name it is gone when the last one closes it.
        disk::blocking(move || {
            file.discard();
            Ok(())
        })
        .await?;
        Ok(handle)
    }

    /// Fetches an object into a file in the making, compared with its hash and synced.
    pub(super) async fn fetch(&self, hash: ContentHash) -> Result<(TemporaryFile, u64)> {
        let remote = self.shared.remote.as_ref().ok_or(Missing(hash))?;
        let opened = remote.get(hash, None).await?.ok_or(Missing(hash))?;
        let size_bytes = opened.size_bytes;
        let Source::Stream(pieces) = self.verified(hash, opened).await?.source else {
            return Err(Error::Internal(anyhow!("an object on S3 is no file")));
        };
        let shared = Arc::clone(&self.shared);
        let (file, _promise) = disk::blocking(move || {
            let promise = shared.room.promise(size_bytes)?;
            Ok((TemporaryFile::create(shared.objects.new_incoming_path())?, promise))
        })
        .await?;
        write_all(pieces, Arc::clone(file.file()))
            .await
            .with_context(|| format!("fetching blob {hash}"))?;
        let now = self.shared.clock.now();
        let file = disk::blocking(move || {
            let synced = disk::set_modified(file.file(), now).and_then(|()| file.file().sync_all());
            synced
                .map_err(|error| disk::write_failed(error, || format!("fetching blob {hash}")))?;
            Ok(file)
        })
        .await?;
        Ok((file, size_bytes))
    }
}

async fn write_all(mut pieces: Pieces, file: Arc<File>) -> Result<()> {
    let mut written_bytes = 0;
    while let Some(piece) = pieces.try_next().await? {
        let (file, at) = (Arc::clone(&file), written_bytes);
        written_bytes += piece.len() as u64;
        disk::blocking(move || {
            file.write_all_at(&piece, at)
                .map_err(|error| disk::write_failed(error, || "writing a fetched file".to_owned()))
        })
        .await?;
    }
    Ok(())
}

/// A copy for the cache in the making.
struct Copy {
    file: TemporaryFile,
    _promise: Promise,
}

/// `None` when it is not worth it, or when there is no room: the reader is served in any case.
fn begin_copy(shared: &Shared, size_bytes: u64) -> Option<Copy> {
    let cache = shared.cache.as_ref().filter(|cache| cache.takes(size_bytes))?;
    let promise = shared.room.promise(size_bytes).ok()?;
    match cache.begin() {
        Ok(file) => Some(Copy { file, _promise: promise }),
        Err(fault) => {
            tracing::warn!("nothing can be written to the cache: {}", fault.chain());
            None
        }
    }
}

struct Checked {
    shared: Arc<Shared>,
    hash: ContentHash,
    size_bytes: u64,
    /// `None` when all have come.
    pieces: Option<Pieces>,
    digest: Digest,
    read_bytes: u64,
    copy: Option<Copy>,
    ready: VecDeque<Bytes>,
}

impl Checked {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while self.ready.is_empty() && self.pieces.is_some() {
            self.take_batch().await?;
        }
        Ok(self.ready.pop_front())
    }

    /// Reads pieces of some size, hashes them and writes them to the copy. The end is part of the
    /// last batch, so that what is handed out is right whenever there is nothing more.
    async fn take_batch(&mut self) -> io::Result<()> {
        let Some(pieces) = &mut self.pieces else { return Ok(()) };
        let mut batch = Vec::new();
        let (mut batch_bytes, mut is_end) = (0, false);
        while !is_end
            && (batch_bytes < BATCH_BYTES
                || self.read_bytes + batch_bytes as u64 == self.size_bytes)
        {
            match pieces.try_next().await? {
                Some(piece) => {
                    batch_bytes += piece.len();
                    batch.push(piece);
                }
                None => is_end = true,
            }
        }
        let at = self.read_bytes;
        self.read_bytes += batch_bytes as u64;
        let (mut digest, copy) = (self.digest.clone(), self.copy.take());
        let hashed = batch.clone();
        let done = tokio::task::spawn_blocking(move || {
            hashed.iter().for_each(|piece| digest.update(piece));
            let copy = copy.filter(|copy| write_pieces(&copy.file, &hashed, at));
            (digest, copy)
        });
        (self.digest, self.copy) = done.await.map_err(io::Error::other)?;
        if is_end {
            self.pieces = None;
            self.end().await?;
        }
        self.ready = batch.into();
        Ok(())
    }

    async fn end(&mut self) -> io::Result<()> {
        let (hash, found) = (self.hash, self.digest.clone().finish());
        if found != hash {
            tracing::error!(
                "the object of blob {hash} is damaged: its bytes have the hash {found}"
            );
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                format!("the object of blob {hash} is damaged"),
            ));
        }
        let Some(copy) = self.copy.take() else { return Ok(()) };
        let (shared, size_bytes) = (Arc::clone(&self.shared), self.read_bytes);
        let kept = tokio::task::spawn_blocking(move || match &shared.cache {
            Some(cache) => cache.keep(hash, copy.file, size_bytes, shared.clock.now()),
            None => Ok(()),
        });
        if let Err(error) = kept.await.map_err(io::Error::other)? {
            tracing::warn!("a file could not be kept in the cache: {error}");
        }
        Ok(())
    }
}

/// `false` when the disk did not take them; the reader goes on without a copy.
fn write_pieces(file: &TemporaryFile, pieces: &[Bytes], mut at: u64) -> bool {
    for piece in pieces {
        if file.file().write_all_at(piece, at).is_err() {
            return false;
        }
        at += piece.len() as u64;
    }
    true
}
