//! Accounts: names, who may change whom, and how an account ends.

use appliance::{
    domain::{
        access::{Actor, Role},
        documents, events,
        jobs::Task,
        memberships, organizations,
        sessions::{self, SignIn},
        tokens,
        users::{self, NewUser, User, UserEdit},
    },
    error::Result,
    id::Id,
    store::WriteTx,
};

use super::world::*;

fn edit(world: &World, who: &User, whom: &User, edit: UserEdit) -> Result<User> {
    let (organization, id) = (world.organization, whom.id);
    world.act(who, move |tx, actor| users::edit(tx, actor, organization, id, edit))
}

fn disable(world: &World, who: &User, whom: &User) -> Result<User> {
    let (organization, id) = (world.organization, whom.id);
    world.act(who, move |tx, actor| users::disable(tx, actor, organization, id))
}

fn delete(world: &World, who: &User, whom: &User, heir: &User) -> Result<()> {
    let (organization, id, heir) = (world.organization, whom.id, heir.id);
    world.act(who, move |tx, actor| users::delete(tx, actor, organization, id, heir))
}

fn username(name: &str) -> UserEdit {
    UserEdit { username: Some(name.into()), ..UserEdit::default() }
}

fn email(address: &str) -> UserEdit {
    UserEdit { email: Some(address.into()), ..UserEdit::default() }
}

fn is_admin(is_admin: bool) -> UserEdit {
    UserEdit { is_admin: Some(is_admin), ..UserEdit::default() }
}

fn found(world: &World, login: &str) -> Option<Id<User>> {
    world.read(|tx| users::by_login(tx, login)).unwrap().map(|user| user.id)
}

/// Does to the end what the job of a deleted account does.
fn finish(world: &World, leaving: &User, heir: &User) {
    let (from, to) = (leaving.id, heir.id);
    while world.write(move |tx| documents::hand_over(tx, from, to, 2)).unwrap() > 0 {}
    world.write(move |tx| users::finish_leaving(tx, from)).unwrap();
}

#[test]
fn somebody_is_found_by_name_or_address_however_it_is_capitalized() {
    let world = World::new();
    let bob = world.person("Bob.Müller-1", Role::Viewer);
    for login in ["bob.müller-1", "BOB.MÜLLER-1", " Bob.Müller-1 ", "bob.müller-1@EXAMPLE.com"]
    {
        assert_eq!(found(&world, login), Some(bob.id), "{login}");
    }
    for login in ["bob", "", "bob.muller-1", "@example.com"] {
        assert_eq!(found(&world, login), None, "{login}");
    }
}

#[test]
fn names_that_only_differ_in_case_are_the_same_also_beyond_ascii() {
    let world = World::new();
    world.person("straße", Role::Viewer);
    world.person("ΟΔΟΣ", Role::Viewer);
    world.person("kim", Role::Viewer);
    let organization = world.organization;
    // ß and SS; both forms of sigma; the sign for kelvin; a long s; wide letters.
    for taken in ["STRASSE", "Straße", "ſtraße", "οδος", "οδοσ", "\u{212A}im", "ｋｉｍ", "KIM"]
    {
        let new = NewUser { email: "other@example.com".into(), ..new_user(taken, Role::Viewer) };
        let refused =
            world.act(&world.ada, move |tx, ada| users::create(tx, ada, organization, new));
        assert!(assert_conflict(refused).contains("username"), "{taken}");
    }
}

#[test]
fn an_address_is_taken_whatever_its_case() {
    let world = World::new();
    let organization = world.organization;
    let new = NewUser { email: "ADA@Example.COM".into(), ..new_user("other", Role::Viewer) };
    let refused = world.act(&world.ada, move |tx, ada| users::create(tx, ada, organization, new));
    assert!(assert_conflict(refused).contains("address"));
    let bob = world.person("bob", Role::Viewer);
    assert_conflict(edit(&world, &bob, &bob, email("Ada@example.com")));
    assert_conflict(edit(&world, &bob, &bob, username("ADA")));
    // One's own in other letters is free, and so is what somebody gave up.
    edit(&world, &bob, &bob, username("BOB")).unwrap();
    edit(&world, &bob, &bob, username("robert")).unwrap();
    world.person("bob2", Role::Viewer);
    assert_eq!(found(&world, "bob"), None);
    assert_eq!(found(&world, "robert"), Some(bob.id));
}

