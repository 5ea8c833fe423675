//! A disk that a test can fill.

use std::{
    fs::{self, OpenOptions},
    path::PathBuf,
    process::Command,
};

use appliance::space::space;
use tempfile::TempDir;

const BALLAST: &str = "ballast";
const TRIES_MAX: usize = 1_000;

/// A file system in memory, which only root may mount.
pub struct SmallDisk {
    pub folder: PathBuf,
    _temporary: TempDir,
}

impl SmallDisk {
    /// `None`, and a word about it, where that is not allowed.
    pub fn mount(options: &str) -> Option<Self> {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("disk");
        fs::create_dir(&folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&folder)
            .output();
        match mounted {
            Ok(output) if output.status.success() => {
                Some(SmallDisk { folder, _temporary: temporary })
            }
            refused => {
                println!("skipped: cannot mount a small disk here: {refused:?}");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.folder).status();
        assert!(unmounted.unwrap().success());
    }
}

impl SmallDisk {
    /// Takes room until so many bytes are left; what it took before is given back first.
    pub fn leave_free(&self, bytes: u64) {
        match fs::remove_file(self.folder.join(BALLAST)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => self.take_all_but(bytes),
        }
    }

    /// Takes more until so many bytes are left.
    pub fn take_all_but(&self, bytes: u64) {
        let ballast = OpenOptions::new().append(true).create(true).open(self.folder.join(BALLAST));
        let ballast = ballast.expect("a ballast");
        let held_bytes = ballast.metadata().expect("its size").len();
        let flags = rustix::fs::FallocateFlags::empty();
        // Whoever takes some of it in between is faster: then nothing was taken.
        for _ in 0..TRIES_MAX {
            let free_bytes = space(&self.folder).expect("its free space").free_bytes;
            let Some(taken_bytes) = free_bytes.checked_sub(bytes).filter(|bytes| *bytes > 0) else {
                return;
            };
            if rustix::fs::fallocate(&ballast, flags, held_bytes, taken_bytes).is_ok() {
                return;
            }
        }
        panic!("the disk cannot be filled");
    }
}
