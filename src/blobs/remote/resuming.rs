//! The body of an answer, to its end: one that is cut off in the middle goes on where it was, by a
//! request for the rest of the same object. Whoever reads notices nothing but a pause.

use std::{io, ops::Range, sync::Arc, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{GetOptions, GetRange, GetResult, ObjectStore, path::Path as Key};

use super::{Direction, Remote, breaker::Pass};
use crate::{blobs::opening::Pieces, s3::Fault};

/// How often one read goes on; after [`RENEWED_BYTES`] without trouble it begins to count anew.
const RESUMPTIONS_MAX: u32 = 6;
const RENEWED_BYTES: u64 = 64 << 20;
/// Before the first one; each further pause is twice as long, about six seconds in all.
const PAUSE: Duration = Duration::from_millis(100);

struct Resuming {
    remote: Arc<Remote>,
    key: Key,
    /// Nothing is put together of two objects; without it nothing goes on.
    e_tag: Option<String>,
    /// What has yet to come.
    left: Range<u64>,
    pieces: Pieces,
    pass: Pass,
    resumptions: u32,
    bytes_since: u64,
}

impl Remote {
    /// So many bytes as were announced, and no others; a body that cannot be had to its end is an error.
    pub(super) fn resuming(self: &Arc<Self>, key: Key, found: GetResult, pass: Pass) -> Pieces {
        let resuming = Resuming {
            remote: Arc::clone(self),
            key,
            e_tag: found.meta.e_tag.clone(),
            left: found.range.clone(),
            pieces: pieces(found),
            pass,
            resumptions: 0,
            bytes_since: 0,
        };
        stream::try_unfold(resuming, |mut resuming| async move {
            Ok(resuming.next().await?.map(|piece| (piece, resuming)))
        })
        .boxed()
    }
}

impl Resuming {
    async fn next(&mut self) -> io::Result<Option<bytes::Bytes>> {
        loop {
            let left_bytes = self.left.end - self.left.start;
            match self.pieces.try_next().await {
                Ok(Some(piece)) if piece.len() as u64 <= left_bytes => {
                    self.left.start += piece.len() as u64;
                    self.bytes_since += piece.len() as u64;
                    if self.bytes_since >= RENEWED_BYTES {
                        self.resumptions = 0;
                    }
                    return Ok(Some(piece));
                }
                Ok(Some(_)) => {
                    return Err(io::Error::other("the file storage sent more than it announced"));
                }
                Ok(None) if left_bytes == 0 => return Ok(None),
                // All of it has come; how the answer ended does not matter.
                Err(_) if left_bytes == 0 => return Ok(None),
                Ok(None) => self.resume(None).await?,
                Err(error) => self.resume(Some(error)).await?,
            }
        }
    }

    /// Asks for the rest, again and again for a while.
    ///
    /// # Errors
    /// When that does not help: `Busy` inside while S3 is away, which the breaker has been told then.
    async fn resume(&mut self, broken: Option<io::Error>) -> io::Result<()> {
        let mut fault = match broken {
            Some(error) => Fault::of_silence(error.to_string()),
            None => Fault::of_silence("the answer ended early".to_owned()),
        };
        while let Some(e_tag) = self.e_tag.clone().filter(|_| self.resumptions < RESUMPTIONS_MAX) {
            tokio::time::sleep(PAUSE * (1 << self.resumptions)).await;
            self.resumptions += 1;
            self.bytes_since = 0;
            // Perhaps others have found out that it is away.
            self.pass = self.remote.admit(Direction::Read).map_err(io::Error::other)?;
            let options = GetOptions {
                range: Some(GetRange::Bounded(self.left.clone())),
                if_match: Some(e_tag),
                ..GetOptions::default()
            };
            match self.remote.store.get_opts(&self.key, options).await {
                Ok(found) if found.range == self.left => {
                    tracing::debug!("reading object {} goes on: {}", self.key, fault.text);
                    self.pieces = pieces(found);
                    return Ok(());
                }
                Ok(_) => return Err(io::Error::other("the file storage sent another part")),
                Err(error) => fault = Fault::of(&error),
            }
            if !fault.is_outage() {
                // It is gone, or another one.
                return Err(broke_off(&fault));
            }
        }
        // Perhaps only this object has no end.
        if self.remote.probe(Direction::Read).await.is_ok() {
            return Err(broke_off(&fault));
        }
        self.remote.note_outage(Direction::Read, self.pass, &fault);
        Err(io::Error::other(self.remote.busy(Direction::Read)))
    }
}

fn pieces(found: GetResult) -> Pieces {
    let pieces = found.into_stream();
    pieces.map_err(|error| io::Error::other(Fault::of(&error).text)).boxed()
}

fn broke_off(fault: &Fault) -> io::Error {
    io::Error::other(format!("the file storage broke off: {}", fault.text))
}
