//! The indexer: follows the change log and keeps the search index equal to the store. Index and
//! cursor move in one commit, so it may be cut off anywhere and goes on from there.
//!
//! A commit of the index costs some twenty milliseconds of a core, so it gathers changes as long as
//! nobody searches, and takes note in memory only of those that concern nothing in the index:
//! sessions, jobs, events.

mod entries;

use std::{collections::BTreeSet, mem, sync::Arc, time::Duration};

use tokio::sync::watch;

use self::entries::{entry, next_entries, text_bytes};
use super::{App, stops_within, storage::folder_bytes};
use crate::{
    blocking::blocking,
    domain::{
        blobs::Blob,
        categories::Category,
        documents::{self, Document, Shared},
        jobs::{self, Task},
    },
    error::{Error, Result},
    id::Id,
    search::{Change as IndexChange, Entry, Rebuild},
    store::{Change, Changes, ReadTx, WriteTx},
};

/// Changes that are taken from the log at once, and documents whose records are read at once.
const STEP: usize = 500;
/// So much text is gathered before it is written: that of a whole step can fill the memory.
const BATCH_BYTES: usize = 32 << 20;
/// What is not searched meanwhile is committed after this long.
const GATHERING: Duration = Duration::from_millis(100);
/// So many changes that concern no document may be looked at again after a restart. The log is kept
/// from where the index was committed.
const SKIPPED_MAX: u64 = 1_000;
/// How often in a row the index may be replaced meanwhile.
const CONFLICTS_MAX: u32 = 100;
const PAUSE_AFTER_FAULT: Duration = Duration::from_secs(5);
const PAUSE_AT_LEAST: Duration = Duration::from_secs(1);
/// Room is made by a person.
const PAUSE_WITHOUT_ROOM: Duration = Duration::from_secs(30);

/// What is kept in memory of how far the log was read.
#[derive(Default)]
pub(super) struct Followed {
    /// Where the index stood.
    cursor: u64,
    /// What lies between there and here concerns nothing in it.
    seen: u64,
}

impl Followed {
    /// Where reading goes on. An index that was replaced meanwhile may have to read everything.
    fn position(&self, cursor: u64) -> u64 {
        if self.cursor == cursor { self.seen.max(cursor) } else { cursor }
    }
}

/// What one step brought.
enum Step {
    /// There was nothing to do.
    Idle,
    /// The index is nearer, without having been written.
    Seen,
    /// The index was written, and shows all that was there before.
    Written,
    /// The index was written, and there is more.
    Behind,
}

pub(super) async fn run(app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let mut commits = app.store.latest_change();
    while !*stopped.borrow() {
        commits.mark_unchanged();
        match follow(&app).await {
            Ok(step) => {
                app.reached.set_followed(true);
                match step {
                    Step::Seen | Step::Behind => continue,
                    Step::Written => {
                        tokio::select! {
                            _ = stopped.wait_for(|stopped| *stopped) => {}
                            () = app.reached.asked_for_more() => {}
                            () = tokio::time::sleep(GATHERING) => {}
                        }
                        continue;
                    }
                    Step::Idle => {}
                }
            }
            Err(fault) => {
                app.reached.set_followed(false);
                tracing::error!("the search index could not follow: {}", fault.chain());
                let pause = match fault {
                    Error::Full(_) => PAUSE_WITHOUT_ROOM,
                    _ => PAUSE_AFTER_FAULT,
                };
                tokio::select! {
                    _ = stops_within(&mut stopped, pause) => {}
                    () = wanted_again(&app) => {}
                }
                continue;
            }
        }
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => {}
            _ = commits.changed() => {}
        }
    }
    app.reached.set_followed(false);
}

/// Somebody has changed something and searches: perhaps there is room by now.
async fn wanted_again(app: &App) {
    let wanted = app.reached.asked_anew();
    tokio::time::sleep(PAUSE_AT_LEAST).await;
    wanted.await;
}

