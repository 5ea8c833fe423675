//! The one access decision, held against the rules restated plainly, over random worlds: several
//! organizations, people with every role, groups, documents in all states.

use std::{collections::BTreeSet, sync::Arc};

use appliance::{
    clock::Clock,
    domain::{
        access::{Action, Actor, Role, decide},
        documents::{self, Document, Kind, Status, Trashed, Visibility},
        groups::{Group, GroupMember},
        memberships::Membership,
        organizations::Organization,
        passwords::PasswordHash,
        sessions::{self, Session},
        tokens,
        users::User,
    },
    error::{Error, Result},
    id::Id,
    store::{MemoryEngine, ReadTx, Store, WriteTx},
};
use jiff::{SignedDuration, Timestamp};
use proptest::{collection::vec, option, prelude::*, sample::select};

const ORGANIZATIONS: usize = 3;
const PEOPLE: usize = 6;
const GROUPS: usize = 4;

/// Everything by number: a world before it has ids.
#[derive(Clone, Debug)]
struct Plan {
    people: Vec<Person>,
    /// The organization and the members of each group.
    groups: Vec<(usize, BTreeSet<usize>)>,
    documents: Vec<Paper>,
}

#[derive(Clone, Debug)]
struct Person {
    is_admin: bool,
    is_disabled: bool,
    roles: Vec<Option<Role>>,
}

#[derive(Clone, Debug)]
struct Paper {
    organization: usize,
    creator: usize,
    status: Status,
    visibility: Sight,
    is_trashed: bool,
    minute: i64,
}

#[derive(Clone, Debug)]
enum Sight {
    Organization,
    Public,
    /// Also of groups and people of other organizations, as a damaged record might say.
    Restricted(BTreeSet<usize>, BTreeSet<usize>),
}

fn a_set(max: usize) -> impl Strategy<Value = BTreeSet<usize>> {
    vec(0..max, 0..max).prop_map(|members| members.into_iter().collect())
}

fn a_plan() -> impl Strategy<Value = Plan> {
    let role = option::weighted(0.7, select(Role::ALL.to_vec()));
    let person = (prop::bool::weighted(0.15), prop::bool::weighted(0.15), vec(role, ORGANIZATIONS))
        .prop_map(|(is_admin, is_disabled, roles)| Person { is_admin, is_disabled, roles });
    let sight = prop_oneof![
        2 => Just(Sight::Organization),
        1 => Just(Sight::Public),
        3 => (a_set(GROUPS), a_set(PEOPLE)).prop_map(|(groups, people)| Sight::Restricted(groups, people)),
    ];
    let paper =
        (
            0..ORGANIZATIONS,
            0..PEOPLE,
            select(Status::ALL.to_vec()),
            sight,
            prop::bool::weighted(0.2),
            0i64..4,
        )
            .prop_map(|(organization, creator, status, visibility, is_trashed, minute)| {
                Paper { organization, creator, status, visibility, is_trashed, minute }
            });
    (vec(person, PEOPLE), vec((0..ORGANIZATIONS, a_set(PEOPLE)), GROUPS), vec(paper, 1..16))
        .prop_map(|(people, groups, documents)| Plan { people, groups, documents })
}

/// The rules of who reads what, word by word, without a look at how the program decides.
fn may_read(plan: &Plan, who: Option<usize>, paper: &Paper) -> bool {
    let who = who.filter(|who| !plan.people[*who].is_disabled);
    let role = who.and_then(|who| role(plan, who, paper.organization));
    // Managers and administrators always see it, and administrators of the instance everything.
    if role >= Some(Role::Manager) {
        return true;
    }
    // Its creator always sees it, as long as they belong to the organization.
    if role.is_some() && who == Some(paper.creator) {
        return true;
    }
    // What is in the trash, and drafts, are seen by those alone.
    if paper.is_trashed || paper.status == Status::Draft {
        return false;
    }
    match &paper.visibility {
        Sight::Public => true,
        Sight::Organization => role.is_some(),
        Sight::Restricted(groups, people) => who.is_some_and(|who| {
            let is_in_group = groups.iter().any(|group| {
                let (organization, members) = &plan.groups[*group];
                *organization == paper.organization && members.contains(&who)
            });
            role.is_some() && (people.contains(&who) || is_in_group)
        }),
    }
}

fn may_edit(plan: &Plan, who: Option<usize>, paper: &Paper) -> bool {
    let who = who.filter(|who| !plan.people[*who].is_disabled);
    let role = who.and_then(|who| role(plan, who, paper.organization));
    role >= Some(Role::Manager) || role == Some(Role::Editor) && who == Some(paper.creator)
}

