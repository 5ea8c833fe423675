//! The contract of the engines below the store: one list of checks, each run against every engine;
//! a model that random operations are compared with; and disks that fail.

mod checks;
mod disks;
mod model;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::{self, Excluded, Included, Unbounded},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::anyhow;
use appliance::store::{
    Direction::{self, Backward, Forward},
    Engine, MemoryEngine, Pair, Reader, RedbEngine, Span, Writer,
};
use proptest::{collection::vec, prelude::*, sample::select};
use tempfile::TempDir;

const CACHE_BYTES: usize = 1 << 20;

/// An engine under test.
struct Subject {
    engine: Option<Box<dyn Engine>>,
    /// Where it keeps its file; `None` for an engine that forgets.
    folder: Option<TempDir>,
}

impl Subject {
    fn memory() -> Self {
        Subject { engine: Some(Box::new(MemoryEngine::default())), folder: None }
    }

    fn redb() -> Self {
        let mut subject = Subject { engine: None, folder: Some(TempDir::new().unwrap()) };
        subject.reopen();
        subject
    }

    fn engine(&self) -> &dyn Engine {
        self.engine.as_deref().unwrap()
    }

    /// Closes and opens it, where it has something to come back to.
    fn reopen(&mut self) {
        if let Some(folder) = &self.folder {
            self.engine = None;
            let path = folder.path().join("pairs.redb");
            self.engine = Some(Box::new(RedbEngine::open(&path, CACHE_BYTES).unwrap()));
        }
    }

    fn write(&self, mut work: impl FnMut(&mut dyn Writer)) {
        self.engine()
            .write(&mut |tx| {
                work(tx);
                Ok(())
            })
            .unwrap();
    }

    fn fill(&self, keys: &[&str]) {
        self.write(|tx| {
            for key in keys {
                tx.put(key.as_bytes(), key.to_uppercase().as_bytes()).unwrap();
            }
        });
    }

    fn keys(&self) -> Vec<String> {
        scanned(&*self.engine().read().unwrap(), Unbounded, Unbounded, Forward)
    }
}

/// The keys in a span, as text.
fn scanned(
    reader: &(impl Reader + ?Sized),
    from: Bound<&str>,
    to: Bound<&str>,
    direction: Direction,
) -> Vec<String> {
    let owned = |bound: Bound<&str>| bound.map(|key| key.as_bytes().to_vec());
    let span = Span { from: owned(from), to: owned(to) };
    let pairs = reader.scan(&span, direction).unwrap();
    pairs.map(|pair| String::from_utf8(pair.unwrap().0).unwrap()).collect()
}

macro_rules! contract {
    ($($check:ident,)*) => {
        mod redb_keeps_the_contract {
            $(#[test] fn $check() { super::checks::$check(super::Subject::redb()); })*
        }

        mod memory_keeps_the_contract {
            $(#[test] fn $check() { super::checks::$check(super::Subject::memory()); })*
        }
    };
}

contract! {
    what_was_put_is_got,
    putting_again_replaces,
    removing_removes_and_may_be_repeated,
    a_new_engine_is_empty,
    a_scan_runs_both_ways_with_keys_and_values,
    a_scan_keeps_to_its_bounds,
    a_span_with_nothing_inside_yields_nothing,
    a_prefix_finds_all_that_begins_with_it,
    a_scan_can_be_left_early,
    a_reader_sees_what_was_committed_when_it_began,
    a_write_sees_its_own_writes_and_nobody_else_does,
    an_error_leaves_nothing,
    a_panic_leaves_nothing_and_the_engine_goes_on,
    commits_survive_reopening,
    writers_take_turns,
    readers_never_see_half_a_commit,
}
