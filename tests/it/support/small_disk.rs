//! A disk that a test can fill.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
};

use appliance::space::space;
use tempfile::TempDir;

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
        let ballast = self.folder.join("ballast");
        match fs::remove_file(&ballast) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => {}
        }
        let free_bytes = space(&self.folder).expect("its free space").free_bytes;
        let Some(taken_bytes) = free_bytes.checked_sub(bytes).filter(|bytes| *bytes > 0) else {
            return;
        };
        let file = File::create(&ballast).expect("a ballast");
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, taken_bytes)
            .expect("taking room");
    }
}
