//! What the files are called, in the spool and in the object store.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::anyhow;
use uuid::Uuid;

use super::disk;
use crate::{
    error::{Error, Result},
    hash::ContentHash,
};

/// A derived name is short: it is part of a file name.
const DERIVED_CHARS_MAX: usize = 32;

/// The name of one file of a blob: its source, or something derived from it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileName {
    pub hash: ContentHash,
    /// `None` is the source.
    pub derived: Option<String>,
}

impl FileName {
    pub fn source(hash: ContentHash) -> Self {
        FileName { hash, derived: None }
    }

    pub fn derived(hash: ContentHash, name: &str) -> Result<Self> {
        if !is_derived_name(name) {
            return Err(Error::Internal(anyhow!("{name:?} cannot name a derived blob")));
        }
        Ok(FileName { hash, derived: Some(name.to_owned()) })
    }

    /// The key in the object store, whatever its kind. Its folder is one of 256, so that no folder
    /// of a disk grows huge; keys of one blob are neighbors in their order.
    pub fn key(&self) -> String {
        format!("{}/{self}", folder_name(self.hash.0[0]))
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.derived {
            None => write!(f, "{}", self.hash),
            Some(name) => write!(f, "{}.{name}", self.hash),
        }
    }
}

/// Not a file of ours; a listing passes over it.
#[derive(Debug)]
pub(super) struct Foreign;

impl FromStr for FileName {
    type Err = Foreign;

    fn from_str(text: &str) -> Result<Self, Foreign> {
        let (hash, derived) = match text.split_once('.') {
            None => (text, None),
            Some((hash, name)) if is_derived_name(name) => (hash, Some(name.to_owned())),
            Some(_) => return Err(Foreign),
        };
        Ok(FileName { hash: hash.parse().map_err(|_| Foreign)?, derived })
    }
}

/// The name of the folder that holds the blobs whose hash begins with this byte.
pub(super) fn folder_name(first_byte: u8) -> String {
    format!("{first_byte:02x}")
}

fn is_derived_name(name: &str) -> bool {
    (1..=DERIVED_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// The folder that uploads arrive in.
pub(super) struct Spool {
    folder: PathBuf,
    incoming: PathBuf,
}

impl Spool {
    pub fn open(folder: &Path) -> io::Result<Self> {
        let spool = Spool { folder: folder.to_owned(), incoming: folder.join("incoming") };
        disk::make_folder(&spool.folder)?;
        disk::make_folder(&spool.incoming)?;
        disk::sync_folder(&spool.folder)?;
        disk::sync_folder(disk::folder_of(&spool.folder))?;
        Ok(spool)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn incoming(&self) -> &Path {
        &self.incoming
    }

    /// The ids of uploads to S3 that were begun.
    pub fn uploads(&self) -> PathBuf {
        self.folder.join("multipart")
    }

    pub fn path(&self, name: &FileName) -> PathBuf {
        self.folder.join(name.to_string())
    }

    /// A name nobody has yet, for a file in the making.
    pub fn new_incoming_path(&self) -> PathBuf {
        self.incoming.join(Uuid::new_v4().to_string())
    }
}
