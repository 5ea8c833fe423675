//! Compression in pieces that stand alone: zstd frames (RFC 8878) of one mebibyte with a checksum
//! each, one after the other. For `zstd` they are one file.
//!
//! One flipped byte costs one piece, and the reader finds the next. Several pieces are compressed
//! at a time. A skippable frame at the end holds the SHA-256 of everything before it: what has it is
//! whole, and not one byte of it was changed.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    thread::{self, JoinHandle},
};

use zstd::zstd_safe;

use super::Fault;
use crate::hash::Digest;

/// Of what is compressed; a multiple of tar's blocks.
const FRAME_BYTES: usize = 1 << 20;
/// Fast enough to wait for the disk instead.
const LEVEL: i32 = 1;
const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
const TRAILER_MAGIC: [u8; 4] = 0x184D_2A5B_u32.to_le_bytes();
const HASH_BYTES: usize = 32;
const TRAILER_BYTES: usize = 8 + HASH_BYTES;

pub struct FrameWriter<W> {
    out: W,
    digest: Digest,
    buffer: Vec<u8>,
    /// Frames in the making, in their order.
    under_way: VecDeque<JoinHandle<io::Result<Vec<u8>>>>,
    threads: usize,
}

impl<W: Write> FrameWriter<W> {
    /// Compresses on `threads` further threads; with 0 on this one.
    pub fn new(out: W, threads: usize) -> Self {
        FrameWriter {
            out,
            digest: Digest::new(),
            buffer: Vec::new(),
            under_way: VecDeque::new(),
            threads,
        }
    }

    /// Writes what is left and the end. The result is what was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.end_frame()?;
        while self.write_oldest()? {}
        let mut trailer = TRAILER_MAGIC.to_vec();
        trailer.extend((HASH_BYTES as u32).to_le_bytes());
        trailer.extend(self.digest.finish().0);
        self.out.write_all(&trailer)?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// Ends the piece, so that damage before this place costs nothing after it, and the other way
    /// round.
    pub fn end_frame(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.buffer);
        if self.threads == 0 {
            return self.put(&compress(&piece)?);
        }
        if self.under_way.len() >= self.threads {
            self.write_oldest()?;
        }
        self.under_way.push_back(thread::spawn(move || compress(&piece)));
        Ok(())
    }

    fn write_oldest(&mut self) -> io::Result<bool> {
        let Some(oldest) = self.under_way.pop_front() else { return Ok(false) };
        let frame = oldest.join().map_err(|_| io::Error::other("compressing panicked"))??;
        self.put(&frame)?;
        Ok(true)
    }

    fn put(&mut self, frame: &[u8]) -> io::Result<()> {
        self.digest.update(frame);
        self.out.write_all(frame)
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

fn compress(piece: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    compressor.include_checksum(true)?;
    compressor.compress(piece)
}

/// What a reader finds next.
pub enum Piece {
    Bytes(Vec<u8>),
    /// Something is missing here that cannot be read.
    Gap,
    End,
    /// The input does not come any more, and that is not its content's fault.
    Broken(io::Error),
}

/// Reads frames, and goes on after damage.
pub struct FrameReader<R> {
    input: R,
    raw: Vec<u8>,
    /// Where in `raw` the unread begins.
    at: usize,
    has_ended: bool,
    /// Why nothing comes any more.
    broken: Option<io::Error>,
    digest: Digest,
    is_whole: bool,
    /// For `Read`.
    piece: io::Cursor<Vec<u8>>,
}

impl<R: Read> FrameReader<R> {
    pub fn new(input: R) -> Self {
        FrameReader {
            input,
            raw: Vec::new(),
            at: 0,
            has_ended: false,
            broken: None,
            digest: Digest::new(),
            is_whole: false,
            piece: io::Cursor::default(),
        }
    }

    /// After the end: whether every byte is there and none was changed.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The next piece. What the input finds to be forged, or what lies on a bad place of a disk, is
    /// its end.
    pub fn next_piece(&mut self) -> Piece {
        self.fill();
        if let Some(fault) = self.broken.take() {
            return Piece::Broken(fault);
        }
        let raw = &self.raw[self.at..];
        if raw.is_empty() {
            return Piece::End;
        }
        if raw.starts_with(&TRAILER_MAGIC) && raw.len() == TRAILER_BYTES && self.has_ended {
            self.is_whole = raw[8..] == self.digest.clone().finish().0
                && raw[4..8] == (HASH_BYTES as u32).to_le_bytes();
            self.at = self.raw.len();
            return Piece::End;
        }
        match decompress(raw) {
            Some((length, bytes)) => {
                self.pass(length);
                Piece::Bytes(bytes)
            }
            None => {
                self.pass_damage();
                Piece::Gap
            }
        }
    }

    /// On to the next place where a frame may begin.
    fn pass_damage(&mut self) {
        let mut skip = 1;
        loop {
            let raw = &self.raw[self.at..];
            let begins = |four: &[u8]| four == MAGIC || four == TRAILER_MAGIC;
            if let Some(next) = raw[skip..].windows(4).position(begins) {
                return self.pass(skip + next);
            }
            // The beginning of a frame may be cut in two here.
            self.pass(raw.len().saturating_sub(3).max(1));
            self.fill();
            if self.has_ended && self.raw.len() - self.at < 4 {
                return self.pass(self.raw.len() - self.at);
            }
            skip = 0;
        }
    }

    fn pass(&mut self, length: usize) {
        self.digest.update(&self.raw[self.at..self.at + length]);
        self.at += length;
    }

    fn fill(&mut self) {
        let wanted = zstd_safe::compress_bound(FRAME_BYTES) + TRAILER_BYTES;
        if self.has_ended || self.raw.len() - self.at >= wanted {
            return;
        }
        self.raw.drain(..self.at);
        self.at = 0;
        let missing = (2 * wanted - self.raw.len()) as u64;
        let read = self.input.by_ref().take(missing).read_to_end(&mut self.raw);
        self.has_ended = !matches!(read, Ok(read) if read as u64 == missing);
        self.broken = read.err().filter(|fault| !is_of_content(fault));
    }
}

fn is_of_content(fault: &io::Error) -> bool {
    let kinds = [io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof];
    kinds.contains(&fault.kind()) || is_bad_place(fault)
}

/// Of a disk.
pub(super) fn is_bad_place(fault: &io::Error) -> bool {
    fault.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// The first frame: its length and its content.
fn decompress(raw: &[u8]) -> Option<(usize, Vec<u8>)> {
    if !raw.starts_with(&MAGIC) {
        return None;
    }
    let length = zstd_safe::find_frame_compressed_size(raw).ok()?;
    let bytes = zstd::bulk::decompress(raw.get(..length)?, FRAME_BYTES).ok()?;
    Some((length, bytes))
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
                Piece::Bytes(bytes) => self.piece = io::Cursor::new(bytes),
                Piece::Broken(fault) => return Err(fault),
                Piece::End if self.is_whole => return Ok(0),
                Piece::Gap | Piece::End => return Err(Fault::CutOff.into()),
            }
        }
    }
}
