//! The typed layer of the store: records, indexes, the change log, and many writers at once.

mod many_writers;
mod model;

use std::sync::Arc;

use appliance::{
    clock::Clock,
    error::{Error, Result},
    id::Id,
    store::{Change, Changes, Index, IndexEntries, MemoryEngine, Record, Store, Table, WriteTx},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A record with an index of every sort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub section: u8,
    pub number: u8,
    pub name: String,
    pub shelf: u8,
    pub label: String,
    pub tags: Vec<u8>,
    pub code: Option<u16>,
}

impl Record for Item {
    const TABLE: Table = Table { number: 200, name: "items" };

    type Key = (u8, u8);

    fn key(&self) -> Self::Key {
        (self.section, self.number)
    }

    fn index(&self, entries: &mut IndexEntries<Self>) {
        entries.add(&BY_NAME, &self.name);
        entries.add(&BY_SHELF, &(self.shelf, self.label.clone()));
        for tag in &self.tags {
            entries.add(&BY_TAG, tag);
        }
        if let Some(code) = self.code {
            entries.add(&BY_CODE, &code);
        }
    }
}

pub const BY_NAME: Index<Item, String> = Index::unique(1);
pub const BY_SHELF: Index<Item, (u8, String)> = Index::new(2);
pub const BY_TAG: Index<Item, u8> = Index::new(3);
pub const BY_CODE: Index<Item, u16> = Index::unique(4);

/// An item whose name is its number.
pub fn item(number: u8) -> Item {
    Item {
        section: 1,
        number,
        name: format!("item {number}"),
        shelf: 1,
        label: String::new(),
        tags: Vec::new(),
        code: None,
    }
}

/// A second table, to see that tables keep apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    number: u8,
    text: String,
}

impl Record for Note {
    const TABLE: Table = Table { number: 201, name: "notes" };

    type Key = u8;

    fn key(&self) -> Self::Key {
        self.number
    }

    fn index(&self, entries: &mut IndexEntries<Self>) {
        entries.add(&NOTES_BY_TEXT, &self.text);
    }
}

const NOTES_BY_TEXT: Index<Note, String> = Index::unique(1);

pub fn noon() -> Clock {
    Clock::held("2026-11-21T12:00:00Z".parse().unwrap())
}

pub fn memory_store() -> Store {
    Store::over(Arc::new(MemoryEngine::default()), noon()).unwrap()
}

/// Writes on a thread that may wait.
pub fn write<T: Send + 'static>(
    store: &Store,
    closure: impl FnOnce(&mut WriteTx) -> Result<T> + Send + 'static,
) -> Result<T> {
    store.write_blocking(closure)
}

pub fn items(store: &Store) -> Vec<Item> {
    store.read_blocking(|tx| tx.records::<Item>().iter()?.collect()).unwrap()
}

pub fn changes(store: &Store, cursor: u64) -> Vec<Change> {
    match store.read_blocking(|tx| tx.changes(cursor, usize::MAX)).unwrap() {
        Changes::Next(changes) => changes,
        Changes::StartOver { .. } => panic!("the log does not reach back to {cursor}"),
    }
}

fn latest(store: &Store) -> u64 {
    let latest = *store.latest_change().borrow();
    assert_eq!(store.read_blocking(|tx| tx.latest_change()).unwrap(), latest);
    latest
}

#[test]
fn what_was_put_is_got_until_it_is_removed() {
    let store = memory_store();
    write(&store, |tx| tx.put(&item(7))).unwrap();
    let got = store.read_blocking(|tx| tx.get::<Item>(&(1, 7))).unwrap();
    assert_eq!(got, Some(item(7)));
    let removed = write(&store, |tx| tx.remove::<Item>(&(1, 7))).unwrap();
    assert_eq!(removed, Some(item(7)));
    assert_eq!(write(&store, |tx| tx.remove::<Item>(&(1, 7))).unwrap(), None);
    assert!(items(&store).is_empty());
    store
        .read_blocking(|tx| {
            assert_eq!(tx.find(&BY_NAME, &"item 7".to_owned())?, None);
            assert_eq!(tx.index(&BY_SHELF).count()?, 0);
            Ok(())
        })
        .unwrap();
}

