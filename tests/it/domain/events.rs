//! The audit log and the activity of a document.

use appliance::{
    domain::{
        access::{Actor, Role},
        categories, documents,
        events::{self, Event, Filter, Verb},
        groups,
        users::User,
    },
    id::Id,
};
use jiff::SignedDuration;

use super::world::*;

/// All pages of the log, newest first.
fn pages(world: &World, filter: &Filter, limit: usize) -> Vec<Vec<Event>> {
    let mut filter = filter.clone();
    let mut pages = Vec::new();
    loop {
        let (page, next) = world
            .see(&world.ada, |tx, ada| events::list(tx, ada, world.organization, &filter, limit))
            .unwrap();
        assert!(page.len() <= limit);
        pages.push(page);
        match next {
            Some(next) => filter.after = Some(next),
            None => return pages,
        }
    }
}

#[test]
fn the_log_is_paged_without_gaps_or_repeats() {
    let world = World::new();
    for number in 0..20 {
        world.category(&format!("Shelf {number}"));
    }
    let all = pages(&world, &Filter::default(), 1_000).concat();
    assert!(all.len() > 20);
    assert!(all.is_sorted_by(|newer, older| newer.id > older.id));
    for limit in [1, 3, 7, all.len()] {
        let paged = pages(&world, &Filter::default(), limit).concat();
        let ids = |events: &[Event]| events.iter().map(|event| event.id).collect::<Vec<_>>();
        assert_eq!(ids(&paged), ids(&all), "{limit} a page");
    }
}

#[test]
fn the_log_is_filtered_by_verb_person_and_time() {
    let world = World::new();
    let bob = world.person("bob", Role::Editor);
    let begun = world.clock.now();
    for (hour, who) in [&bob, &world.ada, &bob].into_iter().enumerate() {
        world.advance(SignedDuration::from_hours(1));
        world.document(who, &format!("{hour}"));
    }
    world.category("Shelf");
    let titles = |filter: Filter| -> Vec<String> {
        let found = pages(&world, &filter, 2).concat();
        found.into_iter().map(|event| event.subject_name).collect()
    };
    let added = Filter { verb: Some(Verb::DocumentAdded), ..Filter::default() };
    assert_eq!(titles(added.clone()), ["2", "1", "0"]);
    let his = Filter { user: Some(bob.id), ..added.clone() };
    assert_eq!(titles(his), ["2", "0"]);
    let hour = |hours| Some(begun + SignedDuration::from_hours(hours));
    // From is inclusive, until is not.
    assert_eq!(titles(Filter { from: hour(2), ..added.clone() }), ["2", "1"]);
    assert_eq!(titles(Filter { until: hour(2), ..added.clone() }), ["0"]);
    assert_eq!(titles(Filter { from: hour(2), until: hour(3), ..added }), ["1"]);
}

/// A filter that finds nothing must neither look for ever nor pass over anything.
#[test]
fn a_filter_that_finds_little_gives_up_and_goes_on_without_a_gap() {
    let world = World::new();
    let organization = world.organization;
    let mut wanted = Vec::new();
    for _ in 0..3 {
        wanted.push(world.category(&format!("Shelf {}", wanted.len())).id.uuid());
        world
            .act(&world.ada, move |tx, ada| {
                for _ in 0..8_000 {
                    let subject: Id<()> = tx.new_id();
                    events::record(tx, ada, organization, Verb::SignedIn, subject, "x", None)?;
                }
                Ok(())
            })
            .unwrap();
    }
    let filter = Filter { verb: Some(Verb::CategoryCreated), ..Filter::default() };
    let pages = pages(&world, &filter, 100);
    assert!(pages.len() > 1, "one look at 24,000 events is too much");
    let found: Vec<_> = pages.concat().iter().rev().map(|event| event.subject).collect();
    assert_eq!(found, wanted);
}

#[test]
fn the_log_is_for_administrators_of_the_organization_alone() {
    let world = World::new();
    let other = world.other_organization("Southwind");
    let bob = world.person("bob", Role::Admin);
    let meg = world.person("meg", Role::Manager);
    let look = |who, organization| {
        world.see(who, |tx, actor| events::list(tx, actor, organization, &Filter::default(), 10))
    };
    look(&bob, world.organization).unwrap();
    assert_forbidden(look(&meg, world.organization));
    assert_forbidden(look(&bob, other));
    assert_sign_in(world.read(|tx| {
        events::list(tx, &Actor::stranger(), world.organization, &Filter::default(), 10)
    }));
}

