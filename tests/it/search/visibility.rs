//! Who sees what.

use super::*;

#[test]
fn without_rights_nothing_is_seen() {
    let index = Library::new();
    index.put([titled(1, "public thing").visible_to(&["org", "public", ""])]);
    for text in ["", "public ", "publ", "pulbic "] {
        let nobody = Request { access: Vec::new(), facets: true, ..request(text) };
        let page = index.search(&nobody).unwrap();
        assert_eq!((page.total, page.hits.len(), page.next), (0, 0, None));
        assert_eq!(page.facets, Some(Facets::default()));
        assert!(index.suggest(&nobody).unwrap().is_empty());
        assert_eq!(index.count(&nobody).unwrap(), 0);
    }
}

#[test]
fn an_entry_without_access_terms_is_seen_by_nobody() {
    let index = Library::new();
    index.put([titled(1, "orphan").visible_to(&[])]);
    let anybody = Request { access: strings(&["org", "all", "public", ""]), ..request("") };
    assert_eq!(index.search(&anybody).unwrap().total, 0);
}

#[test]
fn equal_rights_in_another_tenant_see_nothing() {
    let index = Library::new();
    let mut foreign = titled(1, "secret plan");
    foreign.tenant = id(999);
    index.put([foreign, titled(2, "own plan")]);
    assert_eq!(index.find("plan "), [2]);
    let forged = format!("{}/org", id(999).simple());
    let forger = Request { access: vec![forged], ..request("plan ") };
    assert_eq!(index.search(&forger).unwrap().total, 0);
}

#[test]
fn a_change_of_rights_counts_with_the_commit() {
    let index = Library::new();
    index.put([titled(1, "plan")]);
    assert_eq!(index.find("plan "), [1]);
    index.put([titled(1, "plan").visible_to(&["g:1"])]);
    assert_eq!(index.find("plan "), []);
    index.put([titled(1, "plan").visible_to(&["g:1", "org"])]);
    assert_eq!(index.find("plan "), [1]);
}

#[test]
fn a_removed_entry_leaves_nothing() {
    let index = Library::new();
    index.put([
        titled(1, "Zanzibar memo").tagged("travel").with_body("zanzibar"),
        titled(2, "memo"),
    ]);
    index.remove([1]);
    let page = index.search(&Request { facets: true, ..request("") }).unwrap();
    assert_eq!(ids(&page), [2]);
    assert_eq!(page.total, 1);
    assert_eq!(page.facets.unwrap().tags, []);
    assert_eq!(index.page("zanzibra ").corrected, None);
    assert!(index.suggest(&request("zan")).unwrap().is_empty());
}

#[test]
fn an_entry_that_is_put_again_is_replaced() {
    let index = Library::new();
    index.put([titled(1, "first name"), titled(1, "second name")]);
    assert_eq!(index.find("name "), [1]);
    index.put([titled(1, "third name")]);
    assert_eq!(index.find("name "), [1]);
    assert_eq!(index.find("third "), [1]);
    assert_eq!(index.find("first "), []);
    assert_eq!(index.find("second "), []);
}

/// Random worlds: the index must give exactly what a walk over all entries gives.
#[test]
fn totals_hits_and_facets_are_those_of_the_visible_entries_and_no_others() {
    let strategy = (world(), proptest::collection::vec(question(), 12));
    check(24, &strategy, |(world, questions)| {
        let index = Library::new();
        let mut truth: BTreeMap<Uuid, Entry> = BTreeMap::new();
        for batch in world {
            for change in &batch {
                match change {
                    Change::Put(entry) => truth.insert(entry.id, (**entry).clone()),
                    Change::Remove(id) => truth.remove(id),
                };
            }
            index.apply(batch);
        }
        for question in questions {
            let expected: Vec<&Entry> =
                truth.values().filter(|entry| matches(entry, &question)).collect();
            let page = index.search(&question).unwrap();
            let found: BTreeSet<Uuid> = page.hits.iter().map(|hit| hit.id).collect();
            prop_assert_eq!(found, expected.iter().map(|entry| entry.id).collect());
            prop_assert_eq!(page.total, expected.len() as u64);
            prop_assert_eq!(page.facets.unwrap(), count(&expected));
        }
        Ok(())
    });
}
