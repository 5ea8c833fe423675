//! Personal API tokens.

use appliance::{
    domain::{
        access::{Actor, Role},
        memberships, tokens,
        users::{self, User},
    },
    id::Id,
};
use jiff::SignedDuration;

use super::world::*;

fn create(world: &World, who: &User) -> (tokens::ApiToken, String) {
    world.act(who, |tx, actor| tokens::create(tx, actor, "script", None)).unwrap()
}

fn speaks_for(world: &World, revealed: &str) -> Option<Id<User>> {
    let found = world.read(|tx| tokens::resume(tx, revealed)).unwrap();
    found.map(|(_, user, actor)| {
        assert_eq!(actor.user, Some(user.id));
        user.id
    })
}

#[test]
fn a_token_speaks_for_its_owner_and_nothing_like_it_does() {
    let world = World::new();
    let bob = world.person("bob", Role::Editor);
    let (token, revealed) = create(&world, &bob);
    assert!(revealed.starts_with(tokens::PREFIX));
    assert_eq!(speaks_for(&world, &revealed), Some(bob.id));
    for wrong in ["", "apl_", &revealed[..40], &format!("{revealed}x"), &revealed.to_uppercase()] {
        assert_eq!(speaks_for(&world, wrong), None);
    }
    assert!(!serde_json::to_string(&token).unwrap().contains(&revealed[4..]));
    // Nor does what is stored open anything.
    assert_eq!(speaks_for(&world, &token.secret.key().to_string()), None);
}

#[test]
fn a_token_has_the_rights_that_its_owner_has_now() {
    let world = World::new();
    let bob = world.person("bob", Role::Editor);
    let (_, revealed) = create(&world, &bob);
    let role = || world.read(|tx| tokens::resume(tx, &revealed)).unwrap().unwrap().2.role;
    assert_eq!(role(), Some(Role::Editor));
    let (organization, id) = (world.organization, bob.id);
    world.join(organization, &bob, Role::Viewer);
    assert_eq!(role(), Some(Role::Viewer));
    world.act(&world.ada, move |tx, ada| memberships::end(tx, ada, organization, id)).unwrap();
    assert_eq!(role(), None);
}

#[test]
fn a_token_expires() {
    let world = World::new();
    let at = world.clock.now() + days(1);
    let create = |at| world.act(&world.ada, move |tx, ada| tokens::create(tx, ada, "a", Some(at)));
    let (_, revealed) = create(at).unwrap();
    world.advance(days(1) - SignedDuration::from_millis(1));
    assert!(speaks_for(&world, &revealed).is_some());
    world.advance(SignedDuration::from_millis(1));
    assert_eq!(speaks_for(&world, &revealed), None);
    assert_invalid(create(at), "expires_at");
}

#[test]
fn a_token_is_revoked_by_its_owner_alone() {
    let world = World::new();
    let bob = world.person("bob", Role::Viewer);
    let (token, revealed) = create(&world, &bob);
    let id = token.id;
    // Not even an administrator sees somebody else's.
    assert_not_found(world.act(&world.ada, move |tx, ada| tokens::revoke(tx, ada, id)));
    assert!(speaks_for(&world, &revealed).is_some());
    world.act(&bob, move |tx, bob| tokens::revoke(tx, bob, id)).unwrap();
    assert_eq!(speaks_for(&world, &revealed), None);
    assert_not_found(world.act(&bob, move |tx, bob| tokens::revoke(tx, bob, id)));
}

#[test]
fn deleting_a_person_revokes_their_tokens() {
    let world = World::new();
    let bob = world.person("bob", Role::Viewer);
    let (_, revealed) = create(&world, &bob);
    let (organization, id, heir) = (world.organization, bob.id, world.ada.id);
    world.act(&world.ada, move |tx, ada| users::delete(tx, ada, organization, id, heir)).unwrap();
    assert_eq!(speaks_for(&world, &revealed), None);
    assert!(world.read(|tx| tokens::of_user(tx, bob.id)).unwrap().is_empty());
}

#[test]
fn a_person_has_at_most_fifty_tokens_each_with_a_name() {
    let world = World::new();
    let bob = world.person("bob", Role::Viewer);
    for wrong in ["", " \n ", &"x".repeat(101)] {
        let name = wrong.to_owned();
        assert_invalid(
            world.act(&bob, move |tx, bob| tokens::create(tx, bob, &name, None)),
            "name",
        );
    }
    for _ in 0..50 {
        create(&world, &bob);
    }
    assert_conflict(world.act(&bob, |tx, bob| tokens::create(tx, bob, "one more", None)));
    let first = world.read(|tx| tokens::of_user(tx, bob.id)).unwrap()[0].id;
    world.act(&bob, move |tx, bob| tokens::revoke(tx, bob, first)).unwrap();
    create(&world, &bob);
}

#[test]
fn only_people_have_tokens() {
    let world = World::new();
    for actor in [Actor::stranger(), Actor::system("test", None)] {
        assert_sign_in(world.write(move |tx| tokens::create(tx, &actor, "a", None)));
    }
}

#[test]
fn the_use_of_a_token_is_noted_now_and_then() {
    let world = World::new();
    let (token, _) = create(&world, &world.ada);
    assert!(tokens::is_stale(&token, world.clock.now()));
    let id = token.id;
    world.write(move |tx| tokens::touch(tx, id)).unwrap();
    let token = world.read(|tx| tokens::of_user(tx, world.ada.id)).unwrap().remove(0);
    assert_eq!(token.used_at, Some(world.clock.now()));
    assert!(!tokens::is_stale(&token, world.clock.now() + SignedDuration::from_mins(4)));
    assert!(tokens::is_stale(&token, world.clock.now() + SignedDuration::from_mins(5)));
}
