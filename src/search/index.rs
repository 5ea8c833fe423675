//! The index as the rest of the program sees it: opened once, written by one follower, searched by
//! everybody.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use anyhow::Context;
use arc_swap::ArcSwap;
use uuid::Uuid;

use super::{
    edition::{Edition, Unusable, View},
    entry::{BodyLimits, Change, Entry},
    folder::{Folder, State},
    schema::Fields,
    visible::VisibleSets,
    writer::{Writer, WriterOptions},
};
use crate::{
    error::{Error, Result},
    space::Reserve,
};

/// How much of everything.
#[derive(Clone, Debug)]
pub struct Options {
    /// Memory in which the writer gathers a segment, in bytes; at least 15 MB.
    pub writer_memory_bytes: usize,
    /// After this time without changes the writer's memory is given back.
    pub writer_idle: Duration,
    /// Of a longer body only the beginning is found, in bytes.
    pub body_bytes_indexed_max: usize,
    /// Of a longer body only the beginning is shown in snippets, in bytes.
    pub body_bytes_stored_max: usize,
    /// Memory for the sets of visible entries, in bytes.
    pub visible_bytes_max: u64,
    /// Of the disk that it is on, if one is kept: when it is touched, segments are not merged and no
    /// index is built anew.
    pub reserve: Option<Reserve>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            writer_memory_bytes: 40 * 1024 * 1024,
            writer_idle: Duration::from_secs(10),
            body_bytes_indexed_max: 16 * 1024 * 1024,
            body_bytes_stored_max: 256 * 1024,
            visible_bytes_max: 16 * 1024 * 1024,
            reserve: None,
        }
    }
}

/// A search index in a folder. Cloning gives another handle to the same index.
///
/// All methods block; call them on a blocking thread, except [`Index::cursor`] and
/// [`Index::generation`].
#[derive(Clone)]
pub struct Index {
    inner: Arc<Inner>,
}

/// What was found in the folder when the index was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    Existing,
    /// There was no index; this one is empty, with the cursor at 0.
    Created,
    /// There was one that is damaged or of another version; this one is empty, with the cursor at
    /// 0. The reason is for the operator.
    Rebuilt {
        reason: String,
    },
}

/// The state of the index for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub entries: u64,
    pub segments: usize,
    /// Size on disk.
    pub bytes: u64,
    pub cursor: u64,
    pub writer_is_open: bool,
}

struct Inner {
    folder: Folder,
    options: Options,
    opened: Opened,
    current: ArcSwap<Current>,
    sets: VisibleSets,
    generations: Arc<AtomicU64>,
    /// Held while an edition is created or becomes the current one.
    replacing: Mutex<()>,
    /// The cursor with which the next edition begins, while one is built.
    next_cursor: Mutex<Option<u64>>,
}

/// The edition that answers, and its writer.
struct Current {
    edition: Arc<Edition>,
    writer: Writer,
}

impl Index {
    /// Opens the index in this folder. An index that is missing, damaged, or of another version of
    /// this program is replaced by an empty one, see [`Index::opened`].
    ///
    /// # Errors
    /// Only what a new index would suffer from as well, like missing rights or a full disk.
    pub fn open(folder: &Path, options: Options) -> Result<Index> {
        let folder = Folder::open(folder)?;
        let generations = Arc::new(AtomicU64::new(0));
        let (edition, opened) = match folder.state()? {
            State::Empty => (create(&folder, &generations)?, Opened::Created),
            State::Unusable(reason) => (create(&folder, &generations)?, Opened::Rebuilt { reason }),
            State::Current(path) => match Edition::open(&path, Arc::clone(&generations)) {
                Ok(edition) => (edition, Opened::Existing),
                Err(Unusable::Damaged(reason)) => {
                    (create(&folder, &generations)?, Opened::Rebuilt { reason })
                }
                Err(Unusable::Fault(error)) => return Err(error),
            },
        };
        folder.sweep(edition.path())?;
        let inner = Inner {
            current: ArcSwap::from_pointee(Current::new(edition, options.clone())),
            sets: VisibleSets::new(options.visible_bytes_max),
            folder,
            options,
            opened,
            generations,
            replacing: Mutex::new(()),
            next_cursor: Mutex::new(None),
        };
        Ok(Index { inner: Arc::new(inner) })
    }

    pub fn opened(&self) -> &Opened {
        &self.inner.opened
    }

    /// The change of the store up to which the index is current.
    pub fn cursor(&self) -> u64 {
        self.view().cursor
    }

    /// Up to here nobody needs the store's changes any more: the present index is current, and so
    /// will be the one that is being built.
    pub fn needless_until(&self) -> u64 {
        let next = *self.inner.next_cursor();
        next.unwrap_or(u64::MAX).min(self.cursor())
    }

    /// Grows whenever an answer may change. What was computed from an answer is valid as long as
    /// this number stays.
    pub fn generation(&self) -> u64 {
        self.view().generation
    }

    /// Applies the changes of the store behind `after` up to `cursor`, in one commit that is shown
    /// at once.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the index does not stand at `after` (it was cleared or rebuilt
    /// meanwhile): begin again at [`Index::cursor`]. After any other error nothing is lost either;
    /// apply the same changes again.
    pub fn apply(&self, after: u64, changes: Vec<Change>, cursor: u64) -> Result<()> {
        self.inner.current.load_full().writer.apply(after, changes, cursor)
    }

    /// Replaces the index by an empty one, with the cursor at 0.
    pub fn clear(&self) -> Result<()> {
        self.inner.replace(self.inner.next()?)
    }

