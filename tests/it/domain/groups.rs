//! Groups and their members.

use appliance::domain::{access::Role, documents, documents::Visibility, groups};

use super::world::*;

#[test]
fn managers_keep_groups_and_nobody_below_does() {
    let world = World::new();
    let organization = world.organization;
    let bob = world.person("bob", Role::Viewer);
    for (role, is_allowed) in
        [(Role::Viewer, false), (Role::Editor, false), (Role::Manager, true), (Role::Admin, true)]
    {
        let who = world.person(&format!("a-{}", role.name()), role);
        let (name, user) = (format!("of {}", role.name()), bob.id);
        let kept = world.act(&who, move |tx, actor| {
            let group = groups::create(tx, actor, organization, &name, "")?;
            groups::add_member(tx, actor, organization, group.id, user)?;
            groups::edit(tx, actor, organization, group.id, &format!("{name}!"), "why")?;
            groups::remove_member(tx, actor, organization, group.id, user)?;
            groups::delete(tx, actor, organization, group.id)
        });
        if is_allowed {
            kept.unwrap();
        } else {
            assert_forbidden(kept);
        }
    }
    let group = world.group("Finance", &[]).id;
    assert_forbidden(world.act(&bob, move |tx, bob| {
        groups::add_member(tx, bob, organization, group, bob.user.unwrap())
    }));
}

#[test]
fn the_name_of_a_group_is_taken_whatever_its_case_and_in_its_organization_alone() {
    let world = World::new();
    let organization = world.organization;
    let group = world.group("Finance", &[]);
    assert_conflict(
        world
            .act(&world.ada, move |tx, ada| groups::create(tx, ada, organization, " FINANCE ", "")),
    );
    let second = world.group("Legal", &[]);
    assert_conflict(world.act(&world.ada, move |tx, ada| {
        groups::edit(tx, ada, organization, second.id, "finance", "")
    }));
    world
        .act(&world.ada, move |tx, ada| {
            groups::edit(tx, ada, organization, group.id, "FINANCE", "")
        })
        .unwrap();
    let other = world.other_organization("Southwind");
    world.act(&world.ada, move |tx, ada| groups::create(tx, ada, other, "Finance", "")).unwrap();
    assert_invalid(
        world.act(&world.ada, move |tx, ada| groups::create(tx, ada, organization, " ", "")),
        "name",
    );
}

#[test]
fn only_members_of_the_organization_can_be_in_its_groups() {
    let world = World::new();
    let organization = world.organization;
    let other = world.other_organization("Southwind");
    let away = world.person_in(other, "away", Role::Viewer).id;
    let group = world.group("Finance", &[]).id;
    assert_invalid(
        world
            .act(&world.ada, move |tx, ada| groups::add_member(tx, ada, organization, group, away)),
        "user",
    );
}

#[test]
fn joining_twice_and_leaving_twice_is_no_error() {
    let world = World::new();
    let organization = world.organization;
    let bob = world.person("bob", Role::Viewer);
    let group = world.group("Finance", &[&bob]);
    let (id, user) = (group.id, bob.id);
    world
        .act(&world.ada, move |tx, ada| {
            groups::add_member(tx, ada, organization, id, user)?;
            assert_eq!(groups::member_count(tx, id)?, 1);
            groups::remove_member(tx, ada, organization, id, user)?;
            groups::remove_member(tx, ada, organization, id, user)
        })
        .unwrap();
    assert!(world.read(|tx| groups::members(tx, id)).unwrap().is_empty());
}

#[test]
fn the_groups_of_another_organization_do_not_exist() {
    let world = World::new();
    let organization = world.organization;
    let other = world.other_organization("Southwind");
    let theirs = world
        .act(&world.ada, move |tx, ada| groups::create(tx, ada, other, "Theirs", ""))
        .unwrap()
        .id;
    let meg = world.person("meg", Role::Manager);
    assert_not_found(world.read(|tx| groups::get(tx, organization, theirs)));
    assert_not_found(world.act(&meg, move |tx, meg| groups::delete(tx, meg, organization, theirs)));
    assert_forbidden(world.act(&meg, move |tx, meg| groups::delete(tx, meg, other, theirs)));
    assert!(world.read(|tx| groups::list(tx, organization)).unwrap().is_empty());
}

#[test]
fn what_was_shown_to_a_group_is_hidden_with_the_next_look() {
    let world = World::new();
    let organization = world.organization;
    let bob = world.person("bob", Role::Viewer);
    let group = world.group("Finance", &[&bob]);
    let (group_id, user) = (group.id, bob.id);
    let document = world.document(&world.ada, "secret").id;
    world
        .act(&world.ada, move |tx, ada| {
            let to = Visibility::Restricted { groups: vec![group_id], people: Vec::new() };
            documents::set_visibility(tx, ada, document, to)
        })
        .unwrap();
    let is_readable = || world.see(&bob, |tx, bob| documents::readable(tx, bob, document)).is_ok();
    assert!(is_readable());
    world
        .act(&world.ada, move |tx, ada| {
            groups::remove_member(tx, ada, organization, group_id, user)
        })
        .unwrap();
    assert!(!is_readable());
    world
        .act(&world.ada, move |tx, ada| groups::add_member(tx, ada, organization, group_id, user))
        .unwrap();
    assert!(is_readable());
    world.act(&world.ada, move |tx, ada| groups::delete(tx, ada, organization, group_id)).unwrap();
    assert!(!is_readable());
    // A new group of the same name opens nothing.
    world.group("Finance", &[&bob]);
    assert!(!is_readable());
}
