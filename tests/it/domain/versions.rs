//! Versions: numbered uploads of one document, each of which can be gone back to.

use appliance::domain::{
    access::Role,
    documents::{self, Visibility},
    versions,
};

use super::world::*;

#[test]
fn versions_are_numbered_and_the_newest_is_current() {
    let world = World::new();
    let document = world.document(&world.ada, "a");
    let id = document.id;
    for number in 2..=4u8 {
        let (changed, version) = world
            .act(&world.ada, move |tx, ada| {
                versions::add(tx, ada, id, file(&format!("plan {number}.pdf"), number))
            })
            .unwrap();
        assert_eq!(version.number, u32::from(number));
        assert_eq!(changed.current, Some(versions::current_file(&version)));
        assert_eq!(changed.revision, u64::from(number));
    }
    let document = world.stored(&document).unwrap();
    let list = world.see(&world.ada, |tx, ada| versions::list(tx, ada, &document)).unwrap();
    let numbers: Vec<u32> = list.iter().map(|version| version.number).collect();
    assert_eq!(numbers, [4, 3, 2, 1]);
}

#[test]
fn an_older_version_can_be_made_current_and_nothing_is_lost() {
    let world = World::new();
    let id = world.document(&world.ada, "a").id;
    let (document, second) =
        world.act(&world.ada, move |tx, ada| versions::add(tx, ada, id, file("b.pdf", 2))).unwrap();
    let first =
        world.see(&world.ada, |tx, ada| versions::list(tx, ada, &document)).unwrap()[1].clone();
    let make = |version| {
        world.act(&world.ada, move |tx, ada| versions::make_current(tx, ada, id, version))
    };
    let back = make(first.id).unwrap();
    assert_eq!(back.current.unwrap().number, 1);
    // Again is no change.
    assert_eq!(make(first.id).unwrap().revision, back.revision);
    assert_eq!(make(second.id).unwrap().current.unwrap().number, 2);
    // The next upload is the third, whatever is current.
    make(first.id).unwrap();
    let (_, third) =
        world.act(&world.ada, move |tx, ada| versions::add(tx, ada, id, file("c.pdf", 3))).unwrap();
    assert_eq!(third.number, 3);
}

#[test]
fn a_version_is_found_only_under_its_own_document() {
    let world = World::new();
    let (a, b) = (world.document(&world.ada, "a"), world.document(&world.ada, "b"));
    let of_b = b.current.clone().unwrap().version;
    let id = a.id;
    assert_not_found(world.see(&world.ada, |tx, ada| versions::readable(tx, ada, id, of_b)));
    assert_not_found(
        world.act(&world.ada, move |tx, ada| versions::make_current(tx, ada, id, of_b)),
    );
    world.see(&world.ada, |tx, ada| versions::readable(tx, ada, b.id, of_b)).unwrap();
}

#[test]
fn who_may_not_read_the_document_reads_none_of_its_versions() {
    let world = World::new();
    let bob = world.person("bob", Role::Editor);
    let document = world.document(&world.ada, "a");
    let (id, version) = (document.id, document.current.clone().unwrap().version);
    world
        .act(&world.ada, move |tx, ada| {
            let to = Visibility::Restricted { groups: vec![], people: vec![] };
            documents::set_visibility(tx, ada, id, to)
        })
        .unwrap();
    let document = world.stored(&document).unwrap();
    assert_not_found(world.see(&bob, |tx, bob| versions::readable(tx, bob, id, version)));
    assert_not_found(world.see(&bob, |tx, bob| versions::list(tx, bob, &document)));
    assert_not_found(world.act(&bob, move |tx, bob| versions::add(tx, bob, id, file("x", 9))));
}

#[test]
fn a_link_has_no_versions() {
    let world = World::new();
    let link = world.link(&world.ada, "https://example.com");
    let id = link.id;
    assert_conflict(world.act(&world.ada, move |tx, ada| versions::add(tx, ada, id, file("x", 9))));
    assert_not_found(versions::current(&link));
    assert_eq!(world.stored(&link).unwrap().revision, link.revision);
}

#[test]
fn the_same_bytes_are_kept_and_moved_once() {
    let world = World::new();
    let id = world.document(&world.ada, "a").id;
    world.write(|tx| claim_jobs(tx, 100)).unwrap();
    let content = b'a';
    world
        .act(&world.ada, move |tx, ada| versions::add(tx, ada, id, file("again.pdf", content)))
        .unwrap();
    assert!(world.write(|tx| claim_jobs(tx, 100)).unwrap().is_empty());
    let versions = world.read(|tx| versions::of_blob(tx, blob(content), None, 10)).unwrap();
    let documents: Vec<_> = versions.into_iter().map(|version| version.document).collect();
    assert_eq!(documents, [id, id]);
}

#[test]
fn a_version_keeps_a_clean_filename() {
    let world = World::new();
    let id = world.document(&world.ada, "a").id;
    let named = |filename: &'static str| {
        world.act(&world.ada, move |tx, ada| versions::add(tx, ada, id, file(filename, 7)))
    };
    assert_eq!(named("../x/y\r\n.pdf").unwrap().1.filename, "y.pdf");
    assert_invalid(named("/"), "file");
}
