//! Looking after what is there: listing backups, verifying them, removing old ones.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::Context;
use futures_util::{FutureExt, StreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FOLDER, Source, source};
use crate::{
    app::Reporter,
    backup::{
        self, ArchiveReader, Fault, Key, Place, Pruned, Repository, Retention, SignerKey, Snapshot,
        Trust,
    },
    blocking::blocking,
    clock::Clock,
    config::Config,
    error::{Error, Result},
};

/// Each costs a request.
const LOOKED_AT_TOGETHER: usize = 8;

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
    /// Whose signature it has.
    #[serde(default)]
    pub signer: Option<SignerKey>,
    /// Whether that is the expected one; unknown of archives, which are not read to be listed, without
    /// the key, and where no signer is expected.
    #[serde(default)]
    pub is_own: Option<bool>,
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
    /// Archives that nobody looked into, since their key was not given.
    #[serde(default)]
    pub locked: u64,
    /// Sentences.
    pub damages: Vec<String>,
    /// What is no damage, and yet should be known, such as that a backup is not signed; sentences.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The backups at a place, the oldest first.
pub async fn list(config: &Config, place: &str, trust: impl Into<Trust>) -> Result<Vec<Listed>> {
    let Trust { key, signers } = trust.into();
    let place = source::place(place)?;
    if let Place::Folder(folder) = &place
        && !Repository::is_in(folder)
    {
        return archives(folder);
    }
    let repository = Repository::open(&place, &config.storage.s3, &key).await?;
    let can_look = !repository.is_encrypted() || repository.own_key() != Key::None;
    let snapshots = repository.snapshots().await?;
    let listed = stream::iter(snapshots)
        .map(|snapshot| look(&repository, snapshot, can_look, signers.key()).boxed())
        .buffered(LOOKED_AT_TOGETHER);
    Ok(listed.collect().await)
}

/// One that is damaged is shown without what it holds; verifying tells.
async fn look(
    repository: &Repository,
    snapshot: Snapshot,
    can_look: bool,
    wanted: Option<SignerKey>,
) -> Listed {
    let manifest = match can_look {
        true => repository.manifest(&snapshot).await.ok(),
        false => None,
    };
    let signer = manifest.as_ref().and_then(|manifest| manifest.head.signer);
    Listed {
        signer,
        is_own: wanted.filter(|_| can_look).map(|wanted| signer == Some(wanted)),
        id: snapshot.id,
        created_at: snapshot.created_at,
        records: manifest.as_ref().map(|manifest| manifest.records()),
        files: manifest.as_ref().map(|manifest| manifest.files.count),
        size_bytes: manifest.map(|manifest| manifest.files.size_bytes),
    }
}

pub(super) fn archives(folder: &Path) -> Result<Vec<Listed>> {
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
            signer: None,
            is_own: None,
        });
    }
    Ok(listed)
}

/// Verifies a repository, an archive, or all archives in a folder. `all_data` also reads the files of a
/// repository; an archive is always read in full. With `mends`, damaged objects are removed, so that
/// the next backup writes them anew.
pub async fn verify(
    config: &Config,
    named: &str,
    trust: impl Into<Trust>,
    all_data: bool,
    mends: bool,
    reporter: &Reporter,
) -> Result<Found> {
    let trust = trust.into();
    let place = source::place(named)?;
    if let Place::Folder(folder) = &place
        && folder.is_dir()
        && !Repository::is_in(folder)
    {
        return verify_folder(folder.clone(), trust, reporter.clone()).await;
    }
    match Source::named(named)? {
        Source::Input | Source::Opened(_) => Err(Error::invalid("Name a file or a repository.")),
        Source::Archive(path) => {
            let reporter = reporter.clone();
            reporter.begin("Verifying", None);
            blocking(move || verify_archive(&path, &trust, &reporter)).await
        }
        Source::Repository(place) => {
            let repository = Repository::open(&place, &config.storage.s3, &trust.key).await?;
            let repository = repository.trusting(trust.signers);
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
                locked: 0,
                damages: verified.damages,
                warnings: verified.warnings,
            })
        }
    }
}

