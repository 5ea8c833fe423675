//! Frames that say of themselves what they are, for archives.
//!
//! What a user uploads may look like anything: like a frame, or like an entry of tar. After damage a
//! reader that looked for such a thing would take it for one of ours. So before each frame stands a
//! [`Mark`] with a random number of this archive, and the reader goes on at the next mark only. The
//! first frame alone has none, so that every tool knows the file by its beginning; three opening
//! marks follow it.
//!
//! Small entries share a frame of at most 64 KiB, and a large one has frames of its own: one flipped
//! byte costs so much and no more. What must not be lost is [kept](MarkedWriter::begin_kept) and
//! comes [a second time](MarkedWriter::repeat).

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read, Seek, Write},
    mem,
    sync::mpsc::{Receiver, channel},
};

use super::{
    Begins, FRAME_BYTES, Piece, Window, compress, compressor, decompress,
    marks::{
        ArchiveId, Kind, MARK_BYTES, Mark, PREFIX_BYTES, TRAILER_BYTES, Trailer, filler,
        filler_bytes,
    },
    threads,
};
use crate::hash::Digest;

/// What small entries share.
const BUNDLE_BYTES: u64 = 64 << 10;
const OPENINGS: usize = 3;
/// The first frame and the opening marks stand in so many bytes: all of them are ours.
const BEGINNING_BYTES: usize = 4 << 10;
const BLOCK_BYTES: u64 = 512;
/// So many wait to be compressed or written: what compresses well and what does not even out.
const BATCHES_AHEAD: usize = 8;

pub struct MarkedWriter<W> {
    out: W,
    digest: Digest,
    id: ArchiveId,
    /// Of the next frame.
    number: u64,
    /// The content of the frame in the making.
    buffer: Vec<u8>,
    begins: Begins,
    is_kept: bool,
    /// Frames that are compressed next, at one go.
    batch: Vec<Frame>,
    batch_bytes: usize,
    under_way: VecDeque<Receiver<io::Result<Vec<Frame>>>>,
    /// Compressed frames that come a second time, and how long each is.
    copies: File,
    kept: Vec<(usize, Begins)>,
}

struct Frame {
    bytes: Vec<u8>,
    begins: Begins,
    is_kept: bool,
}

impl<W: Write> MarkedWriter<W> {
    /// Begins with `first`, one entry. What is kept for the second time rests in `scratch`, an empty
    /// file.
    pub fn begin(mut out: W, first: &[u8], scratch: File) -> io::Result<Self> {
        let id = ArchiveId::random();
        let opening = Mark { id, number: 0, length: 0, kind: Kind::Opening };
        let mut beginning = compress(first)?;
        beginning.extend(opening.to_bytes().repeat(OPENINGS));
        let mut digest = Digest::new();
        digest.update(&beginning);
        out.write_all(&beginning)?;
        Ok(MarkedWriter {
            out,
            digest,
            id,
            number: 0,
            buffer: Vec::new(),
            begins: Begins::Entry,
            is_kept: false,
            batch: Vec::new(),
            batch_bytes: 0,
            under_way: VecDeque::new(),
            copies: scratch,
            kept: Vec::new(),
        })
    }

    /// Says that an entry of so many bytes begins with the next byte that is written.
    pub fn begin_entry(&mut self, size_bytes: u64) -> io::Result<()> {
        let entry = size_bytes.saturating_add(2 * BLOCK_BYTES);
        let has_room = self.buffer.len() as u64 + entry <= BUNDLE_BYTES;
        if self.begins == Begins::Within || !has_room {
            self.end_frame()?;
        }
        if self.buffer.is_empty() {
            self.begins = Begins::Entry;
        }
        Ok(())
    }

    /// Says that an entry begins that comes a second time; it has frames of its own.
    pub fn begin_kept(&mut self) -> io::Result<()> {
        self.end_frame()?;
        self.begins = Begins::Entry;
        self.is_kept = true;
        Ok(())
    }

    pub fn end_kept(&mut self) -> io::Result<()> {
        self.end_frame()?;
        self.is_kept = false;
        Ok(())
    }

    /// Writes what was kept a second time, far enough from the first.
    pub fn repeat(&mut self) -> io::Result<()> {
        self.write_all_frames()?;
        self.put(&filler())?;
        self.copies.rewind()?;
        let mut copies = io::BufReader::new(self.copies.try_clone()?);
        for (length, begins) in mem::take(&mut self.kept) {
            let mut bytes = vec![0; length];
            copies.read_exact(&mut bytes)?;
            self.put_frame(&bytes, begins)?;
        }
        Ok(())
    }

    /// Writes what is left and the end. The result is what was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.write_all_frames()?;
        let sha256 = self.digest.clone().finish();
        let trailer = Trailer { id: self.id, frames: self.number, sha256 };
        self.out.write_all(&trailer.to_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn end_frame(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = mem::take(&mut self.buffer);
        self.batch_bytes += bytes.len();
        self.batch.push(Frame { bytes, begins: self.begins, is_kept: self.is_kept });
        self.begins = Begins::Within;
        if self.batch_bytes >= FRAME_BYTES { self.compress_batch() } else { Ok(()) }
    }

    fn compress_batch(&mut self) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.batch_bytes = 0;
        let batch = mem::take(&mut self.batch);
        let (done, under_way) = channel();
        threads::spawn(move || {
            // Nobody takes it where writing has failed meanwhile.
            let _ = done.send(compressed(batch));
        });
        self.under_way.push_back(under_way);
        match self.under_way.len() > BATCHES_AHEAD {
            true => self.write_oldest(),
            false => Ok(()),
        }
    }

