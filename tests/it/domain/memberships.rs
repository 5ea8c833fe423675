//! Memberships: roles, and the administrators that an organization cannot do without.

use appliance::{
    domain::{
        access::{Actor, Role},
        events::{self, Verb},
        groups, memberships, users,
    },
    id::Id,
};
use uuid::Uuid;

use super::world::*;

#[test]
fn a_role_changes_at_once() {
    let world = World::new();
    let bob = world.person("bob", Role::Viewer);
    let (organization, id) = (world.organization, bob.id);
    world
        .act(&world.ada, move |tx, ada| {
            memberships::assign(tx, ada, organization, id, Role::Manager)
        })
        .unwrap();
    assert_eq!(world.actor(&bob).role, Some(Role::Manager));
}

#[test]
fn only_administrators_keep_roles() {
    let world = World::new();
    let bob = world.person("bob", Role::Viewer);
    let (organization, id) = (world.organization, bob.id);
    for role in [Role::Viewer, Role::Editor, Role::Manager] {
        let other = world.person(&format!("a-{}", role.name()), role);
        assert_forbidden(world.act(&other, move |tx, actor| {
            memberships::assign(tx, actor, organization, id, Role::Admin)
        }));
        assert_forbidden(
            world.act(&other, move |tx, actor| memberships::end(tx, actor, organization, id)),
        );
    }
    assert_eq!(world.actor(&bob).role, Some(Role::Viewer));
}

#[test]
fn the_last_administrator_of_an_organization_can_neither_step_down_nor_leave() {
    let world = World::new();
    let (organization, ada) = (world.organization, world.ada.id);
    let demote = |role| {
        world.act(&world.ada, move |tx, actor| {
            memberships::assign(tx, actor, organization, ada, role)
        })
    };
    for role in [Role::Viewer, Role::Editor, Role::Manager] {
        assert_conflict(demote(role));
    }
    assert_conflict(
        world.act(&world.ada, move |tx, actor| memberships::end(tx, actor, organization, ada)),
    );
    // Somebody who is disabled does not count.
    let bob = world.person("bob", Role::Admin);
    let id = bob.id;
    world.act(&world.ada, move |tx, ada| users::disable(tx, ada, organization, id)).unwrap();
    assert_conflict(demote(Role::Viewer));
    world.act(&world.ada, move |tx, ada| users::enable(tx, ada, organization, id)).unwrap();
    demote(Role::Viewer).unwrap();
}

#[test]
fn who_leaves_an_organization_leaves_its_groups_and_its_log_says_so() {
    let world = World::new();
    let bob = world.person("bob", Role::Editor);
    let group = world.group("Finance", &[&bob]);
    let (organization, id) = (world.organization, bob.id);
    world.act(&world.ada, move |tx, ada| memberships::end(tx, ada, organization, id)).unwrap();
    let actor = world.actor(&bob);
    assert_eq!((actor.role, actor.organization), (None, None));
    assert!(actor.groups.is_empty());
    assert_forbidden(actor.at_work());
    world
        .see(&world.ada, |tx, ada| {
            assert!(groups::members(tx, group.id)?.is_empty());
            let (page, _) = events::list(tx, ada, organization, &Default::default(), 1)?;
            assert_eq!((page[0].verb, page[0].subject), (Verb::MembershipEnded, id.uuid()));
            Ok(())
        })
        .unwrap();
    // And who comes back is in none of them.
    world.join(organization, &bob, Role::Viewer);
    assert!(world.actor(&bob).groups.is_empty());
}

#[test]
fn ending_a_membership_that_is_none_is_no_error() {
    let world = World::new();
    let organization = world.organization;
    let nobody = Id::from_uuid(Uuid::from_u128(7));
    world.act(&world.ada, move |tx, ada| memberships::end(tx, ada, organization, nobody)).unwrap();
}

#[test]
fn an_organizations_administrator_cannot_claim_somebody_elses_account() {
    let world = World::new();
    let other = world.other_organization("Southwind");
    let mallory = world.person("mallory", Role::Admin);
    let victim = world.person_in(other, "victim", Role::Admin);
    let (organization, id) = (world.organization, victim.id);
    assert_not_found(world.act(&mallory, move |tx, mallory| {
        memberships::assign(tx, mallory, organization, id, Role::Viewer)
    }));
    // Just as for an account that does not exist.
    assert_not_found(world.act(&mallory, move |tx, mallory| {
        let nobody = Id::from_uuid(Uuid::from_u128(7));
        memberships::assign(tx, mallory, organization, nobody, Role::Viewer)
    }));
    world.join(organization, &victim, Role::Viewer);
}

#[test]
fn an_organizations_administrator_cannot_touch_the_role_of_an_instance_administrator() {
    let world = World::new();
    let mallory = world.person("mallory", Role::Admin);
    let (organization, ada) = (world.organization, world.ada.id);
    assert_forbidden(world.act(&mallory, move |tx, mallory| {
        memberships::assign(tx, mallory, organization, ada, Role::Viewer)
    }));
    assert_forbidden(
        world.act(&mallory, move |tx, mallory| memberships::end(tx, mallory, organization, ada)),
    );
}

#[test]
fn an_administrator_of_the_instance_has_every_right_without_being_a_member() {
    let world = World::new();
    let other = world.other_organization("Southwind");
    let ada = world.read(|tx| Actor::load(tx, &world.ada, Some(other))).unwrap();
    assert_eq!(ada.role, None);
    assert_eq!(ada.role_in(other), Some(Role::Admin));
    assert_eq!(ada.at_work().unwrap(), other);
}

#[test]
fn members_are_listed_with_their_roles_of_one_organization_alone() {
    let world = World::new();
    let other = world.other_organization("Southwind");
    let bob = world.person("bob", Role::Editor);
    world.person_in(other, "eve", Role::Viewer);
    let members = world.read(|tx| memberships::members(tx, world.organization)).unwrap();
    let mut members: Vec<_> = members.iter().map(|(user, role)| (user.id, *role)).collect();
    members.sort();
    let mut expected = vec![(world.ada.id, Role::Admin), (bob.id, Role::Editor)];
    expected.sort();
    assert_eq!(members, expected);
}
