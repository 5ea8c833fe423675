//! SHA-256 as it goes by.

use std::{fs::File, io, os::unix::fs::FileExt};

use aws_lc_rs::digest::{Context, SHA256};

use crate::hash::ContentHash;

/// Read in pieces that stay in the processor's cache.
const READ_BYTES: usize = 256 << 10;

/// Hashes bytes that come in pieces.
#[derive(Clone)]
pub struct Digest(Context);

impl Digest {
    #[expect(
        clippy::new_without_default,
        reason = "a digest of nothing yet is not a default value"
    )]
    pub fn new() -> Self {
        Digest(Context::new(&SHA256))
    }

    /// The hash of bytes that are all here.
    pub fn of(bytes: &[u8]) -> ContentHash {
        let mut digest = Digest::new();
        digest.update(bytes);
        digest.finish()
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> ContentHash {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.0.finish().as_ref());
        ContentHash(hash)
    }
}

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