/// Brings the index one step nearer.
async fn follow(app: &Arc<App>) -> Result<Step> {
    let mut followed = app.indexing.lock().await;
    let cursor = app.index.cursor();
    let position = followed.position(cursor);
    let changes = app.store.read(move |tx| tx.changes(position, STEP)).await?;
    match changes {
        // An empty index is filled from the records: the log may hold many changes of each.
        Changes::Next(changes) if cursor > 0 || changes.is_empty() => {
            let Some(last) = changes.last().map(|change| change.sequence) else {
                return Ok(Step::Idle);
            };
            let is_all = changes.len() < STEP;
            let touched = app.store.read(move |tx| touched(tx, &changes)).await?;
            if touched.is_nothing() && last - cursor <= SKIPPED_MAX {
                *followed = Followed { cursor, seen: last };
                app.reached.set(last);
                return Ok(Step::Seen);
            }
            update(app, cursor, touched, last).await?;
            Ok(if is_all { Step::Written } else { Step::Behind })
        }
        _ => {
            drop(followed);
            tracing::info!("the search index is built anew");
            let is_long = |_, total| {
                if total > STEP as u64 {
                    app.reached.set_followed(false);
                }
            };
            app.reindex(&is_long).await?;
            Ok(Step::Behind)
        }
    }
}

/// Writes what changes touched to the index, and with the last of it the cursor.
async fn update(app: &App, cursor: u64, touched: Touched, last: u64) -> Result<()> {
    if !touched.by_many.is_empty() {
        // Before the cursor moves: a crash in between enqueues them twice, and loses none.
        app.store.write(move |tx| enqueue_walks(tx, touched.by_many)).await?;
    }
    let mut batch = Batch::new(app, cursor);
    let documents: Vec<_> = touched.documents.into_iter().collect();
    for step in documents.chunks(STEP) {
        batch.add(step.to_vec()).await?;
    }
    batch.write(last).await
}

#[derive(Default)]
struct Touched {
    documents: BTreeSet<Id<Document>>,
    /// What more documents share than fit in one step. Jobs walk through those, so that a renamed
    /// category does not keep everybody's next change from being found.
    by_many: BTreeSet<Shared>,
}

impl Touched {
    fn is_nothing(&self) -> bool {
        self.documents.is_empty() && self.by_many.is_empty()
    }
}

fn touched(tx: &ReadTx, changes: &[Change]) -> Result<Touched> {
    let mut touched = Touched::default();
    for change in changes {
        let shared = if let Some(hash) = change.key_of::<Blob>() {
            Shared::Blob(hash)
        } else if let Some(category) = change.key_of::<Category>() {
            Shared::Category(category)
        } else {
            touched.documents.extend(change.key_of::<Document>());
            continue;
        };
        match documents::sharing(tx, shared, None, STEP)? {
            (documents, None) => touched.documents.extend(documents),
            (_, Some(_)) => {
                touched.by_many.insert(shared);
            }
        }
    }
    Ok(touched)
}

fn enqueue_walks(tx: &mut WriteTx, by_many: BTreeSet<Shared>) -> Result<()> {
    for shared in by_many {
        jobs::enqueue(tx, Task::IndexDocuments { shared })?;
    }
    Ok(())
}

/// Changes for the index, written whenever they bring enough text.
struct Batch<'a> {
    app: &'a App,
    /// Where the index stands, and stays until the last of the changes.
    cursor: u64,
    changes: Vec<IndexChange>,
    text_bytes: usize,
}

impl<'a> Batch<'a> {
    fn new(app: &'a App, cursor: u64) -> Self {
        Batch { app, cursor, changes: Vec::new(), text_bytes: 0 }
    }

    /// Adds what the index must hold for these documents now.
    async fn add(&mut self, ids: Vec<Id<Document>>) -> Result<()> {
        let look = move |tx: &ReadTx| {
            ids.into_iter().map(|id| Ok((id, entry(tx, id)?))).collect::<Result<Vec<_>>>()
        };
        for (id, entry) in self.app.store.read(look).await? {
            let Some(unread) = entry else {
                self.changes.push(IndexChange::Remove(id.uuid()));
                continue;
            };
            let entry = unread.read(self.app).await;
            self.text_bytes += text_bytes(&entry);
            self.changes.push(IndexChange::Put(Box::new(entry)));
            if self.text_bytes >= BATCH_BYTES {
                self.write(self.cursor).await?;
            }
        }
        Ok(())
    }

