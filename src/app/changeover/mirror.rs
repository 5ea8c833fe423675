//! A copy of the records that takes little time while nobody may write to them.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

use super::gone;
use crate::host::files;

const BLOCK_BYTES: usize = 1 << 20;

/// Makes one file like another. Where the file system can share blocks nothing is copied; else only
/// what differs is written.
pub fn mirror(from: &Path, to: &Path) -> io::Result<()> {
    let source = File::open(from)?;
    let shared = to.with_extension("shared");
    gone(fs::remove_file(&shared))?;
    let target = private(&shared)?;
    if rustix::fs::ioctl_ficlone(&target, &source).is_ok() {
        target.sync_all()?;
        return files::rename(&shared, to);
    }
    fs::remove_file(&shared)?;
    let target = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(to)?;
    let (mut wanted, mut found) = (vec![0; BLOCK_BYTES], vec![0; BLOCK_BYTES]);
    let mut at = 0;
    loop {
        let length = read_block(&source, &mut wanted, at)?;
        let known = read_block(&target, &mut found, at)?;
        if wanted[..length] != found[..known.min(length)] {
            target.write_all_at(&wanted[..length], at)?;
        }
        at += length as u64;
        if length < BLOCK_BYTES {
            target.set_len(at)?;
            return target.sync_all();
        }
    }
}

/// As much as there is.
fn read_block(file: &File, block: &mut [u8], at: u64) -> io::Result<usize> {
    let mut length = 0;
    while length < block.len() {
        match file.read_at(&mut block[length..], at + length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}
