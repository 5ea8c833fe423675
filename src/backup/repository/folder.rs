//! A repository in a folder, looked at without `object_store`, which sees less.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::objects::Listed;

/// Where objects are.
pub(super) const FOLDERS: [&str; 5] = ["files", "parts", "snapshots", "segments", "locks"];
/// Nobody writes one object for longer.
const UNFINISHED_FOR: Duration = Duration::from_secs(24 * 3_600);

/// `object_store` would end at the first name that is no text; what strangers put there must not hide
/// what is ours.
pub(super) fn list(root: &Path, folder: String) -> io::Result<Vec<Listed>> {
    let mut listed = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(root.join(&folder)) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            // A number behind a `#` marks what `object_store` is still writing.
            let Some(name) = name.to_str().filter(|name| !name.contains('#')) else { continue };
            let path = format!("{folder}/{name}");
            match fs::metadata(entry.path()) {
                Ok(found) if found.is_dir() => folders.push(path),
                Ok(found) => listed.push(Listed { path, size_bytes: found.len() }),
                // Removed meanwhile, or a link that leads nowhere.
                Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
                Err(fault) => return Err(fault),
            }
        }
    }
    Ok(listed)
}

/// Removes what `object_store` was writing when it was killed: an object's name, `#` and a number.
pub(super) fn remove_unfinished(root: &Path) -> io::Result<()> {
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
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
