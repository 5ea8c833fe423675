//! The contract of the engines below the store: one list of checks, each run against every engine;
//! a model that random operations are compared with; and disks that fail.

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

/// What every engine must do.
mod checks {
    use super::*;

    pub fn what_was_put_is_got(subject: Subject) {
        subject.write(|tx| {
            tx.put(b"a", b"1").unwrap();
            tx.put(b"empty", b"").unwrap();
            tx.put(&[0, 255, 0], &[7; 100_000]).unwrap();
        });
        let reader = subject.engine().read().unwrap();
        assert_eq!(reader.get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(reader.get(b"empty").unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(reader.get(&[0, 255, 0]).unwrap(), Some(vec![7; 100_000]));
        assert_eq!(reader.get(b"b").unwrap(), None);
        assert_eq!(reader.get(b"").unwrap(), None);
    }

    pub fn putting_again_replaces(subject: Subject) {
        subject.write(|tx| tx.put(b"a", b"1").unwrap());
        subject.write(|tx| tx.put(b"a", b"2").unwrap());
        assert_eq!(subject.engine().read().unwrap().get(b"a").unwrap().as_deref(), Some(&b"2"[..]));
        assert_eq!(subject.keys(), ["a"]);
    }

    pub fn removing_removes_and_may_be_repeated(subject: Subject) {
        subject.fill(&["a", "b"]);
        subject.write(|tx| {
            tx.remove(b"a").unwrap();
            tx.remove(b"a").unwrap();
            tx.remove(b"never").unwrap();
        });
        assert_eq!(subject.keys(), ["b"]);
    }

    pub fn a_new_engine_is_empty(subject: Subject) {
        assert!(subject.keys().is_empty());
    }

    pub fn a_scan_runs_both_ways_with_keys_and_values(subject: Subject) {
        subject.fill(&["b", "a", "c", "ab"]);
        let reader = subject.engine().read().unwrap();
        let span = Span { from: Unbounded, to: Unbounded };
        let there: Vec<Pair> =
            reader.scan(&span, Forward).unwrap().collect::<Result<_, _>>().unwrap();
        let mut back: Vec<Pair> =
            reader.scan(&span, Backward).unwrap().collect::<Result<_, _>>().unwrap();
        back.reverse();
        assert_eq!(there, back);
        let pair = |key: &str, value: &str| (key.as_bytes().to_vec(), value.as_bytes().to_vec());
        assert_eq!(there, [pair("a", "A"), pair("ab", "AB"), pair("b", "B"), pair("c", "C")]);
    }

    pub fn a_scan_keeps_to_its_bounds(subject: Subject) {
        subject.fill(&["a", "b", "c", "d"]);
        let reader = subject.engine().read().unwrap();
        for (from, to, expected) in [
            (Unbounded, Unbounded, "abcd"),
            (Included("b"), Unbounded, "bcd"),
            (Excluded("b"), Unbounded, "cd"),
            (Unbounded, Included("c"), "abc"),
            (Unbounded, Excluded("c"), "ab"),
            (Included("b"), Included("c"), "bc"),
            (Excluded("a"), Excluded("d"), "bc"),
            (Included("aa"), Included("cc"), "bc"),
            (Included("b"), Included("b"), "b"),
            (Excluded("b"), Excluded("c"), ""),
            (Included("x"), Unbounded, ""),
            (Unbounded, Excluded("a"), ""),
        ] {
            assert_eq!(scanned(&*reader, from, to, Forward).concat(), expected);
            let reversed: String = expected.chars().rev().collect();
            assert_eq!(scanned(&*reader, from, to, Backward).concat(), reversed);
        }
    }

    pub fn a_span_with_nothing_inside_yields_nothing(subject: Subject) {
        subject.fill(&["a", "b", "c"]);
        let reader = subject.engine().read().unwrap();
        for (from, to) in [
            (Included("b"), Excluded("b")),
            (Excluded("b"), Included("b")),
            (Excluded("b"), Excluded("b")),
            (Included("c"), Included("a")),
            (Excluded("c"), Excluded("a")),
            (Unbounded, Excluded("")),
        ] {
            for direction in [Forward, Backward] {
                assert!(scanned(&*reader, from, to, direction).is_empty(), "{from:?} {to:?}");
                subject.write(|tx| assert!(scanned(tx, from, to, direction).is_empty()));
            }
        }
    }

    pub fn a_prefix_finds_all_that_begins_with_it(subject: Subject) {
        let keys: [&[u8]; 7] =
            [&[1], &[1, 0], &[1, 255], &[1, 255, 255], &[2], &[255], &[255, 255]];
        subject.write(|tx| keys.iter().for_each(|key| tx.put(key, b"").unwrap()));
        let reader = subject.engine().read().unwrap();
        let found = |prefix: &[u8]| {
            let pairs = reader.scan(&Span::prefix(prefix), Forward).unwrap();
            pairs.map(|pair| pair.unwrap().0).collect::<Vec<_>>()
        };
        assert_eq!(found(&[1]), keys[..4]);
        assert_eq!(found(&[1, 255]), keys[2..4]);
        assert_eq!(found(&[255]), keys[5..]);
        assert_eq!(found(&[255, 255]), keys[6..]);
        assert_eq!(found(&[]), keys);
        assert!(found(&[3]).is_empty());
    }

    pub fn a_scan_can_be_left_early(subject: Subject) {
        subject.fill(&["a", "b", "c"]);
        subject.write(|tx| {
            let first = tx.scan(&Span::prefix(b""), Forward).unwrap().next().unwrap().unwrap();
            tx.remove(&first.0).unwrap();
        });
        assert_eq!(subject.keys(), ["b", "c"]);
    }

    pub fn a_reader_sees_what_was_committed_when_it_began(subject: Subject) {
        subject.fill(&["a"]);
        let before = subject.engine().read().unwrap();
        subject.write(|tx| {
            tx.put(b"a", b"changed").unwrap();
            tx.put(b"b", b"new").unwrap();
        });
        assert_eq!(before.get(b"a").unwrap().as_deref(), Some(&b"A"[..]));
        assert_eq!(before.get(b"b").unwrap(), None);
        assert_eq!(scanned(&*before, Unbounded, Unbounded, Backward), ["a"]);
        assert_eq!(subject.keys(), ["a", "b"]);
    }

    pub fn a_write_sees_its_own_writes_and_nobody_else_does(subject: Subject) {
        subject.fill(&["a", "b"]);
        subject.write(|tx| {
            tx.put(b"c", b"C").unwrap();
            tx.put(b"b", b"other").unwrap();
            tx.remove(b"a").unwrap();
            assert_eq!(tx.get(b"a").unwrap(), None);
            assert_eq!(tx.get(b"b").unwrap().as_deref(), Some(&b"other"[..]));
            assert_eq!(scanned(tx, Unbounded, Unbounded, Forward), ["b", "c"]);
            assert_eq!(scanned(tx, Unbounded, Unbounded, Backward), ["c", "b"]);
            assert_eq!(subject.keys(), ["a", "b"]);
        });
        assert_eq!(subject.keys(), ["b", "c"]);
    }

    pub fn an_error_leaves_nothing(mut subject: Subject) {
        subject.fill(&["a", "b"]);
        let refused = subject.engine().write(&mut |tx| {
            tx.put(b"c", b"C")?;
            tx.put(b"a", b"other")?;
            tx.remove(b"b")?;
            Err(anyhow!("changed my mind"))
        });
        assert_eq!(refused.unwrap_err().to_string(), "changed my mind");
        for _ in 0..2 {
            assert_eq!(subject.keys(), ["a", "b"]);
            let reader = subject.engine().read().unwrap();
            assert_eq!(reader.get(b"a").unwrap().as_deref(), Some(&b"A"[..]));
            drop(reader);
            subject.reopen();
        }
    }

    pub fn a_panic_leaves_nothing_and_the_engine_goes_on(subject: Subject) {
        subject.fill(&["a"]);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            subject.write(|tx| {
                tx.put(b"b", b"").unwrap();
                panic!("a test's panic");
            });
        }));
        assert!(panicked.is_err());
        assert_eq!(subject.keys(), ["a"]);
        subject.fill(&["c"]);
        assert_eq!(subject.keys(), ["a", "c"]);
    }

    pub fn commits_survive_reopening(mut subject: Subject) {
        for round in 0..5 {
            assert_eq!(subject.keys().len(), round);
            subject.fill(&[["a", "b", "c", "d", "e"][round]]);
            // A transaction that only looks must not undo anything.
            subject.write(|tx| assert_eq!(tx.get(b"zzz").unwrap(), None));
            subject.reopen();
        }
        assert_eq!(subject.keys().concat(), "abcde");
    }

    pub fn writers_take_turns(subject: Subject) {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        subject.write(|tx| {
                            let count = tx.get(b"count").unwrap().map_or(0, |count| count[0]);
                            tx.put(b"count", &[count + 1]).unwrap();
                        });
                    }
                });
            }
        });
        assert_eq!(subject.engine().read().unwrap().get(b"count").unwrap(), Some(vec![100]));
    }

    /// Every commit moves both keys by one: a reader that sees them differ has seen half a commit.
    pub fn readers_never_see_half_a_commit(subject: Subject) {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut last = 0;
                    while !is_over.load(Ordering::SeqCst) {
                        let reader = subject.engine().read().unwrap();
                        let left = reader.get(b"left").unwrap().map_or(0, |count| count[0]);
                        let right = reader.get(b"right").unwrap().map_or(0, |count| count[0]);
                        assert_eq!(left, right);
                        assert!(left >= last, "a later snapshot went back");
                        last = left;
                    }
                });
            }
            for count in 1..=60 {
                subject.write(|tx| {
                    tx.put(b"left", &[count]).unwrap();
                    tx.put(b"right", &[count]).unwrap();
                });
            }
            is_over.store(true, Ordering::SeqCst);
        });
    }
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

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<u8>, Vec<u8>),
    Remove(Vec<u8>),
    Get(Vec<u8>),
    Scan(Bound<Vec<u8>>, Bound<Vec<u8>>, Direction),
}