    /// Writes what was added, and the cursor, and tells whoever waits for it.
    async fn write(&mut self, cursor: u64) -> Result<()> {
        self.text_bytes = 0;
        let (index, after) = (self.app.index.clone(), self.cursor);
        let changes = mem::take(&mut self.changes);
        blocking(move || index.apply(after, changes, cursor)).await?;
        // On the way to a cursor, or beside the indexer, it stays where it was.
        if cursor != after {
            self.app.reached.set(cursor);
        }
        Ok(())
    }
}

impl App {
    /// Brings the documents that share this up to date in the index, beside the indexer.
    ///
    /// # Errors
    /// `Conflict` when the index was replaced meanwhile: begin again.
    pub(super) async fn index_sharing(&self, shared: Shared) -> Result<()> {
        let mut after = None;
        loop {
            // A step in turn with the indexer: what else changed is not held up by all of this.
            let _turn = self.indexing.lock().await;
            let cursor = self.index.cursor();
            let look = move |tx: &ReadTx| documents::sharing(tx, shared, after, STEP);
            let (documents, next) = self.store.read(look).await?;
            let mut batch = Batch::new(self, cursor);
            batch.add(documents).await?;
            batch.write(cursor).await?;
            if next.is_none() {
                return Ok(());
            }
            after = next;
        }
    }

    /// Brings the search index up to everything that is committed now, beside the indexer or
    /// without it. Afterwards it is behind only when the change log has a gap.
    pub async fn catch_up(self: &Arc<Self>) -> Result<()> {
        let latest = *self.store.latest_change().borrow();
        let mut conflicts = 0;
        while self.reached.sequence() < latest {
            match follow(self).await {
                Ok(Step::Idle) => break,
                Ok(_) => conflicts = 0,
                // The index was replaced meanwhile.
                Err(Error::Conflict(_)) if conflicts < CONFLICTS_MAX => conflicts += 1,
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    /// Builds the search index anew beside the present one, which answers until the new one is
    /// complete. `progress` hears how many of how many documents are in it.
    ///
    /// # Errors
    /// `Full` when the disk has no room for both.
    pub async fn reindex(self: &Arc<Self>, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<()> {
        // What changes meanwhile follows from the log, from here on.
        let latest = *self.store.latest_change().borrow();
        let total = self.store.read(|tx| tx.records::<Document>().count()).await?;
        // Both are there until the new one is complete.
        let folder = self.config.data.join(App::INDEX);
        let bytes = blocking(move || folder_bytes(&folder)).await?;
        self.require_room(&self.config.data, bytes).await?;
        let index = self.index.clone();
        let mut rebuild = blocking(move || index.rebuild(latest)).await?;
        let (mut after, mut done) = (None, 0);
        loop {
            let page = self.store.read(move |tx| next_entries(tx, after)).await?;
            let Some(last) = page.last else { break };
            after = Some(last);
            done += page.looked_at;
            let (mut entries, mut bytes) = (Vec::new(), 0);
            for unread in page.unread {
                let entry = unread.read(self).await;
                bytes += text_bytes(&entry);
                entries.push(entry);
                if bytes >= BATCH_BYTES {
                    rebuild = put(rebuild, mem::take(&mut entries)).await?;
                    bytes = 0;
                }
            }
            rebuild = put(rebuild, entries).await?;
            progress(done, total);
        }
        blocking(move || rebuild.finish()).await?;
        self.reached.set(self.index.cursor());
        Ok(())
    }
}

async fn put(mut rebuild: Rebuild, entries: Vec<Entry>) -> Result<Rebuild> {
    blocking(move || rebuild.put(entries).map(|()| rebuild)).await
}
