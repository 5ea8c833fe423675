//! Reading an archive, past damage.

use std::io::{self, Read};

use anyhow::{Context, anyhow};
use serde::Deserialize;
use serde_json::Value;
use tar::Header;

use super::{BLOCK_BYTES, HEAD, MANIFEST, padding};
use crate::{
    backup::{
        ARCHIVE_FORMAT, Fault, Head, Key, Manifest,
        cutting::PART_BYTES_READ_MAX,
        frames::{self, ArchiveId, Begins, FrameReader, MarkedReader, Piece, Window},
        sealing,
    },
    error::{Error, Result},
    hash::ContentHash,
};

/// The one of a portal with a hundred million records is smaller.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;
const HEAD_BYTES_MAX: u64 = 64 << 10;
/// Records and lists get smaller by a factor of ten or twenty, files by any. More than this of what is
/// not in a file, and beyond a beginning, was made to keep a reader busy.
const FACTOR_MAX: u64 = 1_000;
const BEGINNING_BYTES: u64 = 64 << 20;

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

/// How the frames of an archive are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// By their looks: format 1.
    Plain,
    /// By marks with this id: since format 2.
    Marked(ArchiveId),
}

type Input = Box<dyn Read + Send>;

enum Frames {
    Plain(FrameReader<Input>),
    Marked(MarkedReader<Input>),
    /// Its beginning is lost, and with it how to read the rest.
    Unknown,
}

pub struct ArchiveReader {
    frames: Frames,
    piece: Vec<u8>,
    at: usize,
    /// Of the entry whose content is being read.
    left: u64,
    padding: usize,
    /// After a gap: what comes belongs to an entry whose beginning is lost.
    is_lost: bool,
    /// In format 1 a manifest counts only when nothing follows it: files of users may hold others.
    manifest: Option<Manifest>,
    /// Why nothing can be read any more.
    broken: Option<io::Error>,
    /// What no portal writes was found.
    fault: Option<Fault>,
    /// Unpacked so far, without the contents of files.
    unpacked_bytes: u64,
    is_in_file: bool,
}

/// Some bytes cannot be read.
struct Gap;

impl ArchiveReader {
    /// # Errors
    /// A [`Fault`] when it is encrypted and `key` does not open it.
    pub fn open(input: impl Read + Send + 'static, key: &Key) -> Result<Self> {
        let mut window = Window::new(sealing::open_past_damage(input, key)?);
        window.look_ahead().context("reading the archive")?;
        let layout = match frames::id_at_beginning(window.bytes()) {
            Some(id) => Some(Layout::Marked(id)),
            None => frames::begins_like_frame(window.bytes()).then_some(Layout::Plain),
        };
        Ok(ArchiveReader::of(window, layout))
    }

    /// Opens an archive whose layout is known.
    pub fn open_as(layout: Layout, input: impl Read + Send + 'static, key: &Key) -> Result<Self> {
        let window = Window::new(sealing::open_past_damage(input, key)?);
        Ok(ArchiveReader::of(window, Some(layout)))
    }

    fn of(window: Window<Input>, layout: Option<Layout>) -> Self {
        ArchiveReader {
            frames: match layout {
                Some(Layout::Plain) => Frames::Plain(FrameReader::of(window)),
                Some(Layout::Marked(id)) => Frames::Marked(MarkedReader::of(window, id)),
                None => Frames::Unknown,
            },
            piece: Vec::new(),
            at: 0,
            left: 0,
            padding: 0,
            is_lost: false,
            manifest: None,
            broken: None,
            fault: None,
            unpacked_bytes: 0,
            is_in_file: false,
        }
    }

    /// The head, which is first.
    pub fn head(&mut self) -> Result<Head> {
        Ok(self.head_if_whole()?.ok_or(Fault::NotABackup)?)
    }

    /// `None` when something else is first, or what cannot be read: then nothing else can be read
    /// from here.
    pub fn head_if_whole(&mut self) -> Result<Option<Head>> {
        let mut item = self.next_item()?;
        if self.is_marked() && matches!(item, Item::Damage) {
            // It comes twice.
            item = self.next_item()?;
        }
        let Item::Head(head) = item else { return Ok(None) };
        head.check()?;
        Ok((head.is_of_marked_archive() == self.is_marked()).then_some(head))
    }

    fn is_marked(&self) -> bool {
        matches!(self.frames, Frames::Marked(_))
    }

    /// The next item. Passes over what was not read of the one before.
    pub fn next_item(&mut self) -> Result<Item> {
        let item = self.passed_on();
        if let Some(fault) = self.broken.take() {
            Err(fault).context("reading the archive")?;
        }
        match self.fault {
            Some(fault) => Err(fault.into()),
            None => Ok(item),
        }
    }

