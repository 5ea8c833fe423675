//! Documents: from the first upload to the end of the trash.

use appliance::{
    domain::{
        access::{Actor, Role},
        blobs::{self, Extraction, Facts},
        documents::{self, Document, DocumentEdit, Kind, NewDocument, Status, Visibility},
        events,
        jobs::Task,
        users::User,
        versions::{self, NewFile},
    },
    error::Result,
    id::Id,
    store::WriteTx,
};
use jiff::SignedDuration;

use super::world::*;

type Verb = fn(&mut WriteTx, &Actor, Id<Document>) -> Result<Document>;

/// What can be done to a document that is not in the trash.
const CHANGES: [(&str, Verb); 5] = [
    ("edit", |tx, actor, id| {
        let edit = DocumentEdit { title: Some("other".into()), ..DocumentEdit::default() };
        documents::edit(tx, actor, id, edit, None)
    }),
    ("set_visibility", |tx, actor, id| {
        documents::set_visibility(tx, actor, id, Visibility::Public)
    }),
    ("withdraw", documents::withdraw),
    ("archive", documents::archive),
    ("version", |tx, actor, id| Ok(versions::add(tx, actor, id, file("next.pdf", 99))?.0)),
];

fn run(world: &World, who: &User, id: Id<Document>, verb: Verb) -> Result<Document> {
    world.act(who, move |tx, actor| verb(tx, actor, id))
}

fn edit(world: &World, who: &User, id: Id<Document>, edit: DocumentEdit) -> Result<Document> {
    world.act(who, move |tx, actor| documents::edit(tx, actor, id, edit, None))
}

fn is_readable(world: &World, who: &User, id: Id<Document>) -> bool {
    world.see(who, |tx, actor| documents::readable(tx, actor, id)).is_ok()
}

#[test]
fn an_upload_is_a_document_a_version_a_blob_and_two_jobs() {
    let world = World::new();
    let bob = world.person("bob", Role::Editor);
    let document = world.document(&bob, "Annual report");
    assert_eq!((document.revision, document.kind), (1, Kind::File));
    assert_eq!((document.created_by, document.created_at), (bob.id, world.clock.now()));
    let current = document.current.clone().unwrap();
    assert_eq!((current.number, current.filename.as_str()), (1, "plan.pdf"));
    assert!(world.read(|tx| blobs::find(tx, current.blob)).unwrap().is_some());
    let mut tasks: Vec<String> = world
        .write(|tx| claim_jobs(tx, 10))
        .unwrap()
        .iter()
        .map(|job| job.task.title().to_owned())
        .collect();
    tasks.sort();
    assert_eq!(tasks, ["Move a file to its storage", "Read a file's text and pages"]);
}

#[test]
fn a_document_without_a_title_is_named_after_its_file() {
    let world = World::new();
    let organization = world.organization;
    let titled = |filename: &'static str| {
        world.act(&world.ada, move |tx, ada| {
            documents::add_file(tx, ada, organization, new_document(" "), file(filename, 1))
        })
    };
    assert_eq!(titled("annual_report_2026.pdf").unwrap().title, "annual report 2026");
    assert_eq!(titled("C:\\docs\\plan.pdf").unwrap().title, "plan");
    assert_eq!(titled("../../etc/passwd").unwrap().title, "passwd");
    assert_eq!(titled("2026-11-03 Plan v1.2").unwrap().title, "2026-11-03 Plan v1.2");
    assert_invalid(titled("dir/"), "file");
}

#[test]
fn what_is_said_about_a_document_is_checked() {
    let world = World::new();
    let refused = |new: NewDocument, field: &str| assert_invalid(world.add(&world.ada, new), field);
    refused(NewDocument { title: "x".repeat(201), ..new_document("") }, "title");
    refused(NewDocument { description: "x".repeat(10_001), ..new_document("a") }, "description");
    refused(NewDocument { category: "x".repeat(101), ..new_document("a") }, "category");
    refused(NewDocument { kind: Kind::Link, ..new_document("a") }, "kind");
    let tags = (0..31).map(|number| format!("tag {number}")).collect();
    refused(NewDocument { tags, ..new_document("a") }, "tags");
    // A refused upload leaves nothing at all.
    assert_eq!(world.read(|tx| tx.records::<Document>().count()).unwrap(), 0);
    assert!(world.write(|tx| claim_jobs(tx, 10)).unwrap().is_empty());
}

