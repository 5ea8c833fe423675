//! What stands before each frame of an archive and at its end, so that a reader knows the frames from
//! what a user uploaded. All of it are skippable frames (RFC 8878, 3.1.2), which `zstd` passes over.
//!
//! ```text
//! mark     magic 4 | length 4 | id 16 | number 8 | bytes of the frame 4 | kind 4 | check 8
//! trailer  magic 4 | length 4 | id 16 | frames 8 | SHA-256 of all before 32 | check 8
//! filler   magic 4 | length 4 | zeros
//! ```
//!
//! Numbers begin with their lowest byte. A check is the beginning of the SHA-256 of what stands before
//! it.

use uuid::Uuid;

use super::{Begins, TRAILER_MAGIC};
use crate::hash::{ContentHash, Digest};

const MARK_MAGIC: [u8; 4] = 0x184D_2A5C_u32.to_le_bytes();
const FILLER_MAGIC: [u8; 4] = 0x184D_2A5E_u32.to_le_bytes();
pub(super) const MARK_BYTES: usize = 48;
pub(super) const TRAILER_BYTES: usize = 72;
/// How much of a mark says which archive it is of.
pub(super) const PREFIX_BYTES: usize = 24;
/// As much as one chunk of an encryption by age, in which one flipped byte costs everything.
const FILLER_BYTES: usize = 64 << 10;
const CHECK_BYTES: usize = 8;

/// Chosen when the archive is begun, at random: nobody who uploads a file can know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveId([u8; 16]);

impl ArchiveId {
    pub(super) fn random() -> Self {
        ArchiveId(Uuid::new_v4().into_bytes())
    }

    /// How every mark of the archive begins.
    pub(super) fn prefix(self) -> [u8; PREFIX_BYTES] {
        self.behind(MARK_MAGIC, MARK_BYTES)
    }

    /// How its trailer begins.
    pub(super) fn trailer_prefix(self) -> [u8; PREFIX_BYTES] {
        self.behind(TRAILER_MAGIC, TRAILER_BYTES)
    }

    fn behind(self, magic: [u8; 4], frame_bytes: usize) -> [u8; PREFIX_BYTES] {
        let mut prefix = [0; PREFIX_BYTES];
        prefix[..4].copy_from_slice(&magic);
        prefix[4..8].copy_from_slice(&(frame_bytes as u32 - 8).to_le_bytes());
        prefix[8..].copy_from_slice(&self.0);
        prefix
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No frame follows; it tells the id.
    Opening,
    Frame(Begins),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub id: ArchiveId,
    pub number: u64,
    /// Of the frame that follows.
    pub length: usize,
    pub kind: Kind,
}

impl Mark {
    pub fn to_bytes(self) -> Vec<u8> {
        let kind: u32 = match self.kind {
            Kind::Opening => 0,
            Kind::Frame(Begins::Entry) => 1,
            Kind::Frame(Begins::Within | Begins::Unknown) => 2,
        };
        let mut bytes = self.id.prefix().to_vec();
        bytes.extend(self.number.to_le_bytes());
        bytes.extend((self.length as u32).to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        checked(bytes)
    }

    /// The mark that these bytes begin with.
    pub fn read(raw: &[u8]) -> Option<Self> {
        let bytes = proven(raw.get(..MARK_BYTES)?)?;
        let id = ArchiveId(bytes[8..24].try_into().ok()?);
        if bytes[..PREFIX_BYTES] != id.prefix() {
            return None;
        }
        let number = |at: usize| Some(u32::from_le_bytes(bytes[at..at + 4].try_into().ok()?));
        Some(Mark {
            id,
            number: u64::from_le_bytes(bytes[24..32].try_into().ok()?),
            length: number(32)? as usize,
            kind: match number(36)? {
                0 => Kind::Opening,
                1 => Kind::Frame(Begins::Entry),
                2 => Kind::Frame(Begins::Within),
                _ => return None,
            },
        })
    }
}

/// The end of an archive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trailer {
    pub id: ArchiveId,
    pub frames: u64,
    pub sha256: ContentHash,
}

impl Trailer {
    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.id.trailer_prefix().to_vec();
        bytes.extend(self.frames.to_le_bytes());
        bytes.extend(self.sha256.0);
        checked(bytes)
    }

    /// Of the last bytes of an archive.
    pub fn read(last: &[u8]) -> Option<Self> {
        let bytes = proven(last.get(..TRAILER_BYTES).filter(|all| all.len() == last.len())?)?;
        bytes.starts_with(&TRAILER_MAGIC).then_some(Trailer {
            id: ArchiveId(bytes[8..24].try_into().ok()?),
            frames: u64::from_le_bytes(bytes[24..32].try_into().ok()?),
            sha256: ContentHash(bytes[32..64].try_into().ok()?),
        })
    }
}

/// Keeps what stands before and behind it apart.
pub(super) fn filler() -> Vec<u8> {
    let mut bytes = filler_head().to_vec();
    bytes.resize(8 + FILLER_BYTES, 0);
    bytes
}

/// How long the filler is that these bytes begin with.
pub(super) fn filler_bytes(raw: &[u8]) -> Option<usize> {
    raw.starts_with(&filler_head()).then_some((8 + FILLER_BYTES).min(raw.len()))
}

fn filler_head() -> [u8; 8] {
    let mut head = [0; 8];
    head[..4].copy_from_slice(&FILLER_MAGIC);
    head[4..].copy_from_slice(&(FILLER_BYTES as u32).to_le_bytes());
    head
}

fn checked(mut bytes: Vec<u8>) -> Vec<u8> {
    let check = Digest::of(&bytes).0;
    bytes.extend(&check[..CHECK_BYTES]);
    bytes
}

fn proven(bytes: &[u8]) -> Option<&[u8]> {
    let (bytes, check) = bytes.split_at(bytes.len() - CHECK_BYTES);
    (Digest::of(bytes).0[..CHECK_BYTES] == *check).then_some(bytes)
}