#[derive(Clone, Debug)]
enum Act {
    /// A transaction, and whether it ends well.
    Write(Vec<Step>, bool),
    Read(Vec<Step>),
    /// From here on this view is held and must not change.
    Hold,
    Reopen,
}

/// Few and short, so that they meet, with the bytes at which orders break.
fn a_key() -> impl Strategy<Value = Vec<u8>> {
    vec(select(vec![0, 1, 127, 128, 254, 255]), 0..4)
}

fn a_bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![
        1 => Just(Unbounded),
        3 => a_key().prop_map(Included),
        3 => a_key().prop_map(Excluded),
    ]
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (a_key(), vec(any::<u8>(), 0..5)).prop_map(|(key, value)| Step::Put(key, value)),
        2 => a_key().prop_map(Step::Remove),
        1 => a_key().prop_map(Step::Get),
        2 => (a_bound(), a_bound(), select(vec![Forward, Backward]))
            .prop_map(|(from, to, direction)| Step::Scan(from, to, direction)),
    ]
}

fn an_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (vec(a_step(), 0..12), prop::bool::weighted(0.8))
            .prop_map(|(steps, ends_well)| Act::Write(steps, ends_well)),
        2 => vec(a_step(), 0..6).prop_map(Act::Read),
        1 => Just(Act::Hold),
        1 => Just(Act::Reopen),
    ]
}

