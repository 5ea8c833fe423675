//! One edition of the index on disk, as it is read: which segments it has right now, and how far
//! it has followed the changes of the store.

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use anyhow::Context;
use arc_swap::ArcSwap;
use tantivy::{
    Index, IndexReader, ReloadPolicy, Searcher, TantivyError,
    directory::error::{LockError, OpenDirectoryError, OpenReadError},
    error::DataCorruption,
    index::SegmentId,
    schema::Type,
};

use super::{
    analyzers,
    columns::Columns,
    directory::{self, UnsyncedDirectory},
    folder,
    languages::Language,
    merging::Segment,
    schema::{self, Fields},
};
use crate::error::{Error, Result};

/// Decompressed blocks of stored text that each segment keeps.
const STORE_BLOCKS_KEPT: usize = 4;
/// What precedes the cursor in the payload of a commit.
const CURSOR: &str = "cursor=";

pub(super) struct Edition {
    path: PathBuf,
    pub index: Index,
    reader: IndexReader,
    pub fields: Fields,
    view: ArcSwap<View>,
    /// Counts the views of all editions of this process.
    generations: Arc<AtomicU64>,
    is_discarded: AtomicBool,
}

/// The index at one moment; does not change while somebody reads it.
pub(super) struct View {
    pub searcher: Searcher,
    pub columns: HashMap<SegmentId, Arc<Columns>>,
    /// The languages its entries were stemmed in.
    pub languages: Vec<Language>,
    /// The change of the store up to which the entries are current.
    pub cursor: u64,
    pub generation: u64,
}

/// Why an edition could not be opened.
pub(super) enum Unusable {
    /// It is damaged or of another version: a new one must be made. The reason.
    Damaged(String),
    /// The machine refused; the edition may well be in order.
    Fault(Error),
}

impl Edition {
    /// An empty edition at a path where nothing is.
    pub fn create(path: &Path, generations: Arc<AtomicU64>) -> Result<Edition> {
        let create = || -> anyhow::Result<Edition> {
            fs::create_dir_all(path)?;
            directory::begin_changes(path)?;
            let (schema, _) = schema::schema();
            let files = UnsyncedDirectory::open(path)?;
            let index = Index::create(files, schema, schema::settings())?;
            Ok(Edition::read(path, index, generations)?)
        };
        Ok(create().with_context(|| format!("creating a search index at {}", path.display()))?)
    }

    pub fn open(path: &Path, generations: Arc<AtomicU64>) -> Result<Edition, Unusable> {
        if !path.is_dir() {
            return Err(Unusable::Damaged("its files are missing".to_owned()));
        }
        // The library panics on some kinds of damage.
        let opened = panic::catch_unwind(AssertUnwindSafe(|| -> tantivy::Result<Edition> {
            let is_whole = directory::is_whole(path)?;
            let index = Index::open(UnsyncedDirectory::open(path)?)?;
            if !is_whole && !index.validate_checksum()?.is_empty() {
                let what = "the machine went down while it was written".to_owned();
                return Err(TantivyError::DataCorruption(DataCorruption::comment_only(what)));
            }
            if !schema::is_ours(&index) {
                return Err(TantivyError::SchemaError("it has other fields".to_owned()));
            }
            let edition = Edition::read(path, index, generations)?;
            edition.probe()?;
            Ok(edition)
        }));
        match opened {
            Ok(Ok(edition)) => Ok(edition),
            Ok(Err(error)) => Err(unusable(error)),
            Err(_) => Err(Unusable::Damaged("reading it failed".to_owned())),
        }
    }

    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Before the first change. See [`directory`].
    pub fn begin_changes(&self) -> io::Result<()> {
        directory::begin_changes(&self.path)
    }

    /// After the last change; without it the next start looks closer after a power cut.
    pub fn end_changes(&self) {
        if let Err(error) = directory::end_changes(&self.path) {
            tracing::warn!("the search index is not synced: {error}");
        }
    }

    /// Shows what was committed. Must follow every commit.
    pub fn refresh(&self) -> tantivy::Result<()> {
        self.reader.reload()?;
        let last = self.view.load();
        let view = view(&self.index, &self.reader, &self.fields, &self.generations, &last.columns)?;
        self.view.store(Arc::new(view));
        Ok(())
    }

    /// The segments as they are committed, including what is not shown yet.
    pub fn segments(&self) -> tantivy::Result<Vec<Segment>> {
        let metas = self.index.searchable_segment_metas()?;
        Ok(metas
            .iter()
            .map(|meta| Segment {
                id: meta.id(),
                entries: meta.num_docs(),
                removed: meta.num_deleted_docs(),
            })
            .collect())
    }

    /// The payload that stores a cursor with a commit.
    pub fn payload(cursor: u64) -> String {
        format!("{CURSOR}{cursor}")
    }

