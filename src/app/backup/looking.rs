//! Looking after what is there: listing backups, verifying them, removing old ones.

use std::{
    fs::{self, File},
    path::Path,
};

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Source, making::blocking, source};
use crate::{
    app::Reporter,
    backup::{self, ArchiveReader, Fault, Key, Place, Pruned, Repository, Retention},
    clock::Clock,
    error::{Error, Result},
};

/// A backup that is there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listed {
    /// Of a snapshot, or the name of an archive.
    pub id: String,
    pub created_at: Timestamp,
    /// Unknown without the key.
    pub records: Option<u64>,
    pub files: Option<u64>,
    /// Of an archive as it is; of a snapshot the size of its files.
    pub size_bytes: Option<u64>,
}

/// What verifying found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Found {
    pub place: String,
    pub snapshots: u64,
    pub records_parts: u64,
    pub files: u64,
    /// Whether every file was read.
    pub is_deep: bool,
    /// Sentences.
    pub damages: Vec<String>,
}

/// The backups at a place, the oldest first.
pub async fn list(place: &str, key: &Key) -> Result<Vec<Listed>> {
    let place = source::place(place)?;
    if let Place::Folder(folder) = &place
        && !Repository::is_in(folder)
    {
        return archives(folder);
    }
    let repository = Repository::open(&place, key).await?;
    let can_look = !repository.is_encrypted() || repository.own_key() != Key::None;
    let mut listed = Vec::new();
    for snapshot in repository.snapshots().await? {
        let manifest = match can_look {
            // One that is damaged is shown without what it holds; verifying tells.
            true => repository.manifest(&snapshot).await.ok(),
            false => None,
        };
        listed.push(Listed {
            id: snapshot.id,
            created_at: snapshot.created_at,
            records: manifest.as_ref().map(|manifest| manifest.records()),
            files: manifest.as_ref().map(|manifest| manifest.files.count),
            size_bytes: manifest.map(|manifest| manifest.files.size_bytes),
        });
    }
    Ok(listed)
}

fn archives(folder: &Path) -> Result<Vec<Listed>> {
    let mut listed = Vec::new();
    for path in source::archives(folder)? {
        let id = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let size_bytes = fs::metadata(&path).context("looking at an archive")?.len();
        let created_at = source::time_in(&id).unwrap_or_default();
        listed.push(Listed {
            id,
            created_at,
            records: None,
            files: None,
            size_bytes: Some(size_bytes),
        });
    }
    Ok(listed)
}

/// Verifies a repository or an archive. `all_data` also reads the files of a repository; an archive
/// is always read in full. With `mends`, damaged objects are removed, so that the next backup writes
/// them anew.
pub async fn verify(
    named: &str,
    key: &Key,
    all_data: bool,
    mends: bool,
    reporter: &Reporter,
) -> Result<Found> {
    match Source::named(named)? {
        Source::Input => Err(Error::invalid("Name a file or a repository.")),
        Source::Archive(path) => {
            let (key, reporter) = (key.clone(), reporter.clone());
            let place = path.display().to_string();
            reporter.begin("Verifying", None);
            blocking(move || {
                let file = File::open(&path).context("opening the archive")?;
                let archive = ArchiveReader::open(file, &key)?;
                let (manifest, damages) = backup::check(archive, |_| reporter.advance(1))?;
                Ok(Found {
                    place,
                    snapshots: 1,
                    records_parts: manifest.parts.len() as u64,
                    files: manifest.files.count,
                    is_deep: true,
                    damages,
                })
            })
            .await
        }
        Source::Repository(place) => {
            let repository = Repository::open(&place, key).await?;
            if repository.is_encrypted() && repository.own_key() == Key::None {
                return Err(Fault::Locked.into());
            }
            reporter.begin("Verifying", None);
            let advance = |done, total| {
                let what = "Reading files".into();
                reporter.repeat(crate::app::Step { what, done, total: Some(total) });
            };
            let verified = repository.verify(all_data, advance).await?;
            if mends {
                repository.remove_damaged(&verified).await?;
            }
            Ok(Found {
                place: named.into(),
                snapshots: verified.snapshots,
                records_parts: verified.parts,
                files: verified.files,
                is_deep: all_data,
                damages: verified.damages,
            })
        }
    }
}

/// Removes what `retention` does not keep, from a repository or a folder of archives.
pub async fn prune(named: &str, key: &Key, retention: Retention, clock: &Clock) -> Result<Pruned> {
    if retention.is_empty() {
        return Err(Error::invalid(
            "Say what to keep: --keep-last, --keep-daily, --keep-weekly or --keep-monthly.",
        ));
    }
    let place = source::place(named)?;
    if let Place::Folder(folder) = &place
        && !Repository::is_in(folder)
    {
        return prune_archives(folder, retention);
    }
    let repository = Repository::open(&place, key).await?;
    if repository.is_encrypted() && repository.own_key() == Key::None {
        return Err(Fault::Locked.into());
    }
    repository.prune(retention, clock).await
}

fn prune_archives(folder: &Path, retention: Retention) -> Result<Pruned> {
    let listed = archives(folder)?;
    let moments: Vec<_> = listed.iter().map(|one| one.created_at).collect();
    let mut pruned = Pruned::default();
    for (one, is_kept) in listed.iter().zip(retention.keeps(&moments)) {
        if is_kept {
            pruned.snapshots_kept += 1;
            continue;
        }
        fs::remove_file(folder.join(&one.id)).context("removing an old archive")?;
        pruned.snapshots_removed += 1;
        pruned.objects_removed += 1;
        pruned.bytes_removed += one.size_bytes.unwrap_or(0);
    }
    Ok(pruned)
}
