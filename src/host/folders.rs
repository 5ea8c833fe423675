//! Folders of another user, as root walks through them: by descriptors, never by a path that the user
//! could have exchanged meanwhile, and never through a link that the user has laid there.
//!
//! The path of the folder itself is followed, for an administrator may have put it on another disk;
//! everything above it is root's.

use std::{
    ffi::{CStr, CString},
    fs, io,
    os::unix::ffi::OsStrExt,
    path::Path,
};

use anyhow::Context;
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{
        AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Stat, Uid, chownat, fstat, openat, unlinkat,
    },
    io::Errno,
};

use super::accounts::Ids;
use crate::error::{Error, Result};

/// What this program makes is some folders deep; somebody else's may be a trap.
const DEPTH_MAX: usize = 200;

/// Gives a folder and everything in it to somebody.
///
/// # Errors
/// `Conflict` when a file in it has another name elsewhere and is neither the owner's of before nor
/// the new one's: giving it away would give away a file of somebody else.
pub fn hand_over(folder: &Path, owner: Ids) -> Result<()> {
    let top = open(CWD, &text(folder)?, OFlags::empty());
    let top = top.with_context(|| format!("opening {}", folder.display()))?;
    let before = fstat(&top).context("looking at a folder")?.st_uid;
    let handing = Handing { owner, before };
    handing.all_in(&top, DEPTH_MAX).map_err(|fault| match fault {
        Fault::Foreign(name) => Error::conflict(format!(
            "{name} in {} belongs to another user and has another name outside. Look at who put it \
             there, remove it, and try again.",
            folder.display()
        )),
        Fault::Io(fault) => {
            anyhow::Error::from(fault).context(format!("handing over {}", folder.display())).into()
        }
    })
}

/// Removes what is in a folder, but for what has the name `kept`; the folder stays.
pub fn empty(folder: &Path, kept: Option<&str>) -> io::Result<()> {
    let top = open(CWD, &text(folder)?, OFlags::empty())?;
    remove_all_in(&top, kept, DEPTH_MAX)
}

/// Removes a folder with everything in it. A link to a folder goes with the folder it leads to.
pub fn remove(folder: &Path) -> io::Result<()> {
    empty(folder, None)?;
    if folder.is_symlink() {
        return match fs::remove_dir(fs::canonicalize(folder)?) {
            // A disk of its own is mounted there: it is empty now, and stays.
            Err(fault) if fault.kind() != io::ErrorKind::ResourceBusy => Err(fault),
            _ => fs::remove_file(folder),
        };
    }
    fs::remove_dir(folder)
}

/// Removes a folder, by its path below `top`, whose user may have laid links on the way: none of these is
/// followed, and one that stands for the folder itself goes alone. Where it is not, nothing happens.
pub fn remove_below(top: &Path, path: &Path) -> io::Result<()> {
    let mut folder = open(CWD, &text(top)?, OFlags::empty())?;
    let mut parts =
        path.iter().map(|part| text(Path::new(part))).collect::<io::Result<Vec<_>>>()?;
    let Some(last) = parts.pop() else { return Ok(()) };
    for part in parts {
        folder = match open(folder.as_fd(), &part, OFlags::NOFOLLOW) {
            Ok(folder) => folder,
            Err(Errno::NOENT) => return Ok(()),
            Err(fault) => return Err(fault.into()),
        };
    }
    remove_one(&folder, &last, DEPTH_MAX)
}

struct Handing {
    owner: Ids,
    /// As whose folder it was found.
    before: u32,
}

enum Fault {
    Foreign(String),
    Io(io::Error),
}

impl From<Errno> for Fault {
    fn from(fault: Errno) -> Self {
        Fault::Io(fault.into())
    }
}

impl From<io::Error> for Fault {
    fn from(fault: io::Error) -> Self {
        Fault::Io(fault)
    }
}

impl Handing {
    fn all_in(&self, folder: &OwnedFd, depth: usize) -> Result<(), Fault> {
        for name in names(folder)? {
            // Not opened, only held: it stays this file, whatever becomes of its name.
            let entry = match hold(folder.as_fd(), &name) {
                Ok(entry) => entry,
                Err(Errno::NOENT) => continue,
                Err(fault) => return Err(fault.into()),
            };
            let found = fstat(&entry)?;
            if is_folder(&found) {
                let inner = open(entry.as_fd(), c".", OFlags::empty())?;
                let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
                self.all_in(&inner, depth)?;
            } else if found.st_nlink > 1 && ![self.before, self.owner.user].contains(&found.st_uid)
            {
                return Err(Fault::Foreign(name.to_string_lossy().into_owned()));
            } else {
                self.give(entry.as_fd())?;
            }
        }
        // Last: until then the one who gets it cannot change what is being walked through.
        self.give(folder.as_fd())
    }

    fn give(&self, file: BorrowedFd) -> Result<(), Fault> {
        let (user, group) = (Uid::from_raw(self.owner.user), Gid::from_raw(self.owner.group));
        let itself = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW;
        Ok(chownat(file, c"", Some(user), Some(group), itself)?)
    }
}

fn remove_all_in(folder: &OwnedFd, kept: Option<&str>, depth: usize) -> io::Result<()> {
    for name in names(folder)? {
        if kept.is_some_and(|kept| kept.as_bytes() == name.as_bytes()) {
            continue;
        }
        remove_one(folder, &name, depth)?;
    }
    Ok(())
}

