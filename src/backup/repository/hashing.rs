//! Files on their way into a repository and out of it: are they those that their names say?

use std::io::{Read, Write};

use anyhow::anyhow;

use crate::{
    backup::frames,
    error::{Error, Result},
    hash::{ContentHash, Digest},
};

/// Passes bytes on as long as they come, then says whether they were those of the hash.
///
/// # Errors
/// [`Altered`] when they were not, are more than `bytes_max`, or lie on a bad place of a disk.
pub(super) fn copy_hashed(
    input: &mut dyn Read,
    out: &mut dyn Write,
    hash: ContentHash,
    bytes_max: u64,
) -> Result<u64> {
    let (mut digest, mut size_bytes) = (Digest::new(), 0);
    let mut buffer = vec![0; 256 << 10];
    loop {
        let read = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(fault) if frames::is_of_content(&fault) => {
                return Err(Error::Internal(anyhow!(Altered).context(fault.to_string())));
            }
            Err(fault) => return Err(fault.into()),
        };
        digest.update(&buffer[..read]);
        out.write_all(&buffer[..read])?;
        size_bytes += read as u64;
        if size_bytes > bytes_max {
            return Err(Error::Internal(anyhow!(Altered)));
        }
    }
    match digest.finish() == hash {
        true => Ok(size_bytes),
        false => Err(Error::Internal(anyhow!(Altered))),
    }
}

/// The content is not what the name says.
#[derive(Debug)]
pub(super) struct Altered;

impl std::fmt::Display for Altered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the content has another hash than its name says")
    }
}

impl std::error::Error for Altered {}
