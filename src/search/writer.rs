//! Writing to one edition.
//!
//! The library's writer holds tens of megabytes, so it is opened with the first change and given
//! back after some idle seconds. While it is open a thread looks after it: it merges segments
//! beside the commits, one merge at a time, and closes the writer in the end.

use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use tantivy::{
    IndexWriter, TantivyError,
    directory::error::LockError,
    index::SegmentId,
    indexer::{IndexWriterOptions, NoMergePolicy},
};
use uuid::Uuid;

use super::{
    edition::{Edition, View},
    entry::{self, BodyLimits, Change},
    merging,
    queue::{Gate, Queued},
};
use crate::{
    error::{Error, Result},
    heap,
    space::{Reserve, Room},
};

/// While an edition is built, a commit follows this many bytes of text, so that merging can begin.
const BUILD_COMMIT_BYTES: usize = 128 * 1024 * 1024;
/// How long to wait for another writer of this process to let go of the edition.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone, Debug)]
pub(super) struct WriterOptions {
    pub memory_bytes: usize,
    pub idle: Duration,
    pub bodies: BodyLimits,
    pub reserve: Option<Reserve>,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
}

struct Shared {
    edition: Arc<Edition>,
    options: WriterOptions,
    gate: Gate,
    desk: Mutex<Desk>,
    /// Signals work for the keeper, and the end of a merge.
    changed: Condvar,
}

/// What one person at a time works at.
struct Desk {
    writer: Option<IndexWriter<Queued>>,
    last_used: Instant,
    keeper_runs: bool,
    is_merging: bool,
    is_closed: bool,
    /// Changes that are not committed yet, and about how much text they bring.
    waiting_changes: usize,
    waiting_bytes: usize,
    /// After a failure it is not known what is in the index: everything is replaced, nothing added.
    is_unsure: bool,
}

impl Writer {
    pub fn new(edition: Arc<Edition>, options: WriterOptions) -> Writer {
        let desk = Desk {
            writer: None,
            last_used: Instant::now(),
            keeper_runs: false,
            is_merging: false,
            is_closed: false,
            waiting_changes: 0,
            waiting_bytes: 0,
            is_unsure: false,
        };
        Writer {
            shared: Arc::new(Shared {
                edition,
                options,
                gate: Gate::default(),
                desk: Mutex::new(desk),
                changed: Condvar::new(),
            }),
        }
    }

    /// Applies the changes to what is there and commits them with the cursor, all or nothing.
    pub fn apply(&self, after: u64, changes: Vec<Change>, cursor: u64) -> Result<()> {
        let mut desk = self.shared.desk();
        let view = self.shared.edition.view();
        if view.cursor != after || desk.is_closed {
            return Err(Error::conflict(
                "The index was replaced meanwhile. Ask for its cursor again.",
            ));
        }
        let is_unsure = desk.is_unsure;
        let is_known = |id: Uuid| is_unsure || is_in(&self.shared.edition, &view, id);
        let write = |desk: &mut Desk| -> tantivy::Result<()> {
            self.shared.add(desk, last_of_each(changes), is_known)?;
            self.shared.commit(desk, cursor)?;
            self.shared.edition.refresh()
        };
        let written = write(&mut desk);
        self.shared.leave(&mut desk, written.is_ok());
        Ok(written.context("writing to the search index")?)
    }

    /// Adds entries to an edition that is being built. Nothing shows before [`Writer::finish`].
    /// `is_known` says which ids were added before.
    pub fn build(&self, changes: Vec<Change>, is_known: impl Fn(Uuid) -> bool) -> Result<()> {
        let mut desk = self.shared.desk();
        let added = self.shared.add(&mut desk, last_of_each(changes), is_known).and_then(|()| {
            let is_enough = desk.waiting_bytes >= BUILD_COMMIT_BYTES;
            if is_enough { self.shared.commit(&mut desk, 0) } else { Ok(()) }
        });
        self.shared.leave(&mut desk, added.is_ok());
        Ok(added.context("building the search index")?)
    }

