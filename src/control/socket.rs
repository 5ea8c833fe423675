//! The socket as a file: where it is, and how a path that is too long for the system is reached.

use std::{
    fs::{self, File},
    io,
    os::{fd::AsRawFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use super::SOCKET;

/// What fits into a `sockaddr_un` with the zero at its end (unix(7)).
const PATH_BYTES_MAX: usize = 107;

/// A path to the control socket that the system accepts.
pub(super) struct SocketPath {
    path: PathBuf,
    /// Held open while a path leads through it.
    _folder: Option<File>,
}

impl SocketPath {
    /// The socket in this data folder; the folder must exist when its path is long.
    pub fn of(data: &Path) -> io::Result<Self> {
        let path = data.join(SOCKET);
        if path.as_os_str().as_bytes().len() <= PATH_BYTES_MAX {
            return Ok(SocketPath { path, _folder: None });
        }
        // The same folder under a short name, as long as this process holds it open.
        let folder = File::open(data)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(SOCKET);
        Ok(SocketPath { path, _folder: Some(folder) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the socket; one that is gone is no error.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
