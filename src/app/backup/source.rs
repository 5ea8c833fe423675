//! Where a backup comes from: an archive, the standard input, a repository, or a folder of archives.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};

use crate::{
    backup::{Place, Repository},
    clock::Clock,
    error::{Error, Result},
};

/// So far the clocks of two machines may be apart.
const CLOCKS_APART: SignedDuration = SignedDuration::from_hours(24);

#[derive(Clone, Debug)]
pub enum Source {
    Archive(PathBuf),
    /// An archive that was opened by somebody who may do what this process may not any more.
    Opened(OpenArchive),
    /// An archive on the standard input.
    Input,
    Repository(Place),
}

impl Source {
    /// Opens an archive now, before this process becomes somebody who may not. A pipe is read where it
    /// is.
    pub fn opened(self) -> Result<Self> {
        let Source::Archive(path) = self else { return Ok(self) };
        let file = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
        Ok(Source::Opened(OpenArchive { path, file: Arc::new(file) }))
    }

    /// What a person names. A folder without a repository stands for its newest archive.
    ///
    /// # Errors
    /// `NotFound` when nothing is there; `Conflict` when nobody can tell which archive is the newest.
    pub fn named(text: &str) -> Result<Self> {
        if text == "-" {
            return Ok(Source::Input);
        }
        let place: Place = place(text)?;
        let Place::Folder(path) = &place else { return Ok(Source::Repository(place)) };
        if path.is_file() {
            return Ok(Source::Archive(path.clone()));
        }
        if !path.is_dir() {
            return Err(Error::NotFound(format!("There is nothing at {}.", path.display())));
        }
        if Repository::is_in(path) {
            return Ok(Source::Repository(place));
        }
        match newest_archive(path, Clock::system().now())? {
            Some(newest) => Ok(Source::Archive(newest)),
            None => Err(Error::NotFound(format!("There is no backup in {}.", path.display()))),
        }
    }
}

#[derive(Clone, Debug)]
pub struct OpenArchive {
    path: PathBuf,
    file: Arc<File>,
}

impl OpenArchive {
    /// Reads from the beginning, whoever else reads it too.
    pub(super) fn reader_from_start(&self) -> impl Read + Send + use<> {
        FromStart { file: self.file.clone(), at: 0 }
    }
}

struct FromStart {
    file: Arc<File>,
    at: u64,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Archive(path) | Source::Opened(OpenArchive { path, .. }) => {
                path.display().fmt(f)
            }
            Source::Input => f.write_str("-"),
            Source::Repository(place) => place.fmt(f),
        }
    }
}

/// A bucket, or a folder with its whole path.
pub(super) fn place(text: &str) -> Result<Place> {
    match text.parse()? {
        Place::Folder(folder) => {
            let folder = std::path::absolute(&folder).context("reading the working folder")?;
            Ok(Place::Folder(folder))
        }
        bucket => Ok(bucket),
    }
}

/// The archives in a folder, the oldest first: their names end with the time.
pub(super) fn archives(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut archives = Vec::new();
    if !folder.exists() {
        return Ok(archives);
    }
    let doing = || format!("listing {}", folder.display());
    for entry in fs::read_dir(folder).with_context(doing)? {
        let path = entry.with_context(doing)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("appliance-") && time_in(&name).is_some() {
            archives.push(path);
        }
    }
    archives.sort_by_key(|path| path.file_name().and_then(|name| time_in(&name.to_string_lossy())));
    Ok(archives)
}

/// The newest archive in a folder.
///
/// # Errors
/// `Conflict` when it says to be from a time that is yet to come: one of the clocks is wrong.
pub(super) fn newest_archive(folder: &Path, now: Timestamp) -> Result<Option<PathBuf>> {
    let Some(newest) = archives(folder)?.pop() else { return Ok(None) };
    let name = newest.file_name().unwrap_or_default().to_string_lossy();
    match time_in(&name) {
        Some(at) if at.duration_since(now) > CLOCKS_APART => Err(Error::conflict(format!(
            "The archive {name} is dated later than now, so nobody can tell whether it is the newest. Set \
             the clock of this machine, or name the archive that you mean; if the date of that one is \
             wrong, move it to another folder."
        ))),
        _ => Ok(Some(newest)),
    }
}

/// `20261121T100000Z` in `appliance-northlight-20261121T100000Z.tar.zst`.
pub(super) fn time_in(name: &str) -> Option<Timestamp> {
    parts_of(name).map(|(_, time)| time)
}

/// Whose it is and when it was made: `appliance-northlight` and the time.
pub(super) fn parts_of(name: &str) -> Option<(&str, Timestamp)> {
    let stem = name.strip_suffix(".age").unwrap_or(name).strip_suffix(".tar.zst")?;
    let (portal, time) = stem.rsplit_once('-')?;
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time).ok()?;
    Some((portal, time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()))
}
