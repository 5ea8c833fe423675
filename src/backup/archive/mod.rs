//! A backup as one file: tar in frames, perhaps encrypted. `tar --zstd -xf` opens it.
//!
//! ```text
//! backup.json                       what it is
//! records/<table>-0001.jsonl        one record in each line
//! files/<2 hex>/<hash>              each file, named by its SHA-256
//! lists/files-0001.txt              which files there are
//! manifest.json                     what there is, with counts and hashes
//! records/… lists/… manifest.json   once more
//! ```
//!
//! A file of a user may look like a record or like a whole archive. What is an entry say only the
//! [marks](super::frames::MarkedWriter) before the frames; and what no manifest names is never taken
//! for a part of the backup ([`Tally::foreign`](super::Tally::foreign)). In format 1 the frames have no
//! marks: after damage its reader finds entries by their looks, so whoever loads from it reads the
//! manifest first ([`Survey`]).

mod reading;
mod survey;
mod writing;

pub use self::{
    reading::{ArchiveReader, Item, Layout},
    survey::Survey,
    writing::{ArchiveWriter, Kept},
};

const HEAD: &str = "backup.json";
const MANIFEST: &str = "manifest.json";
const BLOCK_BYTES: usize = 512;

/// How many zeros stand behind so many bytes.
fn padding(size_bytes: u64) -> usize {
    (BLOCK_BYTES - (size_bytes % BLOCK_BYTES as u64) as usize) % BLOCK_BYTES
}
