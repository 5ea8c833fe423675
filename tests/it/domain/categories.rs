//! Categories: named by whoever uploads, kept by managers, merged without losing a document.

use appliance::{
    domain::{
        access::Role,
        categories::{self, Category},
        documents::{self, DocumentEdit},
        jobs::Task,
    },
    error::Result,
    id::Id,
};

use super::world::*;

fn merge(world: &World, from: &Category, to: Option<&Category>) -> Result<()> {
    let (organization, from, to) = (world.organization, from.id, to.map(|to| to.id));
    world.act(&world.ada, move |tx, ada| categories::merge(tx, ada, organization, from, to))
}

fn delete(world: &World, category: &Category) -> Result<()> {
    let (organization, id) = (world.organization, category.id);
    world.act(&world.ada, move |tx, ada| categories::delete(tx, ada, organization, id))
}

/// Does to the end what the job of a merge does.
fn finish(world: &World, from: &Category, to: Option<&Category>) {
    let (from, to) = (from.id, to.map(|to| to.id));
    while world.write(move |tx| documents::recategorize(tx, from, to, 2)).unwrap() > 0 {}
    world.write(move |tx| tx.remove::<Category>(&from)).unwrap();
}

fn names(world: &World) -> Vec<String> {
    let list = world.read(|tx| categories::list(tx, world.organization)).unwrap();
    list.into_iter().map(|category| category.name).collect()
}

#[test]
fn an_upload_makes_the_category_that_it_names_once() {
    let world = World::new();
    let bob = world.person("bob", Role::Editor);
    let category = world.category("Reports");
    let first = world.document_in(&bob, "a", &category);
    assert_eq!(first.category, Some(category.id));
    let same = Category { name: "  REPORTS ".into(), ..category.clone() };
    assert_eq!(world.document_in(&bob, "b", &same).category, Some(category.id));
    let new = Category { name: "Plans".into(), ..category };
    let made = world.document_in(&bob, "c", &new).category.unwrap();
    assert_eq!(world.document_in(&bob, "d", &new).category, Some(made));
    assert_eq!(names(&world), ["Plans", "Reports"]);
}

#[test]
fn an_upload_that_is_refused_makes_no_category() {
    let world = World::new();
    let bob = world.person("bob", Role::Viewer);
    let new = documents::NewDocument { category: "Spam".into(), ..new_document("a") };
    assert_forbidden(world.add(&bob, new.clone()));
    let meg = world.person("meg", Role::Manager);
    let long = documents::NewDocument { description: "x".repeat(10_001), ..new };
    assert_invalid(world.add(&meg, long), "description");
    assert!(names(&world).is_empty());
}

#[test]
fn managers_keep_categories_and_nobody_below_does() {
    let world = World::new();
    let organization = world.organization;
    let id = world.category("Reports").id;
    let bob = world.person("bob", Role::Editor);
    assert_forbidden(
        world.act(&bob, move |tx, bob| categories::create(tx, bob, organization, "Mine", "")),
    );
    assert_forbidden(
        world.act(&bob, move |tx, bob| categories::edit(tx, bob, organization, id, "Mine", "")),
    );
    assert_forbidden(
        world.act(&bob, move |tx, bob| categories::merge(tx, bob, organization, id, None)),
    );
    assert_forbidden(world.act(&bob, move |tx, bob| categories::delete(tx, bob, organization, id)));
    let meg = world.person("meg", Role::Manager);
    world
        .act(&meg, move |tx, meg| {
            categories::edit(tx, meg, organization, id, "Accounts", "All of them")?;
            categories::delete(tx, meg, organization, id)
        })
        .unwrap();
}

#[test]
fn the_name_of_a_category_is_taken_whatever_its_case() {
    let world = World::new();
    let organization = world.organization;
    world.category("Café");
    let plans = world.category("Plans").id;
    // The same letters, the accent apart from its letter.
    for taken in ["CAFÉ", "Cafe\u{301}"] {
        assert_conflict(
            world.act(&world.ada, move |tx, ada| {
                categories::create(tx, ada, organization, taken, "")
            }),
        );
        assert_conflict(world.act(&world.ada, move |tx, ada| {
            categories::edit(tx, ada, organization, plans, taken, "")
        }));
    }
}

#[test]
fn a_category_in_use_is_not_deleted() {
    let world = World::new();
    let category = world.category("Reports");
    let document = world.document_in(&world.ada, "a", &category).id;
    assert_conflict(delete(&world, &category));
    // What is in the trash can come back, so it counts.
    world.act(&world.ada, move |tx, ada| documents::trash(tx, ada, document)).unwrap();
    assert_conflict(delete(&world, &category));
    world.act(&world.ada, move |tx, ada| documents::delete(tx, ada, document)).unwrap();
    delete(&world, &category).unwrap();
    assert!(names(&world).is_empty());
}

