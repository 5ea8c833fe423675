//! The bytes that come next, looked at before they are taken.

use std::io::{self, Read};

use zstd::zstd_safe;

use super::{FRAME_BYTES, is_bad_place};
use crate::hash::{ContentHash, Digest};

/// More than the longest frame with all that may stand around it.
const AROUND_BYTES: usize = 4 << 10;

pub struct Window<R> {
    input: R,
    raw: Vec<u8>,
    /// Where in `raw` the unread begins.
    at: usize,
    has_ended: bool,
    /// Why nothing comes any more.
    broken: Option<io::Error>,
    /// Of everything that was passed.
    digest: Digest,
    passed_bytes: u64,
}

impl<R: Read> Window<R> {
    pub fn new(input: R) -> Self {
        Window {
            input,
            raw: Vec::new(),
            at: 0,
            has_ended: false,
            broken: None,
            digest: Digest::new(),
            passed_bytes: 0,
        }
    }

    /// Looks so far ahead that a whole frame is seen. What the input finds to be forged, or what lies
    /// on a bad place of a disk, is its end.
    ///
    /// # Errors
    /// When the input does not come any more, and its content is not to blame.
    pub fn look_ahead(&mut self) -> io::Result<()> {
        let wanted = zstd_safe::compress_bound(FRAME_BYTES) + AROUND_BYTES;
        if !self.has_ended && self.raw.len() - self.at < wanted {
            self.raw.drain(..self.at);
            self.at = 0;
            let missing = (2 * wanted - self.raw.len()) as u64;
            let read = self.input.by_ref().take(missing).read_to_end(&mut self.raw);
            self.has_ended = !matches!(read, Ok(read) if read as u64 == missing);
            self.broken = read.err().filter(|fault| !is_of_content(fault));
        }
        match self.broken.take() {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.raw[self.at..]
    }

    /// Whether nothing follows [`bytes`](Self::bytes).
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    pub fn pass(&mut self, length: usize) {
        self.digest.update(&self.raw[self.at..self.at + length]);
        self.passed_bytes += length as u64;
        self.at += length;
    }

    /// On to the next place, after the first byte, where `width` bytes are a beginning; or to the
    /// end.
    pub fn pass_until(
        &mut self,
        width: usize,
        is_beginning: impl Fn(&[u8]) -> bool,
    ) -> io::Result<()> {
        let mut skip = 1;
        loop {
            let raw = self.bytes();
            if let Some(rest) = raw.get(skip..)
                && let Some(next) = rest.windows(width).position(&is_beginning)
            {
                self.pass(skip + next);
                return Ok(());
            }
            // A beginning may be cut in two here.
            let passed = raw.len().saturating_sub(width - 1).max(1).min(raw.len());
            self.pass(passed);
            self.look_ahead()?;
            if self.has_ended && self.bytes().len() < width {
                self.pass(self.bytes().len());
                return Ok(());
            }
            skip = 0;
        }
    }

    pub fn passed_bytes(&self) -> u64 {
        self.passed_bytes
    }

    /// The hash of everything that was passed.
    pub fn hash(&self) -> ContentHash {
        self.digest.clone().finish()
    }
}

/// Whether what is read is to blame, and not the way to it.
pub fn is_of_content(fault: &io::Error) -> bool {
    let kinds = [io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof];
    kinds.contains(&fault.kind()) || is_bad_place(fault)
}