    fn write_all_frames(&mut self) -> io::Result<()> {
        self.end_frame()?;
        self.compress_batch()?;
        while !self.under_way.is_empty() {
            self.write_oldest()?;
        }
        Ok(())
    }

    /// Waits for the batch that was begun first, if any is under way, and writes it.
    fn write_oldest(&mut self) -> io::Result<()> {
        let Some(oldest) = self.under_way.pop_front() else { return Ok(()) };
        let batch = oldest.recv().map_err(|_| io::Error::other("compressing panicked"))?;
        for frame in batch? {
            if frame.is_kept {
                self.copies.write_all(&frame.bytes)?;
                self.kept.push((frame.bytes.len(), frame.begins));
            }
            self.put_frame(&frame.bytes, frame.begins)?;
        }
        Ok(())
    }

    fn put_frame(&mut self, frame: &[u8], begins: Begins) -> io::Result<()> {
        let kind = Kind::Frame(begins);
        let mark = Mark { id: self.id, number: self.number, length: frame.len(), kind };
        self.number += 1;
        self.put(&mark.to_bytes())?;
        self.put(frame)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.out.write_all(bytes)
    }
}

impl<W: Write> Write for MarkedWriter<W> {
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

fn compressed(mut batch: Vec<Frame>) -> io::Result<Vec<Frame>> {
    let mut compressor = compressor()?;
    for frame in &mut batch {
        frame.bytes = compressor.compress(&frame.bytes)?;
    }
    Ok(batch)
}

/// Reads marked frames, and goes on after damage.
pub struct MarkedReader<R> {
    window: Window<R>,
    id: ArchiveId,
    is_at_beginning: bool,
    /// The frame that comes next, when none is missing.
    number: u64,
    is_whole: bool,
}

/// The id of an archive that begins with these bytes; `None` when it has none, or lost it.
pub fn id_at_beginning(raw: &[u8]) -> Option<ArchiveId> {
    opening(raw).map(|(_, mark)| mark.id)
}

/// The first opening mark and its place. It is looked for only where nothing of a user can stand.
fn opening(raw: &[u8]) -> Option<(usize, Mark)> {
    let beginning = &raw[..raw.len().min(BEGINNING_BYTES)];
    let places = 0..beginning.len().saturating_sub(MARK_BYTES - 1);
    let mut marks = places.filter_map(|place| Some((place, Mark::read(&beginning[place..])?)));
    marks.next().filter(|(_, mark)| mark.kind == Kind::Opening)
}

impl<R: Read> MarkedReader<R> {
    /// Begins at the beginning of an archive.
    pub fn of(window: Window<R>, id: ArchiveId) -> Self {
        MarkedReader { window, id, is_at_beginning: true, number: 0, is_whole: false }
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
        loop {
            self.window.look_ahead()?;
            let raw = self.window.bytes();
            if raw.is_empty() {
                return Ok(Piece::End);
            }
            if mem::take(&mut self.is_at_beginning)
                && let Some((length, bytes)) = decompress(raw)
            {
                self.window.pass(length);
                return Ok(Piece::Bytes(bytes, Begins::Entry));
            }
            if let Some(length) = filler_bytes(raw) {
                self.window.pass(length);
                continue;
            }
            if self.window.has_ended()
                && let Some(trailer) = Trailer::read(raw).filter(|trailer| trailer.id == self.id)
            {
                if self.number != trailer.frames {
                    self.number = trailer.frames;
                    return Ok(Piece::Gap);
                }
                self.is_whole = trailer.sha256 == self.window.hash();
                self.window.pass(TRAILER_BYTES);
                continue;
            }
            match Mark::read(raw).filter(|mark| mark.id == self.id) {
                Some(Mark { kind: Kind::Opening, .. }) => self.window.pass(MARK_BYTES),
                Some(Mark { kind: Kind::Frame(begins), number, length, .. }) => {
                    if self.number != number {
                        self.number = number;
                        return Ok(Piece::Gap);
                    }
                    // What it says may be anything.
                    self.number = number.wrapping_add(1);
                    return Ok(self.frame(length, begins));
                }
                None => {
                    let prefixes = [self.id.prefix(), self.id.trailer_prefix()];
                    let is_ours = |bytes: &[u8]| prefixes.iter().any(|prefix| prefix == bytes);
                    self.window.pass_until(PREFIX_BYTES, is_ours)?;
                    return Ok(Piece::Gap);
                }
            }
        }
    }

    /// The frame behind the mark that comes next.
    fn frame(&mut self, length: usize, begins: Begins) -> Piece {
        let raw = &self.window.bytes()[MARK_BYTES..];
        let frame = raw.get(..length).and_then(decompress);
        let passed = MARK_BYTES + length.min(raw.len());
        self.window.pass(passed);
        match frame {
            Some((_, bytes)) => Piece::Bytes(bytes, begins),
            None => Piece::Gap,
        }
    }
}
