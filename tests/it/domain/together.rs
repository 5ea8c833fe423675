//! All verbs together: whatever people do, in whatever order and with whatever rights, the records
//! agree with each other afterwards, nobody is locked out for good, and nothing fails that is not
//! refused in a sentence.

use appliance::{
    domain::{
        EVERY_TABLE,
        access::{Actor, Role},
        blobs, categories,
        categories::Category,
        documents::{self, Document, DocumentEdit, NewDocument, Status, Visibility},
        groups::{self, Group},
        jobs::{self, State, Task},
        memberships,
        organizations::{Logo, Organization, present},
        sessions::{self, Session, SignIn},
        tokens::{self, ApiToken},
        users::{self, User, UserEdit},
        versions::{self, Version},
    },
    error::{Error, Result},
    id::Id,
    store::{ReadTx, Record, WriteTx},
};
use jiff::SignedDuration;
use proptest::{collection::vec, prelude::*};

use super::world::*;

/// One thing that somebody does: which verb, by whom, to what. Numbers pick among what there is.
#[derive(Clone, Copy, Debug)]
struct Deed {
    verb: u8,
    actor: u8,
    what: u8,
    other: u8,
}

fn a_deed() -> impl Strategy<Value = Deed> {
    any::<(u8, u8, u8, u8)>().prop_map(|(verb, actor, what, other)| Deed {
        verb,
        actor,
        what,
        other,
    })
}

/// One of all records of a table; `None` when there are none.
fn pick<R: Record>(tx: &ReadTx, number: u8) -> Result<Option<R>> {
    let all: Vec<R> = tx.records::<R>().iter()?.collect::<Result<_>>()?;
    let count = all.len().max(1);
    Ok(all.into_iter().nth(usize::from(number) % count))
}

