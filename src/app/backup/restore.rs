//! Restoring: from a backup to a data folder, away from any server.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::{runtime::Handle, task::JoinSet};

use super::{
    Source,
    making::blocking,
    source,
    staging::{self, Staging, moment},
    swap::Site,
};
use crate::{
    app::{App, Reporter},
    backup::{
        ArchiveReader, Fault, Item, Key, Manifest, Place, Repository, Segment, Snapshot, Tally,
    },
    blobs::Blobs,
    clock::Clock,
    config::Config,
    domain::{
        blobs::{self, Blob},
        restoring::Rules,
    },
    error::{Error, Result},
    hash::ContentHash,
};

/// Files that are being made durable at a time.
const TOGETHER: usize = 8;
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
        restore_into(&site.portal(), &data, clock.clone(), &wanted, reporter).await?;
    let replaced = blocking(move || site.swap(clock.now(), keeps_files)).await?;
    Ok(Restored { replaced, ..restored })
}

/// Builds a portal in the folder `portal`. Of a backup without files those in `data` are its own; the second result says
/// whether it is such a one.
pub(super) async fn restore_into(
    portal: &Path,
    data: &Path,
    clock: Clock,
    wanted: &Restore,
    reporter: &Reporter,
) -> Result<(Restored, bool)> {
    let rules = Rules { keeps_sessions: wanted.keeps_sessions };
    let (portal, data) = (portal.to_owned(), data.to_owned());
    let begin = move |is_records_only: bool| {
        Staging::begin(&portal, if is_records_only { &data } else { &portal }, clock, rules)
    };
    match &wanted.source {
        Source::Archive(path) => {
            let path = path.clone();
            let file =
                move || File::open(&path).with_context(|| format!("opening {}", path.display()));
            of_archive(file, begin, wanted, reporter).await
        }
        Source::Input => of_archive(|| Ok(io::stdin()), begin, wanted, reporter).await,
        Source::Repository(place) => of_repository(place, begin, wanted, reporter).await,
    }
}

async fn of_archive<R: io::Read + Send + 'static>(
    open: impl FnOnce() -> anyhow::Result<R> + Send + 'static,
    begin: impl FnOnce(bool) -> Result<Staging> + Send + 'static,
    wanted: &Restore,
    reporter: &Reporter,
) -> Result<(Restored, bool)> {
    let (key, reporter) = (wanted.key.clone(), reporter.clone());
    blocking(move || {
        let mut archive = ArchiveReader::open(open()?, &key)?;
        let head = archive.head()?;
        let mut staging = begin(head.is_records_only)?;
        let restored = read_archive(&mut archive, &mut staging, &reporter)?;
        Ok((restored, head.is_records_only))
    })
    .await
}

fn read_archive(
    archive: &mut ArchiveReader,
    staging: &mut Staging,
    reporter: &Reporter,
) -> Result<Restored> {
    let runtime = Handle::current();
    let mut restored = Restored::default();
    let mut tally = Tally::default();
    let mut was_damaged = false;
    let mut manifest: Option<Manifest> = None;
    // Files become durable while the next ones come.
    let mut keeping = JoinSet::new();
    reporter.begin("Restoring records", None);
    let is_whole = loop {
        match archive.next_item()? {
            Item::Records { table, bytes } => {
                tally.part(&bytes);
                let records = staging.records(&table, bytes)?;
                restored.records += records;
                reporter.advance(records);
            }
            Item::List { bytes } => tally.list(&bytes),
            Item::File { hash, size_bytes } => {
                if restored.files == 0 {
                    reporter.begin("Restoring files", None);
                }
                if let Some(incoming) = staging::take(&staging.blobs, hash, size_bytes, archive)? {
                    let blobs = staging.blobs.clone();
                    keeping
                        .spawn_on(async move { staging::keep(&blobs, incoming).await }, &runtime);
                    tally.file(hash);
                    restored.files += 1;
                    restored.files_bytes += size_bytes;
                }
                if keeping.len() >= TOGETHER {
                    runtime.block_on(kept(&mut keeping))?;
                }
                reporter.advance(1);
            }
            Item::Manifest(found) => manifest = Some(found),
            Item::Head(_) => {}
            Item::Damage => {
                was_damaged = true;
                tally.damage();
            }
            Item::End { is_whole } => break is_whole,
        }
    };
    while !keeping.is_empty() {
        runtime.block_on(kept(&mut keeping))?;
    }
    let missing = if was_damaged { Fault::NoManifest } else { Fault::CutOff };
    let manifest = manifest.ok_or(missing)?;
    if manifest.head.is_records_only {
        runtime.block_on(look_for_files(staging, &mut restored))?;
    }
    tally.damages(&manifest, is_whole).into_iter().for_each(|damage| staging.note(damage));
    staging.finish(reporter)?;
    restored.at = manifest.head.created_at;
    restored.damages = std::mem::take(&mut staging.damages);
    Ok(restored)
}

