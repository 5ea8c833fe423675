//! Uploads to S3 in parts that were begun: one small file for each, named by the hash. It begins with a
//! line for the upload's id; each further line is a part that S3 has:
//!
//! ```text
//! <id>
//! <index> <what S3 calls the part> <the hash of the file up to the end of the part>
//! ```

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::PathBuf,
};

use jiff::Timestamp;

use crate::{blobs::disk, error::Result, hash::ContentHash};

pub(super) struct Journal {
    folder: PathBuf,
}

/// An upload as it was noted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Noted {
    pub id: String,
    /// By their index.
    pub parts: BTreeMap<usize, NotedPart>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotedPart {
    /// What S3 needs to be told when all is there.
    pub content_id: String,
    /// Of the file up to the end of this part: while it has the same beginning, the part is right.
    pub hash_so_far: ContentHash,
}

impl Journal {
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        disk::make_folder(&folder)?;
        disk::sync_folder(disk::folder_of(&folder))?;
        Ok(Journal { folder })
    }

    /// Durable when it returns. Blocks.
    pub fn note(&self, hash: ContentHash, id: &str) -> io::Result<()> {
        let path = self.path(hash);
        fs::write(&path, format!("{id}\n"))?;
        File::open(&path)?.sync_all()?;
        disk::sync_folder(&self.folder)
    }

    /// A part of an upload that was noted. It may get lost in a power cut, and is sent again then.
    pub fn note_part(&self, hash: ContentHash, index: usize, part: &NotedPart) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(self.path(hash))?;
        // One write: several parts arrive at the same time.
        file.write_all(format!("{index} {} {}\n", part.content_id, part.hash_so_far).as_bytes())
    }

    /// `None` also for one whose id was lost in a crash: it cannot be asked for.
    pub fn find(&self, hash: ContentHash) -> io::Result<Option<Noted>> {
        match fs::read(self.path(hash)) {
            Ok(text) => Ok(parse(&String::from_utf8_lossy(&text))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub fn forget(&self, hash: ContentHash) -> io::Result<()> {
        disk::remove_if_there(&self.path(hash)).map(drop)
    }

    /// Every hash with a noted upload, and when something of that was noted last.
    pub fn all(&self) -> Result<Vec<(ContentHash, Timestamp)>> {
        let files = disk::files(&self.folder, |name| name.parse::<ContentHash>().is_ok())?;
        let known = files.iter().map(|file| Some((file.name.parse().ok()?, file.modified_at)));
        Ok(known.flatten().collect())
    }

    fn path(&self, hash: ContentHash) -> PathBuf {
        self.folder.join(hash.to_string())
    }
}

/// A line that a crash or a full disk has cut off has no hash at its end, and does not count.
fn parse(text: &str) -> Option<Noted> {
    let mut lines = text.lines();
    let id = lines.next().filter(|id| !id.is_empty())?.to_owned();
    let parts = lines.filter_map(|line| {
        let (index, rest) = line.split_once(' ')?;
        let (content_id, hash) = rest.rsplit_once(' ')?;
        let part = NotedPart { content_id: content_id.to_owned(), hash_so_far: hash.parse().ok()? };
        Some((index.parse().ok()?, part))
    });
    Some(Noted { id, parts: parts.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Digest;

    #[test]
    fn parts_are_found_as_they_were_noted_and_torn_lines_are_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = Journal::open(folder.path().join("multipart")).expect("a journal");
        let hash = Digest::of(b"a file");
        assert_eq!(journal.find(hash).expect("an answer"), None);
        journal.note(hash, "id 1").expect("noted");
        let part = |content_id: &str| NotedPart {
            content_id: content_id.to_owned(),
            hash_so_far: Digest::of(content_id.as_bytes()),
        };
        for (index, content_id) in ["<e>\"one\"</e>", "two words"].into_iter().enumerate() {
            journal.note_part(hash, index, &part(content_id)).expect("noted");
        }
        let mut file = OpenOptions::new().append(true).open(journal.path(hash)).expect("a file");
        file.write_all(b"2 torn abcdef").expect("written");
        let parts = [(0, part("<e>\"one\"</e>")), (1, part("two words"))];
        let noted = Noted { id: "id 1".to_owned(), parts: parts.into() };
        assert_eq!(journal.find(hash).expect("an answer"), Some(noted));
        // What an earlier version has noted.
        fs::write(journal.path(hash), "an id").expect("written");
        let noted = Noted { id: "an id".to_owned(), parts: BTreeMap::new() };
        assert_eq!(journal.find(hash).expect("an answer"), Some(noted));
        journal.forget(hash).expect("forgotten");
        assert_eq!(journal.find(hash).expect("an answer"), None);
    }
}
