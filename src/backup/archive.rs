//! A backup as one file: tar in [`frames`](super::frames), perhaps encrypted.
//!
//! The reader goes on after damage: it looks for the next place that is surely the beginning of an
//! entry. A file's name is its hash, and the manifest at the end has the hash of every other part, so
//! nothing that was changed passes for whole.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
};

use anyhow::{Context, anyhow};
use serde::de::DeserializeOwned;
use tar::{Builder, EntryType, Header};

use super::{
    Chunk, Cutter, Fault, Head, Key, Lock, Manifest,
    frames::{FrameReader, FrameWriter, Piece},
    sealing::{self, Sealed},
};
use crate::{
    error::{Error, Result},
    hash::{ContentHash, Digest},
};

const HEAD: &str = "backup.json";
const MANIFEST: &str = "manifest.json";
const BLOCK_BYTES: usize = 512;
/// A part has a few mebibytes, and so has the manifest of a huge portal.
const PART_BYTES_MAX: u64 = 256 << 20;

pub struct ArchiveWriter<W: Write> {
    tar: Builder<FrameWriter<Sealed<W>>>,
    /// How many parts of each table there are.
    numbers: BTreeMap<String, u32>,
    manifest: Manifest,
    list: Cutter,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    Whole,
    /// Its bytes were not those that its name says; it is named in the manifest.
    Damaged,
}

