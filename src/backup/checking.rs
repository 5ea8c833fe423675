//! What was found in an archive, held against its manifest.

use std::{
    collections::{BTreeSet, HashSet},
    io,
};

use super::{ArchiveReader, Fault, Item, Manifest, repository::listed};
use crate::{
    error::Result,
    hash::{ContentHash, Digest},
};

/// What came out of an archive.
#[derive(Debug, Default)]
pub struct Tally {
    parts: HashSet<ContentHash>,
    listed: BTreeSet<ContentHash>,
    files: HashSet<ContentHash>,
    was_damaged: bool,
}

impl Tally {
    /// Records; `false` when they came before.
    pub fn part(&mut self, bytes: &[u8]) -> bool {
        self.parts.insert(Digest::of(bytes))
    }

    pub fn list(&mut self, bytes: &[u8]) {
        self.part(bytes);
        // One that cannot be read has another hash, and that is found.
        self.listed.extend(listed(bytes).into_iter().flatten().map(|(hash, _)| hash));
    }

    /// A file whose bytes are those of its hash.
    pub fn file(&mut self, hash: ContentHash) {
        self.files.insert(hash);
    }

    pub fn damage(&mut self) {
        self.was_damaged = true;
    }

    /// Whether something came out that the manifest does not name: not the backup's own.
    pub fn is_foreign(&self, manifest: &Manifest) -> bool {
        let parts = manifest.parts.iter().chain(&manifest.lists);
        let own: HashSet<_> = parts.map(|part| part.sha256).collect();
        // What a list names is known only when none of them is lost.
        let has_lists = manifest.lists.iter().all(|list| self.parts.contains(&list.sha256));
        // In format 1 a user's file may hold what looks like a file of ours.
        let tells = manifest.head.is_of_marked_archive() && has_lists;
        !self.parts.is_subset(&own)
            || (tells && self.files.iter().any(|hash| !self.listed.contains(hash)))
    }

    /// The tables of which records are lost.
    pub fn lost_tables(&self, manifest: &Manifest) -> BTreeSet<String> {
        let lost = manifest.parts.iter().filter(|part| !self.parts.contains(&part.sha256));
        lost.map(|part| part.table.clone()).collect()
    }

    /// What the manifest names and is not there; sentences.
    pub fn damages(&self, manifest: &Manifest, is_whole: bool) -> Vec<String> {
        let mut damages = Vec::new();
        for hash in &manifest.missing {
            damages.push(format!("The file {hash} could not be read when the backup was made."));
        }
        let mut number = 0;
        let mut table = "";
        for part in &manifest.parts {
            number = if part.table == table { number + 1 } else { 1 };
            table = &part.table;
            if !self.parts.contains(&part.sha256) {
                let (name, lines) = (table.replace('_', " "), part.lines);
                damages.push(format!("{lines} records of {name} are damaged (part {number})."));
            }
        }
        if manifest.lists.iter().any(|list| !self.parts.contains(&list.sha256)) {
            damages.push("A list of files is damaged; all files were looked at.".into());
        }
        if !manifest.head.is_records_only {
            let known: HashSet<_> = manifest.missing.iter().collect();
            let lost = self.listed.iter().filter(|hash| !self.files.contains(hash));
            for hash in lost.filter(|hash| !known.contains(hash)) {
                damages.push(format!("The file {hash} is damaged."));
            }
        }
        if self.is_foreign(manifest) {
            damages
                .push("Behind the damage stands what looks like records and is a user's.".into());
        }
        // What was missing from the beginning explains nothing.
        if damages.len() == manifest.missing.len() && (self.was_damaged || !is_whole) {
            damages.push("Some bytes have changed that nothing depends on.".into());
        }
        damages
    }
}

/// Reads a whole archive; what is wrong with it, and its manifest. `advance` hears how many bytes of
/// files were read.
///
/// # Errors
/// A [`Fault`] when it is none, cut off, or locked.
pub fn check(
    mut archive: ArchiveReader,
    mut advance: impl FnMut(u64),
) -> Result<(Manifest, Vec<String>)> {
    archive.head()?;
    let mut tally = Tally::default();
    let mut manifest = None;
    loop {
        match archive.next_item()? {
            Item::Records { bytes, .. } => {
                tally.part(&bytes);
            }
            Item::List { bytes } => tally.list(&bytes),
            Item::File { hash, size_bytes } => {
                let mut digest = Hashing(Digest::new());
                if io::copy(&mut archive, &mut digest).is_ok() && digest.0.finish() == hash {
                    tally.file(hash);
                }
                advance(size_bytes);
            }
            Item::Manifest(found) => manifest = Some(found),
            Item::Head(_) => {}
            Item::Damage => tally.damage(),
            Item::End { is_whole } => {
                let missing = if tally.was_damaged { Fault::NoManifest } else { Fault::CutOff };
                let manifest = manifest.ok_or(missing)?;
                let damages = tally.damages(&manifest, is_whole);
                return Ok((manifest, damages));
            }
        }
    }
}

struct Hashing(Digest);

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