    /// Removes the files when the last search in this edition has ended.
    pub fn discard(&self) {
        self.is_discarded.store(true, Ordering::SeqCst);
    }

    fn read(path: &Path, index: Index, generations: Arc<AtomicU64>) -> tantivy::Result<Edition> {
        analyzers::register(&index);
        let (_, fields) = schema::schema();
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .num_warming_threads(0)
            .doc_store_cache_num_blocks(STORE_BLOCKS_KEPT)
            .try_into()?;
        let view = view(&index, &reader, &fields, &generations, &HashMap::new())?;
        Ok(Edition {
            path: path.to_owned(),
            index,
            reader,
            fields,
            view: ArcSwap::from_pointee(view),
            generations,
            is_discarded: AtomicBool::new(false),
        })
    }

    /// Opens what a search would and opening did not, so that damage shows now and not then.
    fn probe(&self) -> tantivy::Result<()> {
        for segment in self.view().searcher.segment_readers() {
            for (field, entry) in self.index.schema().fields() {
                if entry.is_indexed() && matches!(entry.field_type().value_type(), Type::Str) {
                    segment.inverted_index(field)?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Edition {
    fn drop(&mut self) {
        if *self.is_discarded.get_mut() {
            folder::remove(&self.path);
        }
    }
}

/// The index as it is now. Columns of segments that showed before are taken from `opened`.
fn view(
    index: &Index,
    reader: &IndexReader,
    fields: &Fields,
    generations: &AtomicU64,
    opened: &HashMap<SegmentId, Arc<Columns>>,
) -> tantivy::Result<View> {
    // The cursor is read first: a commit in between shows more entries than the cursor says, and
    // those changes are then applied once more, which does no harm.
    let payload = index.load_metas()?.payload;
    let searcher = reader.searcher();
    let columns = searcher.segment_readers().iter().map(|segment| {
        let columns = match opened.get(&segment.segment_id()) {
            Some(columns) => Arc::clone(columns),
            None => Arc::new(Columns::open(segment)?),
        };
        Ok((segment.segment_id(), columns))
    });
    Ok(View {
        columns: columns.collect::<tantivy::Result<_>>()?,
        languages: languages(&searcher, fields)?,
        searcher,
        cursor: read_cursor(payload.as_deref())?,
        generation: generations.fetch_add(1, Ordering::SeqCst) + 1,
    })
}

fn read_cursor(payload: Option<&str>) -> tantivy::Result<u64> {
    let Some(payload) = payload else { return Ok(0) };
    let cursor = payload.strip_prefix(CURSOR).and_then(|cursor| cursor.parse().ok());
    cursor.ok_or_else(|| TantivyError::SchemaError(format!("its cursor is {payload:?}")))
}

fn languages(searcher: &Searcher, fields: &Fields) -> tantivy::Result<Vec<Language>> {
    let mut languages = BTreeSet::new();
    for segment in searcher.segment_readers() {
        let index = segment.inverted_index(fields.language)?;
        let mut codes = index.terms().stream()?;
        while codes.advance() {
            let code = std::str::from_utf8(codes.key()).unwrap_or("");
            languages.extend(Language::from_code(code));
        }
    }
    Ok(languages.into_iter().collect())
}

/// Tells damage, which a new index mends, from what would befall a new index just the same.
fn unusable(error: TantivyError) -> Unusable {
    let io_kind = match &error {
        TantivyError::IoError(error) => Some(error.kind()),
        TantivyError::OpenReadError(OpenReadError::IoError { io_error, .. }) => {
            Some(io_error.kind())
        }
        TantivyError::OpenDirectoryError(OpenDirectoryError::IoError { io_error, .. }) => {
            Some(io_error.kind())
        }
        TantivyError::LockFailure(LockError::IoError(error), _) => Some(error.kind()),
        _ => None,
    };
    let raw_faults = match &error {
        TantivyError::IoError(error) => error.raw_os_error(),
        TantivyError::OpenReadError(OpenReadError::IoError { io_error, .. }) => {
            io_error.raw_os_error()
        }
        _ => None,
    };
    let is_fault = matches!(
        io_kind,
        Some(
            io::ErrorKind::PermissionDenied
                | io::ErrorKind::OutOfMemory
                | io::ErrorKind::StorageFull
                | io::ErrorKind::ReadOnlyFilesystem
                | io::ErrorKind::Interrupted
        )
    ) || matches!(raw_faults, Some(libc::EMFILE | libc::ENFILE | libc::EIO));
    if is_fault {
        Unusable::Fault(Error::Internal(
            anyhow::Error::new(error).context("opening the search index"),
        ))
    } else {
        Unusable::Damaged(error.to_string())
    }
}
