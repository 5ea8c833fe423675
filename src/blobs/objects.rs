//! The folder of objects on this machine: where sources rest that are not on S3, and everything
//! that was derived from any of them.
//!
//! Reading, listing and deleting speak `object_store`. How a finished file gets there does not: it
//! is renamed, which neither copies nor leaves half a file, and keeps its mode and time.

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
};

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::{
    GetOptions, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt, local::LocalFileSystem,
    path::Path as Key,
};
use uuid::Uuid;

use super::{
    disk::{self, FoundFile},
    layout::{self, FileName},
    opening::{Opened, Source},
};
use crate::{
    error::{Error, Result},
    hash::ContentHash,
};

pub(super) struct Objects {
    store: LocalFileSystem,
    folder: PathBuf,
}

/// One object as a listing tells it.
pub(super) struct Object {
    pub name: FileName,
    pub size_bytes: u64,
    pub modified_at: Timestamp,
}

impl Objects {
    pub fn open(folder: PathBuf) -> Result<Self> {
        let doing = || format!("opening the objects in {}", folder.display());
        make_folders(&folder).with_context(doing)?;
        let local = LocalFileSystem::new_with_prefix(&folder).with_context(doing)?;
        // Files arrive by rename today; whatever is put through it must be as durable.
        Ok(Objects { store: local.with_fsync(true), folder })
    }

    /// Where the object is or will be.
    pub fn path(&self, name: &FileName) -> PathBuf {
        self.folder.join(name.key())
    }

    /// The folder of files in the making, on the same file system as the objects.
    pub fn incoming(&self) -> PathBuf {
        self.folder.join("incoming")
    }

    pub fn new_incoming_path(&self) -> PathBuf {
        self.incoming().join(Uuid::new_v4().to_string())
    }

    /// Opens an object, or a range of it; `None` when there is none.
    pub async fn get(&self, name: &FileName, range: Option<Range<u64>>) -> Result<Option<Opened>> {
        // A file is opened whole, whatever will be read of it.
        let options = GetOptions::default();
        let found = match self.store.get_opts(&Key::from(name.key()), options).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(error, || format!("opening object {name}"))),
        };
        let size_bytes = found.meta.size;
        match found.payload {
            GetResultPayload::File(file, _) => Opened::of_file(file, size_bytes, range).map(Some),
            GetResultPayload::Stream(pieces) => {
                let source = Source::Stream(pieces.map_err(io::Error::from).boxed());
                Ok(Some(Opened { size_bytes, range: found.range, source }))
            }
        }
    }

    /// Every object whose hash begins with this byte, in order of name. What is not ours is passed
    /// over. Memory: about 100 bytes an object, of one 256th of all.
    pub async fn list(&self, first_byte: u8) -> Result<Vec<Object>> {
        let folder = layout::folder_name(first_byte);
        let doing = || format!("listing the objects in {folder}");
        let prefix = Key::from(folder.as_str());
        let mut found = self.store.list(Some(&prefix));
        let mut objects = Vec::new();
        while let Some(meta) = found.try_next().await.map_err(|error| failed(error, doing))? {
            let name = meta.location.filename().and_then(|name| name.parse::<FileName>().ok());
            if let Some(name) = name {
                objects.push(object(name, &meta)?);
            }
        }
        objects.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(objects)
    }

    /// The source of a blob and what was derived from it, in order of name. Looks at these few
    /// files, not at all that share their folder's name.
    pub async fn of_blob(&self, hash: ContentHash) -> Result<Vec<Object>> {
        let folder = self.folder.join(layout::folder_name(hash.0[0]));
        disk::blocking(move || objects_of_blob(&folder, hash)).await
    }

    /// Deletes an object; that there is none is fine.
    pub async fn delete(&self, name: &FileName) -> Result<()> {
        match self.store.delete(&Key::from(name.key())).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(error, || format!("deleting object {name}"))),
        }
    }
}

fn make_folders(folder: &Path) -> io::Result<()> {
    disk::make_folder(folder)?;
    disk::make_folder(&folder.join("incoming"))?;
    disk::sync_folder(folder)?;
    disk::sync_folder(disk::folder_of(folder))
}

fn objects_of_blob(folder: &Path, hash: ContentHash) -> Result<Vec<Object>> {
    let prefix = hash.to_string();
    let mut objects = Vec::new();
    for file in disk::files(folder, |name| name.starts_with(&prefix))? {
        if let Ok(name) = file.name.parse() {
            let FoundFile { size_bytes, modified_at, .. } = file;
            objects.push(Object { name, size_bytes, modified_at });
        }
    }
    objects.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(objects)
}

pub(super) fn object(name: FileName, meta: &ObjectMeta) -> Result<Object> {
    let modified_at = Timestamp::from_millisecond(meta.last_modified.timestamp_millis())
        .with_context(|| format!("reading the time of object {name}"))?;
    Ok(Object { name, size_bytes: meta.size, modified_at })
}

fn failed(error: object_store::Error, doing: impl FnOnce() -> String) -> Error {
    Error::Internal(anyhow::Error::new(error).context(doing()))
}
