//! Looking through the store: whatever is wrong with it must be found, and nothing else.

use std::sync::Arc;

use appliance::{
    clock::Clock,
    domain::{
        EVERY_TABLE, TableAccess,
        access::{Actor, Role},
        documents::{self, Document, Kind, NewDocument, Status, Visibility},
        groups::{self, Group},
        organizations, passwords,
        users::{self, NewUser},
    },
    error::Error,
    store::{Direction, Engine, Fault, MemoryEngine, ReadTx, Record, Span, Store},
};

/// A small world, and the engine below it, to do harm to.
fn world() -> (Store, Arc<dyn Engine>) {
    let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::default());
    let store = Store::over(engine.clone(), Clock::system()).expect("a store");
    store
        .write_blocking(|tx| {
            let actor = Actor::system("test", None);
            let organization = organizations::create(tx, &actor, "Northlight")?.id;
            let actor = Actor::system("test", Some(organization));
            let new = NewUser {
                username: "ada".into(),
                email: "ada@example.com".into(),
                full_name: String::new(),
                password: passwords::hash("a tall green kettle")?,
                is_admin: true,
                role: Role::Admin,
            };
            let ada = users::create(tx, &actor, organization, new)?;
            let ada = Actor::load(tx, &ada, Some(organization))?;
            let new = NewDocument {
                title: "Calendar".into(),
                description: String::new(),
                category: "House".into(),
                tags: Vec::new(),
                kind: Kind::Link,
                status: Status::Published,
                visibility: Visibility::Organization,
            };
            documents::add_link(tx, &ada, organization, new, "https://www.example.com/")
        })
        .expect("a world");
    (store, engine)
}

fn faults(store: &Store) -> Vec<String> {
    let look = |tx: &ReadTx| {
        let mut faults = tx.inspect_changes()?.faults;
        for TableAccess { records, index, .. } in EVERY_TABLE {
            for step in [records, index] {
                let mut after = None;
                loop {
                    // Steps of two, so that going on is tried too.
                    let found = step(tx, after, 2)?;
                    faults.extend(found.faults);
                    after = found.next;
                    if after.is_none() {
                        break;
                    }
                }
            }
        }
        Ok(faults)
    };
    let faults: Vec<Fault> = store.read_blocking(look).expect("a look");
    faults.into_iter().map(|fault| format!("{} {}", fault.table, fault.what)).collect()
}

/// The first key that begins with this, with its value.
fn first(engine: &Arc<dyn Engine>, prefix: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let reader = engine.read().expect("a view");
    let mut pairs = reader.scan(&Span::prefix(prefix), Direction::Forward).expect("a scan");
    pairs.next().expect("a pair").expect("a pair")
}

fn put(engine: &Arc<dyn Engine>, key: &[u8], value: &[u8]) {
    engine.write(&mut |writer| writer.put(key, value)).expect("a write");
}

fn remove(engine: &Arc<dyn Engine>, key: &[u8]) {
    engine.write(&mut |writer| writer.remove(key)).expect("a write");
}

// The spaces of keys, as `store/table.rs` gives them out, and the numbers of tables.
const RECORDS: u8 = 1;
const INDEXES: u8 = 2;
const CHANGES: u8 = 3;
const USERS: u8 = 3;
const CATEGORIES: u8 = 7;
const DOCUMENTS: u8 = 8;

#[test]
fn a_sound_store_has_no_fault() {
    let (store, _) = world();
    assert_eq!(faults(&store), Vec::<String>::new());
}

#[test]
fn a_record_that_cannot_be_read_is_found() {
    let (store, engine) = world();
    let (key, _) = first(&engine, &[RECORDS, CATEGORIES]);
    put(&engine, &key, b"{\"name\": 5");
    let found = faults(&store);
    assert!(found[0].starts_with("categories cannot be read: "), "{found:?}");
}

/// What cannot be read is a fault of ours, and no mistake of who asks.
#[test]
fn a_record_that_cannot_be_read_is_not_taken_for_a_missing_one() {
    let (store, engine) = world();
    let actor = Actor::system("test", None);
    let look = |tx: &ReadTx| {
        let document = tx.records::<Document>().iter()?.next().expect("a document")?;
        Ok((document.id, document.organization))
    };
    let (id, organization) = store.read_blocking(look).expect("a document");
    let group = store
        .write_blocking({
            let actor = actor.clone();
            move |tx| groups::create(tx, &actor, organization, "Board", "")
        })
        .expect("a group");
    let (key, _) = first(&engine, &[RECORDS, Group::TABLE.number]);
    put(&engine, &key, b"{\"name\": 5");
    let visibility = Visibility::Restricted { groups: vec![group.id], people: Vec::new() };
    let by = actor.clone();
    let shown = store.write_blocking(move |tx| documents::set_visibility(tx, &by, id, visibility));
    assert!(matches!(shown, Err(Error::Internal(_))), "{shown:?}");
    let (key, _) = first(&engine, &[RECORDS, DOCUMENTS]);
    put(&engine, &key, b"{\"title\": 5");
    let found = store.read_blocking(|tx| documents::find_readable(tx, &actor, id));
    assert!(matches!(found, Err(Error::Internal(_))), "{found:?}");
}

#[test]
fn a_record_under_another_key_is_found() {
    let (store, engine) = world();
    let (key, value) = first(&engine, &[RECORDS, CATEGORIES]);
    let mut other = key.clone();
    other[5] ^= 1;
    put(&engine, &other, &value);
    assert_eq!(faults(&store), ["categories stands in the place of another record"]);
}

#[test]
fn an_index_entry_that_is_missing_is_found() {
    let (store, engine) = world();
    let (key, _) = first(&engine, &[INDEXES, DOCUMENTS, 1]);
    remove(&engine, &key);
    assert_eq!(faults(&store), ["documents is missing from index 1"]);
    let (key, _) = first(&engine, &[INDEXES, USERS, 1]);
    remove(&engine, &key);
    assert_eq!(
        faults(&store),
        ["users is missing from index 1", "documents is missing from index 1"]
    );
}

#[test]
fn an_index_entry_without_its_record_is_found() {
    let (store, engine) = world();
    let (mut key, value) = first(&engine, &[INDEXES, DOCUMENTS, 4]);
    let last = key.len() - 1;
    key[last] ^= 1;
    put(&engine, &key, &value);
    assert_eq!(faults(&store), ["documents is in an index and belongs to no record"]);
    put(&engine, &[INDEXES, USERS, 1, b'x', 0, 0], &[7; 16]);
    assert_eq!(faults(&store)[0], "users is in an index and belongs to no record");
}

#[test]
fn a_name_of_something_that_does_not_exist_is_found() {
    let (store, engine) = world();
    let (key, _) = first(&engine, &[RECORDS, CATEGORIES]);
    let (entry, _) = first(&engine, &[INDEXES, CATEGORIES]);
    remove(&engine, &key);
    remove(&engine, &entry);
    let found = faults(&store);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("documents names the category "), "{found:?}");
}

#[test]
fn a_gap_in_the_change_log_is_found() {
    let (store, engine) = world();
    let mut third = vec![CHANGES];
    third.extend(3u64.to_be_bytes());
    remove(&engine, &third);
    assert_eq!(faults(&store), ["changes does not follow the change before it"]);
}
