//! Writing an archive.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Write},
};

use anyhow::Context;
use tar::{Builder, EntryType, Header};

use super::{HEAD, MANIFEST, padding};
use crate::{
    backup::{
        ARCHIVE_FORMAT, Chunk, Cutter, Head, Lock, Manifest, Signer,
        frames::MarkedWriter,
        sealing::{self, Sealed},
    },
    error::Result,
    hash::{ContentHash, Digest},
};

pub struct ArchiveWriter<W: Write> {
    tar: Builder<MarkedWriter<Sealed<W>>>,
    /// How many parts of each table there are.
    numbers: BTreeMap<String, u32>,
    manifest: Manifest,
    list: Cutter,
    signer: Option<Signer>,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    Whole,
    /// Its bytes were not those that its name says; it is named in the manifest.
    Damaged,
}

impl<W: Write> ArchiveWriter<W> {
    /// What comes twice rests meanwhile in `scratch`, an empty file that nobody else reads.
    pub fn begin(out: W, lock: &Lock, head: Head, scratch: File) -> Result<Self> {
        let head = Head { format: ARCHIVE_FORMAT, ..head };
        let json = serde_json::to_vec_pretty(&head).context("writing the head")?;
        let mut first = header(&head, json.len() as u64);
        first.set_path(HEAD).context("writing the head")?;
        first.set_cksum();
        let mut entry = first.as_bytes().to_vec();
        entry.extend(&json);
        entry.resize(entry.len() + padding(json.len() as u64), 0);
        let out = sealing::seal(out, lock)?;
        let frames = MarkedWriter::begin(out, &entry, scratch);
        let mut archive = ArchiveWriter {
            tar: Builder::new(frames.context("beginning the archive")?),
            numbers: BTreeMap::new(),
            manifest: Manifest::new(head),
            list: Cutter::default(),
            signer: None,
        };
        // Without it nobody knows what follows.
        archive.put(HEAD, &json)?;
        Ok(archive)
    }

    /// The same, with a manifest that will be signed.
    pub fn signed_by(self, signer: Signer) -> Self {
        ArchiveWriter { signer: Some(signer), ..self }
    }

    /// Adds records of a table; the parts of one table come one after the other.
    pub fn records(&mut self, table: &str, chunk: &Chunk) -> Result<()> {
        let number = self.next_number(table);
        self.put(&format!("records/{table}-{number:04}.jsonl"), &chunk.bytes)?;
        self.manifest.parts.push(chunk.part(table));
        Ok(())
    }

    /// Adds a file. The order is that of the hashes.
    pub fn file(&mut self, hash: ContentHash, size_bytes: u64, bytes: impl Read) -> Result<Kept> {
        let mut exact = Exact { bytes, left: size_bytes, digest: Digest::new(), is_short: false };
        let path = format!("files/{:02x}/{hash}", hash.0[0]);
        self.tar.get_mut().begin_entry(size_bytes).context("writing the archive")?;
        append(&mut self.tar, header(&self.manifest.head, size_bytes), &path, &mut exact)?;
        self.note_file(hash, size_bytes)?;
        if !exact.is_short && exact.digest.finish() == hash {
            return Ok(Kept::Whole);
        }
        self.manifest.missing.push(hash);
        Ok(Kept::Damaged)
    }

    /// Notes a file that stays where it is.
    pub fn absent_file(&mut self, hash: ContentHash, size_bytes: u64) -> Result<()> {
        self.note_file(hash, size_bytes)
    }

    /// Notes a file that could not be read.
    pub fn missing_file(&mut self, hash: ContentHash, size_bytes: u64) -> Result<()> {
        self.manifest.missing.push(hash);
        self.note_file(hash, size_bytes)
    }

    /// Writes the manifest, everything but the files once more, and the end.
    pub fn finish(mut self) -> Result<(W, Manifest)> {
        if let Some(chunk) = self.list.rest() {
            self.put_list(&chunk)?;
        }
        if let Some(signer) = &self.signer {
            self.manifest.sign(signer)?;
        }
        let manifest = serde_json::to_vec_pretty(&self.manifest).context("writing the manifest")?;
        self.put(MANIFEST, &manifest)?;
        self.tar.get_mut().repeat().context("ending the archive")?;
        let frames = self.tar.into_inner().context("ending the archive")?;
        let sealed = frames.finish().context("ending the archive")?;
        Ok((sealed.finish().context("ending the archive")?, self.manifest))
    }

    fn note_file(&mut self, hash: ContentHash, size_bytes: u64) -> Result<()> {
        self.manifest.files.add(size_bytes);
        match self.list.add(&hash.0, format!("{hash} {size_bytes}").as_bytes()) {
            Some(chunk) => self.put_list(&chunk),
            None => Ok(()),
        }
    }

    fn put_list(&mut self, chunk: &Chunk) -> Result<()> {
        let number = self.next_number("files");
        self.put(&format!("lists/files-{number:04}.txt"), &chunk.bytes)?;
        self.manifest.lists.push(chunk.part("files"));
        Ok(())
    }

    fn next_number(&mut self, table: &str) -> u32 {
        let number = self.numbers.entry(table.into()).or_default();
        *number += 1;
        *number
    }

    /// Writes a part, which comes twice.
    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        let header = header(&self.manifest.head, bytes.len() as u64);
        self.tar.get_mut().begin_kept().context("writing the archive")?;
        append(&mut self.tar, header, path, bytes)?;
        Ok(self.tar.get_mut().end_kept().context("writing the archive")?)
    }
}

fn header(head: &Head, size_bytes: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(size_bytes);
    header.set_mtime(head.created_at.as_second().max(0) as u64);
    header
}

fn append<W: Write>(
    tar: &mut Builder<W>,
    mut header: Header,
    path: &str,
    bytes: impl Read,
) -> Result<()> {
    let appended = tar.append_data(&mut header, path, bytes);
    Ok(appended.with_context(|| format!("writing {path} to the archive"))?)
}

/// Exactly as many bytes as were announced, whatever comes; zeros for what does not come.
struct Exact<R> {
    bytes: R,
    left: u64,
    digest: Digest,
    is_short: bool,
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = (buffer.len() as u64).min(self.left) as usize;
        let buffer = &mut buffer[..wanted];
        let read = if self.is_short { 0 } else { self.bytes.read(buffer).unwrap_or(0) };
        if read == 0 {
            self.is_short |= wanted > 0;
            buffer.fill(0);
            self.left -= wanted as u64;
            return Ok(wanted);
        }
        self.digest.update(&buffer[..read]);
        self.left -= read as u64;
        Ok(read)
    }
}