/// Thousands of tags must not be compared with each other in the one thread that writes.
#[test]
fn far_too_many_tags_are_refused_at_once() {
    let world = World::new();
    let tags = vec![(0..200_000).map(|number| format!("{number},")).collect::<String>()];
    let begun = std::time::Instant::now();
    assert_invalid(world.add(&world.ada, NewDocument { tags, ..new_document("a") }), "tags");
    assert!(begun.elapsed() < std::time::Duration::from_secs(20));
}

#[test]
fn viewers_and_strangers_add_nothing() {
    let world = World::new();
    let organization = world.organization;
    let bob = world.person("bob", Role::Viewer);
    assert_forbidden(world.add(&bob, new_document("a")));
    assert_sign_in(world.write(move |tx| {
        documents::add_file(tx, &Actor::stranger(), organization, new_document("a"), file("a", 1))
    }));
    // The program itself is no person that a document could belong to.
    assert_sign_in(world.write(move |tx| {
        let system = Actor::system("test", Some(organization));
        documents::add_file(tx, &system, organization, new_document("a"), file("a", 1))
    }));
}

#[test]
fn a_link_leads_to_the_web_and_nowhere_else() {
    let world = World::new();
    let organization = world.organization;
    let link = world.link(&world.ada, " https://example.com/a?b=c#d ");
    assert_eq!(link.link.as_deref(), Some("https://example.com/a?b=c#d"));
    assert_eq!((link.kind, link.title.as_str()), (Kind::Link, "https://example.com/a?b=c#d"));
    for wrong in [
        "",
        "https://",
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//example.com",
        "https://exa mple.com",
        "ftp://example.com",
    ] {
        assert_invalid(
            world.act(&world.ada, move |tx, ada| {
                documents::add_link(tx, ada, organization, new_document("a"), wrong)
            }),
            "url",
        );
    }
}

#[test]
fn a_link_stays_a_link_and_a_file_a_file() {
    let world = World::new();
    let link = world.link(&world.ada, "https://example.com").id;
    let document = world.document(&world.ada, "a").id;
    let kind = |kind| DocumentEdit { kind: Some(kind), ..DocumentEdit::default() };
    let url = |url: &str| DocumentEdit { url: Some(url.into()), ..DocumentEdit::default() };
    assert_invalid(edit(&world, &world.ada, link, kind(Kind::Poster)), "kind");
    assert_invalid(edit(&world, &world.ada, document, kind(Kind::Link)), "kind");
    assert_invalid(edit(&world, &world.ada, document, url("https://example.com")), "url");
    assert_invalid(edit(&world, &world.ada, link, url("javascript:1")), "url");
    edit(&world, &world.ada, document, kind(Kind::Poster)).unwrap();
    let moved = edit(&world, &world.ada, link, url("http://example.org")).unwrap();
    assert_eq!(moved.link.as_deref(), Some("http://example.org"));
}

#[test]
fn an_edit_changes_what_it_names_and_counts_the_revision() {
    let world = World::new();
    let document = world.document(&world.ada, "First");
    world.advance(SignedDuration::from_mins(5));
    let change = DocumentEdit {
        title: Some(" Second\ttitle ".into()),
        category: Some("Reports".into()),
        tags: Some(vec!["#b, a".into(), "B".into()]),
        ..DocumentEdit::default()
    };
    let changed = edit(&world, &world.ada, document.id, change).unwrap();
    assert_eq!(changed.title, "Second title");
    assert_eq!(changed.tags, ["b", "a"]);
    assert!(changed.category.is_some());
    assert_eq!((changed.description, changed.kind), (document.description, document.kind));
    assert_eq!((changed.revision, changed.updated_at), (2, world.clock.now()));
    assert_eq!(changed.created_at, document.created_at);
    let without = DocumentEdit { category: Some(" ".into()), ..DocumentEdit::default() };
    assert_eq!(edit(&world, &world.ada, document.id, without).unwrap().category, None);
}

