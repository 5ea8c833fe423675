//! Frames of one mebibyte, one after the other. A skippable frame at the end holds the SHA-256 of
//! everything before it: what has it is whole, and not one byte of it was changed.

use std::io::{self, Read, Write};

use super::{
    Begins, FRAME_BYTES, MAGIC, Piece, TRAILER_MAGIC, Window, compress, decompress, threads,
};
use crate::{backup::Fault, hash::Digest};

const HASH_BYTES: usize = 32;
pub(super) const TRAILER_BYTES: usize = 8 + HASH_BYTES;

pub struct FrameWriter<W> {
    out: W,
    digest: Digest,
    buffer: Vec<u8>,
}

impl<W: Write> FrameWriter<W> {
    pub fn new(out: W) -> Self {
        FrameWriter { out, digest: Digest::new(), buffer: Vec::new() }
    }

    /// Writes what is left and the end. The result is what was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.end_frame()?;
        let mut trailer = TRAILER_MAGIC.to_vec();
        trailer.extend((HASH_BYTES as u32).to_le_bytes());
        trailer.extend(self.digest.finish().0);
        self.out.write_all(&trailer)?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// Ends the frame early, so that damage before this place costs nothing behind it.
    pub fn end_frame(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let frame = threads::run(|| compress(&self.buffer))?;
        self.buffer.clear();
        self.digest.update(&frame);
        self.out.write_all(&frame)
    }
}

impl<W: Write> Write for FrameWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(FRAME_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == FRAME_BYTES {
            self.end_frame()?;
        }
        Ok(taken)
    }

    /// A frame is as long as it can be.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads frames, and goes on after damage.
pub struct FrameReader<R> {
    window: Window<R>,
    is_whole: bool,
    /// For `Read`.
    piece: io::Cursor<Vec<u8>>,
}

impl<R: Read> FrameReader<R> {
    pub fn new(input: R) -> Self {
        FrameReader::of(Window::new(input))
    }

    pub fn of(window: Window<R>) -> Self {
        FrameReader { window, is_whole: false, piece: io::Cursor::default() }
    }

    /// After the end: whether every byte is there and none was changed.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// How much of the input was read so far.
    pub fn packed_bytes(&self) -> u64 {
        self.window.passed_bytes()
    }

    pub fn next_piece(&mut self) -> Piece {
        self.looked_for().unwrap_or_else(Piece::Broken)
    }

    fn looked_for(&mut self) -> io::Result<Piece> {
        self.window.look_ahead()?;
        let raw = self.window.bytes();
        if raw.is_empty() {
            return Ok(Piece::End);
        }
        if is_trailer(raw) && self.window.has_ended() {
            self.is_whole =
                raw[8..] == self.window.hash().0 && raw[4..8] == (HASH_BYTES as u32).to_le_bytes();
            self.window.pass(TRAILER_BYTES);
            return Ok(Piece::End);
        }
        match decompress(raw) {
            Some((length, bytes)) => {
                self.window.pass(length);
                Ok(Piece::Bytes(bytes, Begins::Unknown))
            }
            None => {
                self.window.pass_until(4, |four| four == MAGIC || four == TRAILER_MAGIC)?;
                Ok(Piece::Gap)
            }
        }
    }
}

/// Whether these last bytes are the end of such frames.
pub(super) fn is_trailer(raw: &[u8]) -> bool {
    raw.starts_with(&TRAILER_MAGIC) && raw.len() == TRAILER_BYTES
}

/// For what is small or checked by its hash: damage is an error.
impl<R: Read> Read for FrameReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.piece.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.next_piece() {
                Piece::Bytes(bytes, _) => self.piece = io::Cursor::new(bytes),
                Piece::Broken(fault) => return Err(fault),
                Piece::End if self.is_whole => return Ok(0),
                Piece::Gap | Piece::End => return Err(Fault::CutOff.into()),
            }
        }
    }
}
