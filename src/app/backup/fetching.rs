//! Restoring from a repository: a snapshot, what changed after it, and the files that are named then.

use std::{collections::BTreeSet, io, time::Duration};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use super::{
    Restore, Restored,
    chain::{Chain, proven},
    choosing::{Chosen, chosen},
    restore::{is_there, next_blobs},
    staging::{Files, Staging, moment},
};
use crate::{
    app::Reporter,
    backup::{Changes, Fault, Head, Key, Repository, is_unreachable},
    blocking::blocking,
    domain::blobs::Blob,
    error::{Error, Result},
    hash::ContentHash,
};

/// Files that are fetched at a time.
const TOGETHER: usize = 8;
/// Between two tries. What reaches S3 has tried for a while by itself, each time.
const PAUSES_MS: [u64; 2] = [1_000, 5_000];

pub(super) async fn of_repository(
    repository: Repository,
    begin: impl FnOnce(&Head) -> Result<Staging> + Send + 'static,
    wanted: &Restore,
    reporter: &Reporter,
) -> Result<(Restored, bool)> {
    if repository.is_encrypted() && repository.own_key() == Key::None {
        return Err(Fault::Locked.into());
    }
    let Chosen { snapshot, warning, damages } = chosen(&repository, wanted).await?;
    let manifest = repository.manifest(&snapshot).await?;
    let signer = manifest.head.signer;
    let warnings = warning.into_iter().chain(wanted.signers.judge(signer)?).collect();
    let is_records_only = manifest.head.is_records_only;
    let head = manifest.head.clone();
    let mut staging = blocking(move || begin(&head)).await?;
    damages.into_iter().for_each(|damage| staging.note(damage));
    let at = manifest.head.created_at;
    let mut restored = Restored { at, signer, warnings, ..Restored::default() };

    reporter.begin("Restoring records", Some(manifest.records()));
    let mut lost = BTreeSet::new();
    for part in &manifest.parts {
        match patiently(|| repository.part(part)).await? {
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
                lost.insert(part.table.clone());
            }
        }
        reporter.advance(part.lines);
    }
    if wanted.snapshot.is_none() || wanted.at.is_some() {
        reporter.begin("Restoring changes", None);
        (staging, restored.at) =
            apply_changes(&repository, &manifest.head, wanted.at, staging, reporter).await?;
    }
    fetch_files(&repository, &mut staging, is_records_only, &mut restored, reporter).await?;
    if !staging.damages.is_empty() && !repository.snapshots().await?.contains(&snapshot) {
        return Err(Error::conflict(format!(
            "The snapshot {} was removed while it was restored, as a prune does. Nothing was changed; \
             restore another one.",
            snapshot.id
        )));
    }
    let reporter = reporter.clone();
    let restored = blocking(move || {
        staging.require_usable(&lost)?;
        staging.finish(restored, &reporter)
    })
    .await?;
    Ok((restored, is_records_only))
}

/// Brings in what changed after a snapshot, up to a moment; the moment that was reached.
async fn apply_changes(
    repository: &Repository,
    head: &Head,
    at: Option<Timestamp>,
    mut staging: Staging,
    reporter: &Reporter,
) -> Result<(Staging, Timestamp)> {
    let mut reached_at = head.created_at;
    let mut chain = Chain::after(head.sequence, repository.segments(Some(head.lineage)).await?);
    // The last change that those claim to lead to which do not count.
    let mut claimed = head.sequence;
    while let Some(segment) = chain.candidate() {
        let Some(Changes { lines, .. }) = proven(repository, &segment, head.signer).await? else {
            claimed = claimed.max(segment.to);
            continue;
        };
        if at.is_some_and(|at| segment.at > at) {
            // What is wanted ends here, whatever others claim.
            return Ok((staging, reached_at));
        }
        staging = blocking(move || staging.apply(lines).map(|()| staging)).await?;
        chain.take(&segment);
        reached_at = segment.at;
        reporter.advance(1);
    }
    let after = moment(reached_at);
    if claimed > chain.reached() {
        staging.note(format!(
            "Changes are damaged, or not signed as the snapshot is: what was changed after {after} is missing.",
        ));
    } else if has_changes_behind_gap(repository, head, at, chain).await? {
        staging.note(format!(
            "Changes are missing: what was changed after {after} did not come back, although later \
             changes are there.",
        ));
    }
    Ok((staging, reached_at))
}

/// Whether changes that are wanted lie where nothing leads to. A name alone says nothing.
async fn has_changes_behind_gap(
    repository: &Repository,
    head: &Head,
    at: Option<Timestamp>,
    chain: Chain,
) -> Result<bool> {
    for segment in chain.unreached().filter(|segment| at.is_none_or(|at| segment.at <= at)) {
        if proven(repository, &segment, head.signer).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Fetches the file of every blob that came back; with `may_be_there`, only what is not there.
async fn fetch_files(
    repository: &Repository,
    staging: &mut Staging,
    may_be_there: bool,
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
        let files = staging.files.clone();
        let mut fetched = stream::iter(page)
            .map(|blob| fetch(repository.clone(), files.clone(), blob, may_be_there))
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
    files: Files,
    blob: Blob,
    may_be_there: bool,
) -> Result<Result<u64, ContentHash>> {
    let (hash, size_bytes) = (blob.hash, blob.size_bytes);
    if may_be_there && is_there(&files.blobs, hash).await? {
        return Ok(Ok(size_bytes));
    }
    let fetched = patiently(|| {
        let into = files.clone();
        repository.file(hash, move |input: &mut dyn io::Read| into.take(hash, size_bytes, input))
    });
    match fetched.await? {
        Ok(Some(Some(incoming))) => {
            files.keep(incoming).await?;
            Ok(Ok(size_bytes))
        }
        // The beginning of it is damaged.
        Ok(_) | Err(Error::Invalid { .. }) => Ok(Err(hash)),
        Err(fault) => Err(fault),
    }
}

/// Reads from a repository; while the way to it is out of order, again and again for a while. The inner
/// error is one of what was read.
///
/// # Errors
/// When the way stays out of order: of what is behind it nothing is known, least of all that it is
/// damaged.
pub(super) async fn patiently<T, F: Future<Output = Result<T>>>(
    mut read: impl FnMut() -> F,
) -> Result<Result<T>> {
    let mut pauses = PAUSES_MS.into_iter();
    loop {
        match read().await {
            Err(fault) if is_unreachable(&fault) => match pauses.next() {
                Some(pause_ms) => {
                    tracing::warn!("the repository does not answer: {}", fault.chain());
                    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                }
                None => {
                    let Error::Internal(chain) = fault else { return Err(fault) };
                    return Err(Error::Internal(chain.context(
                        "the repository does not answer, so nothing was changed; try again later",
                    )));
                }
            },
            done => return Ok(done),
        }
    }
}