#[test]
fn nothing_that_happens_elsewhere_stands_in_the_log() {
    let world = World::new();
    let other = world.other_organization("Southwind");
    let bob = world.person("bob", Role::Admin);
    // Ada is at work in the first organization, and does things in the other.
    world
        .act(&world.ada, move |tx, ada| {
            let group = groups::create(tx, ada, other, "Secret group", "")?;
            groups::edit(tx, ada, other, group.id, "Secret group 2", "")?;
            groups::delete(tx, ada, other, group.id)?;
            let category = categories::create(tx, ada, other, "Secret category", "")?;
            categories::merge(tx, ada, other, category.id, None)?;
            let new = new_document("Secret document");
            let document = documents::add_file(tx, ada, other, new, file("a.pdf", 1))?;
            documents::trash(tx, ada, document.id)?;
            documents::restore(tx, ada, document.id)?;
            Ok(())
        })
        .unwrap();
    world.person_in(other, "secretperson", Role::Viewer);
    let log = |organization| {
        let (page, _) = world
            .see(&world.ada, |tx, ada| {
                events::list(tx, ada, organization, &Filter::default(), 1_000)
            })
            .unwrap();
        page.into_iter()
            .filter(|event| event.subject_name.to_lowercase().contains("secret"))
            .count()
    };
    assert_eq!(log(world.organization), 0);
    assert!(log(other) >= 9, "{}", log(other));
    assert_forbidden(
        world.see(&bob, |tx, bob| events::list(tx, bob, other, &Filter::default(), 10)),
    );
}

#[test]
fn an_event_keeps_the_names_of_its_moment() {
    let world = World::new();
    let bob = world.person("bob", Role::Editor);
    let id = world.document(&bob, "First title").id;
    let organization = world.organization;
    world
        .act(&bob, move |tx, bob| {
            let edit = documents::DocumentEdit {
                title: Some("Second title".into()),
                ..documents::DocumentEdit::default()
            };
            documents::edit(tx, bob, id, edit, None)?;
            let rename = appliance::domain::users::UserEdit {
                username: Some("robert".into()),
                ..appliance::domain::users::UserEdit::default()
            };
            let own = bob.person()?;
            appliance::domain::users::edit(tx, bob, organization, own, rename)
        })
        .unwrap();
    let about = world.read(|tx| events::about(tx, id, 10)).unwrap();
    let said: Vec<_> = about
        .iter()
        .map(|event| format!("{} {} {}", event.actor_name, event.verb.phrase(), event.subject_name))
        .collect();
    assert_eq!(said, ["bob edited Second title", "bob added First title"]);
}

#[test]
fn what_happened_to_a_document_is_told_past_any_number_of_downloads() {
    let world = World::new();
    let (bob, vera) = (world.person("bob", Role::Editor), world.person("vera", Role::Viewer));
    let document = world.document(&bob, "Report");
    let (id, organization) = (document.id, world.organization);
    world
        .act(&vera, move |tx, vera| {
            for _ in 0..1_500 {
                let verb = Verb::DocumentDownloaded;
                events::record(tx, vera, organization, verb, id, "Report", None)?;
            }
            Ok(())
        })
        .unwrap();
    let verbs = |who: &User, limit| -> Vec<Verb> {
        let told = world.see(who, |tx, actor| events::of_document(tx, actor, &document, limit));
        told.unwrap().into_iter().map(|event| event.verb).collect()
    };
    assert_eq!(verbs(&vera, 10), [Verb::DocumentAdded]);
    assert_eq!(verbs(&bob, 10), [Verb::DocumentDownloaded; 10]);
    let stranger = Actor::stranger();
    assert_sign_in(world.read(|tx| events::of_document(tx, &stranger, &document, 10)));
}

#[test]
fn every_verb_has_a_word_of_its_own() {
    for verb in Verb::ALL {
        assert_eq!(Verb::from_name(verb.name()), Some(*verb));
        assert_eq!(serde_json::to_value(verb).unwrap(), verb.name());
    }
    assert_eq!(Verb::from_name("unheard_of"), None);
}

#[test]
fn what_happened_long_ago_is_forgotten_a_step_at_a_time() {
    let world = World::new();
    for number in 0..5 {
        world.category(&format!("Old {number}"));
    }
    world.advance(days(10));
    let before = world.clock.now() - days(1);
    let recent = world.category("New").id;
    let count = || pages(&world, &Filter::default(), 1_000).concat().len();
    let all = count();
    let sweep = |limit| world.write(move |tx| events::sweep(tx, before, limit)).unwrap();
    assert_eq!(sweep(2), 2);
    assert_eq!(count(), all - 2);
    sweep(1_000);
    let left = pages(&world, &Filter::default(), 1_000).concat();
    assert_eq!(left.iter().map(|event| event.subject).collect::<Vec<_>>(), [recent.uuid()]);
    assert_eq!(sweep(1_000), 0);
}

#[test]
fn downloads_of_strangers_are_noted_once_for_each_document_and_hour() {
    let world = World::new();
    let documents = ["a", "b"].map(|title| world.document(&world.ada, title));
    let download = |actor: Actor, document: &documents::Document| {
        let document = document.clone();
        world.write(move |tx| events::record_download(tx, &actor, &document, 1)).unwrap();
    };
    let noted = |document: &documents::Document| {
        let events = world.read(|tx| events::about(tx, document.id, 100)).unwrap();
        events.iter().filter(|event| event.verb == Verb::DocumentDownloaded).count()
    };
    for _ in 0..3 {
        download(Actor::stranger(), &documents[0]);
        download(world.actor(&world.ada), &documents[1]);
        world.advance(SignedDuration::from_mins(15));
    }
    assert_eq!([noted(&documents[0]), noted(&documents[1])], [1, 3]);
    download(Actor::stranger(), &documents[1]);
    world.advance(SignedDuration::from_mins(15));
    download(Actor::stranger(), &documents[0]);
    assert_eq!([noted(&documents[0]), noted(&documents[1])], [2, 4]);
}
