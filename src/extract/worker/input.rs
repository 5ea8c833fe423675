//! The file to read: standard input, mapped into memory read-only.
//!
//! Mapping before locking in means that the locked-in process needs neither `read` nor `lseek`,
//! and that pages of a huge file can be dropped by the kernel instead of counting as used memory.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::Arc;

use memmap2::Mmap;

/// Cheap to clone; the bytes live as long as any clone.
#[derive(Clone)]
pub struct Input {
    map: Option<Arc<Mmap>>,
}

impl Input {
    pub fn map_stdin() -> io::Result<Self> {
        // SAFETY: descriptor 0 is open (the parent passed the file), and the borrowed `File` is
        // never dropped, so the descriptor is not closed here.
        let file = std::mem::ManuallyDrop::new(unsafe {
            std::fs::File::from_raw_fd(io::stdin().as_raw_fd())
        });
        if file.metadata()?.len() == 0 {
            return Ok(Input { map: None });
        }
        // SAFETY: blobs are immutable. Should one be cut short by a fault of the disk, this
        // process gets SIGBUS and dies, which the parent reports as any other crash.
        let map = unsafe { Mmap::map(&*file)? };
        Ok(Input { map: Some(Arc::new(map)) })
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.map.as_deref().map_or(&[], |map| &map[..])
    }

    pub fn len(&self) -> u64 {
        self.as_bytes().len() as u64
    }
}

impl AsRef<[u8]> for Input {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}
