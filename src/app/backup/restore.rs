//! Restoring: from a backup to a data folder, away from any server. What is in an archive comes back in
//! [`unpacking`](super::unpacking), what is in a repository in [`fetching`](super::fetching).

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Source,
    fetching::of_repository,
    source,
    staging::{Keeping, Staging},
    swap::{FILES, Site},
    unpacking::of_archive,
};
use crate::{
    app::{App, Reporter},
    backup::{Head, Key, Repository, SignerKey, Signers},
    blobs::Blobs,
    blocking::blocking,
    clock::Clock,
    config::Config,
    domain::{
        blobs::{self, Blob},
        restoring::Rules,
    },
    error::{Error, Result},
    hash::ContentHash,
};

const STEP: usize = 2_000;

/// What somebody wants back.
#[derive(Clone, Debug)]
pub struct Restore {
    pub source: Source,
    pub key: Key,
    /// Takes the place of a portal that is there, which is put aside.
    pub replaces: bool,
    pub keeps_sessions: bool,
    /// The state of this moment; else the latest that there is.
    pub at: Option<Timestamp>,
    /// A snapshot of a repository by its id; without a moment, without what changed after it.
    pub snapshot: Option<String>,
    /// The store whose backup is meant, when several write to the repository.
    pub lineage: Option<Uuid>,
    /// Who must have signed it.
    pub signers: Signers,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Restored {
    /// The moment whose state it is.
    pub at: Timestamp,
    pub records: u64,
    pub files: u64,
    pub files_bytes: u64,
    /// Where the old portal is now.
    pub replaced: Option<PathBuf>,
    /// Its plan of backups is off until somebody decides.
    #[serde(default)]
    pub holds_plan: bool,
    /// Whose signature the backup has.
    #[serde(default)]
    pub signer: Option<SignerKey>,
    /// What could not be restored; sentences.
    pub damages: Vec<String>,
    /// What is no damage, and yet should be known, such as that it is not signed; sentences.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Restores a backup into the data folder of `config`.
///
/// # Errors
/// `Conflict` when a portal is there and is not to be replaced; a [`Fault`] as a sentence when the
/// backup cannot be used. After an error nothing has changed.
pub async fn restore(
    config: &Config,
    clock: Clock,
    wanted: Restore,
    reporter: &Reporter,
) -> Result<Restored> {
    let data = config.data.clone();
    if data.join(App::DATABASE).exists() && !wanted.replaces {
        return Err(Error::conflict(format!(
            "There is a portal in {}. --replace puts it aside and takes its place.",
            data.display()
        )));
    }
    if (wanted.at.is_some() || wanted.snapshot.is_some())
        && !matches!(wanted.source, Source::Repository(_))
    {
        return Err(Error::invalid(
            "An archive holds one moment only: --at and --snapshot are for repositories.",
        ));
    }
    let site = Site::claim(&data)?;
    let (restored, keeps_files) =
        restore_into(&site.portal(), config, clock.clone(), &wanted, Keeping::All, reporter)
            .await?;
    let is_in_bucket = config.storage.s3.is_configured();
    let swapped = blocking(move || site.swap(clock.now(), keeps_files, is_in_bucket));
    let replaced = swapped.await?;
    Ok(Restored { replaced, ..restored })
}

/// Builds a portal in the folder `portal`. Its files go where `config` says; the second result says
/// whether those that are there stay, as they do for a backup without files.
pub(super) async fn restore_into(
    portal: &Path,
    config: &Config,
    clock: Clock,
    wanted: &Restore,
    keeping: Keeping,
    reporter: &Reporter,
) -> Result<(Restored, bool)> {
    let rules = Rules { keeps_sessions: wanted.keeps_sessions };
    let (portal, data, storage) = (portal.to_owned(), config.data.clone(), config.storage.clone());
    // A backup without files leaves those of a portal that is there where they are.
    let has_files = FILES.iter().any(|name| data.join(name).exists());
    let begin = move |head: &Head| {
        let files_at = if head.is_records_only && has_files { &data } else { &portal };
        let homes = (portal.as_path(), data.as_path());
        let staging = Staging::begin(homes, files_at, &storage, clock, (rules, keeping))?;
        staging.number_records(head.records)?;
        Ok(staging)
    };
    let (restored, is_records_only) = match &wanted.source {
        Source::Opened(archive) => {
            let archive = archive.clone();
            of_archive(move || Ok(archive.reader_from_start()), true, begin, wanted, reporter)
                .await?
        }
        Source::Archive(path) => {
            let path = path.clone();
            let file =
                move || File::open(&path).with_context(|| format!("opening {}", path.display()));
            of_archive(file, true, begin, wanted, reporter).await?
        }
        Source::Input => of_archive(|| Ok(io::stdin()), false, begin, wanted, reporter).await?,
        Source::Repository(place) => {
            let repository = Repository::open(place, &config.storage.s3, &wanted.key).await?;
            let repository = repository.trusting(wanted.signers);
            of_repository(repository, begin, wanted, reporter).await?
        }
    };
    Ok((restored, is_records_only && has_files))
}

/// The files of a backup without files must be where they were.
pub(super) async fn look_for_files(staging: &mut Staging, restored: &mut Restored) -> Result<()> {
    let mut after = None;
    loop {
        let page = next_blobs(staging, after).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.hash);
        for blob in page {
            if is_there(&staging.files.blobs, blob.hash).await? {
                restored.files += 1;
                restored.files_bytes += blob.size_bytes;
            } else {
                staging.note(format!("The file {} is not there.", blob.hash));
            }
        }
    }
}

pub(super) async fn is_there(blobs: &Blobs, hash: ContentHash) -> Result<bool> {
    match blobs.open(hash, None).await {
        Ok(_) => Ok(true),
        Err(fault) if super::making::is_missing(&fault) => Ok(false),
        Err(fault) => Err(fault),
    }
}

pub(super) async fn next_blobs(staging: &Staging, after: Option<ContentHash>) -> Result<Vec<Blob>> {
    staging.store.read(move |tx| blobs::after(tx, after, STEP)).await
}

/// The newest backup of a portal: in its repository, or in its folder of archives.
///
/// # Errors
/// As [`source::newest_archive`], and `NotFound` when there is none.
pub(super) fn newest(config: &Config, repository: Option<&str>, now: Timestamp) -> Result<Source> {
    match repository {
        Some(place) => Ok(Source::Repository(source::place(place)?)),
        None => {
            let folder = config.data.join(super::FOLDER);
            source::newest_archive(&folder, now)?.map(Source::Archive).ok_or_else(|| {
                Error::NotFound("There is no backup yet. Make one: appliance backup".into())
            })
        }
    }
}