    /// Begins to build the index anew, while the present one answers and follows on. `cursor` is
    /// the change of the store that the entries will be at least as new as; what came later is
    /// applied as usual when it is finished.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it is being rebuilt already.
    pub fn rebuild(&self, cursor: u64) -> Result<Rebuild> {
        let mut next_cursor = self.inner.next_cursor();
        if next_cursor.is_some() {
            return Err(Error::conflict("The search index is being rebuilt already."));
        }
        *next_cursor = Some(cursor);
        drop(next_cursor);
        // From here on dropping the rebuild lets the next one begin.
        let mut rebuild = Rebuild { index: self.clone(), cursor, next: None, seen: HashSet::new() };
        rebuild.next = Some(self.inner.next()?);
        Ok(rebuild)
    }

    /// Merges all segments into one, beside searches and changes. Takes about as long as building
    /// the index; worth it after that, and not otherwise.
    pub fn optimize(&self) -> Result<()> {
        self.inner.current.load_full().writer.optimize()
    }

    /// Reads every file and compares checksums. The names of the damaged ones.
    pub fn damaged_files(&self) -> Result<Vec<String>> {
        let edition = self.edition();
        let damaged = edition.index.validate_checksum().context("checking the search index")?;
        let mut names: Vec<String> =
            damaged.into_iter().map(|path| path.display().to_string()).collect();
        names.sort_unstable();
        Ok(names)
    }

    pub fn status(&self) -> Result<Status> {
        let current = self.inner.current.load_full();
        let view = current.edition.view();
        let mut bytes = 0;
        for file in fs::read_dir(current.edition.path()).context("reading the index folder")? {
            // A file that goes away meanwhile takes no space.
            bytes += file.and_then(|file| file.metadata()).map_or(0, |about| about.len());
        }
        Ok(Status {
            entries: view.searcher.num_docs(),
            segments: view.searcher.segment_readers().len(),
            bytes,
            cursor: view.cursor,
            writer_is_open: current.writer.is_open(),
        })
    }

    pub(super) fn view(&self) -> Arc<View> {
        self.inner.current.load().edition.view()
    }

    pub(super) fn fields(&self) -> Fields {
        self.inner.current.load().edition.fields
    }

    pub(super) fn sets(&self) -> &VisibleSets {
        &self.inner.sets
    }

    fn edition(&self) -> Arc<Edition> {
        Arc::clone(&self.inner.current.load().edition)
    }
}

/// An index that is being built beside the present one. Dropping it leaves everything as it was.
pub struct Rebuild {
    index: Index,
    cursor: u64,
    /// Present until finished.
    next: Option<Current>,
    /// Sixteen bytes for each entry: removing what was just added is dear, so it is only done for
    /// entries that really come twice.
    seen: HashSet<Uuid>,
}

impl Rebuild {
    /// Adds entries. One that was added before is replaced.
    pub fn put(&mut self, entries: Vec<Entry>) -> Result<()> {
        let Some(next) = &self.next else { return Ok(()) };
        let again: HashSet<Uuid> =
            entries.iter().map(|entry| entry.id).filter(|id| !self.seen.insert(*id)).collect();
        let changes = entries.into_iter().map(|entry| Change::Put(Box::new(entry))).collect();
        next.writer.build(changes, |id| again.contains(&id))
    }

    /// From here on the new index answers.
    pub fn finish(mut self) -> Result<()> {
        let Some(next) = self.next.take() else { return Ok(()) };
        let finished = next.writer.finish(self.cursor);
        if finished.is_err() {
            next.edition.discard();
        }
        finished.and_then(|()| self.index.inner.replace(next))
    }
}

impl Drop for Rebuild {
    fn drop(&mut self) {
        if let Some(next) = self.next.take() {
            next.writer.close();
            next.edition.discard();
        }
        *self.index.inner.next_cursor() = None;
    }
}

impl Inner {
    fn next_cursor(&self) -> MutexGuard<'_, Option<u64>> {
        self.next_cursor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty edition beside the current one.
    fn next(&self) -> Result<Current> {
        let _alone = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Current::new(new_edition(&self.folder, &self.generations)?, self.options.clone()))
    }

    /// Lets another edition answer. Searches that run in the old one end there.
    fn replace(&self, next: Current) -> Result<()> {
        let _alone = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        next.edition.refresh().context("showing the new search index")?;
        self.folder.make_current(next.edition.path())?;
        let old = self.current.swap(Arc::new(next));
        old.writer.close();
        old.edition.discard();
        Ok(())
    }
}

impl Current {
    fn new(edition: Edition, options: Options) -> Current {
        let edition = Arc::new(edition);
        let bodies = BodyLimits {
            indexed_bytes_max: options.body_bytes_indexed_max,
            stored_bytes_max: options.body_bytes_stored_max,
        };
        let options = WriterOptions {
            memory_bytes: options.writer_memory_bytes,
            idle: options.writer_idle,
            reserve: options.reserve,
            bodies,
        };
        let writer = Writer::new(Arc::clone(&edition), options);
        Current { edition, writer }
    }
}

/// An empty edition that counts from now on.
fn create(folder: &Folder, generations: &Arc<AtomicU64>) -> Result<Edition> {
    let edition = new_edition(folder, generations)?;
    folder.make_current(edition.path())?;
    Ok(edition)
}

fn new_edition(folder: &Folder, generations: &Arc<AtomicU64>) -> Result<Edition> {
    Edition::create(&folder.next_edition()?, Arc::clone(generations))
}