#[test]
fn an_edit_of_an_old_revision_is_refused() {
    let world = World::new();
    let document = world.document(&world.ada, "First");
    let id = document.id;
    let titled = |title: &str, revision: Option<u64>| {
        let change = DocumentEdit { title: Some(title.into()), ..DocumentEdit::default() };
        world.act(&world.ada, move |tx, ada| documents::edit(tx, ada, id, change, revision))
    };
    titled("Second", Some(1)).unwrap();
    assert_conflict(titled("Third", Some(1)));
    titled("Third", Some(2)).unwrap();
    titled("Fourth", None).unwrap();
    assert_eq!(world.stored(&document).unwrap().title, "Fourth");
}

#[test]
fn editors_change_what_they_created_and_managers_everything() {
    let world = World::new();
    let people = [Role::Viewer, Role::Editor, Role::Manager, Role::Admin]
        .map(|role| world.person(&format!("a-{}", role.name()), role));
    let bob = world.person("bob", Role::Editor);
    for (name, verb) in CHANGES {
        let theirs = world.document(&bob, name).id;
        assert_forbidden(run(&world, &people[0], theirs, verb));
        assert_forbidden(run(&world, &people[1], theirs, verb));
        for who in [&bob, &people[2], &people[3]] {
            let theirs = world.document(&bob, name).id;
            run(&world, who, theirs, verb).unwrap();
        }
    }
}

#[test]
fn a_creator_who_became_a_viewer_reads_but_changes_nothing() {
    let world = World::new();
    let bob = world.person("bob", Role::Editor);
    let id = world.document(&bob, "a").id;
    run(&world, &bob, id, documents::withdraw).unwrap();
    world.join(world.organization, &bob, Role::Viewer);
    assert!(is_readable(&world, &bob, id));
    for (_, verb) in CHANGES {
        assert_forbidden(run(&world, &bob, id, verb));
    }
    assert_forbidden(run(&world, &bob, id, documents::trash));
}

#[test]
fn what_may_not_be_read_does_not_exist_for_any_verb() {
    let world = World::new();
    let id = world.document(&world.ada, "a").id;
    run(&world, &world.ada, id, documents::withdraw).unwrap();
    let bob = world.person("bob", Role::Editor);
    let nothing = Id::from_uuid(uuid::Uuid::from_u128(7));
    let others: [(&str, Verb); 2] = [("trash", documents::trash), ("restore", documents::restore)];
    for (_, verb) in CHANGES.into_iter().chain(others) {
        assert_not_found(run(&world, &bob, id, verb));
        assert_not_found(run(&world, &bob, nothing, verb));
        assert_sign_in(world.write(move |tx| verb(tx, &Actor::stranger(), id)));
        assert_sign_in(world.write(move |tx| verb(tx, &Actor::stranger(), nothing)));
    }
    assert_not_found(world.act(&bob, move |tx, bob| documents::delete(tx, bob, id)));
}

#[test]
fn a_draft_is_seen_by_its_creator_and_managers_until_it_is_published() {
    let world = World::new();
    let bob = world.person("bob", Role::Editor);
    let eve = world.person("eve", Role::Editor);
    let meg = world.person("meg", Role::Manager);
    let new =
        NewDocument { status: Status::Draft, visibility: Visibility::Public, ..new_document("a") };
    let id = world.add(&bob, new).unwrap().id;
    assert!(is_readable(&world, &bob, id) && is_readable(&world, &meg, id));
    assert!(!is_readable(&world, &eve, id));
    assert_conflict(run(&world, &bob, id, documents::archive));
    assert_sign_in(world.read(|tx| documents::readable(tx, &Actor::stranger(), id)));
    run(&world, &bob, id, documents::publish).unwrap();
    assert!(is_readable(&world, &eve, id));
    world.read(|tx| documents::readable(tx, &Actor::stranger(), id)).unwrap();
    run(&world, &bob, id, documents::archive).unwrap();
    assert!(is_readable(&world, &eve, id));
    run(&world, &bob, id, documents::withdraw).unwrap();
    assert!(!is_readable(&world, &eve, id));
}

