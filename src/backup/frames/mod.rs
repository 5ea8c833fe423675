//! Compression in pieces that stand alone: zstd frames (RFC 8878) with a checksum each, one after the
//! other. For `zstd` they are one file. One flipped byte costs one piece, and the reader finds the
//! next.
//!
//! - [`FrameWriter`], [`FrameReader`]: nothing but frames, for the objects of a repository, which hold
//!   one thing each. (Archives of format 1 are such, too.)
//! - [`MarkedWriter`], [`MarkedReader`]: frames that are known from what only looks like one, for
//!   archives, which hold many things and bytes of users among them.

mod marked;
mod marks;
mod plain;
mod threads;
mod window;

use std::io;

use zstd::{bulk::Compressor, zstd_safe};

pub use self::{
    marked::{MarkedReader, MarkedWriter, id_at_beginning},
    marks::ArchiveId,
    plain::{FrameReader, FrameWriter},
    window::{Window, is_of_content},
};

/// The most that a frame holds; a multiple of tar's blocks.
const FRAME_BYTES: usize = 1 << 20;
/// Fast enough to wait for the disk instead.
const LEVEL: i32 = 1;
const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
/// Of the skippable frame at the very end; what the longest one takes.
pub const TRAILER_BYTES_MAX: usize = 128;
const TRAILER_MAGIC: [u8; 4] = 0x184D_2A5B_u32.to_le_bytes();

/// What a reader finds next.
pub enum Piece {
    Bytes(Vec<u8>, Begins),
    /// Something is missing here that cannot be read.
    Gap,
    End,
    /// The input does not come any more, and that is not its content's fault.
    Broken(io::Error),
}

/// What is known of the first byte of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// Nothing.
    Unknown,
    /// An entry begins with it.
    Entry,
    /// An entry goes on that began in an earlier piece.
    Within,
}

fn compress(piece: &[u8]) -> io::Result<Vec<u8>> {
    compressor()?.compress(piece)
}

/// What makes one frame after the other: making it is dear beside a small frame.
fn compressor() -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(LEVEL)?;
    compressor.include_checksum(true)?;
    Ok(compressor)
}

/// The first frame: its length and its content. It is unpacked in one go into memory for one frame, so
/// neither a window nor a content of any other size, whatever it says of itself, costs more.
fn decompress(raw: &[u8]) -> Option<(usize, Vec<u8>)> {
    if !raw.starts_with(&MAGIC) {
        return None;
    }
    let length = zstd_safe::find_frame_compressed_size(raw).ok()?;
    let bytes = zstd::bulk::decompress(raw.get(..length)?, FRAME_BYTES).ok()?;
    Some((length, bytes))
}

/// Whether these are the first bytes of a file of frames, of whichever layout.
pub fn begins_like_frame(raw: &[u8]) -> bool {
    raw.starts_with(&MAGIC)
}

/// The id of a marked archive that ends with these bytes.
pub fn id_at_end(raw: &[u8]) -> Option<ArchiveId> {
    let begin = raw.len().checked_sub(marks::TRAILER_BYTES)?;
    marks::Trailer::read(&raw[begin..]).map(|trailer| trailer.id)
}

/// Whether frames without marks end with these bytes.
pub fn ends_plainly(raw: &[u8]) -> bool {
    raw.len().checked_sub(plain::TRAILER_BYTES).is_some_and(|at| plain::is_trailer(&raw[at..]))
}

/// Of a disk.
pub(super) fn is_bad_place(fault: &io::Error) -> bool {
    fault.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}