#[test]
fn a_username_is_never_taken_for_an_address() {
    let world = World::new();
    let organization = world.organization;
    for wrong in [
        "ada@example.com",
        "@",
        "a",
        "",
        "a b",
        "a\u{202E}b",
        "ann\u{200B}e",
        "a/b",
        &"x".repeat(65),
    ] {
        let new = NewUser { email: "other@example.com".into(), ..new_user(wrong, Role::Viewer) };
        let refused =
            world.act(&world.ada, move |tx, ada| users::create(tx, ada, organization, new));
        if wrong == "a\u{202E}b" {
            // What turns text around is dropped; the rest is a name.
            assert_eq!(refused.unwrap().username, "ab");
        } else {
            assert_invalid(refused, "username");
        }
    }
}

#[test]
fn an_account_is_made_by_administrators_alone_and_of_the_instance_by_such() {
    let world = World::new();
    let organization = world.organization;
    let manager = world.person("meg", Role::Manager);
    let admin = world.person("alan", Role::Admin);
    assert_forbidden(world.act(&manager, move |tx, actor| {
        users::create(tx, actor, organization, new_user("new", Role::Viewer))
    }));
    let new = NewUser { is_admin: true, ..new_user("new", Role::Viewer) };
    assert_forbidden(world.act(&admin, {
        let new = new.clone();
        move |tx, actor| users::create(tx, actor, organization, new)
    }));
    assert_eq!(found(&world, "new"), None);
    let made = world.act(&world.ada, move |tx, ada| users::create(tx, ada, organization, new));
    assert!(made.unwrap().is_admin);
    assert_sign_in(world.write(move |tx| {
        users::create(tx, &Actor::stranger(), organization, new_user("x2", Role::Viewer))
    }));
}

#[test]
fn people_change_their_own_account_but_not_their_rights() {
    let world = World::new();
    let bob = world.person("bob", Role::Viewer);
    let changed = UserEdit { full_name: Some(" Bob  B. ".into()), ..username("robert") };
    let changed = edit(&world, &bob, &bob, changed).unwrap();
    assert_eq!((changed.display_name(), changed.username.as_str()), ("Bob B.", "robert"));
    assert_forbidden(edit(&world, &bob, &bob, is_admin(true)));
    assert!(!world.again(&bob).is_admin);
    let eve = world.person("eve", Role::Manager);
    assert_forbidden(edit(&world, &eve, &bob, username("gone")));
}

/// Whoever can set a password, an address or a name can become that person.
#[test]
fn an_organizations_administrator_has_no_way_to_an_instance_administrators_account() {
    let world = World::new();
    let mallory = world.person("mallory", Role::Admin);
    let (organization, ada) = (world.organization, world.ada.clone());
    assert_forbidden(edit(&world, &mallory, &ada, email("mallory2@example.com")));
    assert_forbidden(edit(&world, &mallory, &ada, username("gone")));
    assert_forbidden(edit(&world, &mallory, &ada, is_admin(false)));
    assert_forbidden(edit(&world, &mallory, &mallory, is_admin(true)));
    assert_forbidden(disable(&world, &mallory, &ada));
    assert_forbidden(delete(&world, &mallory, &ada, &mallory));
    let id = ada.id;
    assert_forbidden(world.act(&mallory, move |tx, actor| {
        users::set_password(tx, actor, organization, id, other_password())
    }));
    assert_forbidden(
        world.act(&mallory, move |tx, actor| {
            users::sign_out_everywhere(tx, actor, organization, id)
        }),
    );
    assert_forbidden(
        world.act(&mallory, move |tx, actor| users::enable(tx, actor, organization, id)),
    );
    let now = world.again(&ada);
    assert_eq!(now.password, ada.password);
    assert_eq!((now.email, now.username), (ada.email, ada.username));
}