fn role(plan: &Plan, who: usize, organization: usize) -> Option<Role> {
    match plan.people[who].is_admin {
        true => Some(Role::Admin),
        false => plan.people[who].roles[organization],
    }
}

/// A plan with ids, in a store.
struct World {
    store: Store,
    organizations: Vec<Id<Organization>>,
    people: Vec<Id<User>>,
    /// A session of each person in each organization.
    sessions: Vec<Vec<Id<Session>>>,
    documents: Vec<Document>,
}

fn build(plan: Plan) -> World {
    let clock = Clock::held("2026-11-21T12:00:00Z".parse().unwrap());
    let store = Store::over(Arc::new(MemoryEngine::default()), clock).unwrap();
    let (organizations, people, sessions, documents) =
        store.write_blocking(move |tx| write(tx, &plan)).unwrap();
    World { store, organizations, people, sessions, documents }
}

type Written = (Vec<Id<Organization>>, Vec<Id<User>>, Vec<Vec<Id<Session>>>, Vec<Document>);

/// Writes the records themselves, past the verbs: the decision must hold for any.
fn write(tx: &mut WriteTx, plan: &Plan) -> Result<Written> {
    let now = tx.now();
    let password: PasswordHash = serde_json::from_str("\"none\"").unwrap();
    let mut organizations = Vec::new();
    for number in 0..ORGANIZATIONS {
        let id = tx.new_id();
        let name = format!("Organization {number}");
        tx.put(&Organization { id, name, accent: None, logo: None, created_at: now })?;
        organizations.push(id);
    }
    let (mut people, mut sessions) = (Vec::new(), Vec::new());
    for (number, person) in plan.people.iter().enumerate() {
        let user = User {
            id: tx.new_id(),
            username: format!("person{number}"),
            email: format!("person{number}@example.com"),
            full_name: String::new(),
            password: password.clone(),
            must_change_password: false,
            is_admin: person.is_admin,
            is_disabled: person.is_disabled,
            is_leaving: false,
            heir: None,
            created_at: now,
            signed_in_at: None,
            seen_at: None,
            left_at: None,
            password_changed_at: now,
        };
        tx.put(&user)?;
        let mut own = Vec::new();
        for (organization, role) in organizations.iter().zip(&person.roles) {
            if let Some(role) = *role {
                let organization = *organization;
                tx.put(&Membership { organization, user: user.id, role, joined_at: now })?;
            }
            let session = Session {
                id: tx.new_id(),
                user: user.id,
                organization: Some(*organization),
                secret: None,
                created_at: now,
                seen_at: now,
                expires_at: now + SignedDuration::from_hours(1),
                address: None,
                user_agent: String::new(),
            };
            tx.put(&session)?;
            own.push(session.id);
        }
        people.push(user.id);
        sessions.push(own);
    }
    let mut groups = Vec::new();
    for (number, (organization, members)) in plan.groups.iter().enumerate() {
        let (id, organization) = (tx.new_id(), organizations[*organization]);
        let name = format!("Group {number}");
        tx.put(&Group { id, organization, name, description: String::new(), created_at: now })?;
        for member in members {
            tx.put(&GroupMember { group: id, user: people[*member], organization })?;
        }
        groups.push(id);
    }
    let mut documents = Vec::new();
    for paper in &plan.documents {
        let document = document(tx, paper, &organizations, &people, &groups);
        tx.put(&document)?;
        documents.push(document);
    }
    Ok((organizations, people, sessions, documents))
}

fn document(
    tx: &WriteTx,
    paper: &Paper,
    organizations: &[Id<Organization>],
    people: &[Id<User>],
    groups: &[Id<Group>],
) -> Document {
    let created_at = tx.now() - SignedDuration::from_mins(paper.minute);
    let visibility = match &paper.visibility {
        Sight::Organization => Visibility::Organization,
        Sight::Public => Visibility::Public,
        Sight::Restricted(some_groups, some_people) => Visibility::Restricted {
            groups: some_groups.iter().map(|group| groups[*group]).collect(),
            people: some_people.iter().map(|person| people[*person]).collect(),
        },
    };
    Document {
        id: tx.new_id(),
        organization: organizations[paper.organization],
        title: "A document".into(),
        description: String::new(),
        category: None,
        tags: Vec::new(),
        kind: Kind::File,
        status: paper.status,
        visibility,
        current: None,
        link: None,
        created_by: people[paper.creator],
        created_at,
        updated_at: created_at,
        revision: 1,
        trashed: paper.is_trashed.then_some(Trashed { at: tx.now(), by: None }),
    }
}