#[test]
fn tables_and_indexes_of_the_same_number_keep_apart() {
    let store = memory_store();
    write(&store, |tx| {
        tx.put(&item(1))?;
        tx.put(&Note { number: 1, text: "item 1".into() })
    })
    .unwrap();
    write(&store, |tx| tx.remove::<Note>(&1)).unwrap();
    let found = store.read_blocking(|tx| tx.find(&BY_NAME, &"item 1".to_owned())).unwrap();
    assert_eq!(found, Some(item(1)));
}

#[test]
fn a_unique_index_refuses_a_second_record_and_lets_a_freed_key_go() {
    let store = memory_store();
    write(&store, |tx| tx.put(&item(1))).unwrap();
    let twin = Item { name: "item 1".into(), ..item(2) };
    let refused = write(&store, {
        let twin = twin.clone();
        move |tx| tx.put(&twin)
    });
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    assert_eq!(items(&store), [item(1)]);
    // In one transaction the first gives its name up and the second takes it.
    write(&store, move |tx| {
        tx.put(&Item { name: "renamed".into(), ..item(1) })?;
        tx.put(&twin)
    })
    .unwrap();
    let found = store.read_blocking(|tx| tx.find(&BY_NAME, &"item 1".to_owned())).unwrap();
    assert_eq!(found.map(|item| item.number), Some(2));
}

