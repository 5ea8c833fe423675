//! Restoring from a repository: a snapshot, what changed after it, and the files that are named then.

use std::{collections::BTreeSet, io, time::Duration};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use super::{
    Restore, Restored,
    restore::{is_there, next_blobs},
    staging::{Files, Staging, moment},
};
use crate::{
    app::Reporter,
    backup::{
        Fault, Head, Key, Manifest, Repository, Segment, SignerKey, Signers, Snapshot,
        is_unreachable,
    },
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
    let (snapshot, passed_over) = chosen(&repository, wanted).await?;
    let manifest = repository.manifest(&snapshot).await?;
    let signer = manifest.head.signer;
    let warnings = passed_over.into_iter().chain(wanted.signers.judge(signer)?).collect();
    let is_records_only = manifest.head.is_records_only;
    let head = manifest.head.clone();
    let mut staging = blocking(move || begin(&head)).await?;
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
        let segments = following(&repository, &manifest, wanted.at).await?;
        reporter.begin("Restoring changes", Some(segments.len() as u64));
        for segment in segments {
            let (came_back, whole) = apply(&repository, &segment, signer, staging).await?;
            staging = came_back;
            if !whole {
                // Whatever came after builds on it.
                staging.note(format!(
                    "The changes until {} are damaged, or not signed as the snapshot is: what was changed after {} is missing.",
                    moment(segment.at),
                    moment(restored.at),
                ));
                break;
            }
            restored.at = segment.at;
            reporter.advance(1);
        }
    }
    fetch_files(&repository, &mut staging, is_records_only, &mut restored, reporter).await?;
    let reporter = reporter.clone();
    let restored = blocking(move || {
        staging.require_usable(&lost)?;
        staging.finish(restored, &reporter)
    })
    .await?;
    Ok((restored, is_records_only))
}

/// The snapshot that was named, or the newest before the moment that is wanted.
async fn chosen(repository: &Repository, wanted: &Restore) -> Result<(Snapshot, Option<String>)> {
    let snapshots = repository.snapshots().await?;
    let Some(oldest) = snapshots.first().map(|snapshot| snapshot.created_at) else {
        return Err(Error::NotFound("There is no snapshot in this repository yet.".into()));
    };
    if let Some(id) = &wanted.snapshot {
        let named = snapshots.into_iter().find(|snapshot| snapshot.id == *id);
        return named.map(|named| (named, None)).ok_or_else(|| {
            Error::NotFound(format!(
                "There is no snapshot {id}. “appliance backup list” shows those there are."
            ))
        });
    }
    let mut heads = repository.heads().await?;
    let passed_over = pass_over_strangers(repository, wanted.signers, &mut heads);
    heads.retain(|(snapshot, _)| wanted.at.is_none_or(|at| snapshot.created_at <= at));
    if let Some(own) = wanted.lineage
        && heads.iter().any(|(_, head)| head.as_ref().is_some_and(|head| head.lineage == own))
    {
        heads.retain(|(_, head)| head.as_ref().is_some_and(|head| head.lineage == own));
    }
    require_one_portal(&heads)?;
    let newest = heads.pop().map(|(snapshot, _)| (snapshot, passed_over));
    newest.ok_or_else(|| match wanted.signers {
        Signers::Only(key) => Error::NotFound(format!(
            "No snapshot here is signed by {key}; the oldest one is of {}.",
            moment(oldest)
        )),
        Signers::Any | Signers::Own(_) => {
            Error::NotFound(format!("The oldest snapshot is of {}.", moment(oldest)))
        }
    })
}

/// Leaves those out that somebody else has put there; a sentence about them.
fn pass_over_strangers(
    repository: &Repository,
    signers: Signers,
    heads: &mut Vec<(Snapshot, Option<Head>)>,
) -> Option<String> {
    let before = heads.len();
    match signers {
        Signers::Any => {
            let signer = |head: &Option<Head>| head.as_ref().and_then(|head| head.signer);
            let is_last_signed = heads.last().is_some_and(|(_, head)| signer(head).is_some());
            let is_any_signed = heads.iter().any(|(_, head)| signer(head).is_some());
            return (is_any_signed && !is_last_signed).then(|| {
                "Earlier snapshots here are signed and the newest is not: somebody else may have put \
                 it there. Say whose you want with --signer."
                    .into()
            });
        }
        Signers::Own(_) => {
            let mut strangers = repository.strangers(heads).into_iter();
            heads.retain(|_| strangers.next() != Some(true));
        }
        Signers::Only(key) => {
            heads.retain(|(_, head)| head.as_ref().is_some_and(|head| head.signer == Some(key)));
        }
    }
    let count = before - heads.len();
    (count > 0).then(|| {
        format!("{count} snapshots were passed over: they do not have the signature they should.")
    })
}

/// One portal after the other may have written to a repository, as after a restore. When two did so at
/// the same time, nobody but a person knows which one is meant.
fn require_one_portal(heads: &[(Snapshot, Option<Head>)]) -> Result<()> {
    let known = || heads.iter().filter_map(|(one, head)| Some((one, head.as_ref()?)));
    let Some((newest, own)) = known().next_back() else { return Ok(()) };
    let begin =
        known().find(|(_, head)| head.lineage == own.lineage).map(|(one, _)| one.created_at);
    let other = known().rfind(|(one, head)| {
        head.lineage != own.lineage && begin.is_some_and(|at| one.created_at > at)
    });
    let Some((other, head)) = other else { return Ok(()) };
    Err(Error::conflict(format!(
        "Two portals make backups in this repository, such as one that was restored for a test and its \
         original. Say which one you want with --snapshot: {} of {} ({}) or {} of {} ({}).",
        newest.id,
        moment(newest.created_at),
        own.instance,
        other.id,
        moment(other.created_at),
        head.instance,
    )))
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
    signer: Option<SignerKey>,
    mut staging: Staging,
) -> Result<(Staging, bool)> {
    let lines = match patiently(|| repository.changes(segment)).await? {
        Ok(changes) if signer.is_some() && changes.signer != signer => {
            tracing::warn!("a segment is not signed as the snapshot is");
            return Ok((staging, false));
        }
        Ok(changes) => changes.lines,
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
async fn patiently<T, F: Future<Output = Result<T>>>(
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