/// Everybody in every organization, as a request would know them: by number and place, with the
/// actor that their session brings back. Whom no session brings back is a stranger.
fn everybody(tx: &ReadTx, world: &World) -> Vec<(Option<usize>, Option<usize>, Actor)> {
    let mut everybody = vec![(None, None, Actor::stranger())];
    for (who, sessions) in world.sessions.iter().enumerate() {
        for (place, session) in sessions.iter().enumerate() {
            let actor = match sessions::resume(tx, *session).unwrap() {
                Some((_, user, actor)) => {
                    assert_eq!(user.id, world.people[who]);
                    actor
                }
                None => Actor::stranger(),
            };
            everybody.push((Some(who), Some(place), actor));
        }
    }
    everybody
}

/// What a person may see from where they are at work: of other organizations only what the world
/// sees, except for an administrator of the instance.
fn expected(
    plan: &Plan,
    who: Option<usize>,
    place: Option<usize>,
    paper: &Paper,
    rule: fn(&Plan, Option<usize>, &Paper) -> bool,
) -> bool {
    let is_here = place == Some(paper.organization);
    let is_admin = who.is_some_and(|who| plan.people[who].is_admin);
    rule(plan, who.filter(|_| is_here || is_admin), paper)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn everybody_reads_and_edits_just_what_the_rules_say(plan in a_plan()) {
        let world = build(plan.clone());
        world.store.read_blocking(|tx| {
            for (who, place, actor) in everybody(tx, &world) {
                for (paper, document) in plan.documents.iter().zip(&world.documents) {
                    let reads = expected(&plan, who, place, paper, may_read);
                    let edits = expected(&plan, who, place, paper, may_edit);
                    let read = decide(&actor, Action::Read(document));
                    let edit = decide(&actor, Action::Edit(document));
                    assert_eq!(read.is_ok(), reads, "{who:?} at {place:?} reading {paper:?}");
                    assert_eq!(edit.is_ok(), edits, "{who:?} at {place:?} editing {paper:?}");
                    assert!(read.is_ok() || edit.is_err(), "who edits, reads");
                    assert_eq!(documents::readable(tx, &actor, document.id).is_ok(), reads);
                    match (read, edit) {
                        (Ok(()), Ok(())) => {}
                        (_, Err(Error::SignInRequired)) => assert!(actor.is_stranger()),
                        (Ok(()), Err(Error::Forbidden(_))) => assert!(!actor.is_stranger()),
                        // What may not be read is not there, for whatever purpose.
                        (Err(Error::NotFound(_)), Err(Error::NotFound(_))) => {
                            assert!(!actor.is_stranger());
                        }
                        other => panic!("{other:?}"),
                    }
                }
            }
            Ok(())
        }).unwrap();
    }

    #[test]
    fn terms_say_the_same_as_the_decision(plan in a_plan()) {
        let world = build(plan);
        world.store.read_blocking(|tx| {
            for (_, place, actor) in everybody(tx, &world) {
                for document in &world.documents {
                    let held = actor.terms(document.organization);
                    let carried = document.terms();
                    let do_meet = held.iter().any(|term| carried.contains(term));
                    let may_read = decide(&actor, Action::Read(document)).is_ok();
                    assert!(!do_meet || may_read, "an index would show what is hidden");
                    assert!(document.trashed.is_none() || carried.is_empty());
                    if actor.role_in(document.organization).is_none() {
                        assert!(held.is_empty(), "lists are for members");
                    } else if document.trashed.is_none() {
                        assert_eq!(do_meet, may_read, "{place:?} {document:?}");
                    }
                    let words: BTreeSet<String> = carried.iter().map(|term| term.word()).collect();
                    assert_eq!(words.len(), carried.len(), "two terms with one word");
                }
            }
            Ok(())
        }).unwrap();
    }

    #[test]
    fn the_library_lists_all_that_may_be_read_and_nothing_else(plan in a_plan()) {
        let world = build(plan);
        world.store.read_blocking(|tx| {
            for (_, _, actor) in everybody(tx, &world) {
                for organization in &world.organizations {
                    for is_archive in [false, true] {
                        check_library(tx, &world, &actor, *organization, is_archive);
                    }
                }
            }
            Ok(())
        }).unwrap();
    }

    #[test]
    fn a_higher_role_never_loses_a_right(plan in a_plan()) {
        let world = build(plan);
        world.store.read_blocking(|tx| {
            for (_, _, actor) in everybody(tx, &world) {
                let Some(role) = actor.role else { continue };
                for higher in Role::ALL.into_iter().filter(|higher| *higher > role) {
                    let raised = Actor { role: Some(higher), ..actor.clone() };
                    for action in actions(&world) {
                        let before = decide(&actor, action);
                        let after = decide(&raised, action);
                        assert!(before.is_err() || after.is_ok(), "{role:?} {higher:?} {action:?}");
                    }
                }
            }
            Ok(())
        }).unwrap();
    }

    #[test]
    fn places_open_by_role_in_the_own_organization_alone(plan in a_plan()) {
        let world = build(plan.clone());
        world.store.read_blocking(|tx| {
            for (who, place, actor) in everybody(tx, &world) {
                let person = who.map(|who| &plan.people[who]).filter(|person| !person.is_disabled);
                let is_admin = person.is_some_and(|person| person.is_admin);
                assert_eq!(decide(&actor, Action::Operate).is_ok(), is_admin);
                for (number, id) in world.organizations.iter().enumerate() {
                    let role = person.and_then(|person| match (is_admin, place == Some(number)) {
                        (true, _) => Some(Role::Admin),
                        (false, true) => person.roles[number],
                        (false, false) => None,
                    });
                    assert_eq!(actor.role_in(*id), role);
                    for (action, needed) in [
                        (Action::Browse(*id), Role::Viewer),
                        (Action::Upload(*id), Role::Editor),
                        (Action::Curate(*id), Role::Manager),
                        (Action::Govern(*id), Role::Admin),
                    ] {
                        match decide(&actor, action) {
                            Ok(()) => assert!(role >= Some(needed), "{action:?}"),
                            Err(Error::SignInRequired) => assert!(actor.is_stranger()),
                            Err(Error::Forbidden(_)) => assert!(role < Some(needed)),
                            Err(other) => panic!("{other:?}"),
                        }
                    }
                }
            }
            Ok(())
        }).unwrap();
    }
}

