//! Whose files these are, and becoming that user.

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::error::Result;

/// Lets this process go on as the user who owns a folder, when it runs as root and the folder is
/// somebody else's. So a verb that root calls leaves no file behind that the server's own user
/// cannot open. Where nothing is yet, nothing happens.
pub fn become_owner_of(folder: &Path) -> Result<()> {
    let Some((user, group)) = owner(folder).context("looking at the data folder")? else {
        return Ok(());
    };
    if user == 0 || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    // SAFETY: no memory is handed over but an empty list. The C library changes all threads at once
    // (nptl(7)); the groups go first, while that is still allowed.
    let done = unsafe {
        libc::setgroups(0, std::ptr::null()) == 0
            && libc::setgid(group) == 0
            && libc::setuid(user) == 0
    };
    match done {
        true => Ok(()),
        false => Err(io::Error::last_os_error())
            .context("becoming the user who owns the data folder")
            .map_err(Into::into),
    }
}

/// From here on, files that this process makes are closed to other users.
pub fn keep_files_private() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// The ids of a path's user and group; `None` when it does not exist.
pub fn owner(path: &Path) -> io::Result<Option<(u32, u32)>> {
    match path.metadata() {
        Ok(metadata) => Ok(Some((metadata.uid(), metadata.gid()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The id of the user as whom this process works.
pub fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// What in a folder, and in the folders below it to the given depth, does not belong to `user`; at
/// most `limit` paths.
pub fn foreign_files(
    folder: &Path,
    user: u32,
    depth: usize,
    limit: usize,
) -> io::Result<Vec<PathBuf>> {
    let mut foreign = Vec::new();
    let mut folders = vec![(folder.to_owned(), depth)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            // What goes away meanwhile belongs to nobody.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.uid() != user {
                foreign.push(entry.path());
            }
            if foreign.len() >= limit {
                return Ok(foreign);
            }
            if metadata.is_dir() && depth > 0 {
                folders.push((entry.path(), depth - 1));
            }
        }
    }
    Ok(foreign)
}
