//! A repository in a folder, looked at without `object_store`, which sees less.

use std::{
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;

use super::objects::Listed;
use crate::error::{Error, Result};

/// Where objects are.
pub(super) const FOLDERS: [&str; 5] = ["files", "parts", "snapshots", "segments", "locks"];
/// Nobody writes one object for longer.
const UNFINISHED_FOR: Duration = Duration::from_secs(24 * 3_600);

/// `object_store` would end at the first name that is no text; what strangers put there must not hide
/// what is ours.
///
/// # Errors
/// `Conflict` for a link to a folder: behind it a prune would remove what is not of the repository, and
/// a backup would write there.
pub(super) fn list(root: &Path, folder: String) -> Result<Vec<Listed>> {
    let mut listed = Vec::new();
    let mut folders = Vec::from_iter(below(root, folder)?);
    while let Some((path, found)) = folders.pop() {
        if !found.is_dir() {
            listed.push(Listed { path, size_bytes: found.len() });
            continue;
        }
        let doing = || format!("listing {path} in {}", root.display());
        let entries = match fs::read_dir(root.join(&path)) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.with_context(doing)?,
        };
        for entry in entries {
            let name = entry.with_context(doing)?.file_name();
            // A number behind a `#` marks what `object_store` is still writing.
            let Some(name) = name.to_str().filter(|name| !name.contains('#')) else { continue };
            folders.extend(below(root, format!("{path}/{name}"))?);
        }
    }
    Ok(listed)
}

/// What lies at a path; `None` when it was removed meanwhile, or is a link that leads nowhere.
fn below(root: &Path, path: String) -> Result<Option<(String, Metadata)>> {
    let at = root.join(&path);
    let found = match fs::metadata(&at) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found.with_context(|| format!("looking at {}", at.display()))?,
    };
    if found.is_dir() && at.is_symlink() {
        return Err(Error::conflict(format!(
            "{} is a link to another folder, and a repository does not go beyond its own. Remove the \
             link, or move the folder here.",
            at.display()
        )));
    }
    Ok(Some((path, found)))
}

/// Removes what `object_store` was writing when it was killed: an object's name, `#` and a number.
pub(super) fn remove_unfinished(root: &Path) -> io::Result<()> {
    let folders = FOLDERS.iter().map(|folder| root.join(folder));
    let mut folders: Vec<PathBuf> = folders.filter(|folder| !folder.is_symlink()).collect();
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && is_unfinished(&entry.file_name().to_string_lossy()) {
                let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
                if age > UNFINISHED_FOR {
                    fs::remove_file(entry.path())?;
                }
            }
        }
    }
    Ok(())
}

fn is_unfinished(name: &str) -> bool {
    name.split_once('#').is_some_and(|(object, number)| {
        !object.is_empty() && !number.is_empty() && number.bytes().all(|one| one.is_ascii_digit())
    })
}
