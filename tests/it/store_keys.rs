//! Keys: the order of the bytes is the order of the values, for every type that stands in a key.

use std::fmt::Debug;

use appliance::{
    domain::{access::Term, documents::Document, groups::Group, jobs::State, users::User},
    hash::ContentHash,
    id::Id,
    store::Key,
};
use jiff::Timestamp;
use proptest::{collection::vec, prelude::*, sample::select};
use uuid::Uuid;

/// Holds two values to everything that [`Key`] promises.
fn check<K: Key + Ord + Clone + Debug>(a: &K, b: &K) {
    let (left, right) = (a.to_bytes(), b.to_bytes());
    assert_eq!(a.cmp(b), left.cmp(&right), "the order of {a:?} and {b:?}");
    if a != b {
        assert!(!right.starts_with(&left), "{a:?} begins {b:?}");
        assert!(!left.starts_with(&right), "{b:?} begins {a:?}");
    }
    for (value, bytes) in [(a, &left), (b, &right)] {
        assert_eq!(K::from_bytes(bytes).as_ref(), Some(value));
        // What stands behind it is left for the next part of a tuple.
        let mut longer = bytes.clone();
        longer.extend_from_slice(&[0xAB, 0]);
        assert_eq!(K::from_bytes(&longer), None);
        let mut input = longer.as_slice();
        assert_eq!(K::decode(&mut input).as_ref(), Some(value));
        assert_eq!(input, [0xAB, 0]);
        // Cut short it is no value at all.
        if let Some(cut) = bytes.len().checked_sub(1) {
            assert_eq!(K::from_bytes(&bytes[..cut]), None);
        }
    }
}

/// Bytes from anywhere give no panic; what they give is written as the same bytes.
fn check_bytes<K: Key>(bytes: &[u8]) {
    if let Some(value) = K::from_bytes(bytes) {
        assert_eq!(value.to_bytes(), bytes);
    }
}

/// Strings that differ late, hold zeros, or need several bytes for a character.
fn a_string() -> impl Strategy<Value = String> {
    let characters = vec!['\0', '\u{1}', 'a', 'b', '\u{7F}', 'ÿ', 'Ā', '\u{FFFF}', '😀'];
    vec(select(characters), 0..5).prop_map(|characters| characters.into_iter().collect())
}

/// Few enough that two are often the same.
fn a_uuid() -> impl Strategy<Value = Uuid> {
    prop_oneof![
        select(vec![0, 1, u128::MAX, u128::MAX - 1, 0xFF, 0x100]).prop_map(Uuid::from_u128),
        any::<u128>().prop_map(Uuid::from_u128),
    ]
}

fn an_id<T>() -> impl Strategy<Value = Id<T>> {
    a_uuid().prop_map(Id::from_uuid)
}

fn a_hash() -> impl Strategy<Value = ContentHash> {
    any::<[u8; 32]>().prop_map(ContentHash)
}

/// Whole milliseconds, before and after 1970.
fn a_time() -> impl Strategy<Value = Timestamp> {
    let limits = [Timestamp::MIN, Timestamp::MAX].map(|limit| limit.as_millisecond());
    prop_oneof![limits[0]..limits[1], -3i64..3, 1_790_000_000_000..1_790_000_000_005i64]
        .prop_map(|ms| Timestamp::from_millisecond(ms).unwrap())
}

fn a_term() -> impl Strategy<Value = Term> {
    prop_oneof![
        Just(Term::All),
        Just(Term::Organization),
        Just(Term::Public),
        an_id::<Group>().prop_map(Term::Group),
        an_id::<User>().prop_map(Term::User),
    ]
}

fn a_state() -> impl Strategy<Value = State> {
    select(State::ALL.to_vec())
}

macro_rules! keys {
    ($($name:ident: $type:ty = $strategy:expr;)*) => {
        mod in_order {
            use super::*;

            proptest! {
                $(#[test] fn $name(a in $strategy, b in $strategy) { check::<$type>(&a, &b); })*
            }
        }

        mod from_any_bytes {
            use super::*;

            proptest! {
                $(#[test] fn $name(bytes in vec(prop_oneof![any::<u8>(), Just(0), Just(255)], 0..60)) {
                    check_bytes::<$type>(&bytes);
                })*
            }
        }
    };
}

keys! {
    bytes: u8 = any::<u8>();
    short_numbers: u16 = any::<u16>();
    numbers: u32 = any::<u32>();
    long_numbers: u64 = any::<u64>();
    signed_numbers: i64 = prop_oneof![any::<i64>(), -3i64..3];
    truths: bool = any::<bool>();
    times: Timestamp = a_time();
    uuids: Uuid = a_uuid();
    ids: Id<Document> = an_id::<Document>();
    hashes: ContentHash = a_hash();
    strings: String = a_string();
    nothing: () = Just(());
    terms: Term = a_term();
    states: State = a_state();
    a_string_before_a_number: (String, u8) = (a_string(), any::<u8>());
    a_term_before_a_time: (Term, Timestamp) = (a_term(), a_time());
    two_strings: (String, String) = (a_string(), a_string());
    strings_around_a_truth: (String, bool, String) = (a_string(), any::<bool>(), a_string());
    a_nested_tuple: ((String, ()), State) = ((a_string(), Just(())), a_state());
    the_library: (Id<Group>, Term, bool, Timestamp) =
        (an_id::<Group>(), a_term(), any::<bool>(), a_time());
    the_library_with_its_documents: (Id<Group>, Term, bool, Timestamp, Id<Document>) =
        (an_id::<Group>(), a_term(), any::<bool>(), a_time(), an_id::<Document>());
}

#[test]
fn a_time_in_a_key_forgets_what_is_finer_than_a_millisecond() {
    let fine: Timestamp = "2026-11-21T10:00:00.123456Z".parse().unwrap();
    let coarse: Timestamp = "2026-11-21T10:00:00.123Z".parse().unwrap();
    assert_eq!(Timestamp::from_bytes(&fine.to_bytes()), Some(coarse));
}

#[test]
fn the_first_parts_of_a_tuple_are_the_beginning_of_its_bytes() {
    let whole = ("a\0b".to_owned(), 7u32, true).to_bytes();
    assert!(whole.starts_with(&"a\0b".to_owned().to_bytes()));
    assert!(whole.starts_with(&("a\0b".to_owned(), 7u32).to_bytes()));
    assert!(!whole.starts_with(&"a".to_owned().to_bytes()));
}
