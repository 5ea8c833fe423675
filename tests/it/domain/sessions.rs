//! Sessions: they end in every way that somebody would expect, and at once.

use appliance::{
    domain::{
        access::Role,
        events::{self, Verb},
        memberships,
        secrets::Secret,
        sessions::{self, Session, SignIn},
        users::{self, User},
    },
    error::Result,
    id::Id,
};
use jiff::SignedDuration;

use super::world::*;

fn sign_in() -> SignIn {
    SignIn { address: Some("192.0.2.7".into()), user_agent: "x".repeat(1_000), lifetime: days(14) }
}

fn begin(world: &World, who: &User) -> Result<Session> {
    let who = who.clone();
    world.write(move |tx| sessions::begin(tx, &who, sign_in(), None))
}

fn begin_for_cookie(world: &World, who: &User) -> (Session, Secret) {
    let who = who.clone();
    world
        .write(move |tx| {
            let secret = Secret::random()?;
            Ok((sessions::begin(tx, &who, sign_in(), Some(&secret))?, secret))
        })
        .unwrap()
}

fn is_open(world: &World, id: Id<Session>) -> bool {
    world.read(|tx| sessions::resume(tx, id)).unwrap().is_some()
}

#[test]
fn a_session_brings_back_the_user_with_the_rights_of_this_moment() {
    let world = World::new();
    let bob = world.person("bob", Role::Viewer);
    let session = begin(&world, &bob).unwrap();
    assert_eq!(session.user_agent.len(), 300);
    let (_, user, actor) = world.read(|tx| sessions::resume(tx, session.id)).unwrap().unwrap();
    assert_eq!((user.id, actor.role), (bob.id, Some(Role::Viewer)));
    assert_eq!(actor.organization, Some(world.organization));
    world.join(world.organization, &bob, Role::Manager);
    let (_, _, actor) = world.read(|tx| sessions::resume(tx, session.id)).unwrap().unwrap();
    assert_eq!(actor.role, Some(Role::Manager));
    let (organization, id) = (world.organization, bob.id);
    world.act(&world.ada, move |tx, ada| memberships::end(tx, ada, organization, id)).unwrap();
    let (_, _, actor) = world.read(|tx| sessions::resume(tx, session.id)).unwrap().unwrap();
    assert_eq!((actor.role, actor.organization), (None, None));
}

#[test]
fn signing_in_is_noted_with_its_time_and_address() {
    let world = World::new();
    let bob = world.person("bob", Role::Viewer);
    assert_eq!(bob.signed_in_at, None);
    begin(&world, &bob).unwrap();
    assert_eq!(world.again(&bob).signed_in_at, Some(world.clock.now()));
    let about = world.read(|tx| events::about(tx, bob.id, 1)).unwrap();
    assert_eq!((about[0].verb, about[0].user), (Verb::SignedIn, Some(bob.id)));
    assert_eq!(about[0].address.as_deref(), Some("192.0.2.7"));
    assert_eq!(about[0].organization, Some(world.organization));
}

#[test]
fn a_session_ends_with_its_time() {
    let world = World::new();
    let session = begin(&world, &world.ada).unwrap();
    world.advance(days(14) - SignedDuration::from_millis(1));
    assert!(is_open(&world, session.id));
    world.advance(SignedDuration::from_millis(1));
    assert!(!is_open(&world, session.id));
    // What has ended is not begun again by a late note of its use.
    let id = session.id;
    world.write(move |tx| sessions::touch(tx, id, days(14))).unwrap();
    assert!(!is_open(&world, id));
}

#[test]
fn a_cookies_session_lives_on_while_it_is_used_and_a_tokens_does_not() {
    let world = World::new();
    let cookie = begin_for_cookie(&world, &world.ada).0;
    let token = begin(&world, &world.ada).unwrap();
    world.advance(days(10));
    for id in [cookie.id, token.id] {
        world.write(move |tx| sessions::touch(tx, id, days(14))).unwrap();
    }
    world.advance(days(10));
    assert!(is_open(&world, cookie.id));
    assert!(!is_open(&world, token.id));
}

#[test]
fn a_shorter_setting_never_cuts_a_session_that_is_in_use() {
    let world = World::new();
    let id = begin_for_cookie(&world, &world.ada).0.id;
    world.write(move |tx| sessions::touch(tx, id, days(1))).unwrap();
    world.advance(days(13));
    assert!(is_open(&world, id));
}