fn attempt(tx: &mut WriteTx, deed: Deed) -> Result<()> {
    let Deed { verb, actor, what, other } = deed;
    let Some(user) = pick::<User>(tx, actor)? else { return Ok(()) };
    let Some(organization) = pick::<Organization>(tx, actor / 16)? else { return Ok(()) };
    let here = organization.id;
    let actor = &Actor::load(tx, &user, Some(here))?;
    let nobody = || Error::not_found("thing");
    let document = |tx: &ReadTx| pick::<Document>(tx, what)?.map(|one| one.id).ok_or_else(nobody);
    let person = |tx: &ReadTx| pick::<User>(tx, what)?.map(|one| one.id).ok_or_else(nobody);
    let group = |tx: &ReadTx| pick::<Group>(tx, other)?.map(|one| one.id).ok_or_else(nobody);
    let category = |tx: &ReadTx| pick::<Category>(tx, what)?.map(|one| one.id).ok_or_else(nobody);
    match verb % 32 {
        0 | 1 => {
            let new = NewDocument {
                category: ["", "A", "B", "C"][usize::from(other % 4)].into(),
                status: [Status::Draft, Status::Published][usize::from(other / 4 % 2)],
                ..new_document("A document")
            };
            documents::add_file(tx, actor, here, new, file("a.pdf", what % 5)).map(drop)
        }
        2 => documents::add_link(tx, actor, here, new_document(""), "https://a.example").map(drop),
        3 => {
            let category = Some(["", "A", "D"][usize::from(other % 3)].into());
            let edit = DocumentEdit { category, ..DocumentEdit::default() };
            let id = document(tx)?;
            documents::edit(tx, actor, id, edit, None).map(drop)
        }
        4 => {
            let (id, group, person) = (document(tx)?, group(tx)?, pick::<User>(tx, other)?);
            let people = person.into_iter().map(|person| person.id).collect();
            let to = match other % 3 {
                0 => Visibility::Public,
                1 => Visibility::Organization,
                _ => Visibility::Restricted { groups: vec![group], people },
            };
            documents::set_visibility(tx, actor, id, to).map(drop)
        }
        5 => {
            let id = document(tx)?;
            match other % 3 {
                0 => documents::publish(tx, actor, id),
                1 => documents::withdraw(tx, actor, id),
                _ => documents::archive(tx, actor, id),
            }
            .map(drop)
        }
        6 | 7 => {
            let id = document(tx)?;
            documents::trash(tx, actor, id).map(drop)
        }
        8 => {
            let id = document(tx)?;
            documents::restore(tx, actor, id).map(drop)
        }
        9 => {
            let id = document(tx)?;
            documents::delete(tx, actor, id)
        }
        10 => {
            let id = document(tx)?;
            versions::add(tx, actor, id, file("b.pdf", other % 5)).map(drop)
        }
        11 => {
            let version = pick::<Version>(tx, other)?.ok_or_else(nobody)?;
            // Now and then a version of another document.
            let id = if other > 200 { document(tx)? } else { version.document };
            versions::make_current(tx, actor, id, version.id).map(drop)
        }
        12 => {
            let name = ["A", "B", "C", "D"][usize::from(other % 4)];
            categories::create(tx, actor, here, name, "").map(drop)
        }
        13 => {
            let id = category(tx)?;
            let name = ["A", "E"][usize::from(other % 2)];
            categories::edit(tx, actor, here, id, name, "").map(drop)
        }
        14 | 15 => {
            let (from, to) = (category(tx)?, pick::<Category>(tx, other)?);
            let to = to.filter(|_| other % 4 != 0).map(|to| to.id);
            categories::merge(tx, actor, here, from, to)
        }
        16 => {
            let id = category(tx)?;
            categories::delete(tx, actor, here, id)
        }
        17 => {
            let name = ["G", "H", "I"][usize::from(other % 3)];
            groups::create(tx, actor, here, name, "").map(drop)
        }
        18 => {
            let (group, person) = (group(tx)?, person(tx)?);
            groups::add_member(tx, actor, here, group, person)
        }
        19 => {
            let (group, person) = (group(tx)?, person(tx)?);
            match other % 4 {
                0 => groups::delete(tx, actor, here, group),
                _ => groups::remove_member(tx, actor, here, group, person),
            }
        }
        20 | 21 => {
            let (person, role) = (person(tx)?, Role::ALL[usize::from(other % 4)]);
            memberships::assign(tx, actor, here, person, role).map(drop)
        }
        22 => {
            let person = person(tx)?;
            memberships::end(tx, actor, here, person)
        }
        23 => {
            let name = format!("person{}", what % 8);
            let role = Role::ALL[usize::from(other % 4)];
            users::create(tx, actor, here, new_user(&name, role)).map(drop)
        }
        24 => {
            let person = person(tx)?;
            users::disable(tx, actor, here, person).map(drop)
        }
        25 => {
            let person = person(tx)?;
            users::enable(tx, actor, here, person).map(drop)
        }
        26 => {
            let heir = pick::<User>(tx, other)?.ok_or_else(nobody)?.id;
            let person = person(tx)?;
            users::delete(tx, actor, here, person, heir)
        }
        27 => {
            let (person, is_admin) = (person(tx)?, Some(other % 2 == 0));
            let edit = UserEdit { is_admin, ..UserEdit::default() };
            users::edit(tx, actor, here, person, edit).map(drop)
        }
        28 => {
            let sign_in = SignIn { address: None, user_agent: "".into(), lifetime: days(14) };
            sessions::begin(tx, &user, sign_in, None)?;
            tokens::create(tx, actor, "script", None).map(drop)
        }
        29 => match (pick::<Session>(tx, what)?, pick::<ApiToken>(tx, other)?) {
            (Some(session), _) if other % 2 == 0 => sessions::end(tx, session.user, session.id),
            (_, Some(token)) => tokens::revoke(tx, actor, token.id),
            _ => Ok(()),
        },
        30 => {
            let logo = Logo { blob: blob(what % 5), media_type: "image/png".into() };
            // As an upload of a logo would, in the same transaction.
            blobs::adopt(tx, file("logo.png", what % 5).blob)?;
            let logo = (other % 2 == 0).then_some(logo);
            present(tx, actor, here, None, None, Some(logo)).map(drop)
        }
        _ => documents::empty_trash(tx, here, 3).map(drop),
    }
}

/// One step of the worker, or nothing when `luck` says that the program ended before.
fn work(tx: &mut WriteTx, luck: u8) -> Result<()> {
    for job in claim_jobs(tx, 2)? {
        if luck.is_multiple_of(8) {
            continue;
        }
        let is_done = match job.task {
            Task::StoreBlob { blob } => blobs::mark_stored(tx, blob).map(|()| true)?,
            Task::ExtractBlob { blob } => {
                let reason = "It is only a test.".into();
                blobs::mark_extracted(tx, blob, blobs::Extraction::Failed { reason })?;
                true
            }
            Task::RemoveBlob { blob } => blobs::forget(tx, blob).map(|_| true)?,
            Task::BackUp | Task::Drill | Task::VerifyBackups { .. } => true,
            Task::Scrub | Task::Migrate => true,
            Task::HandOver { from, to } => {
                let is_over = documents::hand_over(tx, from, to, 2)? == 0;
                if is_over {
                    users::finish_leaving(tx, from)?;
                }
                is_over
            }
            Task::MergeCategory { from, to, .. } => {
                let is_over = documents::recategorize(tx, from, to, 2)? == 0;
                if is_over {
                    tx.remove::<Category>(&from)?;
                }
                is_over
            }
            Task::IndexDocuments { .. } => true,
        };
        match is_done {
            true => jobs::complete(tx, job.id)?,
            false => jobs::fail(tx, job.id, &failure(false))?,
        }
    }
    Ok(())
}

