//! The SHA-256 of a file.

use std::{fs::File, io, os::unix::fs::FileExt};

use crate::hash::{ContentHash, Digest};

/// Read in pieces that stay in the processor's cache.
const READ_BYTES: usize = 256 << 10;

/// The hash and size of a whole file. Blocks.
pub(super) fn hash_file(file: &File) -> io::Result<(ContentHash, u64)> {
    let mut digest = Digest::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut size_bytes = 0;
    loop {
        let read_bytes = file.read_at(&mut buffer, size_bytes)?;
        if read_bytes == 0 {
            return Ok((digest.finish(), size_bytes));
        }
        digest.update(&buffer[..read_bytes]);
        size_bytes += read_bytes as u64;
    }
}
