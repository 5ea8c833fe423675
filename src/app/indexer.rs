//! The indexer: follows the change log and keeps the search index equal to the store. Index and
//! cursor move in one commit, so it may be cut off anywhere and goes on from there.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use anyhow::anyhow;
use tokio::sync::watch;

use super::{App, extraction::TEXT, stops_within};
use crate::{
    domain::{
        blobs::{self, Blob, Extraction},
        categories::Category,
        documents::{self, Document},
        versions,
    },
    error::{Error, Result},
    hash::ContentHash,
    id::Id,
    search::{Change as IndexChange, Entry, Index, Named},
    store::{Change, Changes, ReadTx},
};

/// Changes that are taken from the log at once.
const CHANGES_MAX: usize = 500;
/// Documents in one commit of the index while it is built anew.
const REBUILD_STEP: usize = 1_000;
/// How many documents may show the same bytes and follow them at once.
const SHOWING_MAX: usize = 10_000;
const TEXT_BYTES_MAX: usize = 16 << 20;
const PAUSE_AFTER_FAULT: Duration = Duration::from_secs(5);

pub(super) async fn run(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let mut commits = app.store.latest_change();
    while !*stopped.borrow() {
        commits.mark_unchanged();
        match follow(&app).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(fault) => {
                tracing::error!("the search index could not follow: {}", fault.chain());
                stops_within(&mut stopped, PAUSE_AFTER_FAULT).await;
                continue;
            }
        }
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => {}
            _ = commits.changed() => {}
        }
    }
}

/// Brings the index one step nearer; `false` when there was nothing to do.
async fn follow(app: &Arc<App>) -> Result<bool> {
    let cursor = app.index.cursor();
    match app.store.read(move |tx| tx.changes(cursor, CHANGES_MAX)).await? {
        Changes::StartOver { latest } => {
            tracing::info!("the search index is built anew");
            rebuild(app, latest).await?;
            Ok(true)
        }
        Changes::Next(changes) => {
            let Some(last) = changes.last().map(|change| change.sequence) else { return Ok(false) };
            update(app, changes, last).await?;
            Ok(true)
        }
    }
}

async fn update(app: &Arc<App>, changes: Vec<Change>, last: u64) -> Result<()> {
    let before = app.index.cursor();
    let touched = app.store.read(move |tx| touched_documents(tx, &changes)).await?;
    let mut batch = load(app, touched.documents).await?;
    for category in touched.categories {
        let mut after = None;
        loop {
            let ids = app
                .store
                .read(move |tx| documents::in_category(tx, category, after, CHANGES_MAX))
                .await?;
            after = ids.last().copied();
            if ids.is_empty() {
                break;
            }
            batch.extend(load(app, ids).await?);
            if batch.len() >= REBUILD_STEP {
                apply(app, std::mem::take(&mut batch), before).await?;
            }
        }
    }
    apply(app, batch, last).await
}

struct Touched {
    documents: Vec<Id<Document>>,
    /// Renamed ones: their name stands in every document of theirs.
    categories: BTreeSet<Id<Category>>,
}

fn touched_documents(tx: &ReadTx, changes: &[Change]) -> Result<Touched> {
    let mut documents = BTreeSet::new();
    let mut categories = BTreeSet::new();
    for change in changes {
        if let Some(id) = change.key_of::<Document>() {
            documents.insert(id);
        } else if let Some(hash) = change.key_of::<Blob>() {
            documents.extend(versions::documents_showing(tx, hash, SHOWING_MAX)?);
        } else if let Some(id) = change.key_of::<Category>() {
            categories.insert(id);
        }
    }
    Ok(Touched { documents: documents.into_iter().collect(), categories })
}