#[test]
fn an_account_that_is_also_elsewhere_is_kept_by_administrators_of_the_instance() {
    let world = World::new();
    let other = world.other_organization("Southwind");
    let mallory = world.person("mallory", Role::Admin);
    let victim = world.person("victim", Role::Viewer);
    world.join(other, &victim, Role::Admin);
    let (organization, id) = (world.organization, victim.id);
    assert_forbidden(world.act(&mallory, move |tx, actor| {
        users::set_password(tx, actor, organization, id, other_password())
    }));
    assert_forbidden(edit(&world, &mallory, &victim, email("mine@example.com")));
    assert_forbidden(disable(&world, &mallory, &victim));
    assert_forbidden(delete(&world, &mallory, &victim, &mallory));
    // But the place in their own organization is theirs to give.
    world.act(&mallory, move |tx, actor| memberships::end(tx, actor, organization, id)).unwrap();
    edit(&world, &world.ada, &victim, email("new@example.com")).unwrap();
}

#[test]
fn strangers_to_an_organization_do_not_exist_for_its_administrator() {
    let world = World::new();
    let other = world.other_organization("Southwind");
    let mallory = world.person("mallory", Role::Admin);
    let victim = world.person_in(other, "victim", Role::Viewer);
    assert_not_found(edit(&world, &mallory, &victim, username("gone")));
    assert_not_found(disable(&world, &mallory, &victim));
    assert_not_found(delete(&world, &mallory, &victim, &mallory));
    let id = victim.id;
    // Nor by naming the other organization.
    assert_forbidden(world.act(&mallory, move |tx, actor| {
        users::set_password(tx, actor, other, id, other_password())
    }));
}

#[test]
fn the_last_administrator_of_the_instance_stays_one() {
    let world = World::new();
    let bob = world.person("bob", Role::Admin);
    assert_conflict(edit(&world, &world.ada, &world.ada, is_admin(false)));
    assert_conflict(disable(&world, &world.ada, &world.ada));
    world.make_instance_administrator(&bob);
    // One of the two may go, then the other is the last again.
    disable(&world, &bob, &world.ada).unwrap();
    assert_conflict(edit(&world, &bob, &bob, is_admin(false)));
    assert_conflict(disable(&world, &bob, &bob));
    assert_conflict(delete(&world, &bob, &bob, &world.ada));
    assert!(world.read(users::has_administrator).unwrap());
}

#[test]
fn who_is_being_deleted_counts_as_an_administrator_no_more() {
    let world = World::new();
    let bob = world.person("bob", Role::Admin);
    world.make_instance_administrator(&bob);
    delete(&world, &world.ada, &bob, &world.ada).unwrap();
    assert_conflict(edit(&world, &world.ada, &world.ada, is_admin(false)));
    // And cannot come back while the documents move.
    let (organization, id) = (world.organization, bob.id);
    assert_conflict(world.act(&world.ada, move |tx, ada| users::enable(tx, ada, organization, id)));
}

#[test]
fn the_last_administrator_of_any_organization_can_be_neither_disabled_nor_deleted() {
    let world = World::new();
    let other = world.other_organization("Southwind");
    let bob = world.person("bob", Role::Viewer);
    world.join(other, &bob, Role::Admin);
    world.join(other, &world.ada, Role::Viewer);
    assert_conflict(disable(&world, &world.ada, &bob));
    assert_conflict(delete(&world, &world.ada, &bob, &world.ada));
    world.join(other, &world.ada, Role::Admin);
    disable(&world, &world.ada, &bob).unwrap();
}

#[test]
fn disabling_ends_sessions_and_revokes_tokens_for_good() {
    let world = World::new();
    let bob = world.person("bob", Role::Editor);
    let session = begin(&world, &bob).unwrap();
    let (_, token) = world.act(&bob, |tx, bob| tokens::create(tx, bob, "script", None)).unwrap();
    disable(&world, &world.ada, &bob).unwrap();
    assert!(world.read(|tx| sessions::resume(tx, session)).unwrap().is_none());
    assert!(world.read(|tx| tokens::resume(tx, &token)).unwrap().is_none());
    assert_forbidden(begin(&world, &world.again(&bob)));
    // What runs already does not go on either.
    let stale = Actor { user: Some(bob.id), ..Actor::stranger() };
    assert_sign_in(world.read(|tx| stale.again(tx)));
    let (organization, id) = (world.organization, bob.id);
    world.act(&world.ada, move |tx, ada| users::enable(tx, ada, organization, id)).unwrap();
    assert!(world.read(|tx| sessions::resume(tx, session)).unwrap().is_none());
    assert!(world.read(|tx| tokens::resume(tx, &token)).unwrap().is_none());
    begin(&world, &world.again(&bob)).unwrap();
}

