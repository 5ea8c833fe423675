//! Random transactions against a plain map: after every step, inside the transaction and outside,
//! the store shows just the records, and its indexes just the entries, that a look at all records
//! would give.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use appliance::{
    error::{Error, Result},
    store::{Engine, Index, Key, MemoryEngine, ReadTx, RedbEngine, Store, WriteTx},
};
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{BY_CODE, BY_NAME, BY_SHELF, BY_TAG, Item, changes, noon};

type Primary = (u8, u8);

#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    items: BTreeMap<Primary, Item>,
}

impl Model {
    /// What `put` should do; `false` for a conflict.
    fn put(&mut self, item: &Item) -> bool {
        let key = (item.section, item.number);
        let is_taken = self.items.iter().any(|(other, known)| {
            *other != key
                && (known.name == item.name || known.code.is_some() && known.code == item.code)
        });
        if !is_taken {
            self.items.insert(key, item.clone());
        }
        !is_taken
    }

    /// The entries of an index, sorted: each of the keys that `keys` sees in an item.
    fn index<K: Ord>(&self, keys: impl Fn(&Item) -> Vec<K>) -> Vec<(K, Primary)> {
        let entries = self
            .items
            .iter()
            .flat_map(|(primary, item)| keys(item).into_iter().map(|key| (key, *primary)));
        // An item that has a key twice stands in the index once.
        entries.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

fn names(item: &Item) -> Vec<String> {
    vec![item.name.clone()]
}

fn shelves(item: &Item) -> Vec<(u8, String)> {
    vec![(item.shelf, item.label.clone())]
}

fn tags(item: &Item) -> Vec<u8> {
    item.tags.clone()
}

fn codes(item: &Item) -> Vec<u16> {
    item.code.into_iter().collect()
}

/// Where a random walk begins and ends.
#[derive(Clone, Debug)]
struct Walk {
    section: Option<u8>,
    after: Option<Primary>,
    shelf: Option<u8>,
    after_shelf: Option<(u8, String)>,
    after_tag: Option<(u8, Option<Primary>)>,
    after_name: Option<String>,
    is_backward: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Put(Item),
    Remove(Primary),
    Look(Walk),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Commit,
    Refuse,
    Panic,
}

#[derive(Clone, Debug)]
struct Transaction {
    steps: Vec<Step>,
    end: End,
}

fn a_primary() -> impl Strategy<Value = Primary> {
    (0u8..3, 0u8..4)
}

fn a_label() -> impl Strategy<Value = String> {
    select(vec!["", "a", "a\0", "ab", "b"]).prop_map(str::to_owned)
}

fn an_item() -> impl Strategy<Value = Item> {
    (a_primary(), "[ab]{1,3}", 0u8..3, a_label(), vec(0u8..4, 0..4), option::of(0u16..4)).prop_map(
        |((section, number), name, shelf, label, tags, code)| Item {
            section,
            number,
            name,
            shelf,
            label,
            tags,
            code,
        },
    )
}

fn a_walk() -> impl Strategy<Value = Walk> {
    (
        option::of(0u8..4),
        option::of(a_primary()),
        option::of(0u8..4),
        option::of((0u8..4, a_label())),
        option::of((0u8..4, option::of(a_primary()))),
        option::of("[ab]{0,2}"),
        any::<bool>(),
    )
        .prop_map(
            |(section, after, shelf, after_shelf, after_tag, after_name, is_backward)| Walk {
                section,
                after,
                shelf,
                after_shelf,
                after_tag,
                after_name,
                is_backward,
            },
        )
}

fn a_transaction() -> impl Strategy<Value = Transaction> {
    let step = prop_oneof![
        5 => an_item().prop_map(Step::Put),
        2 => a_primary().prop_map(Step::Remove),
        2 => a_walk().prop_map(Step::Look),
    ];
    let end = prop_oneof![8 => Just(End::Commit), 2 => Just(End::Refuse), 1 => Just(End::Panic)];
    (vec(step, 0..10), end).prop_map(|(steps, end)| Transaction { steps, end })
}

/// What is left of all entries for a walk: those of the prefix, beyond the key, in its direction.
fn walked<E>(
    entries: Vec<E>,
    is_inside: impl Fn(&E) -> bool,
    is_beyond: impl Fn(&E, bool) -> bool,
    is_backward: bool,
) -> Vec<E> {
    let kept =
        entries.into_iter().filter(|entry| is_inside(entry) && is_beyond(entry, is_backward));
    let mut kept: Vec<E> = kept.collect();
    if is_backward {
        kept.reverse();
    }
    kept
}

/// True when `entry` comes after `key` in the direction of the walk.
fn beyond<K: PartialOrd>(entry: &K, key: &K, is_backward: bool) -> bool {
    if is_backward { entry < key } else { entry > key }
}

fn compare(tx: &ReadTx, model: &Model, walk: &Walk) -> Result<()> {
    compare_records(tx, model, walk)?;
    let back = walk.is_backward;

    let mut scan = tx.index(&BY_SHELF);
    if let Some(shelf) = &walk.shelf {
        scan = scan.within(shelf);
    }
    if let Some(after) = &walk.after_shelf {
        scan = scan.after(after);
    }
    let scan = if back { scan.backward() } else { scan };
    let found: Vec<_> = scan.keys()?.collect::<Result<_>>()?;
    let expected = walked(
        model.index(shelves),
        |(key, _)| walk.shelf.is_none_or(|shelf| key.0 == shelf),
        |(key, _), back| walk.after_shelf.as_ref().is_none_or(|after| beyond(key, after, back)),
        back,
    );
    assert_eq!(found, expected, "by shelf");

    let mut scan = tx.index(&BY_TAG);
    match &walk.after_tag {
        Some((tag, None)) => scan = scan.after(tag),
        Some((tag, Some(primary))) => scan = scan.after(&(*tag, *primary)),
        None => {}
    }
    let scan = if back { scan.backward() } else { scan };
    let found: Vec<_> = scan.records()?.collect::<Result<_>>()?;
    let expected = walked(
        model.index(tags),
        |_| true,
        |entry, back| match walk.after_tag {
            Some((tag, None)) => beyond(&entry.0, &tag, back),
            Some((tag, Some(primary))) => beyond(entry, &(tag, primary), back),
            None => true,
        },
        back,
    );
    let expected: Vec<Item> =
        expected.iter().map(|(_, primary)| model.items[primary].clone()).collect();
    assert_eq!(found, expected, "by tag");

    let mut scan = tx.index(&BY_NAME);
    if let Some(after) = &walk.after_name {
        scan = scan.after(after);
    }
    let scan = if back { scan.backward() } else { scan };
    let found: Vec<_> = scan.keys()?.collect::<Result<_>>()?;
    let expected = walked(
        model.index(names),
        |_| true,
        |(key, _), back| walk.after_name.as_ref().is_none_or(|after| beyond(key, after, back)),
        back,
    );
    assert_eq!(found, expected, "by name");
    Ok(())
}

fn compare_records(tx: &ReadTx, model: &Model, walk: &Walk) -> Result<()> {
    let mut scan = tx.records::<Item>();
    if let Some(section) = &walk.section {
        scan = scan.within(section);
    }
    if let Some(after) = &walk.after {
        scan = scan.after(after);
    }
    let scan = if walk.is_backward { scan.backward() } else { scan };
    let found: Vec<Item> = scan.iter()?.collect::<Result<_>>()?;
    let expected = walked(
        model.items.values().cloned().collect(),
        |item| walk.section.is_none_or(|section| item.section == section),
        |item, back| {
            let key = (item.section, item.number);
            walk.after.is_none_or(|after| beyond(&key, &after, back))
        },
        walk.is_backward,
    );
    assert_eq!(found, expected);
    Ok(())
}

/// Everything, both ways, and each record and unique key by itself.
fn compare_all(tx: &ReadTx, model: &Model) -> Result<()> {
    for is_backward in [false, true] {
        let everything = Walk {
            section: None,
            after: None,
            shelf: None,
            after_shelf: None,
            after_tag: None,
            after_name: None,
            is_backward,
        };
        compare(tx, model, &everything)?;
    }
    for section in 0..3 {
        for number in 0..4 {
            let key = (section, number);
            assert_eq!(tx.get::<Item>(&key)?.as_ref(), model.items.get(&key));
        }
    }
    for item in model.items.values() {
        assert_eq!(tx.find(&BY_NAME, &item.name)?.as_ref(), Some(item));
    }
    for code in 0..4 {
        let expected = model.items.values().find(|item| item.code == Some(code));
        assert_eq!(tx.find(&BY_CODE, &code)?.as_ref(), expected);
    }
    compare_counts(tx, model)
}

fn compare_counts(tx: &ReadTx, model: &Model) -> Result<()> {
    fn count<K: Key>(tx: &ReadTx, index: &Index<Item, K>) -> Result<usize> {
        Ok(tx.index(index).count()? as usize)
    }
    assert_eq!(tx.records::<Item>().count()? as usize, model.items.len());
    assert_eq!(count(tx, &BY_NAME)?, model.index(names).len());
    assert_eq!(count(tx, &BY_SHELF)?, model.index(shelves).len());
    assert_eq!(count(tx, &BY_TAG)?, model.index(tags).len());
    assert_eq!(count(tx, &BY_CODE)?, model.index(codes).len());
    Ok(())
}

/// Runs the steps on the store and on `draft`; returns the keys of what was written.
fn run(tx: &mut WriteTx, draft: &mut Model, steps: &[Step]) -> Result<BTreeSet<Primary>> {
    let mut written = BTreeSet::new();
    compare_all(tx, draft)?;
    for step in steps {
        match step {
            Step::Put(item) => {
                let before = draft.clone();
                match tx.put(item) {
                    Ok(()) => {
                        assert!(draft.put(item), "the store took a conflict");
                        if before != *draft {
                            written.insert((item.section, item.number));
                        }
                    }
                    Err(Error::Conflict(_)) => assert!(!draft.put(item), "no conflict to see"),
                    Err(other) => return Err(other),
                }
            }
            Step::Remove(key) => {
                let removed = tx.remove::<Item>(key)?;
                assert_eq!(removed, draft.items.remove(key));
                if removed.is_some() {
                    written.insert(*key);
                }
            }
            Step::Look(walk) => compare(tx, draft, walk)?,
        }
        compare_all(tx, draft)?;
    }
    Ok(written)
}

fn agree_with_a_model(open: impl Fn() -> Arc<dyn Engine>, transactions: Vec<Transaction>) {
    let mut store = Store::over(open(), noon()).unwrap();
    let mut model = Model::default();
    let mut sequence = 0;
    for (round, Transaction { steps, end }) in transactions.into_iter().enumerate() {
        // The panic of a failed comparison must not be taken for the one on purpose.
        let outcome = Arc::new(Mutex::new(None));
        let (note, draft) = (outcome.clone(), model.clone());
        let answer = store.write_blocking(move |tx| {
            let mut draft = draft;
            let ran = catch_unwind(AssertUnwindSafe(|| run(tx, &mut draft, &steps)));
            *note.lock().unwrap() = Some(ran.map(|written| (written, draft)));
            match end {
                End::Commit => Ok(()),
                End::Refuse => Err(Error::invalid("on purpose")),
                End::Panic => panic!("on purpose"),
            }
        });
        let outcome = outcome.lock().unwrap().take().unwrap();
        let (written, draft) = outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let written = written.unwrap();
        match (end, answer) {
            (End::Commit, Ok(())) => {
                let made = changes(&store, sequence);
                let keys: BTreeSet<_> =
                    made.iter().map(|change| change.key_of::<Item>().unwrap()).collect();
                assert_eq!(keys, written);
                assert_eq!(made.len(), written.len(), "one change for each record");
                for change in made {
                    assert_eq!(change.sequence, sequence + 1);
                    sequence = change.sequence;
                }
                model = draft;
            }
            (End::Refuse, Err(Error::Invalid { .. })) | (End::Panic, Err(Error::Internal(_))) => {}
            (end, answer) => panic!("{end:?} was answered with {answer:?}"),
        }
        assert_eq!(*store.latest_change().borrow(), sequence);
        if round % 4 == 3 {
            drop(store);
            store = Store::over(open(), noon()).unwrap();
        }
        store.read_blocking(|tx| compare_all(tx, &model)).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_store_in_memory_shows_what_a_plain_map_would(
        transactions in vec(a_transaction(), 1..12),
    ) {
        let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::default());
        agree_with_a_model(|| engine.clone(), transactions);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_store_on_disk_shows_what_a_plain_map_would(
        transactions in vec(a_transaction(), 1..10),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        agree_with_a_model(|| Arc::new(RedbEngine::open(&path, 1 << 20).unwrap()), transactions);
    }
}