#[test]
fn only_every_few_minutes_is_the_use_of_a_session_worth_a_write() {
    let world = World::new();
    let session = begin(&world, &world.ada).unwrap();
    let at = |minutes| world.clock.now() + SignedDuration::from_mins(minutes);
    assert!(!sessions::is_stale(&session, at(0)));
    assert!(!sessions::is_stale(&session, at(4)));
    assert!(sessions::is_stale(&session, at(5)));
}

#[test]
fn a_cookies_secret_is_kept_only_as_its_hash() {
    let world = World::new();
    let (session, secret) = begin_for_cookie(&world, &world.ada);
    let kept = session.secret.clone().unwrap();
    assert!(kept.matches(secret.reveal()));
    assert!(!kept.matches("another"));
    let json = serde_json::to_string(&session).unwrap();
    assert!(!json.contains(secret.reveal()));
    assert!(!format!("{secret:?}").contains(secret.reveal()));
}

#[test]
fn nobody_signs_in_to_a_disabled_account() {
    let world = World::new();
    let bob = world.person("bob", Role::Viewer);
    let (organization, id) = (world.organization, bob.id);
    world.act(&world.ada, move |tx, ada| users::disable(tx, ada, organization, id)).unwrap();
    // Also when the password was checked before.
    assert_forbidden(begin(&world, &bob));
}

/// The check of a password takes a while, and the password can change meanwhile.
#[test]
fn an_old_password_does_not_slip_in_behind_its_change() {
    let world = World::new();
    let bob = world.person("bob", Role::Viewer);
    let (organization, id) = (world.organization, bob.id);
    world
        .act(&world.ada, move |tx, ada| {
            users::set_password(tx, ada, organization, id, other_password())
        })
        .unwrap();
    assert_sign_in(begin(&world, &bob));
    begin(&world, &world.again(&bob)).unwrap();
}

#[test]
fn people_see_and_end_their_own_sessions() {
    let world = World::new();
    let bob = world.person("bob", Role::Viewer);
    let first = begin(&world, &bob).unwrap().id;
    world.advance(SignedDuration::from_mins(10));
    let second = begin(&world, &bob).unwrap().id;
    let adas = begin(&world, &world.ada).unwrap().id;
    let open = || -> Vec<Id<Session>> {
        let list = world.read(|tx| sessions::of_user(tx, bob.id)).unwrap();
        list.into_iter().map(|session| session.id).collect()
    };
    assert_eq!(open(), [second, first]);
    let id = bob.id;
    // Somebody else's is not theirs to end, and they do not hear of it.
    world.write(move |tx| sessions::end(tx, id, adas)).unwrap();
    assert!(is_open(&world, adas));
    world.write(move |tx| sessions::end(tx, id, first)).unwrap();
    world.write(move |tx| sessions::end(tx, id, first)).unwrap();
    assert_eq!(open(), [second]);
    world.advance(days(20));
    assert!(open().is_empty());
}

#[test]
fn sessions_that_ran_out_are_swept_a_few_at_a_time() {
    let world = World::new();
    for _ in 0..5 {
        begin(&world, &world.ada).unwrap();
    }
    world.advance(days(1));
    let young = begin(&world, &world.ada).unwrap().id;
    world.advance(days(13));
    let swept = |limit| world.write(move |tx| sessions::sweep(tx, limit)).unwrap();
    assert_eq!(swept(3), 3);
    assert_eq!(swept(3), 2);
    assert_eq!(swept(3), 0);
    assert!(is_open(&world, young));
}

#[test]
fn who_signs_in_again_and_again_loses_the_oldest_sessions() {
    let world = World::new();
    let (first, second) =
        (begin(&world, &world.ada).unwrap().id, begin(&world, &world.ada).unwrap().id);
    let ada = world.ada.clone();
    let last = world
        .write(move |tx| {
            for _ in 0..998 {
                sessions::begin(tx, &ada, sign_in(), None)?;
            }
            Ok(sessions::begin(tx, &ada, sign_in(), None)?.id)
        })
        .unwrap();
    assert!(!is_open(&world, first));
    assert!(is_open(&world, second) && is_open(&world, last));
}