#[test]
fn bytes_that_were_not_understood_are_read_under_a_better_name() {
    let world = World::new();
    let bytes_as = |filename: &str, media_type: &str| {
        let mut file = file(filename, 7);
        file.blob.media_type = media_type.into();
        file
    };
    let named = || world.read(|tx| versions::named_for_reading(tx, &blobs::get(tx, blob(7))?));
    let readings = || {
        let claimed = world.write(|tx| claim_jobs(tx, 10)).unwrap();
        claimed.iter().filter(|job| job.task == Task::ExtractBlob { blob: blob(7) }).count()
    };
    let document = world.document(&world.ada, "Letter");
    let add = |file: NewFile| {
        let id = document.id;
        world.act(&world.ada, move |tx, ada| versions::add(tx, ada, id, file)).unwrap()
    };
    add(bytes_as("letter", "application/x-ole-storage"));
    assert_eq!(readings(), 1);
    world
        .write(|tx| blobs::mark_extracted(tx, blob(7), Extraction::Done(Facts::default())))
        .unwrap();

    let (document, version) = add(bytes_as("letter.doc", "application/msword"));
    assert_eq!(version.media_type, "application/msword");
    assert_eq!(document.current.unwrap().media_type, "application/msword");
    assert_eq!(named().unwrap().unwrap().filename, "letter.doc");
    assert_eq!(readings(), 1);

    let read = Facts { has_text: true, ..Facts::default() };
    world.write(|tx| blobs::mark_extracted(tx, blob(7), Extraction::Done(read))).unwrap();
    let (_, version) = add(bytes_as("letter", "application/x-ole-storage"));
    assert_eq!(version.media_type, "application/x-ole-storage");
    assert_eq!((named().unwrap().unwrap().filename.as_str(), readings()), ("letter.doc", 0));
}

#[test]
fn doing_what_is_done_already_changes_nothing() {
    let world = World::new();
    let document = world.document(&world.ada, "a");
    run(&world, &world.ada, document.id, documents::publish).unwrap();
    run(&world, &world.ada, document.id, documents::restore).unwrap();
    assert_eq!(world.stored(&document).unwrap().revision, 1);
    run(&world, &world.ada, document.id, documents::trash).unwrap();
    world.advance(days(1));
    let again = run(&world, &world.ada, document.id, documents::trash).unwrap();
    assert_eq!(again.trashed.unwrap().at, world.clock.now() - days(1));
    assert_eq!(again.revision, 2);
}

#[test]
fn a_document_is_shown_only_to_groups_and_members_of_its_organization() {
    let world = World::new();
    let other = world.other_organization("Southwind");
    let away = world.person_in(other, "away", Role::Viewer).id;
    let theirs = world
        .act(&world.ada, move |tx, ada| {
            appliance::domain::groups::create(tx, ada, other, "Theirs", "")
        })
        .unwrap()
        .id;
    let bob = world.person("bob", Role::Viewer);
    let own = world.group("Finance", &[&bob]).id;
    let document = world.document(&world.ada, "a");
    let id = document.id;
    let show = |groups: Vec<_>, people: Vec<_>| {
        let to = Visibility::Restricted { groups, people };
        world.act(&world.ada, move |tx, ada| documents::set_visibility(tx, ada, id, to))
    };
    let nobody = Id::from_uuid(uuid::Uuid::from_u128(7));
    assert_invalid(show(vec![theirs], vec![]), "groups");
    assert_invalid(show(vec![Id::from_uuid(uuid::Uuid::from_u128(7))], vec![]), "groups");
    assert_invalid(show(vec![own], vec![away]), "people");
    assert_invalid(show(vec![], vec![nobody]), "people");
    assert_invalid(
        show(
            vec![],
            vec![bob.id; 1]
                .into_iter()
                .chain((0..200).map(|number| Id::from_uuid(uuid::Uuid::from_u128(number))))
                .collect(),
        ),
        "people",
    );
    assert_eq!(world.stored(&document).unwrap().visibility, Visibility::Organization);
    // Named twice is named once.
    let shown = show(vec![own, own], vec![bob.id, bob.id]).unwrap();
    let expected = Visibility::Restricted { groups: vec![own], people: vec![bob.id] };
    assert_eq!(shown.visibility, expected);
    // To nobody is possible: then its creator and the managers see it.
    show(vec![], vec![]).unwrap();
    assert!(!is_readable(&world, &bob, id));
    let new = NewDocument {
        visibility: Visibility::Restricted { groups: vec![theirs], people: vec![] },
        ..new_document("b")
    };
    assert_invalid(world.add(&world.ada, new), "groups");
}