fn inspect(tx: &ReadTx) -> Result<()> {
    for inspector in EVERY_TABLE {
        for look in [inspector.records, inspector.index] {
            let found = look(tx, None, 100_000)?;
            assert!(found.faults.is_empty(), "{:?}", found.faults);
        }
    }
    assert!(tx.inspect_changes()?.faults.is_empty());
    assert!(users::has_administrator(tx)?, "nobody can administer the portal");
    for organization in tx.records::<Organization>().iter()? {
        let members = memberships::members(tx, organization?.id)?;
        let is_governed =
            members.iter().any(|(user, role)| *role == Role::Admin && !user.is_disabled);
        // The one made later begins without anybody.
        let had_none = !members.iter().any(|(_, role)| *role == Role::Admin);
        assert!(is_governed || had_none, "an organization lost its administrators");
    }
    // Who is locked has no way in, whatever was done meanwhile.
    for session in tx.records::<Session>().iter()? {
        let session = session?;
        let is_disabled = users::get(tx, session.user)?.is_disabled;
        assert!(!is_disabled || sessions::resume(tx, session.id)?.is_none());
    }
    Ok(())
}

/// After all jobs have run, nobody is leaving any more and every blob is where it belongs. Those that the
/// program gave up, since it ended each time that it ran them, are tried again.
fn settle(world: &World) {
    let try_again = |tx: &mut WriteTx| {
        let somebody = Actor::system("Somebody", None);
        for job in jobs::list(tx, &somebody, Some(State::Failed), 1_000)? {
            jobs::retry(tx, &somebody, job.id)?;
        }
        Ok(())
    };
    world.write(try_again).unwrap();
    for _ in 0..2_000 {
        world.advance(SignedDuration::from_mins(10));
        world.write(|tx| work(tx, 1)).unwrap();
        if world.read(jobs::is_idle).unwrap() && world.read(jobs::next_due).unwrap().is_none() {
            break;
        }
    }
    world
        .read(|tx| {
            for (state, count) in jobs::counts(tx)? {
                assert!(matches!(state, State::Done | State::Cancelled) || count == 0, "{state:?}");
            }
            for user in tx.records::<User>().iter()? {
                assert!(!user?.is_leaving);
            }
            for category in tx.records::<Category>().iter()? {
                assert!(!category?.is_leaving);
            }
            for blob in tx.records::<blobs::Blob>().iter()? {
                let blob = blob?;
                assert_eq!(blob.place, blobs::Place::Stored);
            }
            Ok(())
        })
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn whatever_people_do_the_records_agree(deeds in vec(a_deed(), 1..150)) {
        let world = World::new();
        let other: Id<Organization> = world.other_organization("Southwind");
        for (name, role) in [("eve", Role::Editor), ("meg", Role::Manager), ("al", Role::Admin)] {
            world.person(name, role);
            world.person_in(other, &format!("{name}2"), role);
        }
        for (number, deed) in deeds.into_iter().enumerate() {
            match world.write(move |tx| attempt(tx, deed)) {
                Err(Error::Internal(fault)) => panic!("{deed:?}: {fault:#}"),
                Err(refused) => prop_assert!(refused.to_string().ends_with('.'), "{}", refused),
                Ok(()) => {}
            }
            if deed.verb % 3 == 0 {
                world.advance(SignedDuration::from_hours(i64::from(deed.other % 64)));
                world.write(move |tx| work(tx, deed.what)).unwrap();
                if deed.what % 8 == 0 {
                    world.write(|tx| jobs::requeue_interrupted(tx, &[])).unwrap();
                }
            }
            if number % 16 == 0 {
                world.read(inspect).unwrap();
            }
        }
        world.read(inspect).unwrap();
        settle(&world);
        world.read(inspect).unwrap();
    }
}