fn begin(world: &World, who: &User) -> Result<Id<sessions::Session>> {
    let who = who.clone();
    let sign_in = SignIn { address: None, user_agent: "test".into(), lifetime: days(14) };
    world.write(move |tx| Ok(sessions::begin(tx, &who, sign_in, None)?.id))
}

#[test]
fn a_new_password_ends_all_sessions_but_the_one_that_is_kept() {
    let world = World::new();
    let bob = world.person("bob", Role::Viewer);
    let (kept, other) = (begin(&world, &bob).unwrap(), begin(&world, &bob).unwrap());
    let (organization, id) = (world.organization, bob.id);
    world.advance(days(1));
    let (_, _, actor) = world.read(|tx| sessions::resume(tx, kept)).unwrap().unwrap();
    let change = move |tx: &mut WriteTx| {
        users::change_own_password(tx, &actor, organization, &password(), other_password())
    };
    world.write(change.clone()).unwrap();
    // Whoever had proven the old password comes too late.
    assert_conflict(world.write(change));
    assert!(world.read(|tx| sessions::resume(tx, kept)).unwrap().is_some());
    assert!(world.read(|tx| sessions::resume(tx, other)).unwrap().is_none());
    let now = world.again(&bob);
    assert_eq!((now.password, now.password_changed_at), (other_password(), world.clock.now()));
    // An administrator's reset keeps none.
    world
        .act(&world.ada, move |tx, ada| users::set_password(tx, ada, organization, id, password()))
        .unwrap();
    assert!(world.read(|tx| sessions::resume(tx, kept)).unwrap().is_none());
    let eve = world.person("eve", Role::Manager);
    assert_forbidden(world.act(&eve, move |tx, eve| {
        users::set_password(tx, eve, organization, id, other_password())
    }));
}

#[test]
fn signing_somebody_out_everywhere_ends_their_sessions_and_tokens_and_no_other() {
    let world = World::new();
    let bob = world.person("bob", Role::Viewer);
    let eve = world.person("eve", Role::Viewer);
    let sessions = [&bob, &bob, &eve].map(|who| begin(&world, who).unwrap());
    let (organization, id) = (world.organization, bob.id);
    let give = |tx: &mut WriteTx, actor: &Actor| tokens::create(tx, actor, "A script", None);
    let bobs = world.act(&bob, give).unwrap().1;
    let eves = world.act(&eve, give).unwrap().1;
    world
        .act(&world.ada, move |tx, ada| users::sign_out_everywhere(tx, ada, organization, id))
        .unwrap();
    let is_open = |id| world.read(|tx| sessions::resume(tx, id)).unwrap().is_some();
    assert_eq!(sessions.map(is_open), [false, false, true]);
    let opens = |token: String| world.read(move |tx| tokens::resume(tx, &token)).unwrap().is_some();
    assert!(!opens(bobs) && opens(eves));
}

#[test]
fn a_leaving_persons_documents_go_to_the_heir_and_then_the_account_goes() {
    let world = World::new();
    let bob = world.person("bob", Role::Editor);
    let eve = world.person("eve", Role::Viewer);
    let group = world.group("Finance", &[&bob]);
    let mut titles = Vec::new();
    for number in 0..5 {
        titles.push(world.document(&bob, &format!("{number} report")));
    }
    let trashed = titles[0].id;
    world.act(&bob, move |tx, bob| documents::trash(tx, bob, trashed)).unwrap();
    delete(&world, &world.ada, &bob, &eve).unwrap();
    let due = world.write(|tx| claim_jobs(tx, 100)).unwrap();
    assert!(due.iter().any(|job| job.task == Task::HandOver { from: bob.id, to: eve.id }));
    // Until the job is done the account is there, and locked.
    assert!(world.again(&bob).is_disabled);
    let id = bob.id;
    assert_conflict(world.write(move |tx| users::finish_leaving(tx, id)));
    finish(&world, &bob, &eve);
    for document in &titles {
        assert_eq!(world.stored(document).unwrap().created_by, eve.id);
    }
    assert_not_found(world.read(|tx| users::get(tx, bob.id)));
    assert_eq!(found(&world, "bob"), None);
    world
        .read(|tx| {
            assert!(memberships::of_user(tx, bob.id)?.is_empty());
            assert!(appliance::domain::groups::members(tx, group.id)?.is_empty());
            Ok(())
        })
        .unwrap();
    // The job may run twice; the name is free again.
    finish(&world, &bob, &eve);
    assert_ne!(world.person("bob", Role::Viewer).id, bob.id);
}