#[test]
fn the_trash_gives_back_what_it_took() {
    let world = World::new();
    let bob = world.person("bob", Role::Editor);
    let eve = world.person("eve", Role::Viewer);
    let document = world.document(&bob, "a");
    let id = document.id;
    run(&world, &bob, id, documents::trash).unwrap();
    assert!(!is_readable(&world, &eve, id), "what is in the trash is gone for the others");
    assert!(is_readable(&world, &bob, id));
    let trashed = world.stored(&document).unwrap().trashed.unwrap();
    assert_eq!((trashed.at, trashed.by), (world.clock.now(), Some(bob.id)));
    let restored = run(&world, &bob, id, documents::restore).unwrap();
    assert_eq!(restored.trashed, None);
    assert_eq!(restored.visibility, document.visibility);
    assert!(is_readable(&world, &eve, id));
}

#[test]
fn what_is_in_the_trash_can_only_be_restored_or_deleted() {
    let world = World::new();
    let id = world.document(&world.ada, "a").id;
    let version =
        world.act(&world.ada, move |tx, ada| versions::add(tx, ada, id, file("b.pdf", 2))).unwrap();
    let first = world.see(&world.ada, |tx, ada| versions::list(tx, ada, &version.0)).unwrap()[1].id;
    run(&world, &world.ada, id, documents::trash).unwrap();
    for (_, verb) in CHANGES {
        assert_conflict(run(&world, &world.ada, id, verb));
    }
    assert_conflict(run(&world, &world.ada, id, documents::publish));
    assert_conflict(
        world.act(&world.ada, move |tx, ada| versions::make_current(tx, ada, id, first)),
    );
    run(&world, &world.ada, id, documents::restore).unwrap();
    run(&world, &world.ada, id, documents::withdraw).unwrap();
}

#[test]
fn everybody_finds_in_the_trash_what_they_may_restore() {
    let world = World::new();
    let bob = world.person("bob", Role::Editor);
    let eve = world.person("eve", Role::Editor);
    let meg = world.person("meg", Role::Manager);
    let vic = world.person("vic", Role::Viewer);
    let other = world.other_organization("Southwind");
    for (who, title) in [(&bob, "1"), (&eve, "2"), (&bob, "3")] {
        let id = world.document(who, title).id;
        world.advance(SignedDuration::from_mins(1));
        run(&world, who, id, documents::trash).unwrap();
    }
    let titles = |who: &User, limit| -> Vec<String> {
        let trash = world
            .see(who, |tx, actor| documents::in_trash(tx, actor, world.organization, limit))
            .unwrap();
        trash.into_iter().map(|document| document.title).collect()
    };
    assert_eq!(titles(&bob, 10), ["3", "1"]);
    assert_eq!(titles(&bob, 1), ["3"]);
    assert_eq!(titles(&eve, 10), ["2"]);
    assert_eq!(titles(&meg, 10), ["3", "2", "1"]);
    assert!(titles(&vic, 10).is_empty());
    assert_forbidden(world.see(&meg, |tx, meg| documents::in_trash(tx, meg, other, 10)));
}

#[test]
fn deleting_takes_two_steps_and_takes_the_versions_along() {
    let world = World::new();
    let document = world.document(&world.ada, "a");
    let id = document.id;
    for content in [2, 3, 2] {
        world
            .act(&world.ada, move |tx, ada| versions::add(tx, ada, id, file("b.pdf", content)))
            .unwrap();
    }
    let first = document.current.clone().unwrap().blob;
    let delete = || world.act(&world.ada, move |tx, ada| documents::delete(tx, ada, id));
    assert_conflict(delete());
    run(&world, &world.ada, id, documents::trash).unwrap();
    delete().unwrap();
    assert!(world.stored(&document).is_none());
    assert_eq!(world.read(|tx| tx.records::<versions::Version>().count()).unwrap(), 0);
    assert_not_found(delete());
    // The bytes go an hour later, each once.
    world.write(|tx| claim_jobs(tx, 100)).unwrap();
    assert!(world.write(|tx| claim_jobs(tx, 100)).unwrap().is_empty());
    world.advance(SignedDuration::from_hours(1));
    let mut removed: Vec<_> = world
        .write(|tx| claim_jobs(tx, 100))
        .unwrap()
        .into_iter()
        .map(|job| match job.task {
            Task::RemoveBlob { blob } => blob,
            other => panic!("{other:?}"),
        })
        .collect();
    removed.sort();
    let mut expected = vec![blob(2), blob(3), first];
    expected.sort();
    assert_eq!(removed, expected);
    // What happened stays in the log.
    let about = world.read(|tx| events::about(tx, id, 1)).unwrap();
    assert_eq!(about[0].verb, events::Verb::DocumentDeleted);
}