async fn kept(keeping: &mut JoinSet<Result<()>>) -> Result<()> {
    match keeping.join_next().await {
        Some(outcome) => outcome.map_err(|end| Error::Internal(end.into()))?,
        None => Ok(()),
    }
}

async fn of_repository(
    place: &Place,
    begin: impl FnOnce(bool) -> Result<Staging> + Send + 'static,
    wanted: &Restore,
    reporter: &Reporter,
) -> Result<(Restored, bool)> {
    let repository = Repository::open(place, &wanted.key).await?;
    if repository.is_encrypted() && repository.own_key() == Key::None {
        return Err(Fault::Locked.into());
    }
    let snapshot = chosen(&repository, wanted).await?;
    let manifest = repository.manifest(&snapshot).await?;
    let is_records_only = manifest.head.is_records_only;
    let mut staging = blocking(move || begin(is_records_only)).await?;
    let mut restored = Restored { at: manifest.head.created_at, ..Restored::default() };

    reporter.begin("Restoring records", Some(manifest.records()));
    for part in &manifest.parts {
        match repository.part(part).await {
            Ok(bytes) => {
                let table = part.table.clone();
                let (came_back, records) = blocking(move || {
                    let records = staging.records(&table, bytes)?;
                    Ok((staging, records))
                })
                .await?;
                staging = came_back;
                restored.records += records;
            }
            Err(fault) => {
                let (table, lines) = (part.table.replace('_', " "), part.lines);
                staging.note(format!("{lines} records of {table} are damaged: {}", fault.chain()));
            }
        }
        reporter.advance(part.lines);
    }
    if wanted.snapshot.is_none() {
        let segments = following(&repository, &manifest, wanted.at).await?;
        reporter.begin("Restoring changes", Some(segments.len() as u64));
        for segment in segments {
            let (came_back, whole) = apply(&repository, &segment, staging).await?;
            staging = came_back;
            if !whole {
                // Whatever came after builds on it.
                staging.note(format!(
                    "The changes until {} are damaged: what was changed after {} is missing.",
                    moment(segment.at),
                    moment(restored.at),
                ));
                break;
            }
            restored.at = segment.at;
            reporter.advance(1);
        }
    }
    match is_records_only {
        true => look_for_files(&mut staging, &mut restored).await?,
        false => fetch_files(&repository, &mut staging, &mut restored, reporter).await?,
    }
    let reporter = reporter.clone();
    let damages = blocking(move || {
        staging.finish(&reporter)?;
        Ok(std::mem::take(&mut staging.damages))
    })
    .await?;
    restored.damages = damages;
    Ok((restored, is_records_only))
}