    /// Commits what was built, and brings the segments in order.
    pub fn finish(&self, cursor: u64) -> Result<()> {
        let mut desk = self.shared.desk();
        let finished =
            self.shared.commit(&mut desk, cursor).and_then(|()| self.shared.edition.refresh());
        self.shared.leave(&mut desk, finished.is_ok());
        drop(desk);
        finished.context("finishing the search index")?;
        self.merge_while(|shared| Ok(merging::wanted(&shared.edition.segments()?)))
    }

    /// Merges everything into one segment: the fastest form, and the dearest to make.
    pub fn optimize(&self) -> Result<()> {
        self.merge_while(|shared| {
            let segments = shared.edition.segments()?;
            let is_done = match segments.as_slice() {
                [] => true,
                [only] => only.removed == 0,
                _ => false,
            };
            Ok((!is_done).then(|| segments.iter().map(|segment| segment.id).collect()))
        })
    }

    pub fn is_open(&self) -> bool {
        self.shared.desk().writer.is_some()
    }

    /// Lets go of the edition. What was not committed is forgotten.
    pub fn close(&self) {
        let mut desk = self.shared.desk();
        desk.is_closed = true;
        if desk.writer.take().is_some() {
            self.shared.edition.end_changes();
        }
        self.shared.changed.notify_all();
    }

