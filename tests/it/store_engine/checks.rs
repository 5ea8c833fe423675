//! What every engine must do.

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
    let there: Vec<Pair> = reader.scan(&span, Forward).unwrap().collect::<Result<_, _>>().unwrap();
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
    let keys: [&[u8]; 7] = [&[1], &[1, 0], &[1, 255], &[1, 255, 255], &[2], &[255], &[255, 255]];
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
