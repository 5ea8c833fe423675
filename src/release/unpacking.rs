//! The program out of the archive of a release.
//!
//! Only one entry is ever written, under a name of ours; the names in the archive decide nothing.
//! Still, an archive with entries that no release has is refused as a whole.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Component, Path},
};

use anyhow::Context;
use flate2::read::GzDecoder;
use tar::{Archive, EntryType};

use crate::{
    error::{Error, Result},
    size::Size,
};

/// The name of the program, in the one folder of the archive.
const PROGRAM: &str = "appliance";
/// A release has three files in a folder.
const ENTRIES_MAX: usize = 100;
/// Unpacked, all of it.
const BYTES_MAX: u64 = 2 << 30;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Takes the program out of an archive, or copies what is no archive, into a new file that may be
/// run.
///
/// # Errors
/// `Invalid` for an archive that is cut off, too large, or no release; what was written may stay.
pub fn unpack(release: &Path, into: &Path) -> Result<()> {
    let mut file = File::open(release).context("opening the release")?;
    let mut begin = Vec::new();
    (&mut file).take(2).read_to_end(&mut begin).context("reading the release")?;
    let file = File::open(release).context("opening the release")?;
    if begin != GZIP {
        return write(file, into);
    }
    let mut archive = Archive::new(GzDecoder::new(BufReader::new(file)).take(BYTES_MAX));
    let mut is_found = false;
    let mut count = 0;
    for entry in archive.entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        count += 1;
        if count > ENTRIES_MAX {
            return Err(no_release("it has too many files"));
        }
        if is_program(&entry)? {
            if is_found {
                return Err(no_release("it holds two programs"));
            }
            is_found = true;
            write(entry, into)?;
        }
    }
    // What follows the end of the archive belongs to its checksum, which gzip compares at the end.
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(broken)?;
    match () {
        () if rest.limit() == 0 => {
            let size = Size(BYTES_MAX);
            Err(no_release(&format!("unpacked it is larger than {size}")))
        }
        () if !is_found => Err(no_release("there is no program in it")),
        () => Ok(()),
    }
}

/// Whether an entry is the program; an entry that no release has is refused.
fn is_program<R: Read>(entry: &tar::Entry<'_, R>) -> Result<bool> {
    let path = entry.path().map_err(broken)?;
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_owned()),
            Component::CurDir => {}
            _ => return Err(no_release("a name in it leads out of it")),
        }
    }
    match entry.header().entry_type() {
        EntryType::Regular => Ok(names.len() == 2 && names[1] == PROGRAM),
        EntryType::Directory | EntryType::XGlobalHeader => Ok(false),
        _ => Err(no_release("there are links or devices in it")),
    }
}

fn write(mut content: impl Read, into: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o755).open(into);
    let mut file = file.with_context(|| format!("writing {}", into.display()))?;
    io::copy(&mut content, &mut file).map_err(broken)?;
    Ok(file.sync_all().with_context(|| format!("writing {}", into.display()))?)
}

fn broken(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::PermissionDenied => {
            Error::Internal(anyhow::Error::from(error).context("unpacking the release"))
        }
        _ => Error::invalid(format!(
            "The archive of the release is cut off or damaged ({error}). Fetch it again."
        )),
    }
}

fn no_release(why: &str) -> Error {
    Error::invalid(format!("This archive is no release of Appliance: {why}."))
}