fn actions(world: &World) -> Vec<Action<'_>> {
    let mut actions = vec![Action::Operate];
    for document in &world.documents {
        actions.extend([Action::Read(document), Action::Edit(document)]);
    }
    for organization in world.organizations.iter().copied() {
        actions.extend([
            Action::Browse(organization),
            Action::Upload(organization),
            Action::Curate(organization),
            Action::Govern(organization),
        ]);
    }
    actions
}

/// The list from the index, whole and continued after each of its places, against a look at every
/// document.
fn check_library(
    tx: &ReadTx,
    world: &World,
    actor: &Actor,
    organization: Id<Organization>,
    is_archive: bool,
) {
    let list = |after: Option<(Timestamp, Id<Document>)>| -> Vec<(Timestamp, Id<Document>)> {
        let newest = documents::newest(tx, actor, organization, is_archive, after).unwrap();
        newest.collect::<Result<_>>().unwrap()
    };
    let mut expected: Vec<(Timestamp, Id<Document>)> = world
        .documents
        .iter()
        .filter(|document| document.organization == organization && document.trashed.is_none())
        .filter(|document| (document.status == Status::Archived) == is_archive)
        .filter(|document| decide(actor, Action::Read(document)).is_ok())
        .filter(|_| actor.role_in(organization).is_some())
        .map(|document| (document.created_at, document.id))
        .collect();
    expected.sort();
    expected.reverse();
    let whole = list(None);
    assert_eq!(whole, expected);
    for (position, place) in whole.iter().enumerate() {
        assert_eq!(list(Some(*place)), whole[position + 1..]);
    }
}

#[test]
fn a_token_brings_back_nobody_who_is_disabled() {
    let person = |is_disabled| Person {
        is_admin: true,
        is_disabled,
        roles: vec![Some(Role::Admin), None, None],
    };
    let people = vec![person(true), person(false)];
    let plan = Plan { people, groups: Vec::new(), documents: Vec::new() };
    let world = build(plan);
    for (who, is_there) in [(0, false), (1, true)] {
        let actor = Actor { user: Some(world.people[who]), ..Actor::stranger() };
        let made = world.store.write_blocking(move |tx| tokens::create(tx, &actor, "a", None));
        let (_, revealed) = made.unwrap();
        let found = world.store.read_blocking(|tx| tokens::resume(tx, &revealed)).unwrap();
        assert_eq!(found.is_some(), is_there);
    }
}

#[test]
fn the_program_itself_may_do_everything_and_reads_as_nobody() {
    let plan = Plan { people: Vec::new(), groups: Vec::new(), documents: Vec::new() };
    let world = build(plan);
    let system = Actor::system("The portal", Some(world.organizations[0]));
    for action in actions(&world) {
        decide(&system, action).unwrap();
    }
    assert!(!system.is_stranger());
    assert!(matches!(system.person(), Err(Error::SignInRequired)));
}

#[test]
fn the_words_of_roles_are_read_back() {
    for role in Role::ALL {
        assert_eq!(Role::from_name(role.name()).unwrap(), role);
    }
    assert!(Role::from_name("owner").is_err());
    assert!(Role::ALL.is_sorted());
}