/// The snapshot that was named, or the newest before the moment that is wanted.
async fn chosen(repository: &Repository, wanted: &Restore) -> Result<Snapshot> {
    let snapshots = repository.snapshots().await?;
    if snapshots.is_empty() {
        return Err(Error::NotFound("There is no snapshot in this repository yet.".into()));
    }
    if let Some(id) = &wanted.snapshot {
        let named = snapshots.into_iter().find(|snapshot| snapshot.id == *id);
        return named.ok_or_else(|| {
            Error::NotFound(format!(
                "There is no snapshot {id}. “appliance backup list” shows those there are."
            ))
        });
    }
    let oldest = snapshots[0].created_at;
    let at = wanted.at.unwrap_or(Timestamp::MAX);
    snapshots
        .into_iter()
        .rfind(|snapshot| snapshot.created_at <= at)
        .ok_or_else(|| Error::NotFound(format!("The oldest snapshot is of {}.", moment(oldest))))
}

/// The segments that go on from a snapshot without a gap, up to a moment.
async fn following(
    repository: &Repository,
    manifest: &Manifest,
    at: Option<Timestamp>,
) -> Result<Vec<Segment>> {
    let mut reached = manifest.head.sequence;
    let mut chain = Vec::new();
    for segment in repository.segments(Some(manifest.head.lineage)).await? {
        if segment.to <= reached {
            continue;
        }
        if segment.from > reached + 1 || at.is_some_and(|at| segment.at > at) {
            break;
        }
        reached = segment.to;
        chain.push(segment);
    }
    Ok(chain)
}

/// Applies a segment; `false` when it cannot be read, and then nothing of it was applied.
async fn apply(
    repository: &Repository,
    segment: &Segment,
    mut staging: Staging,
) -> Result<(Staging, bool)> {
    let lines = match repository.changes(segment).await {
        Ok(lines) => lines,
        Err(fault) => {
            tracing::warn!("a segment: {}", fault.chain());
            return Ok((staging, false));
        }
    };
    blocking(move || {
        staging.apply(lines)?;
        Ok((staging, true))
    })
    .await
}

/// Fetches the file of every blob that came back.
async fn fetch_files(
    repository: &Repository,
    staging: &mut Staging,
    restored: &mut Restored,
    reporter: &Reporter,
) -> Result<()> {
    let total = staging.store.read(|tx| tx.records::<Blob>().count()).await?;
    reporter.begin("Restoring files", Some(total));
    let mut after = None;
    loop {
        let page = next_blobs(staging, after).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.hash);
        let blobs = staging.blobs.clone();
        let mut fetched = stream::iter(page)
            .map(|blob| fetch(repository.clone(), blobs.clone(), blob))
            .buffer_unordered(TOGETHER);
        let mut lost = Vec::new();
        while let Some(outcome) = fetched.next().await {
            match outcome? {
                Ok(size_bytes) => {
                    restored.files += 1;
                    restored.files_bytes += size_bytes;
                }
                Err(hash) => lost.push(hash),
            }
            reporter.advance(1);
        }
        for hash in lost {
            staging.note(format!("The file {hash} is missing or damaged."));
        }
    }
}

/// Fetches one file; `Err` with its hash when it is not there or not what it was.
async fn fetch(
    repository: Repository,
    blobs: Blobs,
    blob: Blob,
) -> Result<Result<u64, ContentHash>> {
    let (hash, size_bytes, into) = (blob.hash, blob.size_bytes, blobs.clone());
    let read = move |input: &mut dyn io::Read| staging::take(&into, hash, size_bytes, input);
    match repository.file(hash, read).await {
        Ok(Some(Some(incoming))) => {
            staging::keep(&blobs, incoming).await?;
            Ok(Ok(size_bytes))
        }
        Ok(_) => Ok(Err(hash)),
        // The beginning of it is damaged.
        Err(Error::Invalid { .. }) => Ok(Err(hash)),
        Err(fault) => Err(fault),
    }
}

/// The files of a backup without files must be where they were.
async fn look_for_files(staging: &mut Staging, restored: &mut Restored) -> Result<()> {
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

async fn next_blobs(staging: &Staging, after: Option<ContentHash>) -> Result<Vec<Blob>> {
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
