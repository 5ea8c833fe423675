//! The engine over [redb](redb): one file, one table of bytes.

use std::{ops::Bound, path::Path};

use anyhow::{Context, Result};
use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::engine::{Direction, Engine, Pairs, Reader, Span, Writer};

const PAIRS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("pairs");

pub struct RedbEngine {
    database: Database,
}

impl RedbEngine {
    /// Opens the file, making it when it is missing, with a page cache of at most `cache_bytes`.
    ///
    /// # Errors
    /// When another process has the file open (the chain holds
    /// [`redb::DatabaseError::DatabaseAlreadyOpen`]), or it is damaged or unreadable.
    pub fn open(path: &Path, cache_bytes: usize) -> Result<Self> {
        let database = Builder::new()
            .set_cache_size(cache_bytes)
            .create(path)
            .with_context(|| format!("opening the database {}", path.display()))?;
        let engine = RedbEngine { database };
        engine.write(&mut |_| Ok(())).context("making the table of pairs")?;
        Ok(engine)
    }
}

impl Engine for RedbEngine {
    fn read(&self) -> Result<Box<dyn Reader + '_>> {
        let transaction = self.database.begin_read()?;
        Ok(Box::new(Table(transaction.open_table(PAIRS)?)))
    }

    fn write(&self, work: &mut dyn FnMut(&mut dyn Writer) -> Result<()>) -> Result<()> {
        let mut transaction = self.database.begin_write()?;
        // Without it, opening after a crash reads the whole file.
        transaction.set_quick_repair(true);
        let done = work(&mut Table(transaction.open_table(PAIRS)?));
        match done {
            Ok(()) => transaction.commit().context("committing to the database"),
            Err(refused) => {
                transaction.abort().context("abandoning a transaction")?;
                Err(refused)
            }
        }
    }
}

struct Table<T>(T);

impl<T: ReadableTable<&'static [u8], &'static [u8]>> Reader for Table<T> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(key)?.map(|value| value.value().to_vec()))
    }

    fn scan(&self, span: &Span, direction: Direction) -> Result<Pairs<'_>> {
        let bounds = (borrow(&span.from), borrow(&span.to));
        let range = self.0.range::<&[u8]>(bounds)?;
        let owned = |entry: redb::Result<(redb::AccessGuard<_>, redb::AccessGuard<_>), _>| {
            let (key, value): (redb::AccessGuard<&[u8]>, redb::AccessGuard<&[u8]>) = entry?;
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
        self.0.insert(key, value)?;
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<()> {
        self.0.remove(key)?;
        Ok(())
    }
}

fn borrow(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) => Bound::Included(key.as_slice()),
        Bound::Excluded(key) => Bound::Excluded(key.as_slice()),
        Bound::Unbounded => Bound::Unbounded,
    }
}
