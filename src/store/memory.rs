//! An engine over a `BTreeMap`: the plainest thing that keeps the contract. It is what the other
//! engines are compared with, and what tests without a disk run on.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;

use super::engine::{Direction, Engine, Pairs, Reader, Span, Writer};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Default)]
pub struct MemoryEngine {
    committed: Mutex<Arc<Map>>,
    one_writer: Mutex<()>,
}

impl MemoryEngine {
    fn snapshot(&self) -> Arc<Map> {
        self.committed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Engine for MemoryEngine {
    fn read(&self) -> Result<Box<dyn Reader + '_>> {
        Ok(Box::new(Snapshot(self.snapshot())))
    }

    fn write(&self, work: &mut dyn FnMut(&mut dyn Writer) -> Result<()>) -> Result<()> {
        let _turn = self.one_writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut draft = Snapshot(self.snapshot());
        work(&mut draft)?;
        *self.committed.lock().unwrap_or_else(PoisonError::into_inner) = draft.0;
        Ok(())
    }
}

struct Snapshot(Arc<Map>);

impl Reader for Snapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(&self, span: &Span, direction: Direction) -> Result<Pairs<'_>> {
        if span.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        let bounds: (Bound<Vec<u8>>, Bound<Vec<u8>>) = (span.from.clone(), span.to.clone());
        let range = self.0.range(bounds);
        let owned = |(key, value): (&Vec<u8>, &Vec<u8>)| Ok((key.clone(), value.clone()));
        Ok(match direction {
            Direction::Forward => Box::new(range.map(owned)),
            Direction::Backward => Box::new(range.rev().map(owned)),
        })
    }
}

impl Writer for Snapshot {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        Arc::make_mut(&mut self.0).insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<()> {
        Arc::make_mut(&mut self.0).remove(key);
        Ok(())
    }
}
