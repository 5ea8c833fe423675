//! Backups as bytes: archives of one file, and repositories whose snapshots share what is the same.
//!
//! It knows no noun. Whoever calls it brings *records* (lines of JSON in tables, in the order of
//! their keys) and *files* (named by their SHA-256), and gets them back.
//!
//! - [`ArchiveWriter`], [`ArchiveReader`]: one file, which `tar --zstd -xf` opens.
//! - [`Repository`]: the same parts and files as objects in a folder or a bucket, each once, under
//!   the name of its content. See there for its layout, and why nothing can damage it.
//! - [`frames`]: compression in pieces that stand alone, so that one flipped byte costs one piece.
//! - [`Signer`]: who made it.
//! - [`sealing`]: encryption by age (<https://age-encryption.org/v1>), so that `age` opens it too.
//!
//! What is written here can be read by every later version: [`ARCHIVE_FORMAT`] and
//! [`REPOSITORY_FORMAT`] grow with a change that an older program cannot read, and `tests/fixtures/backup` holds a backup of every format.

mod archive;
mod checking;
mod cutting;
mod fault;
pub mod frames;
mod manifest;
mod payload;
mod place;
mod repository;
pub mod sealing;
mod signing;

pub use self::{
    archive::{ArchiveReader, ArchiveWriter, Item, Kept, Layout, Survey},
    checking::{Tally, check},
    cutting::{Chunk, Cutter, LINES_READ_MAX},
    fault::Fault,
    manifest::{ARCHIVE_FORMAT, Head, Manifest, Order, Part, REPOSITORY_FORMAT, Totals},
    place::Place,
    repository::{
        Adding, Changes, Kind, Lease, Pruned, Repository, Retention, Segment, SegmentLine,
        Shipment, Snapshot, Tip, Verified, Written, is_unreachable,
    },
    sealing::{Key, Lock, Passphrase},
    signing::{Signature, Signer, SignerKey, Signers, Trust},
};