#[test]
fn two_records_may_swap_their_unique_keys_by_way_of_a_third() {
    let store = memory_store();
    write(&store, |tx| tx.put(&item(1)).and(tx.put(&item(2)))).unwrap();
    write(&store, |tx| {
        tx.put(&Item { name: "between".into(), ..item(1) })?;
        tx.put(&Item { name: "item 1".into(), ..item(2) })?;
        tx.put(&Item { name: "item 2".into(), ..item(1) })
    })
    .unwrap();
    store
        .read_blocking(|tx| {
            assert_eq!(tx.find(&BY_NAME, &"item 1".to_owned())?.unwrap().number, 2);
            assert_eq!(tx.find(&BY_NAME, &"item 2".to_owned())?.unwrap().number, 1);
            assert_eq!(tx.find(&BY_NAME, &"between".to_owned())?, None);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_put_that_was_refused_leaves_nothing_in_a_transaction_that_goes_on() {
    let store = memory_store();
    write(&store, |tx| tx.put(&item(1))).unwrap();
    write(&store, |tx| {
        let twin = Item { code: Some(5), tags: vec![9], name: "item 1".into(), ..item(2) };
        assert!(matches!(tx.put(&twin), Err(Error::Conflict(_))));
        assert_eq!(tx.index(&BY_TAG).count()?, 0);
        tx.put(&Item { code: Some(5), ..item(3) })
    })
    .unwrap();
    store
        .read_blocking(|tx| {
            assert_eq!(tx.index(&BY_SHELF).count()?, 2);
            assert_eq!(tx.find(&BY_CODE, &5)?.unwrap().number, 3);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_walk_after_a_key_leaves_out_all_records_with_it_in_both_directions() {
    let store = memory_store();
    write(&store, |tx| {
        for number in 0..6 {
            tx.put(&Item { tags: vec![number / 2], ..item(number) })?;
        }
        Ok(())
    })
    .unwrap();
    store
        .read_blocking(|tx| {
            let numbers = |scan: appliance::store::IndexScan<'_, Item, u8>| -> Result<Vec<u8>> {
                scan.keys()?.map(|entry| Ok(entry?.1.1)).collect()
            };
            assert_eq!(numbers(tx.index(&BY_TAG).after(&1u8))?, [4, 5]);
            assert_eq!(numbers(tx.index(&BY_TAG).after(&1u8).backward())?, [1, 0]);
            assert_eq!(numbers(tx.index(&BY_TAG).after(&(1u8, (1u8, 2u8))))?, [3, 4, 5]);
            assert_eq!(numbers(tx.index(&BY_TAG).after(&(1u8, (1u8, 2u8))).backward())?, [1, 0]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_key_from_elsewhere_never_widens_a_walk_beyond_its_prefix() {
    let store = memory_store();
    write(&store, |tx| {
        for section in 1..4 {
            for number in 0..2 {
                let name = format!("{section}.{number}");
                tx.put(&Item { section, name, tags: vec![section], ..item(number) })?;
            }
        }
        Ok(())
    })
    .unwrap();
    store
        .read_blocking(|tx| {
            let walk = |after: (u8, u8), is_backward: bool| -> Result<Vec<(u8, u8)>> {
                let mut scan = tx.records::<Item>().within(&2u8).after(&after);
                if is_backward {
                    scan = scan.backward();
                }
                scan.iter()?.map(|item| Ok(item?.key())).collect()
            };
            assert_eq!(walk((1, 0), false)?, [(2, 0), (2, 1)]);
            assert_eq!(walk((3, 0), false)?, []);
            assert_eq!(walk((3, 1), true)?, [(2, 1), (2, 0)]);
            assert_eq!(walk((1, 1), true)?, []);
            let tagged = |after: u8| -> Result<Vec<u8>> {
                let scan = tx.index(&BY_TAG).within(&2u8).after(&after);
                scan.records()?.map(|item| Ok(item?.section)).collect()
            };
            assert_eq!(tagged(1)?, [2, 2]);
            assert!(tagged(3)?.is_empty());
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_record_that_changes_often_in_one_transaction_makes_one_change() {
    let store = memory_store();
    write(&store, |tx| {
        for round in 0..5 {
            tx.put(&Item { shelf: round, ..item(1) })?;
        }
        tx.put(&item(2))
    })
    .unwrap();
    let made: Vec<_> = changes(&store, 0).iter().map(Change::key_of::<Item>).collect();
    assert_eq!(made, [Some((1, 1)), Some((1, 2))]);
    assert_eq!(latest(&store), 2);
}

#[test]
fn writing_what_is_there_already_changes_nothing() {
    let store = memory_store();
    write(&store, |tx| tx.put(&item(1))).unwrap();
    write(&store, |tx| tx.put(&item(1))).unwrap();
    write(&store, |tx| tx.remove::<Item>(&(9, 9)).map(drop)).unwrap();
    assert_eq!(latest(&store), 1);
    assert_eq!(changes(&store, 0).len(), 1);
}

#[test]
fn a_change_names_its_table_and_a_removal_is_one_too() {
    let store = memory_store();
    write(&store, |tx| tx.put(&Note { number: 3, text: "hello".into() })).unwrap();
    write(&store, |tx| tx.remove::<Note>(&3)).unwrap();
    let made = changes(&store, 0);
    assert_eq!(made.iter().map(|change| change.sequence).collect::<Vec<_>>(), [1, 2]);
    for change in made {
        assert_eq!(change.key_of::<Note>(), Some(3));
        assert_eq!(change.key_of::<Item>(), None);
    }
}

#[test]
fn an_error_takes_back_records_indexes_and_changes() {
    let store = memory_store();
    write(&store, |tx| tx.put(&Item { tags: vec![1], ..item(1) })).unwrap();
    let refused: Result<()> = write(&store, |tx| {
        tx.put(&Item { tags: vec![2], ..item(1) })?;
        tx.put(&item(2))?;
        tx.set_meta("layout", &2)?;
        Err(Error::invalid("no"))
    });
    assert!(matches!(refused, Err(Error::Invalid { .. })));
    assert_eq!(items(&store), [Item { tags: vec![1], ..item(1) }]);
    assert_eq!(latest(&store), 1);
    store
        .read_blocking(|tx| {
            assert_eq!(tx.index(&BY_TAG).within(&2u8).count()?, 0);
            assert_eq!(tx.meta::<u8>("layout")?, None);
            Ok(())
        })
        .unwrap();
}

#[test]
fn facts_about_the_store_are_kept_outside_the_change_log() {
    let store = memory_store();
    write(&store, |tx| tx.set_meta("layout", &3u8)).unwrap();
    assert_eq!(store.read_blocking(|tx| tx.meta::<u8>("layout")).unwrap(), Some(3));
    assert_eq!(latest(&store), 0);
}

#[test]
fn a_view_does_not_change_while_it_is_held() {
    let store = memory_store();
    write(&store, |tx| tx.put(&item(1))).unwrap();
    store
        .read_blocking(|tx| {
            write(&store, |tx| tx.put(&item(2)))?;
            assert_eq!(tx.records::<Item>().count()?, 1);
            assert_eq!(tx.latest_change()?, 1);
            Ok(())
        })
        .unwrap();
    assert_eq!(items(&store).len(), 2);
}

#[test]
fn a_follower_reads_on_from_its_cursor() {
    let store = memory_store();
    for number in 1..=5 {
        write(&store, move |tx| tx.put(&item(number))).unwrap();
    }
    let page = |cursor, limit| match store.read_blocking(|tx| tx.changes(cursor, limit)).unwrap() {
        Changes::Next(next) => next.iter().map(|change| change.sequence).collect::<Vec<_>>(),
        Changes::StartOver { .. } => panic!(),
    };
    assert_eq!(page(0, 2), [1, 2]);
    assert_eq!(page(2, 2), [3, 4]);
    assert_eq!(page(4, 2), [5]);
    assert!(page(5, 2).is_empty());
}

#[test]
fn a_follower_starts_over_when_the_log_was_trimmed_past_it() {
    let store = memory_store();
    for number in 1..=5 {
        write(&store, move |tx| tx.put(&item(number))).unwrap();
    }
    assert_eq!(write(&store, |tx| tx.trim_changes(3, 2)).unwrap(), 2);
    assert_eq!(write(&store, |tx| tx.trim_changes(3, 2)).unwrap(), 1);
    assert_eq!(write(&store, |tx| tx.trim_changes(3, 2)).unwrap(), 0);
    let read = |cursor| store.read_blocking(|tx| tx.changes(cursor, 10)).unwrap();
    assert_eq!(read(0), Changes::StartOver { latest: 5 });
    assert_eq!(read(2), Changes::StartOver { latest: 5 });
    assert!(matches!(read(3), Changes::Next(next) if next.len() == 2));
    // With nothing left of the log, who has seen all of it goes on.
    write(&store, |tx| tx.trim_changes(u64::MAX, 10)).unwrap();
    assert_eq!(read(4), Changes::StartOver { latest: 5 });
    assert_eq!(read(5), Changes::Next(Vec::new()));
    write(&store, |tx| tx.put(&item(9))).unwrap();
    assert!(matches!(read(5), Changes::Next(next) if next[0].sequence == 6));
    assert_eq!(read(4), Changes::StartOver { latest: 6 });
}

#[test]
fn a_cursor_from_the_future_starts_over() {
    let store = memory_store();
    write(&store, |tx| tx.put(&item(1))).unwrap();
    for cursor in [2, 1_000, u64::MAX] {
        let read = store.read_blocking(|tx| tx.changes(cursor, 10)).unwrap();
        assert_eq!(read, Changes::StartOver { latest: 1 });
    }
}

#[test]
fn a_transaction_has_one_time() {
    let store = Store::over(Arc::new(MemoryEngine::default()), Clock::system()).unwrap();
    let pause = || std::thread::sleep(std::time::Duration::from_millis(5));
    write(&store, move |tx| {
        let before = tx.now();
        pause();
        assert_eq!(tx.now(), before);
        assert_eq!(before, Timestamp::from_millisecond(before.as_millisecond()).unwrap());
        Ok(())
    })
    .unwrap();
    store
        .read_blocking(|tx| {
            let before = tx.now();
            pause();
            assert_eq!(tx.now(), before);
            Ok(())
        })
        .unwrap();
}

#[test]
fn ids_increase_also_while_the_clock_stands_still_or_goes_back() {
    let clock = noon();
    let store = Store::over(Arc::new(MemoryEngine::default()), clock.clone()).unwrap();
    let mut last: Option<Id<Item>> = None;
    for step in [0, 0, 5, 0, -3_600_000, 0, 1, 7_200_000] {
        clock.advance(SignedDuration::from_millis(step));
        let ids = write(&store, |tx| Ok((0..50).map(|_| tx.new_id()).collect::<Vec<_>>())).unwrap();
        for id in ids {
            assert!(last < Some(id), "after a step of {step} ms");
            last = Some(id);
        }
    }
}

#[test]
fn an_id_holds_the_time_of_its_transaction() {
    let store = memory_store();
    let (id, now) = write(&store, |tx| Ok((tx.new_id::<Item>(), tx.now()))).unwrap();
    let (seconds, nanos) = id.uuid().get_timestamp().unwrap().to_unix();
    assert_eq!(Timestamp::new(seconds as i64, nanos as i32).unwrap(), now);
}

#[test]
fn reopening_gives_the_same_state_and_goes_on_counting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let open = || Store::open(&path, 1 << 20, noon(), None).unwrap();
    for round in 1..=4 {
        let store = open();
        assert_eq!(latest(&store), u64::from(round) - 1);
        assert_eq!(items(&store).len(), usize::from(round) - 1);
        write(&store, move |tx| tx.put(&item(round))).unwrap();
    }
    let store = open();
    let sequences: Vec<u64> = changes(&store, 0).iter().map(|change| change.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4]);
    let found = store.read_blocking(|tx| tx.find(&BY_NAME, &"item 3".to_owned())).unwrap();
    assert_eq!(found, Some(item(3)));
}

#[test]
fn opening_twice_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let first = Store::open(&path, 1 << 20, noon(), None).unwrap();
    match Store::open(&path, 1 << 20, noon(), None).err() {
        Some(Error::Busy { message, .. }) => {
            assert!(message.contains("store.redb"), "{message}");
            assert!(message.ends_with('.'), "{message}");
        }
        other => panic!("{other:?}"),
    }
    drop(first);
    Store::open(&path, 1 << 20, noon(), None).unwrap();
}

#[test]
fn a_file_that_is_no_database_is_a_fault_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    std::fs::write(&path, "something else").unwrap();
    assert!(matches!(Store::open(&path, 1 << 20, noon(), None), Err(Error::Internal(_))));
    assert_eq!(std::fs::read(&path).unwrap(), b"something else");
}

#[tokio::test]
async fn a_read_that_panics_is_a_fault_of_that_read_alone() {
    let store = memory_store();
    let read = store.read(|_| -> Result<()> { panic!("a test's panic") }).await;
    assert!(matches!(read, Err(Error::Internal(_))));
    assert!(store.read(|tx| tx.latest_change()).await.is_ok());
}

#[tokio::test]
async fn whoever_follows_is_woken_by_a_commit_that_changed_something() {
    let store = memory_store();
    let mut latest = store.latest_change();
    latest.mark_unchanged();
    store.write(|tx| tx.set_meta("a fact", &1)).await.unwrap();
    assert!(!latest.has_changed().unwrap());
    store.write(|tx| tx.put(&item(1))).await.unwrap();
    assert!(latest.has_changed().unwrap());
    assert_eq!(*latest.borrow_and_update(), 1);
}
