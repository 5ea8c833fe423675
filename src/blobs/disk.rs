//! Files and folders that only we may read, and what must happen for them to survive a power cut.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use anyhow::Context;
use jiff::Timestamp;
use tokio::runtime::Handle;

pub(super) use crate::blocking::{blocking, joined};
use crate::error::{Error, Result};

/// Says that the disk is full when it is; anything else is a fault while `doing`.
pub(super) fn write_failed(error: io::Error, doing: impl FnOnce() -> String) -> Error {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => disk_full(),
        _ => Error::Internal(anyhow::Error::new(error).context(doing())),
    }
}

pub(super) fn disk_full() -> Error {
    Error::Full(
        "The server's disk is full, so this file was not saved. \
         Ask your administrator to make room, then try again."
            .to_owned(),
    )
}

/// Makes a folder and the folders above it that are missing; one that is there becomes private.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    if fs::metadata(path)?.permissions().mode() & 0o777 != 0o700 {
        fs::set_permissions(path, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Makes the entries of a folder durable: files made, renamed or removed in it.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Renames a file, making the folder it goes to when it is the first there. Whoever calls this
/// syncs both folders.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound && !folder_of(to).try_exists()? => {
            make_folder(folder_of(to))?;
            sync_folder(folder_of(folder_of(to)))?;
            fs::rename(from, to)
        }
        outcome => outcome,
    }
}

/// The folder that holds this file or folder.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Opens a file to read it; `None` when there is none.
pub(super) fn open_if_there(path: &Path) -> io::Result<Option<File>> {
    if_there(File::open(path))
}

/// Removes a file; that it was gone already is fine.
pub(super) fn remove_if_there(path: &Path) -> io::Result<bool> {
    Ok(if_there(fs::remove_file(path))?.is_some())
}

pub(super) fn set_modified(file: &File, at: Timestamp) -> io::Result<()> {
    file.set_modified(SystemTime::from(at))
}

pub(super) struct FoundFile {
    pub name: String,
    pub path: PathBuf,
    pub size_bytes: u64,
    pub modified_at: Timestamp,
}

/// The files with a wanted name in a folder, not in those below it. What vanishes meanwhile is left
/// out; a folder that is not there is empty.
pub(super) fn files(folder: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<FoundFile>> {
    let doing = || format!("listing {}", folder.display());
    let mut files = Vec::new();
    let Some(entries) = if_there(fs::read_dir(folder)).with_context(doing)? else {
        return Ok(files);
    };
    for entry in entries {
        let entry = entry.with_context(doing)?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        if !is_wanted(&name) {
            continue;
        }
        let Some(metadata) = if_there(entry.metadata()).with_context(doing)? else { continue };
        if metadata.is_file() {
            let modified = metadata.modified().with_context(doing)?;
            let modified_at = Timestamp::try_from(modified).with_context(doing)?;
            let size_bytes = metadata.len();
            files.push(FoundFile { name, path: entry.path(), size_bytes, modified_at });
        }
    }
    Ok(files)
}

fn if_there<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file in the making: gone when it is dropped, unless it was given its name.
pub(super) struct TemporaryFile {
    file: Option<Arc<File>>,
    path: PathBuf,
}

impl TemporaryFile {
    pub fn create(path: PathBuf) -> Result<Self> {
        match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => Ok(TemporaryFile { file: Some(Arc::new(file)), path }),
            Err(error) => Err(write_failed(error, || format!("creating {}", path.display()))),
        }
    }

    pub fn file(&self) -> &Arc<File> {
        // Only `discard` and `give_name` take it, and they take the whole of `self`.
        self.file.as_ref().expect("a temporary file is open while it exists")
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Renames it to what it is; whoever calls this syncs both folders.
    pub fn give_name(mut self, path: &Path) -> io::Result<()> {
        rename(&self.path, path)?;
        self.file = None;
        Ok(())
    }

    /// Removes it now, on this thread.
    pub fn discard(mut self) {
        if let Some(file) = self.file.take() {
            remove(&self.path, file);
        }
    }
}

impl Drop for TemporaryFile {
    /// Freeing the blocks of a large file takes a while: not on the thread that answers requests.
    fn drop(&mut self) {
        let Some(file) = self.file.take() else { return };
        let path = std::mem::take(&mut self.path);
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || remove(&path, file))),
            Err(_) => remove(&path, file),
        }
    }
}

fn remove(path: &Path, file: Arc<File>) {
    if let Err(error) = remove_if_there(path) {
        // Nothing is lost by it but room, and the next sweep tries again.
        tracing::warn!("cannot remove the unfinished file {}: {error}", path.display());
    }
    drop(file);
}