#[test]
fn bytes_that_another_document_uses_stay() {
    let world = World::new();
    let (a, b) = (world.document(&world.ada, "same"), world.document(&world.ada, "same"));
    let shared = a.current.unwrap().blob;
    let (a, b) = (a.id, b.id);
    let delete = |id| {
        run(&world, &world.ada, id, documents::trash).unwrap();
        world.act(&world.ada, move |tx, ada| documents::delete(tx, ada, id)).unwrap();
    };
    delete(a);
    assert!(!world.write(move |tx| blobs::forget(tx, shared)).unwrap());
    assert!(world.read(|tx| blobs::find(tx, shared)).unwrap().is_some());
    delete(b);
    assert!(world.write(move |tx| blobs::forget(tx, shared)).unwrap());
    assert!(world.read(|tx| blobs::find(tx, shared)).unwrap().is_none());
}

#[test]
fn the_trash_empties_itself_after_thirty_days() {
    let world = World::new();
    let organization = world.organization;
    let other = world.other_organization("Southwind");
    let documents: Vec<Document> =
        (0..4).map(|number| world.document(&world.ada, &number.to_string())).collect();
    let trash = |index: usize| {
        run(&world, &world.ada, documents[index].id, documents::trash).unwrap();
    };
    let empty =
        |limit| world.write(move |tx| documents::empty_trash(tx, organization, limit)).unwrap();
    trash(0);
    trash(1);
    world.advance(days(10));
    trash(2);
    world.advance(days(20) - SignedDuration::from_millis(1));
    assert_eq!(empty(10), 0);
    world.advance(SignedDuration::from_millis(1));
    assert_eq!(world.write(move |tx| documents::empty_trash(tx, other, 10)).unwrap(), 0);
    assert_eq!(empty(1), 1);
    assert_eq!(empty(10), 1);
    assert_eq!(empty(10), 0);
    assert_eq!(documents.iter().filter(|document| world.stored(document).is_some()).count(), 2);
    world.advance(days(10));
    assert_eq!(empty(10), 1);
    assert!(world.stored(&documents[3]).is_some());
    // It is in the log of the organization, done by the portal.
    let about = world.read(|tx| events::about(tx, documents[0].id, 1)).unwrap();
    assert_eq!((about[0].user, about[0].organization), (None, Some(organization)));
}

#[test]
fn an_instance_administrator_at_work_elsewhere_leaves_traces_where_the_document_is() {
    let world = World::new();
    let other = world.other_organization("Southwind");
    let id = world.document(&world.ada, "secret plan").id;
    world.act_in(other, &world.ada, move |tx, ada| documents::archive(tx, ada, id)).unwrap();
    let log = |organization| {
        let ada = world.actor(&world.ada);
        let (page, _) = world
            .read(|tx| events::list(tx, &ada, organization, &events::Filter::default(), 100))
            .unwrap();
        page.into_iter().filter(|event| event.subject == id.uuid()).count()
    };
    assert_eq!((log(world.organization), log(other)), (2, 0));
}

#[test]
fn lists_of_a_category_and_of_a_person_are_walked_in_pages() {
    let world = World::new();
    let category = world.category("Reports");
    let bob = world.person("bob", Role::Editor);
    let all: Vec<Id<Document>> =
        (0..5).map(|number| world.document_in(&bob, &number.to_string(), &category).id).collect();
    world.document(&world.ada, "not his");
    let mut by_category = Vec::new();
    let mut by_person = Vec::new();
    world
        .read(|tx| {
            loop {
                let page = documents::in_category(tx, category.id, by_category.last().copied(), 2)?;
                if page.is_empty() {
                    break;
                }
                by_category.extend(page);
            }
            loop {
                let page = documents::created_by(tx, bob.id, by_person.last().copied(), 2)?;
                if page.is_empty() {
                    break;
                }
                by_person.extend(page);
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(by_category, all);
    assert_eq!(by_person, all);
}