fn remove_one(folder: &OwnedFd, name: &CStr, depth: usize) -> io::Result<()> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // A folder (unlink(2) says this on Linux, and the standard says that).
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(fault) => return Err(fault.into()),
    }
    let inner = open(folder.as_fd(), name, OFlags::NOFOLLOW)?;
    remove_all_in(&inner, None, depth.checked_sub(1).ok_or_else(too_deep)?)?;
    drop(inner);
    match unlinkat(folder, name, AtFlags::REMOVEDIR) {
        // A disk of its own is mounted there: it is empty now, and stays.
        Ok(()) | Err(Errno::NOENT | Errno::BUSY) => Ok(()),
        Err(fault) => Err(fault.into()),
    }
}

fn open(at: BorrowedFd, name: &CStr, more: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | more;
    openat(at, name, flags, Mode::empty())
}

fn hold(at: BorrowedFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    openat(at, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn is_folder(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::Directory
}

/// All at once, for what is removed while they are read may hide others.
fn names(folder: &OwnedFd) -> rustix::io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn text(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn too_deep() -> io::Error {
    io::Error::other("there are too many folders in one another")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    /// Only root gives files away; without that, to oneself.
    fn somebody() -> Ids {
        match rustix::process::geteuid().is_root() {
            true => Ids { user: 64_001, group: 64_002 },
            false => Ids {
                user: rustix::process::geteuid().as_raw(),
                group: rustix::process::getegid().as_raw(),
            },
        }
    }

    fn owner(path: &Path) -> (u32, u32) {
        let found = path.symlink_metadata().unwrap();
        (found.uid(), found.gid())
    }

    #[test]
    fn everything_is_handed_over_and_nothing_behind_a_link() {
        let all = tempfile::tempdir().unwrap();
        let (folder, outside) = (all.path().join("data"), all.path().join("outside"));
        fs::create_dir_all(folder.join("a/b")).unwrap();
        fs::create_dir(&outside).unwrap();
        for path in [folder.join("a/b/file"), outside.join("file"), folder.join("alone")] {
            fs::write(path, "content").unwrap();
        }
        symlink(&outside, folder.join("a/folder-link")).unwrap();
        symlink(outside.join("file"), folder.join("file-link")).unwrap();
        symlink("nowhere", folder.join("broken")).unwrap();
        // What the folder's owner has twice is the folder's owner's.
        fs::hard_link(folder.join("alone"), folder.join("twice")).unwrap();
        let before = owner(&outside);
        let new = somebody();
        hand_over(&folder, new).unwrap();
        for name in ["", "a", "a/b", "a/b/file", "a/folder-link", "file-link", "broken", "twice"] {
            assert_eq!(owner(&folder.join(name)), (new.user, new.group), "{name}");
        }
        assert_eq!(owner(&outside), before);
        assert_eq!(owner(&outside.join("file")), before);
    }

    #[test]
    fn a_file_of_somebody_else_under_a_second_name_is_not_given_away() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let all = tempfile::tempdir().unwrap();
        let (folder, secret) = (all.path().join("data"), all.path().join("secret"));
        fs::create_dir(&folder).unwrap();
        fs::write(&secret, "of root").unwrap();
        hand_over(&folder, somebody()).unwrap();
        fs::hard_link(&secret, folder.join("innocent")).unwrap();
        let refused = hand_over(&folder, Ids { user: 64_003, group: 64_003 }).unwrap_err();
        assert!(refused.to_string().contains("innocent"), "{refused}");
        assert_eq!(owner(&secret).0, 0);
    }

    #[test]
    fn removing_takes_links_away_and_not_what_they_lead_to() {
        let all = tempfile::tempdir().unwrap();
        let (folder, outside) = (all.path().join("data"), all.path().join("outside"));
        fs::create_dir_all(folder.join("a/b")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "content").unwrap();
        fs::write(folder.join("a/b/file"), "content").unwrap();
        fs::create_dir(folder.join("lost+found")).unwrap();
        symlink(&outside, folder.join("a/b/link")).unwrap();
        symlink(&outside, folder.join("link")).unwrap();
        empty(&folder, Some("lost+found")).unwrap();
        let left: Vec<_> = fs::read_dir(&folder).unwrap().collect();
        assert_eq!(left.len(), 1);
        assert!(outside.join("file").exists());

        // The folder itself may lie elsewhere, where an administrator has put it.
        let link = all.path().join("elsewhere");
        symlink(&folder, &link).unwrap();
        fs::write(folder.join("file"), "content").unwrap();
        remove(&link).unwrap();
        assert!(!folder.exists() && !link.is_symlink());
        assert!(outside.join("file").exists());
    }

    #[test]
    fn nobody_has_another_folder_removed_by_a_link_on_the_way() {
        let all = tempfile::tempdir().unwrap();
        let (data, outside) = (all.path().join("data"), all.path().join("outside"));
        fs::create_dir_all(data.join("update/rehearsal/a")).unwrap();
        fs::create_dir_all(outside.join("rehearsal")).unwrap();
        fs::write(outside.join("rehearsal/file"), "content").unwrap();
        let path = Path::new("update/rehearsal");
        remove_below(&data, path).unwrap();
        assert!(!data.join(path).exists() && data.join("update").exists());
        remove_below(&data, path).unwrap();
        symlink(outside.join("rehearsal"), data.join(path)).unwrap();
        remove_below(&data, path).unwrap();
        assert!(!data.join(path).is_symlink() && outside.join("rehearsal/file").exists());
        fs::remove_dir(data.join("update")).unwrap();
        symlink(&outside, data.join("update")).unwrap();
        assert!(remove_below(&data, path).is_err());
        assert!(outside.join("rehearsal/file").exists());
    }

    #[test]
    fn a_trap_of_folders_ends() {
        let all = tempfile::tempdir().unwrap();
        let deep: std::path::PathBuf = (0..300).map(|_| "x").collect();
        fs::create_dir_all(all.path().join(&deep)).unwrap();
        assert!(empty(all.path(), None).is_err());
        assert!(hand_over(all.path(), somebody()).is_err());
    }
}