    fn passed_on(&mut self) -> Item {
        if self.skip_rest().is_err() {
            return Item::Damage;
        }
        self.is_in_file = false;
        loop {
            let Ok(block) = self.block() else { return Item::Damage };
            let Some(block) = block else {
                return match self.manifest.take() {
                    Some(last) => Item::Manifest(last),
                    None => Item::End { is_whole: self.is_whole() },
                };
            };
            // Two empty blocks are the end of a tar file; and after damage anything may come.
            let Some((path, size_bytes)) = entry(&block) else { continue };
            self.left = size_bytes;
            self.padding = padding(size_bytes);
            match self.item(&path, size_bytes) {
                Ok(item) => {
                    if let Some(item) = item.and_then(|item| self.judged(item)) {
                        return item;
                    }
                }
                Err(Gap) => return Item::Damage,
            }
            if self.skip_rest().is_err() {
                return Item::Damage;
            }
        }
    }

    /// Holds a manifest of format 1 back until it is known to be the last entry.
    fn judged(&mut self, item: Item) -> Option<Item> {
        if self.is_marked() {
            return Some(item);
        }
        self.manifest = None;
        match item {
            Item::Manifest(manifest) => {
                self.manifest = Some(manifest);
                None
            }
            other => Some(other),
        }
    }

    fn is_whole(&self) -> bool {
        match &self.frames {
            Frames::Plain(frames) => frames.is_whole(),
            Frames::Marked(frames) => frames.is_whole(),
            Frames::Unknown => false,
        }
    }

    fn item(&mut self, path: &str, size_bytes: u64) -> Result<Option<Item>, Gap> {
        if let Some(name) = path.strip_prefix("files/") {
            let hash = name.get(3..).and_then(|name| name.parse().ok());
            self.is_in_file = hash.is_some();
            return Ok(hash.map(|hash| Item::File { hash, size_bytes }));
        }
        let size_bytes_max = match path {
            HEAD => HEAD_BYTES_MAX,
            MANIFEST => MANIFEST_BYTES_MAX,
            _ => PART_BYTES_READ_MAX,
        };
        if size_bytes > size_bytes_max {
            // In format 1 this may be a piece of somebody's file.
            return match self.is_marked() {
                true => Err(self.excess("one of its parts is far larger than any part is")),
                false => Ok(None),
            };
        }
        let table = path.strip_prefix("records/").and_then(|name| name.rsplit_once('-'));
        Ok(Some(match table {
            Some((table, _)) => Item::Records { table: table.into(), bytes: self.content()? },
            None if path.starts_with("lists/") => Item::List { bytes: self.content()? },
            None if path == HEAD => Item::Head(self.read_head()?),
            None if path == MANIFEST => Item::Manifest(self.read_manifest()?),
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

    fn read_head(&mut self) -> Result<Head, Gap> {
        let json: Value = serde_json::from_slice(&self.content()?).map_err(|_| Gap)?;
        match Fault::if_of_later_format(&json, ARCHIVE_FORMAT) {
            // In format 1 this may be a piece of somebody's file.
            Err(fault) if self.is_marked() => {
                self.fault = Some(fault);
                Err(Gap)
            }
            Ok(()) | Err(_) => Head::deserialize(json).map_err(|_| Gap),
        }
    }

    fn read_manifest(&mut self) -> Result<Manifest, Gap> {
        match Manifest::read(&self.content()?) {
            Ok(Ok(manifest)) => Ok(manifest),
            // In format 1 this may be a piece of somebody's file.
            Ok(Err(fault)) if self.is_marked() => {
                self.fault = Some(fault);
                Err(Gap)
            }
            Ok(Err(_)) | Err(_) => Err(Gap),
        }
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

    /// The next block; `None` at the end. Frames are whole numbers of blocks, so that blocks are in
    /// step again after a gap.
    fn block(&mut self) -> Result<Option<[u8; BLOCK_BYTES]>, Gap> {
        let taken = self.take(BLOCK_BYTES)?;
        Ok(taken.try_into().ok())
    }

    fn excess(&mut self, what: &'static str) -> Gap {
        self.fault = Some(Fault::Excessive(what));
        (self.left, self.padding) = (0, 0);
        Gap
    }

    /// Up to `wanted` bytes; none at the end.
    fn take(&mut self, wanted: usize) -> Result<&[u8], Gap> {
        while self.at == self.piece.len() {
            let piece = match &mut self.frames {
                Frames::Plain(frames) => frames.next_piece(),
                Frames::Marked(frames) => frames.next_piece(),
                Frames::Unknown => Piece::End,
            };
            match piece {
                Piece::Bytes(piece, begins) => {
                    self.is_lost &= begins == Begins::Within;
                    if !self.is_lost {
                        (self.piece, self.at) = (piece, 0);
                    }
                }
                Piece::End => break,
                Piece::Gap => {
                    (self.left, self.padding, self.is_lost) = (0, 0, true);
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
        if !self.is_in_file {
            self.unpacked_bytes += (self.at - begin) as u64;
            let packed_bytes = match &self.frames {
                Frames::Plain(frames) => frames.packed_bytes(),
                Frames::Marked(frames) => frames.packed_bytes(),
                Frames::Unknown => 0,
            };
            if self.unpacked_bytes > BEGINNING_BYTES + FACTOR_MAX.saturating_mul(packed_bytes) {
                return Err(self.excess("it unpacks to far more than records ever do"));
            }
        }
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
