//! The engine over [redb](redb): one file, one table of bytes.
//!
//! The file is never compacted. Pages that become free are used again first, and redb gives back
//! those at the end of the file with a commit and when it is closed; compaction would move the
//! others too, but rewrites the file while nobody may read or write it.

use std::{
    ops::Bound,
    path::Path,
    sync::{RwLock, RwLockReadGuard},
};

use anyhow::{Context, Result};
use redb::{
    Builder, Database, DatabaseError, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageError,
    TableDefinition, TableError, TransactionError, WriteTransaction,
};

use super::engine::{Direction, Engine, Pairs, Reader, Span, Writer};

const PAIRS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("pairs");

/// How the database is opened, and opened again after its disk failed.
type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send + Sync>;

pub struct RedbEngine {
    open: Opener,
    /// `None` while the database could not be opened again after a failure of its disk.
    database: RwLock<Option<Database>>,
}

impl RedbEngine {
    /// Opens the file, making it when it is missing, with a page cache of at most `cache_bytes`.
    ///
    /// # Errors
    /// When another process has the file open (the chain holds
    /// [`redb::DatabaseError::DatabaseAlreadyOpen`]), or it is damaged or unreadable.
    pub fn open(path: &Path, cache_bytes: usize) -> Result<Self> {
        let file = path.to_owned();
        RedbEngine::opened_by(move || Builder::new().set_cache_size(cache_bytes).create(&file))
            .with_context(|| format!("opening the database {}", path.display()))
    }

    /// An engine over whatever `open` opens: for a database that is not a plain file.
    pub fn opened_by(
        open: impl Fn() -> Result<Database, DatabaseError> + Send + Sync + 'static,
    ) -> Result<Self> {
        let database = prepared(&open)?;
        Ok(RedbEngine { open: Box::new(open), database: RwLock::new(Some(database)) })
    }

    /// redb refuses everything after one failure of the disk, reading too, until it is opened
    /// again: a disk that was full for a moment would otherwise stop the portal for good.
    fn reopen(&self) -> Result<()> {
        let mut database = self.database.write().unwrap_or_else(|lock| lock.into_inner());
        if database.as_ref().is_some_and(|database| !has_failed(database)) {
            return Ok(());
        }
        // The old one must let go of the file first.
        *database = None;
        *database = Some(prepared(&self.open).context("opening the database again")?);
        tracing::warn!("the database was opened again after a failure of its disk");
        Ok(())
    }

    fn begin_read(&self) -> Result<ReadOnlyTable<&'static [u8], &'static [u8]>> {
        let guard = self.guard();
        let database = guard.as_ref().context("the database is closed after a failure")?;
        Ok(database.begin_read()?.open_table(PAIRS)?)
    }

    fn begin_write(&self) -> Result<WriteTransaction> {
        let guard = self.guard();
        let database = guard.as_ref().context("the database is closed after a failure")?;
        Ok(database.begin_write()?)
    }

    fn guard(&self) -> RwLockReadGuard<'_, Option<Database>> {
        // A panic elsewhere cannot leave the option half written.
        self.database.read().unwrap_or_else(|lock| lock.into_inner())
    }
}

/// The opened database, with its one table made when it is new.
fn prepared(open: &dyn Fn() -> Result<Database, DatabaseError>) -> Result<Database> {
    let database = open()?;
    let known = database.begin_read()?.open_table(PAIRS);
    match known {
        Ok(_) => return Ok(database),
        Err(TableError::TableDoesNotExist(_)) => {}
        Err(fault) => return Err(fault.into()),
    }
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    transaction.open_table(PAIRS)?;
    transaction.commit().context("making the table of pairs")?;
    Ok(database)
}

/// Waits for the writer of another thread, if there is one.
fn has_failed(database: &Database) -> bool {
    matches!(
        database.begin_write(),
        Err(TransactionError::Storage(StorageError::PreviousIo | StorageError::DatabaseClosed))
    )
}

impl Engine for RedbEngine {
    fn read(&self) -> Result<Box<dyn Reader + '_>> {
        let table = self.begin_read().or_else(|_| {
            self.reopen()?;
            self.begin_read()
        })?;
        Ok(Box::new(Table::of(table)))
    }

    fn write(&self, work: &mut dyn FnMut(&mut dyn Writer) -> Result<()>) -> Result<()> {
        let mut transaction = self.begin_write().or_else(|_| {
            self.reopen()?;
            self.begin_write()
        })?;
        // Without it, opening after a crash reads the whole file.
        transaction.set_quick_repair(true);
        let mut draft = Table::of(transaction.open_table(PAIRS)?);
        let done = work(&mut draft);
        let is_changed = draft.is_changed;
        drop(draft);
        let committed = match done {
            // Nothing to make durable: no reason to wait for the disk.
            Ok(()) if !is_changed => transaction.abort().context("ending an empty transaction"),
            Ok(()) => transaction.commit().map_err(plain).context("committing to the database"),
            Err(refused) => {
                transaction.abort().context("abandoning a transaction").and(Err(refused))
            }
        };
        committed.inspect_err(|_| {
            if let Err(fault) = self.reopen() {
                tracing::error!("{fault:#}");
            }
        })
    }
}

/// The table within a transaction.
struct Table<T> {
    table: T,
    is_changed: bool,
}

impl<T> Table<T> {
    fn of(table: T) -> Self {
        Table { table, is_changed: false }
    }
}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> Reader for Table<T> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.table.get(key).map_err(plain)?.map(|value| value.value().to_vec()))
    }

    fn scan(&self, span: &Span, direction: Direction) -> Result<Pairs<'_>> {
        if span.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        let bounds = (borrow(&span.from), borrow(&span.to));
        let range = self.table.range::<&[u8]>(bounds).map_err(plain)?;
        let owned = |entry: redb::Result<(redb::AccessGuard<_>, redb::AccessGuard<_>), _>| {
            let (key, value): (redb::AccessGuard<&[u8]>, redb::AccessGuard<&[u8]>) =
                entry.map_err(plain)?;
            Ok((key.value().to_vec(), value.value().to_vec()))
        };
        Ok(match direction {
            Direction::Forward => Box::new(range.map(owned)),
            Direction::Backward => Box::new(range.rev().map(owned)),
        })
    }
}

impl Writer for Table<redb::Table<'_, &'static [u8], &'static [u8]>> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.is_changed = true;
        self.table.insert(key, value).map_err(plain)?;
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<()> {
        self.is_changed = true;
        self.table.remove(key).map_err(plain)?;
        Ok(())
    }
}

/// redb's errors hide the system's error, by which a full disk is recognized.
fn plain(fault: impl Into<redb::Error>) -> anyhow::Error {
    match fault.into() {
        redb::Error::Io(fault) => fault.into(),
        fault => fault.into(),
    }
}

fn borrow(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) => Bound::Included(key.as_slice()),
        Bound::Excluded(key) => Bound::Excluded(key.as_slice()),
        Bound::Unbounded => Bound::Unbounded,
    }
}
