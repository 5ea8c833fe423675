//! The files of an edition, written without waiting for the disk: a commit would otherwise sync some
//! twenty times, and whatever is in the index can be made again from the store.
//!
//! A process may die at any time and the kernel still has its files. Only when the machine goes down
//! may some be lost, so a mark stands beside the files from the first change until all of them are on
//! the disk. It names the boot it was made in: found after another boot, the files are not trusted
//! before their checksums were compared.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use tantivy::{
    Directory,
    directory::{
        AntiCallToken, DirectoryLock, FileHandle, Lock, MmapDirectory, TerminatingWrite,
        WatchCallback, WatchHandle, WritePtr,
        error::{DeleteError, LockError, OpenDirectoryError, OpenReadError, OpenWriteError},
    },
};

const UNSYNCED: &str = "unsynced";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

#[derive(Clone, Debug)]
pub(super) struct UnsyncedDirectory {
    files: MmapDirectory,
    path: Arc<Path>,
}

impl UnsyncedDirectory {
    pub fn open(path: &Path) -> Result<Self, OpenDirectoryError> {
        Ok(UnsyncedDirectory { files: MmapDirectory::open(path)?, path: path.into() })
    }
}

impl Directory for UnsyncedDirectory {
    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let file = OpenOptions::new().write(true).create_new(true).open(self.path.join(path));
        match file {
            Ok(file) => Ok(BufWriter::new(Box::new(Unsynced(file)))),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(OpenWriteError::FileAlreadyExists(path.to_owned()))
            }
            Err(error) => Err(OpenWriteError::wrap_io_error(error, path.to_owned())),
        }
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        let path = self.path.join(path);
        let new = path.with_extension("new");
        fs::write(&new, data)?;
        fs::rename(new, path)
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.files.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.files.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.files.exists(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.files.atomic_read(path)
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.files.acquire_lock(lock)
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.files.watch(callback)
    }
}

struct Unsynced(File);

impl Write for Unsynced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TerminatingWrite for Unsynced {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        Ok(())
    }
}

/// Before the first change: says, durably, that the files are not on the disk from now on.
pub(super) fn begin_changes(folder: &Path) -> io::Result<()> {
    let mut mark = File::create(mark(folder))?;
    mark.write_all(boot_id().as_bytes())?;
    mark.sync_all()?;
    File::open(folder)?.sync_all()
}

/// After the last change: puts every file on the disk, then takes the mark away.
pub(super) fn end_changes(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        match File::open(entry?.path()) {
            Ok(file) => file.sync_all()?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    File::open(folder)?.sync_all()?;
    match fs::remove_file(mark(folder)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// False when the machine went down while changes were not on the disk.
pub(super) fn is_whole(folder: &Path) -> io::Result<bool> {
    match fs::read_to_string(mark(folder)) {
        Ok(boot) => Ok(!boot.is_empty() && boot == boot_id()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == ErrorKind::InvalidData => Ok(false),
        Err(error) => Err(error),
    }
}

fn mark(folder: &Path) -> PathBuf {
    folder.join(UNSYNCED)
}

/// Empty, and so never trusted, where the system does not tell.
fn boot_id() -> String {
    fs::read_to_string(BOOT_ID).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_trusted_until_the_machine_went_down_in_the_middle_of_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert!(is_whole(folder).unwrap(), "nothing was changed");
        begin_changes(folder).unwrap();
        assert!(is_whole(folder).unwrap(), "only the process died");
        for other_boot in ["another boot\n", ""] {
            fs::write(mark(folder), other_boot).unwrap();
            assert!(!is_whole(folder).unwrap());
        }
        end_changes(folder).unwrap();
        assert!(is_whole(folder).unwrap());
    }
}
