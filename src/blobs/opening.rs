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
    Stream(BoxStream<'static, io::Result<Bytes>>),
}

impl Blobs {
    /// Opens a blob, or the given range of it. A range may end beyond the blob and is cut there.
    ///
    /// # Errors
    /// `Internal` with [`Missing`] when the blob is nowhere; `Invalid` for a range that begins
    /// beyond the end.
    pub async fn open(&self, hash: ContentHash, range: Option<Range<u64>>) -> Result<Opened> {
        Ok(self.look_for(&FileName::source(hash), range).await?.ok_or(Missing(hash))?)
    }

    /// Looks in the spool, then in the store. A blob only ever moves in that direction, so one that
    /// is here is found; the third look is for one that was removed and uploaded again meanwhile.
    pub(super) async fn look_for(
        &self,
        name: &FileName,
        range: Option<Range<u64>>,
    ) -> Result<Option<Opened>> {
        if let Some(opened) = self.look_in_spool(name, range.clone()).await? {
            return Ok(Some(opened));
        }
        if let Some(opened) = self.shared.objects.get(name, range.clone()).await? {
            return Ok(Some(opened));
        }
        self.look_in_spool(name, range).await
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
        let range = range.unwrap_or(0..size_bytes);
        let end = range.end.min(size_bytes);
        if range.start > end {
            return Err(Error::invalid(format!(
                "This file has {size_bytes} bytes; the part that was asked for is not in it."
            )));
        }
        Ok(Opened { size_bytes, range: range.start..end, source: Source::File(file) })
    }

    /// The bytes of the range, for an HTTP body. A file is read one piece ahead on other threads;
    /// one that turns out shorter than it was ends in an error, never in other bytes.
    pub fn into_stream(self) -> BoxStream<'static, io::Result<Bytes>> {
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
                while let Some(piece) = pieces.try_next().await.context("reading a blob")? {
                    bytes.extend_from_slice(&piece);
                }
                Ok(bytes.freeze())
            }
        }
    }
}
