//! What stands behind the header of an age file: chunks that are encrypted each by itself, so that
//! one which is damaged need not cost the others (<https://age-encryption.org/v1>, "Payload"). The
//! crate `age` ends at the first.

use std::{
    cell::Cell,
    io::{self, BufRead, Read},
};

use age::{DecryptError, Decryptor, Identity};
use age_core::{
    format::{FILE_KEY_BYTES, FileKey, Stanza},
    secrecy::ExposeSecret,
};
use aws_lc_rs::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
};

use crate::error::Result;

const CHUNK_BYTES: usize = 64 << 10;
const TAG_BYTES: usize = 16;
const NONCE_BYTES: usize = 16;
/// A header has a line or two for each recipient.
const HEADER_BYTES_MAX: usize = 1 << 20;
/// How the last line of a header begins.
const HEADER_END: &[u8] = b"--- ";

/// What becomes of a chunk that is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damaged {
    /// It is an error.
    Refuse,
    /// Zeros stand for it: whoever reads on must be able to tell.
    Blank,
}

/// The beginning of an age file.
pub(super) struct Header(Vec<u8>);

impl Header {
    /// `None` when it does not end.
    pub fn read(input: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut header = Vec::new();
        loop {
            let begin = header.len();
            let left = (HEADER_BYTES_MAX - begin) as u64;
            let read = input.by_ref().take(left).read_until(b'\n', &mut header)?;
            if read == 0 || !header.ends_with(b"\n") {
                return Ok(None);
            }
            if header[begin..].starts_with(HEADER_END) {
                break;
            }
        }
        let begin = header.len();
        input.by_ref().take(NONCE_BYTES as u64).read_to_end(&mut header)?;
        Ok((header.len() == begin + NONCE_BYTES).then_some(Header(header)))
    }

    pub fn decryptor(&self) -> Result<Decryptor<&[u8]>, DecryptError> {
        Decryptor::new_buffered(&self.0[..])
    }

    /// The content of what follows in `input`, opened by whichever of the identities fits.
    pub fn open<R: Read>(
        &self,
        input: R,
        identities: &[&dyn Identity],
        damaged: Damaged,
    ) -> Result<Payload<R>, DecryptError> {
        let caught = Cell::new(None);
        let catching: Vec<_> = identities
            .iter()
            .map(|identity| Catching { identity: *identity, caught: &caught })
            .collect();
        // It also looks whether the header is what was written.
        self.decryptor()?.decrypt(catching.iter().map(|one| one as &dyn Identity))?;
        let file_key = caught.take().ok_or(DecryptError::NoMatchingKeys)?;
        let nonce = &self.0[self.0.len() - NONCE_BYTES..];
        let key = payload_key(nonce, &file_key).ok_or(DecryptError::DecryptionFailed)?;
        Ok(Payload {
            input,
            key,
            damaged,
            number: 0,
            sealed: Vec::with_capacity(CHUNK_BYTES + TAG_BYTES),
            chunk: Vec::new(),
            at: 0,
            has_ended: false,
        })
    }
}

/// Remembers the key that the file is encrypted with.
struct Catching<'a> {
    identity: &'a dyn Identity,
    caught: &'a Cell<Option<[u8; FILE_KEY_BYTES]>>,
}

impl Identity for Catching<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        let found = self.identity.unwrap_stanza(stanza);
        if let Some(Ok(key)) = &found {
            self.caught.set(Some(*key.expose_secret()));
        }
        found
    }
}

fn payload_key(nonce: &[u8], file_key: &[u8]) -> Option<LessSafeKey> {
    let mut key = [0; 32];
    let secret = Salt::new(HKDF_SHA256, nonce).extract(file_key);
    secret.expand(&[b"payload"], &CHACHA20_POLY1305).ok()?.fill(&mut key).ok()?;
    UnboundKey::new(&CHACHA20_POLY1305, &key).ok().map(LessSafeKey::new)
}

pub(super) struct Payload<R> {
    input: R,
    key: LessSafeKey,
    damaged: Damaged,
    /// Of the next chunk.
    number: u64,
    sealed: Vec<u8>,
    chunk: Vec<u8>,
    at: usize,
    /// The chunk that is marked as the last was read.
    has_ended: bool,
}

impl<R: Read> Payload<R> {
    /// False at the end.
    fn next_chunk(&mut self) -> io::Result<bool> {
        self.sealed.clear();
        let limit = (CHUNK_BYTES + TAG_BYTES) as u64;
        self.input.by_ref().take(limit).read_to_end(&mut self.sealed)?;
        let invalid = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text.to_owned());
        match (self.sealed.is_empty(), self.has_ended) {
            (true, true) => return Ok(false),
            (true, false) => {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "its end is missing"));
            }
            (false, true) => return Err(invalid("something stands behind its end")),
            (false, false) => {}
        }
        let is_short = self.sealed.len() < CHUNK_BYTES + TAG_BYTES;
        // The last one may be as long as the others.
        if (is_short || !self.open_chunk(false)) && !self.take_last() {
            if self.damaged == Damaged::Refuse {
                return Err(invalid("a part of it is not what was written"));
            }
            self.chunk.clear();
            self.chunk.resize(self.sealed.len().saturating_sub(TAG_BYTES), 0);
            // Whether it was the last, the input tells.
            self.has_ended = is_short;
        }
        self.number += 1;
        self.at = 0;
        Ok(true)
    }

    fn take_last(&mut self) -> bool {
        self.has_ended = self.open_chunk(true);
        self.has_ended
    }

    fn open_chunk(&mut self, is_last: bool) -> bool {
        let Some(length) = self.sealed.len().checked_sub(TAG_BYTES) else { return false };
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&self.number.to_be_bytes());
        nonce[11] = u8::from(is_last);
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.chunk.resize(length, 0);
        let (content, tag) = self.sealed.split_at(length);
        self.key.open_separate_gather(nonce, Aad::empty(), content, tag, &mut self.chunk).is_ok()
    }
}

impl<R: Read> Read for Payload<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() {
            if !self.next_chunk()? {
                return Ok(0);
            }
        }
        let read = buffer.len().min(self.chunk.len() - self.at);
        buffer[..read].copy_from_slice(&self.chunk[self.at..self.at + read]);
        self.at += read;
        Ok(read)
    }
}