#[test]
fn merging_moves_every_document_also_from_the_trash_and_then_removes_the_category() {
    let world = World::new();
    let (from, to) = (world.category("Old"), world.category("New"));
    let documents: Vec<_> =
        (0..5).map(|n| world.document_in(&world.ada, &format!("{n}"), &from)).collect();
    let trashed = documents[0].id;
    world.act(&world.ada, move |tx, ada| documents::trash(tx, ada, trashed)).unwrap();
    merge(&world, &from, Some(&to)).unwrap();
    let expected =
        Task::MergeCategory { organization: world.organization, from: from.id, to: Some(to.id) };
    let due = world.write(|tx| claim_jobs(tx, 100)).unwrap();
    assert!(due.iter().any(|job| job.task == expected));
    assert_eq!(names(&world), ["New"]);
    finish(&world, &from, Some(&to));
    for document in &documents {
        assert_eq!(world.stored(document).unwrap().category, Some(to.id));
    }
    // Twice does no harm, and the name is free again.
    finish(&world, &from, Some(&to));
    world.category("Old");
}

#[test]
fn dissolving_a_category_leaves_its_documents_without_one() {
    let world = World::new();
    let from = world.category("Old");
    let document = world.document_in(&world.ada, "a", &from);
    merge(&world, &from, None).unwrap();
    finish(&world, &from, None);
    assert_eq!(world.stored(&document).unwrap().category, None);
}

#[test]
fn nothing_enters_a_category_that_is_being_merged() {
    let world = World::new();
    let organization = world.organization;
    let (from, to) = (world.category("Old"), world.category("New"));
    merge(&world, &from, Some(&to)).unwrap();
    let new = documents::NewDocument { category: "old".into(), ..new_document("a") };
    assert_conflict(world.add(&world.ada, new));
    let document = world.document(&world.ada, "b").id;
    assert_conflict(world.act(&world.ada, move |tx, ada| {
        let edit = DocumentEdit { category: Some("Old".into()), ..DocumentEdit::default() };
        documents::edit(tx, ada, document, edit, None)
    }));
    let id = from.id;
    assert_conflict(
        world.act(&world.ada, move |tx, ada| {
            categories::edit(tx, ada, organization, id, "Older", "")
        }),
    );
}

#[test]
fn a_category_is_merged_once_and_never_into_itself_or_one_that_goes() {
    let world = World::new();
    let [a, b, c] = ["A", "B", "C"].map(|name| world.category(name));
    assert_invalid(merge(&world, &a, Some(&a)), "to");
    merge(&world, &a, Some(&b)).unwrap();
    assert_conflict(merge(&world, &a, Some(&c)));
    assert_conflict(merge(&world, &a, None));
    assert_conflict(delete(&world, &a));
    assert_invalid(merge(&world, &c, Some(&a)), "to");
}

/// Else the documents of the first would arrive on a shelf that is gone.
#[test]
fn the_target_of_a_merge_stays_until_all_documents_have_arrived() {
    let world = World::new();
    let [a, b, c] = ["A", "B", "C"].map(|name| world.category(name));
    let document = world.document_in(&world.ada, "a", &a);
    merge(&world, &a, Some(&b)).unwrap();
    assert_conflict(merge(&world, &b, Some(&c)));
    assert_conflict(delete(&world, &b));
    finish(&world, &a, Some(&b));
    merge(&world, &b, Some(&c)).unwrap();
    finish(&world, &b, Some(&c));
    assert_eq!(world.stored(&document).unwrap().category, Some(c.id));
}

#[test]
fn the_categories_of_another_organization_do_not_exist() {
    let world = World::new();
    let organization = world.organization;
    let other = world.other_organization("Southwind");
    let theirs: Id<Category> = world
        .act(&world.ada, move |tx, ada| categories::create(tx, ada, other, "Theirs", ""))
        .unwrap()
        .id;
    let own = world.category("Own");
    assert_not_found(world.read(|tx| categories::get(tx, organization, theirs)));
    let from = own.id;
    assert_not_found(world.act(&world.ada, move |tx, ada| {
        categories::merge(tx, ada, organization, from, Some(theirs))
    }));
    assert_eq!(names(&world), ["Own"]);
}

#[test]
fn there_are_at_most_a_thousand_categories() {
    let world = World::new();
    let organization = world.organization;
    world
        .act(&world.ada, move |tx, ada| {
            for number in 0..1_000 {
                categories::named(tx, ada, organization, &format!("Shelf {number}"))?;
            }
            categories::named(tx, ada, organization, "shelf 7")?;
            assert_conflict(categories::named(tx, ada, organization, "One more"));
            Ok(())
        })
        .unwrap();
}
