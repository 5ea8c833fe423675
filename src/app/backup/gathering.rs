//! What a backup is made of, from one read transaction: the records in parts, and the files that they
//! name.

use anyhow::anyhow;

use super::stopping::Stopped;
use crate::{
    app::Reporter,
    backup::{Chunk, Cutter, Head, REPOSITORY_FORMAT},
    domain::{TABLES, blobs::Blob, organizations, text},
    error::Result,
    hash::ContentHash,
    store::{ReadTx, Record},
    version,
};

/// Walks through all records, and cuts them into parts.
pub(super) fn records(
    tx: &ReadTx,
    reporter: &Reporter,
    stopped: &Stopped,
    mut each: impl FnMut(&'static str, Chunk) -> Result<()>,
) -> Result<()> {
    reporter.begin("Backing up records", None);
    for table in TABLES {
        let mut cutter = Cutter::default();
        let mut put = |chunk: Chunk| {
            stopped.check()?;
            reporter.advance(chunk.lines);
            each(table.name, chunk)
        };
        for pair in tx.stored(*table)? {
            let (key, json) = pair?;
            cutter.add(&key, &json).map(&mut put).transpose()?;
        }
        cutter.rest().map(&mut put).transpose()?;
    }
    Ok(())
}

/// As a repository has it; an archive has a format of its own.
pub(super) fn head(tx: &ReadTx, is_records_only: bool) -> Result<Head> {
    let name = organizations::first(tx)?.map(|first| first.name).unwrap_or_default();
    let lineage = tx.lineage()?.ok_or_else(|| anyhow!("the store has no name yet"))?;
    Ok(Head {
        format: REPOSITORY_FORMAT,
        application: version::number().into(),
        records: version::records(),
        instance: slug(&name),
        created_at: tx.now(),
        lineage,
        sequence: tx.latest_change()?,
        is_records_only,
        signer: None,
    })
}

pub(super) fn files(tx: &ReadTx) -> Result<Vec<(ContentHash, u64)>> {
    let files = tx.records::<Blob>().iter()?.filter_map(|blob| match blob {
        Ok(blob) => Some(Ok((blob.hash, blob.size_bytes))),
        // A record that cannot be read is backed up as it is; which file it names, nobody knows.
        Err(fault) => {
            tracing::warn!("a record of {}: {}", Blob::TABLE.name, fault.chain());
            None
        }
    });
    files.collect()
}

pub(super) fn files_bytes(tx: &ReadTx) -> Result<u64> {
    Ok(files(tx)?.into_iter().map(|(_, size_bytes)| size_bytes).sum())
}

/// Lower-case letters, digits and hyphens: for the name of a file.
fn slug(name: &str) -> String {
    let folded = text::fold(name);
    let words: Vec<&str> = folded
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let slug: String = words.join("-").chars().take(40).collect();
    if slug.is_empty() { "portal".into() } else { slug }
}