/// What `span` holds in the model, computed without its range, which panics on odd bounds.
fn expected(model: &Model, span: &Span, direction: Direction) -> Vec<Pair> {
    let above = |key: &Vec<u8>| match &span.from {
        Included(from) => key >= from,
        Excluded(from) => key > from,
        Unbounded => true,
    };
    let below = |key: &Vec<u8>| match &span.to {
        Included(to) => key <= to,
        Excluded(to) => key < to,
        Unbounded => true,
    };
    let inside = model.iter().filter(|(key, _)| above(key) && below(key));
    let mut pairs: Vec<Pair> = inside.map(|(key, value)| (key.clone(), value.clone())).collect();
    if direction == Backward {
        pairs.reverse();
    }
    pairs
}

fn compare(reader: &(impl Reader + ?Sized), model: &Model, step: &Step) {
    match step {
        Step::Get(key) | Step::Put(key, _) | Step::Remove(key) => {
            assert_eq!(reader.get(key).unwrap().as_ref(), model.get(key));
        }
        Step::Scan(from, to, direction) => {
            let span = Span { from: from.clone(), to: to.clone() };
            let pairs = reader.scan(&span, *direction).unwrap();
            let pairs: Vec<Pair> = pairs.collect::<Result<_, _>>().unwrap();
            assert_eq!(pairs, expected(model, &span, *direction));
        }
    }
}

