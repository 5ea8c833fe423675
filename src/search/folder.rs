//! The index on disk: a folder with editions in it, and a small file that names the current one.
//!
//! A rebuilt index is written beside the one that answers. Replacing that small file (by renaming
//! another over it) is the one step that makes the new edition count, so a crash at any time leaves
//! either the old one or the new one. What the file does not name is swept away at the next start.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::schema::FORMAT;
use crate::error::Result;

const CURRENT: &str = "current";
const CURRENT_NEW: &str = "current.new";
const EDITION: &str = "edition-";

pub(super) struct Folder {
    root: PathBuf,
}

/// What the folder says about itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    Empty,
    /// The edition to open.
    Current(PathBuf),
    /// There was an index, but it is of no use; the reason.
    Unusable(String),
}

impl Folder {
    /// Creates the folder if it is missing.
    pub fn open(root: &Path) -> Result<Folder> {
        fs::create_dir_all(root)
            .with_context(|| format!("creating the index folder {}", root.display()))?;
        Ok(Folder { root: root.to_owned() })
    }

    pub fn state(&self) -> Result<State> {
        let named = match fs::read_to_string(self.root.join(CURRENT)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let has_editions = !self.editions()?.is_empty();
                return Ok(if has_editions {
                    State::Unusable("the file that names the current edition is missing".to_owned())
                } else {
                    State::Empty
                });
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Ok(State::Unusable(
                    "the file that names the current edition is damaged".to_owned(),
                ));
            }
            Err(error) => return Err(error.into()),
        };
        Ok(self.read_current(&named))
    }

    /// A path for a new edition; nothing is there yet.
    pub fn next_edition(&self) -> Result<PathBuf> {
        let last = self.editions()?.into_iter().map(|(number, _)| number).max().unwrap_or(0);
        Ok(self.root.join(format!("{EDITION}{}", last + 1)))
    }

    /// From here on, this edition is the index.
    pub fn make_current(&self, edition: &Path) -> Result<()> {
        let name = edition.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let new = self.root.join(CURRENT_NEW);
        let write = || -> io::Result<()> {
            let mut file = File::create(&new)?;
            file.write_all(format!("format {FORMAT}\n{name}\n").as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, self.root.join(CURRENT))?;
            File::open(&self.root)?.sync_all()
        };
        write().with_context(|| format!("making {} the current index", edition.display()))?;
        Ok(())
    }

    /// Removes every edition but this one. One that cannot be removed only takes space.
    pub fn sweep(&self, kept: &Path) -> Result<()> {
        for (_, path) in self.editions()? {
            if path != kept {
                remove(&path);
            }
        }
        Ok(())
    }

    fn read_current(&self, named: &str) -> State {
        let mut lines = named.lines();
        let format = lines.next().and_then(|line| line.strip_prefix("format "));
        let edition = lines.next().filter(|name| name.strip_prefix(EDITION).is_some_and(is_number));
        match (format, edition) {
            (Some(format), Some(edition)) if format == FORMAT.to_string() => {
                State::Current(self.root.join(edition))
            }
            (Some(format), Some(_)) => State::Unusable(format!(
                "it was written in format {format}, and this version of the program reads format {FORMAT}"
            )),
            _ => State::Unusable("the file that names the current edition is damaged".to_owned()),
        }
    }

    fn editions(&self) -> Result<Vec<(u64, PathBuf)>> {
        let mut editions = Vec::new();
        for found in fs::read_dir(&self.root).context("reading the index folder")? {
            let found = found.context("reading the index folder")?;
            let name = found.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(EDITION));
            if let Some(number) = number.and_then(|number| number.parse().ok()) {
                editions.push((number, found.path()));
            }
        }
        Ok(editions)
    }
}

/// Removes an edition that nobody reads any more.
pub(super) fn remove(edition: &Path) {
    if let Err(error) = fs::remove_dir_all(edition) {
        tracing::warn!("an old search index stays at {}: {error}", edition.display());
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() < 20 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_edition_that_was_named_counts() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path()).unwrap();
        assert_eq!(folder.state().unwrap(), State::Empty);

        let first = folder.next_edition().unwrap();
        fs::create_dir(&first).unwrap();
        assert!(matches!(folder.state().unwrap(), State::Unusable(_)));
        folder.make_current(&first).unwrap();
        assert_eq!(folder.state().unwrap(), State::Current(first.clone()));

        let second = folder.next_edition().unwrap();
        assert_ne!(first, second);
        fs::create_dir(&second).unwrap();
        folder.sweep(&first).unwrap();
        assert!(first.exists() && !second.exists());
    }

    #[test]
    fn a_damaged_or_older_name_is_unusable() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path()).unwrap();
        for named in ["", "format 0\nedition-1\n", "format 1\n../../etc\n", "\0\0\0\0"] {
            fs::write(root.path().join(CURRENT), named).unwrap();
            assert!(matches!(folder.state().unwrap(), State::Unusable(_)), "{named:?}");
        }
    }
}
