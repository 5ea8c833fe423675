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
    unpack_at_most(BYTES_MAX, release, into)
}

fn unpack_at_most(bytes_max: u64, release: &Path, into: &Path) -> Result<()> {
    let mut file = File::open(release).context("opening the release")?;
    let mut begin = Vec::new();
    (&mut file).take(2).read_to_end(&mut begin).context("reading the release")?;
    let file = File::open(release).context("opening the release")?;
    if begin != GZIP {
        return write(file, into);
    }
    let mut archive = Archive::new(GzDecoder::new(BufReader::new(file)).take(bytes_max));
    let mut is_found = false;
    let mut count = 0;
    for entry in archive.entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        if entry.size() > bytes_max {
            return Err(too_large(bytes_max));
        }
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
        () if rest.limit() == 0 => Err(too_large(bytes_max)),
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

fn too_large(bytes_max: u64) -> Error {
    no_release(&format!("unpacked it is larger than {}", Size(bytes_max)))
}

fn no_release(why: &str) -> Error {
    Error::invalid(format!("This archive is no release of Appliance: {why}."))
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use flate2::{Compression, write::GzEncoder};
    use tar::{Builder, Header};

    use super::*;

    /// An archive with these entries, as any program may write them.
    fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, kind, content) in entries {
            let mut header = Header::new_gnu();
            // The methods of the crate refuse such names.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o755);
            if !kind.is_file() {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    const FILE: EntryType = EntryType::Regular;

    fn unpacked(release: &[u8]) -> Result<Vec<u8>, String> {
        let folder = tempfile::tempdir().unwrap();
        let (from, into) = (folder.path().join("release"), folder.path().join("appliance"));
        fs::write(&from, release).unwrap();
        let done = unpack_at_most(1 << 20, &from, &into).map_err(|error| error.to_string());
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert!(names <= 2, "nothing but the program is ever written");
        done.map(|()| fs::read(&into).unwrap())
    }

    #[test]
    fn the_program_comes_out_of_its_archive_or_alone() {
        let release = archive(&[
            ("appliance-1.0.0/LICENSE", FILE, b"free"),
            ("appliance-1.0.0/appliance", FILE, b"\x7fELF a program"),
        ]);
        assert_eq!(unpacked(&release).unwrap(), b"\x7fELF a program");
        assert_eq!(unpacked(b"\x7fELF a program").unwrap(), b"\x7fELF a program");
    }

    #[test]
    fn what_is_cut_off_or_damaged_is_said_to_be_so() {
        let noise: Vec<u8> = (0..200_000_u32)
            .flat_map(|n| n.wrapping_mul(n).wrapping_mul(0x9E37_79B1).to_le_bytes())
            .collect();
        let release = archive(&[("a/appliance", FILE, &noise)]);
        assert_eq!(unpacked(&release).unwrap(), noise);
        for length in [3, 20, release.len() / 2, release.len() - 600, release.len() - 1] {
            let refused = unpacked(&release[..length]).unwrap_err();
            assert!(refused.contains("cut off or damaged"), "{length}: {refused}");
        }
        let mut flipped = release.clone();
        flipped[release.len() / 2] ^= 1;
        assert!(unpacked(&flipped).unwrap_err().contains("cut off or damaged"));
    }

    #[test]
    fn names_and_links_that_lead_elsewhere_are_refused() {
        let program: (&str, EntryType, &[u8]) = ("a/appliance", FILE, b"program");
        let hostile: [(&str, EntryType, &[u8]); 5] = [
            ("../../etc/cron.d/appliance", FILE, b"x"),
            ("/usr/bin/appliance", FILE, b"x"),
            ("a/link", EntryType::Symlink, b""),
            ("a/hard", EntryType::Link, b""),
            ("a/null", EntryType::Char, b""),
        ];
        for entry in hostile {
            let refused = unpacked(&archive(&[entry, program])).unwrap_err();
            assert!(refused.contains("is no release of Appliance"), "{}: {refused}", entry.0);
        }
        let two = unpacked(&archive(&[program, ("b/appliance", FILE, b"x")])).unwrap_err();
        assert!(two.contains("two programs"), "{two}");
        let none = unpacked(&archive(&[("appliance", FILE, b"x")])).unwrap_err();
        assert!(none.contains("no program in it"), "{none}");
        let many: Vec<_> = (0..200).map(|_| ("a/file", FILE, b"".as_slice())).collect();
        assert!(unpacked(&archive(&many)).unwrap_err().contains("too many files"));
    }

    #[test]
    fn what_unpacks_to_much_more_than_a_release_is_refused() {
        let zeros = vec![0; 3 << 20];
        let bomb = archive(&[("a/appliance", FILE, &zeros)]);
        assert!(bomb.len() < 100_000);
        assert!(unpacked(&bomb).unwrap_err().contains("larger than"));
        let beside = archive(&[("a/LICENSE", FILE, &zeros), ("a/appliance", FILE, b"x")]);
        assert!(unpacked(&beside).unwrap_err().contains("larger than"));
        // One that lies about its size, behind the end of the archive.
        let mut release = GzEncoder::new(Vec::new(), Compression::fast());
        let mut small = Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_size(1);
        header.set_cksum();
        small.append_data(&mut header, "a/appliance", b"x".as_slice()).unwrap();
        release.write_all(&small.into_inner().unwrap()).unwrap();
        release.write_all(&zeros).unwrap();
        assert!(unpacked(&release.finish().unwrap()).unwrap_err().contains("larger than"));
    }
}
