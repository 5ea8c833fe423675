//! How full a disk is, asked before something large is begun.
//!
//! Uploads ask for themselves, piece by piece, in `blobs`; this is for the rest: a backup, an
//! update, a new search index, the health page.

use std::path::Path;

use anyhow::Context;

use crate::{
    error::{Error, Result},
    size::Size,
};

/// Room is made by a person, so there is no hurry to try again.
const RETRY_AFTER_S: u64 = 600;

/// The size of the file system that a path is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub total_bytes: u64,
    /// What a process without privileges may still use.
    pub free_bytes: u64,
}

/// Looks at the file system of a path that exists.
pub fn space(path: &Path) -> Result<Space> {
    let found = rustix::fs::statvfs(path)
        .with_context(|| format!("reading the free space of {}", path.display()))?;
    Ok(Space {
        total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
    })
}

/// Makes sure that so many bytes fit on the file system of a path and leave a reserve free.
///
/// # Errors
/// `Busy`, with the numbers, when they do not.
pub fn require(path: &Path, needed_bytes: u64, reserve_bytes: u64) -> Result<()> {
    let Space { free_bytes, .. } = space(path)?;
    if free_bytes >= needed_bytes.saturating_add(reserve_bytes) {
        return Ok(());
    }
    Err(Error::Busy {
        message: format!(
            "There is not enough room on the disk of {}: {} needed and {} to be left free, \
             but {} free. Make room on it, then try again.",
            path.display(),
            Size(needed_bytes),
            Size(reserve_bytes),
            Size(free_bytes),
        ),
        retry_after_s: RETRY_AFTER_S,
    })
}
