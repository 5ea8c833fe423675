//! The indexer: follows the change log and keeps the search index equal to the store. Index and
//! cursor move in one commit, so it may be cut off anywhere and goes on from there.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

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
    search::{Change as IndexChange, Entry, Named},
    store::{Change, Changes, ReadTx},
};

/// Changes that are taken from the log at once.
const CHANGES_MAX: usize = 500;
/// Documents in one commit of the index while it is built anew.
const REBUILD_STEP: usize = 1_000;
/// How many documents may show the same bytes and follow them at once.
const SHOWING_MAX: usize = 10_000;
const TEXT_BYTES_MAX: usize = 16 << 20;
/// How often in a row somebody else may have been faster.
const CONFLICTS_MAX: u32 = 100;
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
    let changes = app.store.read(move |tx| tx.changes(cursor, CHANGES_MAX)).await?;
    match changes {
        // An empty index is filled from the records: the log may hold many changes of each.
        Changes::Next(changes) if cursor > 0 || changes.is_empty() => {
            let Some(last) = changes.last().map(|change| change.sequence) else { return Ok(false) };
            update(app, cursor, changes, last).await?;
        }
        _ => {
            tracing::info!("the search index is built anew");
            app.reindex(&|_, _| {}).await?;
        }
    }
    Ok(true)
}

async fn update(app: &Arc<App>, cursor: u64, changes: Vec<Change>, last: u64) -> Result<()> {
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
                apply(app, cursor, std::mem::take(&mut batch), cursor).await?;
            }
        }
    }
    apply(app, cursor, batch, last).await
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
        .read(move |tx| {
            ids.into_iter().map(|id| Ok((id, entry(tx, id)?))).collect::<Result<Vec<_>>>()
        })
        .await?;
    let mut changes = Vec::with_capacity(found.len());
    for (id, entry) in found {
        changes.push(match entry {
            None => IndexChange::Remove(id.uuid()),
            Some(unread) => IndexChange::Put(Box::new(unread.read(app).await?)),
        });
    }
    Ok(changes)
}

/// An entry whose text is still with the blobs.
struct Unread {
    entry: Entry,
    text_of: Option<ContentHash>,
}

impl Unread {
    async fn read(mut self, app: &App) -> Result<Entry> {
        if let Some(hash) = self.text_of {
            let text = app.blobs.read_derived(hash, TEXT, TEXT_BYTES_MAX).await?;
            self.entry.body = text.map(|text| String::from_utf8_lossy(&text).into_owned());
        }
        Ok(self.entry)
    }
}

/// A document as the index sees it; `None` when it must not be found.
fn entry(tx: &ReadTx, id: Id<Document>) -> Result<Option<Unread>> {
    match tx.get::<Document>(&id)? {
        Some(document) if document.trashed.is_none() => entry_of(tx, document).map(Some),
        _ => Ok(None),
    }
}

fn entry_of(tx: &ReadTx, document: Document) -> Result<Unread> {
    let category = document.category.map(|id| tx.get::<Category>(&id)).transpose()?.flatten();
    let mut entry = Entry {
        id: document.id.uuid(),
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
    let Some(file) = document.current else { return Ok(Unread { entry, text_of: None }) };
    entry.filename = file.filename;
    entry.media_type = file.media_type;
    entry.size_bytes = file.size_bytes;
    let mut text_of = None;
    if let Extraction::Done(facts) = blobs::get(tx, file.blob)?.extraction {
        text_of = facts.has_text.then_some(file.blob);
        entry.language = facts.language;
    }
    Ok(Unread { entry, text_of })
}

/// Writes a batch and its cursor to the index and tells whoever waits for it.
async fn apply(app: &Arc<App>, after: u64, batch: Vec<IndexChange>, cursor: u64) -> Result<()> {
    let index = app.index.clone();
    blocking(move || index.apply(after, batch, cursor)).await?;
    app.indexed.send_replace(app.index.cursor());
    Ok(())
}

impl App {
    /// Brings the search index up to everything that is committed now, beside the indexer or
    /// without it. Afterwards it is behind only when the change log has a gap.
    pub async fn catch_up(self: &Arc<Self>) -> Result<()> {
        let latest = *self.store.latest_change().borrow();
        let mut conflicts = 0;
        while self.index.cursor() < latest {
            match follow(self).await {
                Ok(true) => conflicts = 0,
                Ok(false) => break,
                // The indexer was faster with the same step.
                Err(Error::Conflict(_)) if conflicts < CONFLICTS_MAX => conflicts += 1,
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    /// Builds the search index anew beside the present one, which answers until the new one is
    /// complete. `progress` hears how many of how many documents are in it.
    pub async fn reindex(self: &Arc<Self>, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<()> {
        // What changes meanwhile follows from the log, from here on.
        let latest = *self.store.latest_change().borrow();
        let total = self.store.read(|tx| tx.records::<Document>().count()).await?;
        let index = self.index.clone();
        let mut rebuild = blocking(move || index.rebuild()).await?;
        let (mut after, mut done) = (None, 0);
        loop {
            let page = self.store.read(move |tx| next_entries(tx, after)).await?;
            let Some(last) = page.last else { break };
            after = Some(last);
            done += page.looked_at;
            let mut entries = Vec::with_capacity(page.unread.len());
            for unread in page.unread {
                entries.push(unread.read(self).await?);
            }
            rebuild = blocking(move || rebuild.put(entries).map(|()| rebuild)).await?;
            progress(done, total);
        }
        blocking(move || rebuild.finish(latest)).await?;
        self.indexed.send_replace(self.index.cursor());
        Ok(())
    }
}

struct EntryPage {
    unread: Vec<Unread>,
    looked_at: u64,
    last: Option<Id<Document>>,
}

fn next_entries(tx: &ReadTx, after: Option<Id<Document>>) -> Result<EntryPage> {
    let mut page = EntryPage { unread: Vec::new(), looked_at: 0, last: None };
    let mut scan = tx.records::<Document>();
    if let Some(after) = after {
        scan = scan.after(&after);
    }
    for document in scan.iter()?.take(REBUILD_STEP) {
        let document = document?;
        page.last = Some(document.id);
        page.looked_at += 1;
        if document.trashed.is_none() {
            page.unread.push(entry_of(tx, document)?);
        }
    }
    Ok(page)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|fault| Error::Internal(anyhow!(fault).context("writing the search index")))?
}
