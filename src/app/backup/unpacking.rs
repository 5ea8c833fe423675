//! Restoring an archive: item by item as they come, so that it can come through a pipe.

use std::{collections::HashSet, io};

use tokio::{runtime::Handle, task::JoinSet};

use super::{Restore, Restored, restore::look_for_files, staging::Staging};
use crate::{
    app::Reporter,
    backup::{ArchiveReader, Fault, Head, Item, Layout, Manifest, Survey, Tally},
    blocking::blocking,
    error::{Error, Result},
    hash::{ContentHash, Digest},
};

/// Files that are being made durable at a time.
const TOGETHER: usize = 8;

/// Restores from what `open` opens. `is_file` says that it begins anew each time, which the standard
/// input does not.
pub(super) async fn of_archive<R: io::Read + Send + 'static>(
    open: impl Fn() -> anyhow::Result<R> + Send + 'static,
    is_file: bool,
    begin: impl FnOnce(&Head) -> Result<Staging> + Send + 'static,
    wanted: &Restore,
    reporter: &Reporter,
) -> Result<(Restored, bool)> {
    let (key, signers, reporter) = (wanted.key.clone(), wanted.signers, reporter.clone());
    blocking(move || {
        let mut archive = ArchiveReader::open(open()?, &key)?;
        let (head, listed) = match archive.head_if_whole()? {
            Some(head) if head.is_of_marked_archive() || !is_file => (head, None),
            None if !is_file => return Err(Fault::NotABackup.into()),
            head => {
                // Its beginning is lost, or what its end says must be known first.
                let known = head.map(|_| Layout::Plain);
                let survey = Survey::of(&open, &key, known)?;
                archive = ArchiveReader::open_as(survey.layout, open()?, &key)?;
                (survey.head, Some(survey.parts))
            }
        };
        let mut staging = begin(&head)?;
        let judged = |manifest: &Manifest| {
            // Its beginning said how to read the rest.
            let is_same = manifest.head.signer.is_none()
                || Head { signer: manifest.head.signer, ..head.clone() } == manifest.head;
            if !is_same {
                return Err(Fault::Forged.into());
            }
            signers.judge(manifest.head.signer)
        };
        let restored = read_archive(&mut archive, listed, &mut staging, judged, &reporter)?;
        Ok((restored, head.is_records_only))
    })
    .await
}

/// `listed` are the parts that belong to the backup, when that is known already.
fn read_archive(
    archive: &mut ArchiveReader,
    listed: Option<HashSet<ContentHash>>,
    staging: &mut Staging,
    judged: impl FnOnce(&Manifest) -> Result<Option<String>>,
    reporter: &Reporter,
) -> Result<Restored> {
    let runtime = Handle::current();
    let is_own = |bytes: &[u8]| {
        listed.as_ref().is_none_or(|own: &HashSet<_>| own.contains(&Digest::of(bytes)))
    };
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
                if !is_own(&bytes) || !tally.part(&bytes) {
                    continue;
                }
                let records = staging.records(&table, bytes)?;
                restored.records += records;
                reporter.advance(records);
            }
            Item::List { bytes } if is_own(&bytes) => tally.list(&bytes),
            Item::List { .. } => {}
            Item::File { hash, size_bytes } => {
                if restored.files == 0 {
                    reporter.begin("Restoring files", None);
                }
                if let Some(taken) = staging.files.take(hash, size_bytes, archive)? {
                    let files = staging.files.clone();
                    keeping.spawn_on(async move { files.keep(taken).await }, &runtime);
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
    restored.warnings.extend(judged(&manifest)?);
    restored.signer = manifest.head.signer;
    if manifest.head.is_records_only {
        runtime.block_on(look_for_files(staging, &mut restored))?;
    }
    if tally.is_foreign(&manifest) {
        return Err(Fault::Foreign.into());
    }
    staging.require_usable(&tally.lost_tables(&manifest))?;
    tally.damages(&manifest, is_whole).into_iter().for_each(|damage| staging.note(damage));
    restored.at = manifest.head.created_at;
    staging.finish(restored, reporter)
}

async fn kept(keeping: &mut JoinSet<Result<()>>) -> Result<()> {
    match keeping.join_next().await {
        Some(outcome) => outcome.map_err(|end| Error::Internal(end.into()))?,
        None => Ok(()),
    }
}
