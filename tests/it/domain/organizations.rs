//! Organizations and the first run.

use appliance::{
    domain::{
        access::Role,
        blobs,
        jobs::{Job, Task},
        organizations::{self, Accent, Logo},
        setup::{self, Setup},
        users,
    },
    error::Result,
};

use super::world::*;

fn setup(name: &str) -> Setup {
    Setup {
        organization: name.into(),
        username: "second".into(),
        email: "second@example.com".into(),
        full_name: String::new(),
        password: password(),
    }
}

#[test]
fn setting_up_makes_an_organization_and_an_administrator_of_both() {
    let world = World::new();
    assert!(world.ada.is_admin);
    assert_eq!(world.actor(&world.ada).role, Some(Role::Admin));
    let first = world.read(organizations::first).unwrap().unwrap();
    assert_eq!((first.id, first.name.as_str()), (world.organization, "Northlight"));
    assert!(world.read(users::has_administrator).unwrap());
}

#[test]
fn setting_up_happens_once() {
    let world = World::new();
    assert_conflict(world.write(|tx| setup::run(tx, setup("Another"))));
    assert_eq!(world.read(users::list).unwrap().len(), 1);
}

#[test]
fn a_setup_that_is_refused_leaves_nothing_behind() {
    let store = appliance::store::Store::over(
        std::sync::Arc::new(appliance::store::MemoryEngine::default()),
        appliance::clock::Clock::system(),
    )
    .unwrap();
    let wrong = Setup { email: "nowhere".into(), ..setup("Northlight") };
    assert_invalid(store.write_blocking(|tx| setup::run(tx, wrong)), "email");
    assert!(store.read_blocking(organizations::first).unwrap().is_none());
    store.write_blocking(|tx| setup::run(tx, setup("Northlight"))).unwrap();
}

#[test]
fn the_name_of_an_organization_is_taken_whatever_its_case() {
    let world = World::new();
    let refused = world.act(&world.ada, |tx, ada| organizations::create(tx, ada, "  NORTHLIGHT "));
    assert!(assert_conflict(refused).contains("organization"));
    let other = world.other_organization("Southwind");
    let renamed = world.act(&world.ada, move |tx, ada| {
        organizations::present(tx, ada, other, Some("northlight"), None, None)
    });
    assert!(assert_conflict(renamed).contains("organization"));
    // Its own name in other letters is fine.
    world
        .act(&world.ada, move |tx, ada| {
            organizations::present(tx, ada, other, Some("SouthWind"), None, None)
        })
        .unwrap();
}

#[test]
fn only_administrators_of_the_instance_make_organizations() {
    let world = World::new();
    let bob = world.person("bob", Role::Admin);
    assert_forbidden(world.act(&bob, |tx, bob| organizations::create(tx, bob, "Mine")));
}

#[test]
fn an_administrator_presents_only_their_own_organization() {
    let world = World::new();
    let other = world.other_organization("Southwind");
    let bob = world.person("bob", Role::Admin);
    let manager = world.person("meg", Role::Manager);
    let own = world.organization;
    let present = |who, id| {
        world.act(who, move |tx, actor| {
            organizations::present(tx, actor, id, Some("Mine"), None, None)
        })
    };
    assert_forbidden(present(&manager, own));
    assert_forbidden(present(&bob, other));
    present(&bob, own).unwrap();
}

#[test]
fn a_color_is_six_digits() {
    let accent = |text: &str| Accent::try_from(text.to_owned());
    assert_eq!(accent(" #2563EB ").unwrap().as_str(), "#2563eb");
    assert_eq!(accent("2563eb").unwrap().as_str(), "#2563eb");
    for wrong in ["", "#fff", "#2563eg", "red", "#2563eb;}", "#2563eb00"] {
        assert_invalid(accent(wrong), "accent");
    }
}

#[test]
fn a_logo_that_is_replaced_is_removed_when_nothing_uses_it() {
    let world = World::new();
    let organization = world.organization;
    let set = |content: Option<u8>| {
        let logo =
            content.map(|content| Logo { blob: blob(content), media_type: "image/png".into() });
        world
            .act(&world.ada, move |tx, ada| {
                organizations::present(tx, ada, organization, None, None, Some(logo))
            })
            .unwrap();
    };
    let removals = || -> Vec<Task> {
        let jobs: Result<Vec<Job>> = world.read(|tx| tx.records::<Job>().iter()?.collect());
        jobs.unwrap().into_iter().map(|job| job.task).collect()
    };
    set(Some(1));
    set(Some(1));
    assert!(removals().is_empty());
    set(Some(2));
    assert_eq!(removals(), [Task::RemoveBlob { blob: blob(1) }]);
    set(None);
    assert_eq!(removals().len(), 2);
    assert!(world.write(|tx| blobs::forget(tx, blob(2))).unwrap());
    set(Some(2));
    assert!(!world.write(|tx| blobs::forget(tx, blob(2))).unwrap());
}
