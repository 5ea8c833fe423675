//! Files of the machine that are written whole or not at all.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

use anyhow::Context;
use uuid::Uuid;

use super::{accounts::Ids, power, processes};
use crate::error::Result;

/// Who may do what with a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    pub owner: Ids,
    pub mode: u32,
}

impl Rights {
    /// Of root, with this mode.
    pub fn root(mode: u32) -> Self {
        Rights { owner: Ids { user: 0, group: 0 }, mode }
    }

    /// Of the user who runs this program.
    pub fn own(mode: u32) -> Self {
        let user = rustix::process::geteuid().as_raw();
        let group = rustix::process::getegid().as_raw();
        Rights { owner: Ids { user, group }, mode }
    }

    /// Those of a path; `None` when it does not exist.
    pub fn of(path: &Path) -> io::Result<Option<Self>> {
        match path.metadata() {
            Ok(found) => Ok(Some(Rights {
                owner: Ids { user: found.uid(), group: found.gid() },
                mode: found.mode() & 0o7777,
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub fn give_to(self, path: &Path) -> Result<()> {
        chown(path, Some(self.owner.user), Some(self.owner.group))
            .and_then(|()| fs::set_permissions(path, Permissions::from_mode(self.mode)))
            .with_context(|| format!("setting owner and mode of {}", path.display()))?;
        Ok(())
    }
}

/// Puts a file in its place: whoever opens the path finds the old one or the new one, also after a
/// power cut.
pub fn replace(path: &Path, mut content: impl Read, rights: Rights) -> Result<()> {
    remove_drafts(path);
    let draft = Draft::of(path);
    let mut write = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft.0)?;
        io::copy(&mut content, &mut file)?;
        file.flush()?;
        chown(&draft.0, Some(rights.owner.user), Some(rights.owner.group))?;
        file.set_permissions(Permissions::from_mode(rights.mode))?;
        file.sync_all()?;
        power::check()?;
        fs::rename(&draft.0, path)?;
        sync_folder_of(path)
    };
    write().with_context(|| format!("writing {}", path.display()))?;
    Ok(())
}

/// Removed unless it got its name.
struct Draft(PathBuf);

impl Draft {
    fn of(path: &Path) -> Self {
        let (pid, id) = (std::process::id(), Uuid::new_v4());
        Draft(path.with_file_name(format!("{}{pid}.{id}", Draft::beginning(path))))
    }

    fn beginning(path: &Path) -> String {
        format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy())
    }

    /// The process that writes it.
    fn writer(path: &Path, name: &str) -> Option<u32> {
        let (pid, id) = name.strip_prefix(&Draft::beginning(path))?.split_once('.')?;
        Uuid::parse_str(id).ok().and(pid.parse().ok())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Usually it has its name and is not here any more.
        let _gone = fs::remove_file(&self.0);
    }
}

/// Removes what processes left that were killed while they wrote this file.
pub fn remove_drafts(path: &Path) {
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    for entry in entries.into_iter().flatten().flatten() {
        let writer = Draft::writer(path, &entry.file_name().to_string_lossy());
        if writer.is_some_and(|pid| !processes::is_running(pid)) {
            // They take room and do no other harm.
            let _gone = fs::remove_file(entry.path());
        }
    }
}

/// The content of a file; `None` when it does not exist.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display()))?,
    }
}

/// Whether two files hold the same; one that does not exist equals none.
pub fn are_equal(one: &Path, other: &Path) -> Result<bool> {
    let open = |path: &Path| match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    };
    let (Some(mut one), Some(mut other)) = (open(one)?, open(other)?) else { return Ok(false) };
    let lengths = one.metadata().and_then(|one| Ok((one.len(), other.metadata()?.len())));
    let (length, other_length) = lengths.context("looking at a file")?;
    if length != other_length {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut remaining = length;
    while remaining > 0 {
        let piece = remaining.min(left.len() as u64) as usize;
        one.read_exact(&mut left[..piece]).context("comparing two files")?;
        other.read_exact(&mut right[..piece]).context("comparing two files")?;
        if left[..piece] != right[..piece] {
            return Ok(false);
        }
        remaining -= piece as u64;
    }
    Ok(true)
}

/// Makes a folder, which is there after a power cut too.
pub fn make_folder(path: &Path, rights: Rights) -> Result<()> {
    fs::create_dir(path).with_context(|| format!("making {}", path.display()))?;
    rights.give_to(path)?;
    Ok(sync_folder_of(path).with_context(|| format!("making {}", path.display()))?)
}

/// Gives a file or folder another name, also after a power cut; what had the name is gone.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    power::check()?;
    fs::rename(from, to)?;
    sync_folder_of(to)?;
    sync_folder_of(from)
}

/// Removes a file, if it is there; it does not come back after a power cut.
pub fn remove(path: &Path) -> io::Result<()> {
    power::check()?;
    match fs::remove_file(path) {
        Ok(()) => sync_folder_of(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes the names in the folder of this path durable.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_leaves_no_draft() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("name");
        let owner = Rights::of(folder.path()).unwrap().unwrap().owner;
        for (content, mode) in [("first", 0o640), ("second, and longer", 0o644)] {
            replace(&path, content.as_bytes(), Rights { owner, mode }).unwrap();
            assert_eq!(read(&path).unwrap().unwrap(), content.as_bytes());
            assert_eq!(Rights::of(&path).unwrap(), Some(Rights { owner, mode }));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(are_equal(&path, &path).unwrap());
        let other = folder.path().join("other");
        assert!(!are_equal(&path, &other).unwrap());
        fs::write(&other, "second, and larger").unwrap();
        assert!(!are_equal(&path, &other).unwrap());
    }

    #[test]
    fn what_a_killed_process_left_goes_with_the_next_writing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("name");
        let mut dead = std::process::Command::new("true").spawn().unwrap();
        dead.wait().unwrap();
        let (id, own) = (Uuid::new_v4(), std::process::id());
        let there = |name: &str| folder.path().join(name).exists();
        let left = format!(".name.{}.{id}", dead.id());
        let others = [format!(".name.{own}.{id}"), ".name.next".into(), format!(".other.1.{id}")];
        for name in others.iter().chain([&left]) {
            fs::write(folder.path().join(name), "draft").unwrap();
        }
        replace(&path, "content".as_bytes(), Rights::own(0o600)).unwrap();
        assert!(!there(&left) && others.iter().all(|name| there(name)));
    }
}