impl<W: Write> ArchiveWriter<W> {
    pub fn begin(out: W, lock: &Lock, head: Head, threads: usize) -> Result<Self> {
        let frames = FrameWriter::new(sealing::seal(out, lock)?, threads);
        let mut archive = ArchiveWriter {
            tar: Builder::new(frames),
            numbers: BTreeMap::new(),
            manifest: Manifest::new(head),
            list: Cutter::default(),
        };
        let head = serde_json::to_vec_pretty(&archive.manifest.head).context("writing the head")?;
        archive.put(HEAD, &head)?;
        Ok(archive)
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
        let header = self.header(size_bytes);
        append(&mut self.tar, header, &path, &mut exact)?;
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

    /// Writes the manifest and the end.
    pub fn finish(mut self) -> Result<(W, Manifest)> {
        if let Some(chunk) = self.list.rest() {
            self.put_list(&chunk)?;
        }
        let manifest = serde_json::to_vec_pretty(&self.manifest).context("writing the manifest")?;
        self.put(MANIFEST, &manifest)?;
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

    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        let header = self.header(bytes.len() as u64);
        // A part stands alone; files fill the pieces between.
        self.tar.get_mut().end_frame().context("writing the archive")?;
        append(&mut self.tar, header, path, bytes)?;
        Ok(self.tar.get_mut().end_frame().context("writing the archive")?)
    }

    fn header(&self, size_bytes: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_size(size_bytes);
        header.set_mtime(self.manifest.head.created_at.as_second().max(0) as u64);
        header
    }
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

/// What comes next in an archive.
#[derive(Debug)]
pub enum Item {
    Head(Head),
    Records {
        table: String,
        bytes: Vec<u8>,
    },
    List {
        bytes: Vec<u8>,
    },
    /// The reader itself reads the bytes of the file.
    File {
        hash: ContentHash,
        size_bytes: u64,
    },
    Manifest(Manifest),
    /// Something that should have been here cannot be read; what it was, the manifest will tell.
    Damage,
    /// The end, and whether every byte before it is as it was written.
    End {
        is_whole: bool,
    },
}

pub struct ArchiveReader {
    frames: FrameReader<Box<dyn Read + Send>>,
    piece: Vec<u8>,
    at: usize,
    /// Of the entry whose content is being read.
    left: u64,
    padding: usize,
    /// Why nothing can be read any more.
    broken: Option<io::Error>,
}

/// Some bytes cannot be read.
struct Gap;

impl ArchiveReader {
    /// # Errors
    /// A [`Fault`] when it is encrypted and `key` does not open it.
    pub fn open(input: impl Read + Send + 'static, key: &Key) -> Result<Self> {
        Ok(ArchiveReader {
            frames: FrameReader::new(sealing::open_past_damage(input, key)?),
            piece: Vec::new(),
            at: 0,
            left: 0,
            padding: 0,
            broken: None,
        })
    }

    /// The head, which is first.
    pub fn head(&mut self) -> Result<Head> {
        Ok(self.head_if_whole()?.ok_or(Fault::NotABackup)?)
    }

    /// `None` when something else is first, or what cannot be read.
    pub fn head_if_whole(&mut self) -> Result<Option<Head>> {
        let Item::Head(head) = self.next_item()? else { return Ok(None) };
        head.check()?;
        Ok(Some(head))
    }

    /// What the manifest at the end says about the head; `None` when there is none either.
    pub fn head_at_end(&mut self) -> Result<Option<Head>> {
        loop {
            match self.next_item()? {
                Item::Manifest(manifest) => {
                    manifest.head.check()?;
                    return Ok(Some(manifest.head));
                }
                Item::End { .. } => return Ok(None),
                _ => {}
            }
        }
    }

    /// The next item. Passes over what was not read of the one before.
    pub fn next_item(&mut self) -> Result<Item> {
        let item = self.passed_on();
        match self.broken.take() {
            Some(fault) => Err(fault).context("reading the archive")?,
            None => Ok(item),
        }
    }

    fn passed_on(&mut self) -> Item {
        if self.skip_rest().is_err() {
            return Item::Damage;
        }
        loop {
            let Ok(block) = self.block() else { return Item::Damage };
            let Some(block) = block else {
                return Item::End { is_whole: self.frames.is_whole() };
            };
            // Two empty blocks are the end of a tar file; and after damage anything may come.
            let Some((path, size_bytes)) = entry(&block) else { continue };
            self.left = size_bytes;
            self.padding = (BLOCK_BYTES - size_bytes as usize % BLOCK_BYTES) % BLOCK_BYTES;
            match self.item(&path, size_bytes) {
                Ok(Some(item)) => return item,
                Ok(None) if self.skip_rest().is_ok() => {}
                _ => return Item::Damage,
            }
        }
    }

    fn item(&mut self, path: &str, size_bytes: u64) -> Result<Option<Item>, Gap> {
        if let Some(name) = path.strip_prefix("files/") {
            let hash = name.get(3..).and_then(|name| name.parse().ok());
            return Ok(hash.map(|hash| Item::File { hash, size_bytes }));
        }
        if size_bytes > PART_BYTES_MAX {
            return Ok(None);
        }
        let table = path.strip_prefix("records/").and_then(|name| name.rsplit_once('-'));
        Ok(Some(match table {
            Some((table, _)) => Item::Records { table: table.into(), bytes: self.content()? },
            None if path.starts_with("lists/") => Item::List { bytes: self.content()? },
            None if path == HEAD => Item::Head(self.json()?),
            None if path == MANIFEST => Item::Manifest(self.json()?),
            None => return Ok(None),
        }))
    }

    fn content(&mut self) -> Result<Vec<u8>, Gap> {
        let mut bytes = Vec::new();
        match self.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(_) => Err(Gap),
        }
    }

    fn json<T: DeserializeOwned>(&mut self) -> Result<T, Gap> {
        serde_json::from_slice(&self.content()?).map_err(|_| Gap)
    }

    fn skip_rest(&mut self) -> Result<(), Gap> {
        while self.left > 0 {
            let taken = self.take(self.left.min(usize::MAX as u64) as usize)?.len();
            if taken == 0 {
                return Ok(());
            }
            self.left -= taken as u64;
        }
        while self.padding > 0 {
            let taken = self.take(self.padding)?.len();
            if taken == 0 {
                return Ok(());
            }
            self.padding -= taken;
        }
        Ok(())
    }

    /// The next block; `None` at the end. Pieces are whole numbers of blocks, so that blocks are in
    /// step again after a gap.
    fn block(&mut self) -> Result<Option<[u8; BLOCK_BYTES]>, Gap> {
        let taken = self.take(BLOCK_BYTES)?;
        Ok(taken.try_into().ok())
    }

    /// Up to `wanted` bytes; none at the end.
    fn take(&mut self, wanted: usize) -> Result<&[u8], Gap> {
        if self.at == self.piece.len() {
            match self.frames.next_piece() {
                Piece::Bytes(piece) => (self.piece, self.at) = (piece, 0),
                Piece::End => {}
                Piece::Gap => {
                    (self.left, self.padding) = (0, 0);
                    return Err(Gap);
                }
                Piece::Broken(fault) => {
                    self.broken = Some(fault);
                    (self.left, self.padding) = (0, 0);
                    return Err(Gap);
                }
            }
        }
        let begin = self.at;
        self.at = (begin + wanted).min(self.piece.len());
        Ok(&self.piece[begin..self.at])
    }
}

/// The content of the entry that was named last.
impl Read for ArchiveReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = (buffer.len() as u64).min(self.left) as usize;
        if wanted == 0 {
            return Ok(0);
        }
        match self.take(wanted) {
            Ok([]) | Err(Gap) => Err(Fault::CutOff.into()),
            Ok(bytes) => {
                buffer[..bytes.len()].copy_from_slice(bytes);
                let read = bytes.len();
                self.left -= read as u64;
                Ok(read)
            }
        }
    }
}

/// Path and size, when a block is the beginning of one of our entries.
fn entry(block: &[u8; BLOCK_BYTES]) -> Option<(String, u64)> {
    let header = Header::from_byte_slice(block);
    // The sum of all bytes, with spaces for the sum itself (POSIX pax, "ustar Interchange Format").
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(at, &byte)| u32::from(if (148..156).contains(&at) { b' ' } else { byte }))
        .sum();
    if header.cksum().ok()? != sum || !header.entry_type().is_file() {
        return None;
    }
    let path = header.path().ok()?.to_str()?.to_owned();
    Some((path, header.entry_size().ok()?))
}

impl From<Gap> for Error {
    fn from(_: Gap) -> Self {
        Error::Internal(anyhow!("a part of the archive cannot be read"))
    }
}