    fn merge_while(
        &self,
        next: impl Fn(&Shared) -> tantivy::Result<Option<Vec<SegmentId>>>,
    ) -> Result<()> {
        let mut desk = self.shared.desk();
        loop {
            while desk.is_merging {
                desk = self.shared.changed.wait(desk).unwrap_or_else(PoisonError::into_inner);
            }
            let Some(ids) = next(&self.shared).context("looking at the segments")? else { break };
            let (again, merged) = self.shared.merge(desk, &ids);
            desk = again;
            merged.context("merging segments of the search index")?;
        }
        self.shared.leave(&mut desk, true);
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Desk {
    /// Drops the writer with everything that was not committed.
    fn forget(&mut self) {
        self.writer = None;
        self.waiting_changes = 0;
        self.waiting_bytes = 0;
        self.is_unsure = true;
    }
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Whoever panicked left at worst a writer with uncommitted changes, and a flag.
        self.desk.lock().unwrap_or_else(|poisoned| {
            let mut desk = poisoned.into_inner();
            desk.forget();
            self.desk.clear_poison();
            desk
        })
    }

    /// Hands changes to the library, which begins to work on them.
    fn add(
        &self,
        desk: &mut Desk,
        changes: Vec<Change>,
        is_known: impl Fn(Uuid) -> bool,
    ) -> tantivy::Result<()> {
        let fields = &self.edition.fields;
        for change in changes {
            desk.waiting_changes += 1;
            let text_bytes = change.text_bytes();
            desk.waiting_bytes += text_bytes;
            let writer = self.open(desk)?;
            if is_known(change.id()) {
                writer.delete_term(entry::id_term(fields, change.id()));
            }
            if let Change::Put(put) = change {
                let document = entry::document(&put, fields, self.options.bodies);
                // Its text is in there three times: as words, as stems, and to be stored.
                writer.add_document(self.gate.queue(document, 3 * text_bytes))?;
            }
        }
        Ok(())
    }

    fn commit(&self, desk: &mut Desk, cursor: u64) -> tantivy::Result<()> {
        let mut commit = self.open(desk)?.prepare_commit()?;
        commit.set_payload(&Edition::payload(cursor));
        commit.commit()?;
        desk.waiting_changes = 0;
        desk.waiting_bytes = 0;
        Ok(())
    }

    fn open<'d>(&self, desk: &'d mut Desk) -> tantivy::Result<&'d mut IndexWriter<Queued>> {
        if desk.is_closed {
            return Err(TantivyError::SystemError("the edition was closed".to_owned()));
        }
        let writer = match desk.writer.take() {
            Some(writer) => writer,
            None => self.open_writer()?,
        };
        Ok(desk.writer.insert(writer))
    }

    fn open_writer(&self) -> tantivy::Result<IndexWriter<Queued>> {
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread(self.options.memory_bytes)
            .num_worker_threads(1)
            .num_merge_threads(1)
            .build();
        let mut tries = 0;
        loop {
            match self.edition.index.writer_with_options(options.clone()) {
                Err(TantivyError::LockFailure(LockError::LockBusy, _)) if tries < LOCK_TRIES => {
                    tries += 1;
                    thread::sleep(LOCK_PAUSE);
                }
                opened => {
                    let writer = opened?;
                    self.edition.begin_changes()?;
                    writer.set_merge_policy(Box::new(NoMergePolicy));
                    return Ok(writer);
                }
            }
        }
    }

    /// Starts a merge, waits for it without holding the desk, and shows its result.
    fn merge<'s>(
        &'s self,
        mut desk: MutexGuard<'s, Desk>,
        ids: &[SegmentId],
    ) -> (MutexGuard<'s, Desk>, tantivy::Result<()>) {
        let merge = match self.open(&mut desk) {
            Ok(writer) => writer.merge(ids),
            Err(error) => return (desk, Err(error)),
        };
        desk.is_merging = true;
        drop(desk);
        let merged = merge.wait();
        let mut desk = self.desk();
        // At the desk, so that two views never overtake each other.
        let merged = merged.and_then(|_| self.edition.refresh());
        desk.is_merging = false;
        self.changed.notify_all();
        (desk, merged)
    }

    /// What everybody does before leaving the desk.
    fn leave(self: &Arc<Self>, desk: &mut Desk, went_well: bool) {
        desk.last_used = Instant::now();
        if went_well {
            desk.is_unsure = false;
        } else {
            desk.forget();
        }
        if desk.writer.is_some() && !desk.keeper_runs {
            let shared = Arc::clone(self);
            let keeper = thread::Builder::new().name("search-keeper".to_owned());
            match keeper.spawn(move || shared.keep()) {
                Ok(_) => desk.keeper_runs = true,
                // Without a keeper the writer stays open and segments unmerged until the next time.
                Err(error) => tracing::warn!("the search index is not looked after: {error}"),
            }
        }
        self.changed.notify_all();
    }

    /// Merging takes as much room as what is merged, until it is done.
    fn may_merge(&self) -> bool {
        let Some(reserve) = &self.options.reserve else { return true };
        reserve.room().is_ok_and(|room| room == Room::Enough)
    }

    /// The keeper's day: merges what should be merged, and goes home with the writer when nobody
    /// has written for a while.
    fn keep(&self) {
        let mut desk = self.desk();
        while !desk.is_closed && desk.writer.is_some() {
            let wanted = if desk.is_merging || !self.may_merge() {
                None
            } else {
                self.edition.segments().ok().and_then(|segments| merging::wanted(&segments))
            };
            if let Some(ids) = wanted {
                let (again, merged) = self.merge(desk, &ids);
                desk = again;
                if let Err(error) = merged {
                    if !desk.is_closed {
                        tracing::warn!("merging segments of the search index failed: {error}");
                    }
                    break;
                }
                continue;
            }
            let idle = desk.last_used.elapsed();
            if idle >= self.options.idle && !desk.is_merging && desk.waiting_changes == 0 {
                desk.writer = None;
                self.edition.end_changes();
                break;
            }
            let pause = self.options.idle.saturating_sub(idle).max(Duration::from_millis(10));
            let waited = self.changed.wait_timeout(desk, pause);
            desk = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        desk.keeper_runs = false;
        drop(desk);
        heap::release();
    }
}

/// Only the last change of each entry counts.
fn last_of_each(changes: Vec<Change>) -> Vec<Change> {
    let last: HashMap<Uuid, usize> =
        changes.iter().enumerate().map(|(place, change)| (change.id(), place)).collect();
    let numbered = changes.into_iter().enumerate();
    numbered
        .filter(|(place, change)| last[&change.id()] == *place)
        .map(|(_, change)| change)
        .collect()
}

/// Whether the entry is in the index. Looking it up spares most commits the search for what to
/// remove, which opens every segment anew.
fn is_in(edition: &Edition, view: &View, id: Uuid) -> bool {
    let term = entry::id_term(&edition.fields, id);
    view.searcher.doc_freq(&term).map_or(true, |documents| documents > 0)
}
