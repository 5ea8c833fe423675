//! When certificates are fetched.

use appliance::{
    config::ChallengeChoice,
    domain::certificates::{self, Certificate, Terms},
};
use jiff::{SignedDuration, Timestamp};

use super::world::*;

const DOMAIN: &str = "docs.example.com";

fn terms(email: &str) -> Terms {
    Terms {
        directory: "https://acme.example/directory".into(),
        email: email.into(),
        challenge: ChallengeChoice::Auto,
        ca_file: Default::default(),
    }
}

fn certificate(world: &World) -> Certificate {
    world.read(|tx| certificates::of_domain(tx, DOMAIN)).unwrap()
}

fn is_due(world: &World, terms: &Terms) -> bool {
    certificate(world).is_due(terms, world.clock.now())
}

fn begin(world: &World, terms: &Terms) {
    let terms = terms.clone();
    world.write(move |tx| certificates::begin_attempt(tx, DOMAIN, terms)).unwrap();
}

fn fail(world: &World) {
    fail_until(world, None);
}

/// `not_before` is what the authority said.
fn fail_until(world: &World, not_before: Option<Timestamp>) {
    let (message, remedy) = ("No.".to_owned(), "Mend it.".to_owned());
    world
        .write(move |tx| {
            certificates::note_failure(tx, DOMAIN, message, remedy, not_before).map(drop)
        })
        .unwrap();
}

/// An order counts at the authority, also when the disk was full for whatever came after it.
#[test]
fn an_attempt_of_which_nothing_more_is_noted_is_not_made_again_at_once() {
    let world = World::new();
    let terms = terms("ops@example.com");
    assert!(is_due(&world, &terms));
    begin(&world, &terms);
    assert!(!is_due(&world, &terms));
    world.advance(SignedDuration::from_secs(119));
    assert!(!is_due(&world, &terms));
    world.advance(SignedDuration::from_secs(1));
    assert!(is_due(&world, &terms));
}

#[test]
fn pauses_grow_and_begin_anew_on_other_terms() {
    let world = World::new();
    let (old, new) = (terms("old@example.com"), terms("new@example.com"));
    for minutes in [2, 30, 60] {
        begin(&world, &old);
        fail(&world);
        world.advance(SignedDuration::from_mins(minutes) - SignedDuration::from_secs(1));
        assert!(!is_due(&world, &old), "{minutes}");
        world.advance(SignedDuration::from_secs(1));
        assert!(is_due(&world, &old), "{minutes}");
    }
    begin(&world, &old);
    fail(&world);
    assert!(!is_due(&world, &new), "not in the same moment");
    world.advance(SignedDuration::from_secs(20));
    assert!(is_due(&world, &new) && !is_due(&world, &old));
    begin(&world, &new);
    assert_eq!((certificate(&world).failures, certificate(&world).fault), (0, None));
}

#[test]
fn what_failed_is_tried_soon_when_somebody_says_so_and_what_is_fine_is_left_alone() {
    let world = World::new();
    let terms = terms("ops@example.com");
    begin(&world, &terms);
    fail(&world);
    let try_soon = || world.write(|tx| certificates::try_soon(tx, &[DOMAIN.to_owned()])).unwrap();
    let standing = || {
        let domains = [DOMAIN.to_owned()];
        world.read(|tx| certificates::standing(tx, &domains, &terms)).unwrap().remove(0)
    };
    assert!(standing().fault.is_some() && !standing().is_under_way);
    try_soon();
    assert!(!is_due(&world, &terms), "whoever presses on has the domain locked out");
    assert!(standing().is_under_way && standing().fault.is_none());
    world.advance(SignedDuration::from_secs(20));
    assert!(is_due(&world, &terms));
    // The authority wants to hear nothing for a while.
    begin(&world, &terms);
    fail_until(&world, Some(world.clock.now() + SignedDuration::from_hours(1)));
    try_soon();
    world.advance(SignedDuration::from_mins(59));
    assert!(!is_due(&world, &terms));
    world.advance(SignedDuration::from_mins(1));
    assert!(is_due(&world, &terms));
    // One under way, without a fault, is not made a second time.
    let another = World::new();
    begin(&another, &terms);
    another.advance(SignedDuration::from_secs(30));
    another.write(|tx| certificates::try_soon(tx, &[DOMAIN.to_owned()])).unwrap();
    assert!(!is_due(&another, &terms));
}
