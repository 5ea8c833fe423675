//! Restoring an archive: item by item as they come, so that it can come through a pipe.

use std::io;

use tokio::{runtime::Handle, task::JoinSet};

use super::{
    Restore, Restored,
    restore::look_for_files,
    staging::{self, Staging},
};
use crate::{
    app::Reporter,
    backup::{ArchiveReader, Fault, Head, Item, Manifest, Tally},
    blocking::blocking,
    error::{Error, Result},
};

/// Files that are being made durable at a time.
const TOGETHER: usize = 8;

pub(super) async fn of_archive<R: io::Read + Send + 'static>(
    open: impl Fn() -> anyhow::Result<R> + Send + 'static,
    begin: impl FnOnce(&Head) -> Result<Staging> + Send + 'static,
    wanted: &Restore,
    reporter: &Reporter,
) -> Result<(Restored, bool)> {
    let (key, reporter) = (wanted.key.clone(), reporter.clone());
    blocking(move || {
        let mut archive = ArchiveReader::open(open()?, &key)?;
        let head = match archive.head_if_whole()? {
            Some(head) => head,
            None => {
                // The rest may be whole, and at its end stands the same. (Of the standard input nothing
                // is left then, and it is refused.)
                let head = archive.head_at_end()?.ok_or(Fault::NotABackup)?;
                archive = ArchiveReader::open(open()?, &key)?;
                head
            }
        };
        let mut staging = begin(&head)?;
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
