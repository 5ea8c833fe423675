//! Reading a file for an HTTP body: in large pieces, on threads that may wait for the disk, one
//! piece ahead of the reader, in two buffers that are used again and again.

use std::{
    fs::File,
    io::{self, ErrorKind},
    ops::Range,
    os::unix::fs::FileExt,
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use rustix::fs::Advice;
use tokio::task::{self, JoinHandle};

/// What one download holds in memory is two of these. Larger pieces were not faster.
const PIECE_BYTES: usize = 256 << 10;

/// The range of the file, in pieces. Ends with `UnexpectedEof` when the file is shorter.
pub(super) fn read_ahead(
    file: File,
    range: Range<u64>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    // Advice only: a file system that cannot take it reads as ever.
    let _ = rustix::fs::fadvise(&file, 0, None, Advice::Sequential);
    let reader = ReadAhead { file: Arc::new(file), unread: range, reading: None, handed_out: None };
    stream::try_unfold(reader, |mut reader| async move {
        Ok(reader.next_piece().await?.map(|piece| (piece, reader)))
    })
}

struct ReadAhead {
    file: Arc<File>,
    /// What no read was begun for.
    unread: Range<u64>,
    reading: Option<JoinHandle<io::Result<BytesMut>>>,
    /// The last piece. Once the reader has let go of it, its buffer is free again.
    handed_out: Option<Bytes>,
}

impl ReadAhead {
    async fn next_piece(&mut self) -> io::Result<Option<Bytes>> {
        if self.reading.is_none() {
            self.begin_read();
        }
        let Some(reading) = self.reading.take() else { return Ok(None) };
        let piece = reading.await.map_err(io::Error::other)??.freeze();
        self.begin_read();
        self.handed_out = Some(piece.clone());
        Ok(Some(piece))
    }

    fn begin_read(&mut self) {
        let left_bytes = self.unread.end - self.unread.start;
        if left_bytes == 0 {
            return;
        }
        let piece_bytes = left_bytes.min(PIECE_BYTES as u64) as usize;
        let mut buffer = self.free_buffer();
        buffer.resize(piece_bytes, 0);
        let file = Arc::clone(&self.file);
        let at = self.unread.start;
        self.unread.start += piece_bytes as u64;
        self.reading = Some(task::spawn_blocking(move || read_exact_at(&file, buffer, at)));
    }

    fn free_buffer(&mut self) -> BytesMut {
        let handed_out = self.handed_out.take();
        handed_out.and_then(|piece| piece.try_into_mut().ok()).unwrap_or_default()
    }
}

/// Fills the buffer from the file. Blocks.
pub(super) fn read_exact_at(file: &File, mut buffer: BytesMut, at: u64) -> io::Result<BytesMut> {
    match file.read_exact_at(&mut buffer, at) {
        Ok(()) => Ok(buffer),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(io::Error::new(
            ErrorKind::UnexpectedEof,
            format!("a blob's file ends before byte {}", at + buffer.len() as u64),
        )),
        Err(error) => Err(error),
    }
}