fn compare_all(reader: &(impl Reader + ?Sized), model: &Model) {
    for direction in [Forward, Backward] {
        compare(reader, model, &Step::Scan(Unbounded, Unbounded, direction));
    }
}

fn agree_with_a_map(mut subject: Subject, acts: &[Act]) {
    let mut model = Model::new();
    let mut from = 0;
    // A held view borrows the engine, so each stretch between two reopenings is one loop.
    while from < acts.len() {
        let stretch = acts[from..].iter().take_while(|act| !matches!(act, Act::Reopen));
        let mut held = Vec::new();
        for act in stretch {
            from += 1;
            match act {
                Act::Write(steps, ends_well) => {
                    let mut draft = model.clone();
                    let done = subject.engine().write(&mut |tx| {
                        for step in steps {
                            match step {
                                Step::Put(key, value) => {
                                    tx.put(key, value)?;
                                    draft.insert(key.clone(), value.clone());
                                }
                                Step::Remove(key) => {
                                    tx.remove(key)?;
                                    draft.remove(key);
                                }
                                Step::Get(_) | Step::Scan(..) => {}
                            }
                            compare(tx, &draft, step);
                        }
                        if *ends_well { Ok(()) } else { Err(anyhow!("on purpose")) }
                    });
                    assert_eq!(done.is_ok(), *ends_well);
                    if *ends_well {
                        model = draft;
                    }
                }
                Act::Read(steps) => {
                    let reader = subject.engine().read().unwrap();
                    steps.iter().for_each(|step| compare(&*reader, &model, step));
                }
                Act::Hold => held.push((subject.engine().read().unwrap(), model.clone())),
                Act::Reopen => unreachable!("the stretch ends before it"),
            }
            held.iter().for_each(|(reader, then)| compare_all(&**reader, then));
        }
        drop(held);
        from += 1;
        subject.reopen();
        compare_all(&*subject.engine().read().unwrap(), &model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn redb_does_what_a_map_does(acts in vec(an_act(), 1..25)) {
        agree_with_a_map(Subject::redb(), &acts);
    }

    #[test]
    fn memory_does_what_a_map_does(acts in vec(an_act(), 1..25)) {
        agree_with_a_map(Subject::memory(), &acts);
    }
}

/// A disk that can fail and lose its power: what was written since the last sync is then lost in
/// any part. Clones are the same disk.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<DiskState>>);

#[derive(Debug, Default)]
struct DiskState {
    bytes: Vec<u8>,
    /// The content at the last sync, and what was written since.
    synced: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
    /// How many more writes and syncs succeed; `None` for all.
    budget: Option<u64>,
    /// The blocks that were ever written; on a full disk only these can be written again.
    allocated: BTreeSet<usize>,
    is_full: bool,
}

const BLOCK_BYTES: usize = 4096;

impl Disk {
    fn opened(&self) -> RedbEngine {
        let disk = self.clone();
        let open = move || {
            redb::Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(disk.clone())
        };
        RedbEngine::opened_by(open).unwrap()
    }

    fn fail_after(&self, operations: u64) {
        self.0.lock().unwrap().budget = Some(operations);
    }

    fn fill_up(&self) {
        self.0.lock().unwrap().is_full = true;
    }

    fn mend(&self) {
        let mut state = self.0.lock().unwrap();
        state.budget = None;
        state.is_full = false;
    }

    /// What a machine finds after a power cut, when of the unsynced writes only those arrived for
    /// which `arrives` says so.
    fn after_power_cut(&self, mut arrives: impl FnMut() -> bool) -> Disk {
        let state = self.0.lock().unwrap();
        let mut bytes = state.synced.clone();
        for (at, data) in &state.unsynced {
            if arrives() {
                let end = at + data.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*at..end].copy_from_slice(data);
            }
        }
        let state = DiskState { synced: bytes.clone(), bytes, ..DiskState::default() };
        Disk(Arc::new(Mutex::new(state)))
    }
}

impl DiskState {
    fn spend(&mut self) -> std::io::Result<()> {
        match &mut self.budget {
            Some(0) => Err(std::io::ErrorKind::StorageFull.into()),
            Some(budget) => {
                *budget -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl redb::StorageBackend for Disk {
    fn len(&self) -> std::io::Result<u64> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        let state = self.0.lock().unwrap();
        let from = offset as usize;
        let read = state.bytes.get(from..from + out.len());
        out.copy_from_slice(read.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.spend()?;
        state.bytes.resize(len as usize, 0);
        // A file's length arrives with the data; taking it as synced is the harder case, since a
        // longer file of zeros must not be mistaken for content.
        state.synced.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> std::io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.spend()?;
        state.synced = state.bytes.clone();
        state.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.spend()?;
        let from = offset as usize;
        let blocks: Vec<usize> =
            (from / BLOCK_BYTES..(from + data.len()).div_ceil(BLOCK_BYTES)).collect();
        if state.is_full && !blocks.iter().all(|block| state.allocated.contains(block)) {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        state.allocated.extend(blocks);
        state.bytes[from..from + data.len()].copy_from_slice(data);
        state.unsynced.push((from, data.to_vec()));
        Ok(())
    }
}

fn put_number(engine: &dyn Engine, number: u8) -> anyhow::Result<()> {
    engine.write(&mut |tx| {
        // Two keys and a large value: a commit of many pages.
        tx.put(&[number, 0], &[number; 20_000])?;
        tx.put(&[number, 1], b"")
    })
}

/// The numbers that are there; a number of which only half is there fails the test.
fn numbers(engine: &dyn Engine) -> Vec<u8> {
    let reader = engine.read().unwrap();
    (0..=255)
        .filter(|&number| {
            let value = reader.get(&[number, 0]).unwrap();
            assert_eq!(value.is_some(), reader.get(&[number, 1]).unwrap().is_some());
            assert!(value.iter().flatten().all(|&byte| byte == number));
            value.is_some()
        })
        .collect()
}

#[test]
fn after_the_disk_was_full_redb_goes_on_by_itself() {
    let disk = Disk::default();
    let engine = disk.opened();
    put_number(&engine, 1).unwrap();
    // Wherever in a commit the disk gives up.
    for operations in 0..40 {
        disk.fail_after(operations);
        let full = put_number(&engine, 2);
        disk.mend();
        let is_whole = numbers(&engine).contains(&2);
        if let Err(fault) = full {
            let is_recognized = fault.chain().any(|cause| {
                cause
                    .downcast_ref::<std::io::Error>()
                    .is_some_and(|cause| cause.kind() == std::io::ErrorKind::StorageFull)
            });
            assert!(is_recognized);
        } else {
            assert!(is_whole);
        }
        engine.write(&mut |tx| tx.remove(&[2, 0]).and(tx.remove(&[2, 1]))).unwrap();
        assert_eq!(numbers(&engine), [1]);
    }
}

#[test]
fn while_the_disk_is_full_reads_go_on_and_writes_are_refused() {
    let disk = Disk::default();
    let engine = disk.opened();
    disk.fill_up();
    // Free pages of the file take a few more.
    let last = (0..=255).find(|&number| put_number(&engine, number).is_err()).unwrap();
    let there: Vec<u8> = (0..last).collect();
    for _ in 0..3 {
        put_number(&engine, last).unwrap_err();
        assert_eq!(numbers(&engine), there);
    }
    disk.mend();
    put_number(&engine, last).unwrap();
    assert_eq!(numbers(&engine).len(), there.len() + 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The power goes in the middle of a commit, with any part of the unsynced writes on the disk.
    #[test]
    fn a_power_cut_loses_no_commit_that_was_acknowledged(
        commits in 1u8..6,
        operations in 0u64..40,
        arrivals in vec(any::<bool>(), 64),
    ) {
        let disk = Disk::default();
        let engine = disk.opened();
        for number in 0..commits {
            put_number(&engine, number).unwrap();
        }
        let acknowledged: Vec<u8> = (0..commits).collect();
        disk.fail_after(operations);
        let last = put_number(&engine, 100);
        let mut arrivals = arrivals.into_iter().cycle();
        let found = disk.after_power_cut(|| arrivals.next().unwrap());
        let after = numbers(&found.opened());
        prop_assert_eq!(&after[..commits as usize], &acknowledged[..]);
        prop_assert!(last.is_err() || after.contains(&100));
    }
}
