//! Restoring from a repository: a snapshot, what changed after it, and the files that are named then.

use std::io;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use super::{
    Restore, Restored,
    restore::{look_for_files, next_blobs},
    staging::{self, Staging, moment},
};
use crate::{
    app::Reporter,
    backup::{Fault, Head, Key, Manifest, Repository, Segment, Snapshot},
    blobs::Blobs,
    blocking::blocking,
    domain::blobs::Blob,
    error::{Error, Result},
    hash::ContentHash,
};

/// Files that are fetched at a time.
const TOGETHER: usize = 8;

pub(super) async fn of_repository(
    repository: Repository,
    begin: impl FnOnce(&Head) -> Result<Staging> + Send + 'static,
    wanted: &Restore,
    reporter: &Reporter,
) -> Result<(Restored, bool)> {
    if repository.is_encrypted() && repository.own_key() == Key::None {
        return Err(Fault::Locked.into());
    }
    let snapshot = chosen(&repository, wanted).await?;
    let manifest = repository.manifest(&snapshot).await?;
    let is_records_only = manifest.head.is_records_only;
    let head = manifest.head.clone();
    let mut staging = blocking(move || begin(&head)).await?;
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