/// What the index must hold for these documents now.
async fn load(app: &App, ids: Vec<Id<Document>>) -> Result<Vec<IndexChange>> {
    let found = app
        .store
        .read(move |tx| ids.into_iter().map(|id| Ok((id, entry(tx, id)?))).collect::<Result<Vec<_>>>())
        .await?;
    let mut changes = Vec::with_capacity(found.len());
    for (id, entry) in found {
        changes.push(match entry {
            None => IndexChange::Remove(id.uuid()),
            Some((mut entry, text_of)) => {
                if let Some(hash) = text_of {
                    let text = app.blobs.read_derived(hash, TEXT, TEXT_BYTES_MAX).await?;
                    entry.body = text.map(|text| String::from_utf8_lossy(&text).into_owned());
                }
                IndexChange::Put(Box::new(entry))
            }
        });
    }
    Ok(changes)
}

/// A document as the index sees it, and the file whose text belongs to it; `None` when it must not
/// be found.
fn entry(tx: &ReadTx, id: Id<Document>) -> Result<Option<(Entry, Option<ContentHash>)>> {
    let Some(document) = tx.get::<Document>(&id)?.filter(|document| document.trashed.is_none())
    else {
        return Ok(None);
    };
    let category = document.category.map(|id| tx.get::<Category>(&id)).transpose()?.flatten();
    let mut entry = Entry {
        id: id.uuid(),
        tenant: document.organization.uuid(),
        access: document.terms().into_iter().map(|term| term.word()).collect(),
        status: document.status.name().into(),
        category: category.map(|category| Named { id: category.id.uuid(), name: category.name }),
        person: Some(Named { id: document.created_by.uuid(), name: String::new() }),
        kind: document.kind.name().into(),
        created_at_ms: document.created_at.as_millisecond(),
        updated_at_ms: document.updated_at.as_millisecond(),
        title: document.title,
        description: document.description,
        tags: document.tags,
        filename: document.link.unwrap_or_default(),
        ..Entry::default()
    };
    let Some(file) = document.current else { return Ok(Some((entry, None))) };
    entry.filename = file.filename;
    entry.media_type = file.media_type;
    entry.size_bytes = file.size_bytes;
    let mut text_of = None;
    if let Extraction::Done(facts) = blobs::get(tx, file.blob)?.extraction {
        text_of = facts.has_text.then_some(file.blob);
        entry.language = facts.language;
    }
    Ok(Some((entry, text_of)))
}

/// Writes a batch and its cursor to the index and tells whoever waits for it.
async fn apply(app: &Arc<App>, batch: Vec<IndexChange>, cursor: u64) -> Result<()> {
    let index = app.index.clone();
    tokio::task::spawn_blocking(move || index.apply(batch, cursor))
        .await
        .map_err(|fault| Error::Internal(anyhow!(fault).context("writing the search index")))??;
    app.indexed.send_replace(app.index.cursor());
    Ok(())
}

/// Fills the index from the records. Changes made meanwhile follow from the log, from `latest` on.
async fn rebuild(app: &Arc<App>, latest: u64) -> Result<()> {
    let index = app.index.clone();
    tokio::task::spawn_blocking(move || index.clear())
        .await
        .map_err(|fault| Error::Internal(anyhow!(fault).context("clearing the search index")))??;
    let mut after = None;
    loop {
        let ids = app.store.read(move |tx| next_documents(tx, after)).await?;
        let Some(last) = ids.last().copied() else { break };
        after = Some(last);
        // Cursor 0 until the end: a rebuild that is cut off starts over.
        apply(app, load(app, ids).await?, 0).await?;
    }
    apply(app, Vec::new(), latest).await
}

fn next_documents(tx: &ReadTx, after: Option<Id<Document>>) -> Result<Vec<Id<Document>>> {
    let mut scan = tx.records::<Document>();
    if let Some(after) = after {
        scan = scan.after(&after);
    }
    scan.iter()?.take(REBUILD_STEP).map(|document| Ok(document?.id)).collect()
}

/// Opens the index; a broken or outdated one is replaced by an empty one, which fills itself.
pub(super) fn open(folder: &Path) -> Result<Index> {
    let (index, opened) = Index::open(folder, Default::default())?;
    tracing::debug!(?opened, "the search index is open");
    Ok(index)
}

impl App {
    /// Throws the search index away and builds it anew; returns when it is complete.
    pub async fn reindex(self: &Arc<Self>) -> Result<()> {
        let latest = *self.store.latest_change().borrow();
        rebuild(self, latest).await
    }
}