/// All archives in a folder. One that is locked does not hide what is wrong with the others.
async fn verify_folder(folder: PathBuf, trust: Trust, reporter: Reporter) -> Result<Found> {
    reporter.begin("Verifying", None);
    blocking(move || {
        let mut all =
            Found { place: folder.display().to_string(), is_deep: true, ..Found::default() };
        for path in source::archives(&folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let named = |text: String| format!("{name}: {text}");
            match verify_archive(&path, &trust, &reporter) {
                Ok(found) => {
                    all.snapshots += 1;
                    all.records_parts += found.records_parts;
                    all.files += found.files;
                    all.damages.extend(found.damages.into_iter().map(named));
                    all.warnings.extend(found.warnings.into_iter().map(named));
                }
                Err(Error::Invalid { message, .. }) if message == Fault::Locked.to_string() => {
                    all.locked += 1;
                }
                Err(Error::Invalid { message, .. }) => {
                    all.snapshots += 1;
                    all.damages.push(format!("{name}: {message}"));
                }
                Err(fault) => return Err(fault),
            }
        }
        match (all.snapshots, all.locked) {
            (0, 0) => Err(Error::NotFound(format!("There is no backup in {}.", folder.display()))),
            (0, _) => Err(Fault::Locked.into()),
            _ => Ok(all),
        }
    })
    .await
}

fn verify_archive(path: &Path, trust: &Trust, reporter: &Reporter) -> Result<Found> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let archive = ArchiveReader::open(file, &trust.key)?;
    let (manifest, damages) = backup::check(archive, |_| reporter.advance(1))?;
    let warnings = trust.signers.judge(manifest.head.signer)?.into_iter().collect();
    Ok(Found {
        place: path.display().to_string(),
        snapshots: 1,
        records_parts: manifest.parts.len() as u64,
        files: manifest.files.count,
        is_deep: true,
        locked: 0,
        damages,
        warnings,
    })
}

/// Takes the leases of others in a repository away; how many there were.
pub async fn unlock(config: &Config, named: &str) -> Result<u64> {
    let place = source::place(named)?;
    Repository::open(&place, &config.storage.s3, &Key::None).await?.unlock().await
}

/// Removes one snapshot of a repository, and what no other needs.
pub(super) async fn remove(
    config: &Config,
    place: &str,
    key: &Key,
    id: &str,
    clock: &Clock,
) -> Result<()> {
    let repository = Repository::open(&source::place(place)?, &config.storage.s3, key).await?;
    if repository.is_encrypted() && repository.own_key() == Key::None {
        return Err(Fault::Locked.into());
    }
    repository.remove(id, clock).await.map(drop)
}

/// Removes what `retention` does not keep, from a repository or a folder of archives.
pub async fn prune(
    config: &Config,
    named: &str,
    trust: impl Into<Trust>,
    retention: Retention,
    clock: &Clock,
) -> Result<Pruned> {
    let Trust { key, signers } = trust.into();
    if retention.is_empty() {
        return Err(Error::invalid(
            "Say what to keep: --keep-last, --keep-daily, --keep-weekly or --keep-monthly.",
        ));
    }
    let place = source::place(named)?;
    if let Place::Folder(folder) = &place
        && !Repository::is_in(folder)
    {
        let own = std::path::absolute(config.data.join(FOLDER)).context("reading the folder")?;
        return prune_archives(folder, *folder == own, retention, clock.now());
    }
    let repository = Repository::open(&place, &config.storage.s3, &key).await?;
    let repository = repository.trusting(signers);
    if repository.is_encrypted() && repository.own_key() == Key::None {
        return Err(Fault::Locked.into());
    }
    repository.prune(retention, clock).await
}

/// Of each portal by itself, as the names of its archives tell; in the folder of a portal all are its own,
/// also those from before it was renamed. What is dated later than `now` by a clock that was wrong counts
/// for nothing and stays: it may be the newest.
fn prune_archives(
    folder: &Path,
    is_of_one_portal: bool,
    retention: Retention,
    now: Timestamp,
) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    let mut portals: BTreeMap<String, Vec<Listed>> = BTreeMap::new();
    for one in archives(folder)? {
        if one.created_at > now {
            pruned.snapshots_kept += 1;
            continue;
        }
        let portal = source::parts_of(&one.id).filter(|_| !is_of_one_portal);
        let portal = portal.map_or(String::new(), |(portal, _)| portal.to_owned());
        portals.entry(portal).or_default().push(one);
    }
    for listed in portals.values() {
        let moments: Vec<_> = listed.iter().map(|one| one.created_at).collect();
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
    }
    Ok(pruned)
}
