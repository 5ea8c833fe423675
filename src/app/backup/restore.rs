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

use super::{
    Source, fetching::of_repository, source, staging::Staging, swap::Site, unpacking::of_archive,
};
use crate::{
    app::{App, Reporter},
    backup::{Head, Key, Repository},
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
    /// A snapshot of a repository by its id, without what changed after it.
    pub snapshot: Option<String>,
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
    /// What could not be restored; sentences.
    pub damages: Vec<String>,
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
        restore_into(&site.portal(), config, clock.clone(), &wanted, reporter)
            .await
            .map_err(|fault| in_place_of_upload(fault, config))?;
    let replaced = blocking(move || site.swap(clock.now(), keeps_files)).await?;
    Ok(Restored { replaced, ..restored })
}

/// What is said to somebody who uploads a file helps nobody here.
pub(super) fn in_place_of_upload(fault: Error, config: &Config) -> Error {
    match fault {
        Error::Full(_) => Error::Full(format!(
            "There is not enough room on the disk of {} for what is in the backup. Make room, or \
             restore into another folder. Nothing was changed.",
            config.data.display()
        )),
        other => other,
    }
}

/// Builds a portal in the folder `portal`. Its files go where `config` says; of a backup without files
/// they are there already, and the second result says whether it is such a one.
pub(super) async fn restore_into(
    portal: &Path,
    config: &Config,
    clock: Clock,
    wanted: &Restore,
    reporter: &Reporter,
) -> Result<(Restored, bool)> {
    let rules = Rules { keeps_sessions: wanted.keeps_sessions };
    let (portal, data, storage) = (portal.to_owned(), config.data.clone(), config.storage.clone());
    let begin = move |head: &Head| {
        let files_at = if head.is_records_only { &data } else { &portal };
        let staging = Staging::begin(&portal, files_at, &storage, clock, rules)?;
        staging.number_records(head.records)?;
        Ok(staging)
    };
    match &wanted.source {
        Source::Archive(path) => {
            let path = path.clone();
            let file =
                move || File::open(&path).with_context(|| format!("opening {}", path.display()));
            of_archive(file, begin, wanted, reporter).await
        }
        Source::Input => of_archive(|| Ok(io::stdin()), begin, wanted, reporter).await,
        Source::Repository(place) => {
            let repository = Repository::open(place, &config.storage.s3, &wanted.key).await?;
            of_repository(repository, begin, wanted, reporter).await
        }
    }
}

/// The files of a backup without files must be where they were.
pub(super) async fn look_for_files(staging: &mut Staging, restored: &mut Restored) -> Result<()> {
    let mut after = None;
    loop {
        let page = next_blobs(staging, after).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.hash);
        for blob in page {
            match staging.blobs.open(blob.hash, None).await {
                Ok(_) => {
                    restored.files += 1;
                    restored.files_bytes += blob.size_bytes;
                }
                Err(fault) if super::making::is_missing(&fault) => {
                    staging.note(format!("The file {} is not there.", blob.hash));
                }
                Err(fault) => return Err(fault),
            }
        }
    }
}

pub(super) async fn next_blobs(staging: &Staging, after: Option<ContentHash>) -> Result<Vec<Blob>> {
    staging.store.read(move |tx| blobs::after(tx, after, STEP)).await
}

/// The newest backup of a portal: in its repository, or in its folder of archives.
pub(super) fn newest(config: &Config, repository: Option<&str>) -> Result<Source> {
    match repository {
        Some(place) => Ok(Source::Repository(source::place(place)?)),
        None => {
            let folder = config.data.join(super::FOLDER);
            source::archives(&folder)?.pop().map(Source::Archive).ok_or_else(|| {
                Error::NotFound("There is no backup yet. Make one: appliance backup".into())
            })
        }
    }
}
