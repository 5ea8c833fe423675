//! Random operations, compared with a map.

use super::*;

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
