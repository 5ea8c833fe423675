//! Opening a blob, wherever it is.

use std::{fs::File, io, ops::Range, sync::Arc};

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt, stream::BoxStream};

use super::{Blobs, Missing, disk, layout::FileName, streaming};
use crate::{
    error::{Error, Result},
    hash::ContentHash,
    size::Size,
};

pub(super) type Pieces = BoxStream<'static, io::Result<Bytes>>;

/// A blob, or a part of it, ready to be read. It stays readable when the blob moves or is removed.
pub struct Opened {
    /// Of the whole blob.
    pub size_bytes: u64,
    /// The part that was asked for; never beyond the size.
    pub range: Range<u64>,
    pub source: Source,
}

/// Where the bytes come from.
pub enum Source {
    /// The whole blob; read the range of it.
    File(File),
    /// Only the range.
    Stream(Pieces),
}

impl Blobs {
    /// Opens a blob, or the given range of it. A range may end beyond the blob and is cut there. All of
    /// a blob is compared with its hash on the way from S3; a range is as S3 sends it.
    ///
    /// # Errors
    /// `Internal` with [`Missing`] when the blob is nowhere; `Invalid` for a range that begins
    /// beyond the end; `Busy` when it is on S3 and S3 does not answer.
    pub async fn open(&self, hash: ContentHash, range: Option<Range<u64>>) -> Result<Opened> {
        let opened = self.look_for(hash, range).await?.ok_or(Missing(hash))?;
        match opened.range == (0..opened.size_bytes) {
            true => self.verified(hash, opened).await,
            false => Ok(opened),
        }
    }

    /// Looks on this machine, then on S3. A blob leaves a place only when it is in another one, so
    /// one that is here is found; the last look is for one that was removed and uploaded again, or
    /// came back from S3, meanwhile.
    pub(super) async fn look_for(
        &self,
        hash: ContentHash,
        range: Option<Range<u64>>,
    ) -> Result<Option<Opened>> {
        if let Some(opened) = self.look_here(hash, range.clone()).await? {
            return Ok(Some(opened));
        }
        if let Some(remote) = &self.shared.remote
            && let Some(opened) = remote.get(hash, range.clone()).await?
        {
            return Ok(Some(opened));
        }
        self.look_here(hash, range).await
    }

    /// Looks in the spool, in the objects and in the cache of this machine.
    pub(super) async fn look_here(
        &self,
        hash: ContentHash,
        range: Option<Range<u64>>,
    ) -> Result<Option<Opened>> {
        let name = FileName::source(hash);
        if let Some(opened) = self.look_in_spool(&name, range.clone()).await? {
            return Ok(Some(opened));
        }
        if let Some(opened) = self.shared.objects.get(&name, range.clone()).await? {
            return Ok(Some(opened));
        }
        if self.shared.cache.is_none() {
            return Ok(None);
        }
        let shared = Arc::clone(&self.shared);
        disk::blocking(move || {
            let Some(cache) = &shared.cache else { return Ok(None) };
            let doing = || format!("opening the cached copy of blob {hash}");
            let file = cache.open_file(hash, shared.clock.now()).with_context(doing)?;
            let Some(file) = file else { return Ok(None) };
            let size_bytes = file.metadata().with_context(doing)?.len();
            Opened::of_file(file, size_bytes, range).map(Some)
        })
        .await
    }

    async fn look_in_spool(
        &self,
        name: &FileName,
        range: Option<Range<u64>>,
    ) -> Result<Option<Opened>> {
        let path = self.shared.spool.path(name);
        disk::blocking(move || {
            let doing = || format!("opening {}", path.display());
            let Some(file) = disk::open_if_there(&path).with_context(doing)? else {
                return Ok(None);
            };
            let size_bytes = file.metadata().with_context(doing)?.len();
            Opened::of_file(file, size_bytes, range).map(Some)
        })
        .await
    }
}

impl Opened {
    pub(super) fn of_file(file: File, size_bytes: u64, range: Option<Range<u64>>) -> Result<Self> {
        let range = cut(range.unwrap_or(0..size_bytes), size_bytes)?;
        Ok(Opened { size_bytes, range, source: Source::File(file) })
    }

    /// The bytes of the range, for an HTTP body. A file is read one piece ahead on other threads;
    /// one that turns out shorter than it was ends in an error, never in other bytes.
    pub fn into_stream(self) -> Pieces {
        match self.source {
            Source::File(file) => Box::pin(streaming::read_ahead(file, self.range)),
            Source::Stream(bytes) => bytes,
        }
    }

    /// The bytes of the range, in memory.
    ///
    /// # Errors
    /// `TooLarge` when they are more than `bytes_max`.
    pub async fn read(self, bytes_max: usize) -> Result<Bytes> {
        let wanted_bytes = self.range.end - self.range.start;
        if wanted_bytes > bytes_max as u64 {
            return Err(Error::TooLarge(format!(
                "This file has {}, and at most {} can be shown here. Download it instead.",
                Size(wanted_bytes),
                Size(bytes_max as u64)
            )));
        }
        match self.source {
            Source::File(file) => {
                let file = Arc::new(file);
                let buffer = BytesMut::zeroed(wanted_bytes as usize);
                disk::blocking(move || {
                    let read = streaming::read_exact_at(&file, buffer, self.range.start);
                    Ok(read.context("reading a blob")?.freeze())
                })
                .await
            }
            Source::Stream(mut pieces) => {
                let mut bytes = BytesMut::with_capacity(wanted_bytes as usize);
                while let Some(piece) =
                    pieces.try_next().await.map_err(Error::from).context("reading a blob")?
                {
                    bytes.extend_from_slice(&piece);
                }
                Ok(bytes.freeze())
            }
        }
    }
}

/// The part of a range that is inside.
///
/// # Errors
/// `Invalid` when it begins beyond the end.
pub(super) fn cut(range: Range<u64>, size_bytes: u64) -> Result<Range<u64>> {
    let end = range.end.min(size_bytes);
    if range.start > end {
        return Err(Error::invalid(format!(
            "This file has {size_bytes} bytes; the part that was asked for is not in it."
        )));
    }
    Ok(range.start..end)
}