#[test]
fn an_account_goes_only_by_way_of_being_deleted() {
    let world = World::new();
    let bob = world.person("bob", Role::Editor);
    let id = bob.id;
    assert_conflict(world.write(move |tx| users::finish_leaving(tx, id)));
    world.again(&bob);
}

#[test]
fn an_heir_is_another_active_member_wherever_the_leaving_person_is_one() {
    let world = World::new();
    let other = world.other_organization("Southwind");
    let bob = world.person("bob", Role::Editor);
    let away = world.person_in(other, "away", Role::Editor);
    let gone = world.person("gone", Role::Editor);
    let eve = world.person("eve", Role::Editor);
    disable(&world, &world.ada, &gone).unwrap();
    for heir in [&bob, &away, &gone] {
        assert_invalid(delete(&world, &world.ada, &bob, heir), "heir");
    }
    world.join(other, &bob, Role::Viewer);
    assert_invalid(delete(&world, &world.ada, &bob, &eve), "heir");
    world.join(other, &eve, Role::Viewer);
    delete(&world, &world.ada, &bob, &eve).unwrap();
    assert_conflict(delete(&world, &world.ada, &bob, &eve));
}

#[test]
fn nobody_deletes_themselves() {
    let world = World::new();
    let bob = world.person("bob", Role::Admin);
    assert_conflict(delete(&world, &bob, &bob, &world.ada));
}

#[test]
fn an_heir_cannot_be_deleted_before_the_documents_have_arrived() {
    let world = World::new();
    let bob = world.person("bob", Role::Editor);
    let eve = world.person("eve", Role::Editor);
    let document = world.document(&bob, "report");
    delete(&world, &world.ada, &bob, &eve).unwrap();
    assert_conflict(delete(&world, &world.ada, &eve, &world.ada));
    finish(&world, &bob, &eve);
    delete(&world, &world.ada, &eve, &world.ada).unwrap();
    finish(&world, &eve, &world.ada);
    assert_eq!(world.stored(&document).unwrap().created_by, world.ada.id);
}

#[test]
fn an_upload_that_ends_after_its_person_was_deleted_is_refused() {
    let world = World::new();
    let bob = world.person("bob", Role::Editor);
    // The actor of a request that began before.
    let stale = world.actor(&bob);
    delete(&world, &world.ada, &bob, &world.ada).unwrap();
    let organization = world.organization;
    assert_sign_in(world.write(move |tx| {
        let actor = stale.again(tx)?;
        documents::add_file(tx, &actor, organization, new_document("late"), file("a.pdf", 1))
    }));
}

#[test]
fn what_was_done_to_an_account_is_in_the_log_of_its_organization() {
    let world = World::new();
    let bob = world.person("bob", Role::Viewer);
    edit(&world, &world.ada, &bob, username("robert")).unwrap();
    disable(&world, &world.ada, &bob).unwrap();
    // Doing it again is nothing new.
    disable(&world, &world.ada, &bob).unwrap();
    let verbs: Vec<&str> = world
        .read(|tx| events::about(tx, bob.id, 10))
        .unwrap()
        .iter()
        .map(|event| event.verb.name())
        .collect();
    assert_eq!(verbs, ["person_disabled", "person_changed", "role_changed", "person_added"]);
}

#[test]
fn an_organization_is_never_without_somebody_who_can_sign_in_and_administer_it() {
    let world = World::new();
    let people: Vec<User> =
        ["b1", "b2", "b3"].map(|name| world.person(name, Role::Admin)).into_iter().collect();
    let organization = world.organization;
    for who in people.iter().chain([&world.ada]) {
        let id = who.id;
        // Whatever is refused, is refused for good reason.
        world.act(&world.ada, move |tx, ada| users::disable(tx, ada, organization, id)).ok();
    }
    world
        .read(|tx| {
            assert!(organizations::first(tx)?.is_some());
            let members = memberships::members(tx, organization)?;
            assert!(members.iter().any(|(user, role)| !user.is_disabled && *role == Role::Admin));
            Ok(())
        })
        .unwrap();
}
