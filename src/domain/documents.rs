//! Documents: what the portal is there for. A title, a place in the library, a decision about who
//! sees it, and a current file or a link.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    access::{Action, Actor, Role, Term, decide, unknown},
    blobs::BLOB_KEPT,
    categories::{self, Category},
    events::{self, Verb},
    groups::{self, Group},
    jobs::{self, Task},
    memberships,
    organizations::Organization,
    text,
    users::User,
    versions::{self, NewFile, Version},
};
use crate::{
    error::{Error, Result},
    hash::ContentHash,
    id::Id,
    store::{Index, IndexEntries, ReadTx, Record, Table, WriteTx},
};

/// How long a document stays in the trash.
pub const TRASH_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long a document is marked as new.
pub const NEW_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Document {
    pub id: Id<Document>,
    pub organization: Id<Organization>,
    pub title: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub category: Option<Id<Category>>,
    #[serde(default)]
    pub tags: Vec<String>,
    pub kind: Kind,
    pub status: Status,
    pub visibility: Visibility,
    /// The file to show and download; `None` for a link.
    #[serde(default)]
    pub current: Option<CurrentFile>,
    /// Where a document of kind [`Kind::Link`] leads.
    #[serde(default)]
    pub link: Option<String>,
    pub created_by: Id<User>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Grows with every change: what `ETag` and `If-Match` compare.
    #[serde(default)]
    pub revision: u64,
    #[serde(default)]
    pub trashed: Option<Trashed>,
}

impl Document {
    /// True for what readers may not have noticed yet.
    pub fn is_new(&self, now: Timestamp) -> bool {
        now.duration_since(self.created_at) < NEW_FOR
    }
}

/// What lists need to know of the current version, kept here so that a row costs one read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentFile {
    pub version: Id<Version>,
    pub number: u32,
    pub filename: String,
    pub media_type: String,
    pub size_bytes: u64,
    pub blob: ContentHash,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trashed {
    pub at: Timestamp,
    pub by: Option<Id<User>>,
}

macro_rules! words {
    ($(#[$doc:meta])* $type:ident, $what:literal: $($variant:ident $name:literal $label:literal,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $type { $($variant,)* }

        impl $type {
            pub const ALL: &[$type] = &[$($type::$variant,)*];

            /// The word in forms and in JSON.
            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name,)* }
            }

            /// The word on pages.
            pub fn label(self) -> &'static str {
                match self { $($type::$variant => $label,)* }
            }

            pub fn from_name(name: &str) -> Result<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name).ok_or_else(|| {
                    let names = [$($name,)*].join(", ");
                    Error::invalid_field($what, format!("The {} is one of {names}.", $what))
                })
            }
        }
    };
}

words! {
    /// What sort of thing a document is.
    Kind, "kind":
    File "file" "File",
    Link "link" "Link",
    Poster "poster" "Poster",
    Banner "banner" "Banner",
    Flyer "flyer" "Flyer",
    BusinessCard "business_card" "Business card",
    Logo "logo" "Logo",
    Catalog "catalog" "Catalog",
}

words! {
    /// How far a document is in its life.
    Status, "status":
    Draft "draft" "Draft",
    Published "published" "Published",
    Archived "archived" "Archived",
}

/// Who sees a published document, besides its creator and the managers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "to")]
pub enum Visibility {
    /// Every member of the organization.
    Organization,
    /// These groups and people.
    Restricted { groups: Vec<Id<Group>>, people: Vec<Id<User>> },
    /// The whole world.
    Public,
}

impl Visibility {
    pub fn name(&self) -> &'static str {
        match self {
            Visibility::Organization => "organization",
            Visibility::Restricted { .. } => "restricted",
            Visibility::Public => "public",
        }
    }

    /// Puts together what forms and JSON say in three fields.
    pub fn from_parts(name: &str, groups: Vec<Id<Group>>, people: Vec<Id<User>>) -> Result<Self> {
        match name {
            "organization" => Ok(Visibility::Organization),
            "restricted" => Ok(Visibility::Restricted { groups, people }),
            "public" => Ok(Visibility::Public),
            _ => Err(Error::invalid_field(
                "visibility",
                "The visibility is one of organization, restricted or public.",
            )),
        }
    }
}

impl Record for Document {
    const TABLE: Table = Table { number: 8, name: "documents" };

    type Key = Id<Document>;

    fn key(&self) -> Self::Key {
        self.id
    }

    fn index(&self, entries: &mut IndexEntries<Self>) {
        let is_archived = self.status == Status::Archived;
        for term in self.terms() {
            entries.add(&BY_TERM, &(self.organization, term, is_archived, self.created_at));
        }
        if let Some(category) = self.category {
            entries.add(&BY_CATEGORY, &category);
        }
        if let Some(trashed) = self.trashed {
            entries.add(&BY_TRASHED, &(self.organization, trashed.at));
            entries.add(&OWN_TRASHED, &(self.organization, self.created_by, trashed.at));
        }
        entries.add(&BY_CREATOR, &self.created_by);
    }
}

/// The library of each actor in the order of time: what they see is the union over their terms.
const BY_TERM: Index<Document, (Id<Organization>, Term, bool, Timestamp)> = Index::new(1);
const BY_CATEGORY: Index<Document, Id<Category>> = Index::new(2);
const BY_TRASHED: Index<Document, (Id<Organization>, Timestamp)> = Index::new(3);
const BY_CREATOR: Index<Document, Id<User>> = Index::new(4);
const OWN_TRASHED: Index<Document, (Id<Organization>, Id<User>, Timestamp)> = Index::new(5);

/// What somebody says about a document they add.
#[derive(Clone, Debug)]
pub struct NewDocument {
    pub title: String,
    pub description: String,
    /// By name; made when it is new.
    pub category: String,
    pub tags: Vec<String>,
    pub kind: Kind,
    pub status: Status,
    pub visibility: Visibility,
}

/// Adds a document with its first file.
pub fn add_file(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    mut new: NewDocument,
    file: NewFile,
) -> Result<Document> {
    if new.title.trim().is_empty() {
        let filename = text::filename(&file.filename)?;
        new.title = text::title_from_filename(&filename).chars().take(200).collect();
    }
    if new.kind == Kind::Link {
        return Err(Error::invalid_field("kind", "A document with a file is not a link."));
    }
    let mut document = draft(tx, actor, organization, new)?;
    let version = versions::insert(tx, actor, &document, file)?;
    document.current = Some(versions::current_file(&version));
    tx.put(&document)?;
    events::record(
        tx,
        actor,
        document.organization,
        Verb::DocumentAdded,
        document.id,
        &document.title,
        None,
    )?;
    Ok(document)
}

/// Adds a document that is a link to somewhere else.
pub fn add_link(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    mut new: NewDocument,
    url: &str,
) -> Result<Document> {
    let url = link(url)?;
    if new.title.trim().is_empty() {
        new.title = url.chars().take(200).collect();
    }
    new.kind = Kind::Link;
    let mut document = draft(tx, actor, organization, new)?;
    document.link = Some(url);
    tx.put(&document)?;
    events::record(
        tx,
        actor,
        document.organization,
        Verb::DocumentAdded,
        document.id,
        &document.title,
        None,
    )?;
    Ok(document)
}

fn draft(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    new: NewDocument,
) -> Result<Document> {
    let actor = &actor.again(tx)?;
    decide(actor, Action::Upload(organization))?;
    let category = categories::named(tx, actor, organization, &new.category)?;
    Ok(Document {
        id: tx.new_id(),
        organization,
        title: text::line("title", &new.title, 200)?,
        description: text::paragraph("description", &new.description, 10_000)?,
        category: category.map(|category| category.id),
        tags: text::tags(&new.tags)?,
        kind: new.kind,
        status: new.status,
        visibility: checked(tx, organization, new.visibility)?,
        current: None,
        link: None,
        created_by: actor.person()?,
        created_at: tx.now(),
        updated_at: tx.now(),
        revision: 1,
        trashed: None,
    })
}

/// # Errors
/// `Invalid` for anything but `http` and `https`: other schemes can run code or read files.
fn link(url: &str) -> Result<String> {
    let url = text::line("url", url, 2_000)?;
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !url.contains(char::is_whitespace) => Ok(url),
        _ => Err(Error::invalid_field("url", "A link begins with https:// or http://.")),
    }
}

/// Sees to it that a restricted document names only groups and members of its organization.
fn checked(
    tx: &ReadTx,
    organization: Id<Organization>,
    visibility: Visibility,
) -> Result<Visibility> {
    let Visibility::Restricted { mut groups, mut people } = visibility else {
        return Ok(visibility);
    };
    groups.sort();
    groups.dedup();
    people.sort();
    people.dedup();
    if groups.len() + people.len() > 200 {
        return Err(Error::invalid_field(
            "people",
            "Choose at most 200 groups and people; for more, make a group.",
        ));
    }
    for group in &groups {
        groups::get(tx, organization, *group).map_err(|_| {
            Error::invalid_field("groups", "One of the groups does not exist any more.")
        })?;
    }
    for user in &people {
        if memberships::role(tx, organization, *user)?.is_none() {
            return Err(Error::invalid_field(
                "people",
                "One of the people is not a member any more.",
            ));
        }
    }
    Ok(Visibility::Restricted { groups, people })
}

/// # Errors
/// As [`decide`]; a document that does not exist is answered like one that may not be seen.
pub fn readable(tx: &ReadTx, actor: &Actor, id: Id<Document>) -> Result<Document> {
    let document = tx.get::<Document>(&id)?.ok_or_else(|| unknown(actor, "document"))?;
    decide(actor, Action::Read(&document))?;
    Ok(document)
}

/// [`readable`], for somebody who is about to change it.
///
/// # Errors
/// `Conflict` for what is in the trash: it can only be restored or deleted.
pub fn editable(tx: &ReadTx, actor: &Actor, id: Id<Document>) -> Result<Document> {
    let document = editable_even_in_trash(tx, actor, id)?;
    if document.trashed.is_some() {
        return Err(Error::conflict("This document is in the trash. Restore it first."));
    }
    Ok(document)
}

fn editable_even_in_trash(tx: &ReadTx, actor: &Actor, id: Id<Document>) -> Result<Document> {
    let document = readable(tx, actor, id)?;
    decide(actor, Action::Edit(&document))?;
    Ok(document)
}

/// Changes to a document's details; `None` leaves a part as it is.
#[derive(Clone, Debug, Default)]
pub struct DocumentEdit {
    pub title: Option<String>,
    pub description: Option<String>,
    pub category: Option<String>,
    pub tags: Option<Vec<String>>,
    pub kind: Option<Kind>,
    pub url: Option<String>,
}

/// Changes what is said about a document. With `revision`, only if nobody changed it since.
pub fn edit(
    tx: &mut WriteTx,
    actor: &Actor,
    id: Id<Document>,
    edit: DocumentEdit,
    revision: Option<u64>,
) -> Result<Document> {
    let mut document = editable(tx, actor, id)?;
    if revision.is_some_and(|revision| revision != document.revision) {
        return Err(Error::conflict(
            "Somebody changed this document in the meantime. Load it again and repeat your change.",
        ));
    }
    if let Some(title) = edit.title {
        document.title = text::line("title", &title, 200)?;
    }
    if let Some(description) = edit.description {
        document.description = text::paragraph("description", &description, 10_000)?;
    }
    if let Some(category) = edit.category {
        let category = categories::named(tx, actor, document.organization, &category)?;
        document.category = category.map(|category| category.id);
    }
    if let Some(tags) = edit.tags {
        document.tags = text::tags(&tags)?;
    }
    if let Some(kind) = edit.kind {
        if (kind == Kind::Link) != (document.kind == Kind::Link) {
            return Err(Error::invalid_field("kind", "A link stays a link, and a file a file."));
        }
        document.kind = kind;
    }
    if let Some(url) = edit.url {
        if document.link.is_none() {
            return Err(Error::invalid_field("url", "Only a link has an address."));
        }
        document.link = Some(link(&url)?);
    }
    save(tx, actor, &mut document)?;
    events::record(
        tx,
        actor,
        document.organization,
        Verb::DocumentChanged,
        id,
        &document.title,
        None,
    )?;
    Ok(document)
}

pub fn set_visibility(
    tx: &mut WriteTx,
    actor: &Actor,
    id: Id<Document>,
    visibility: Visibility,
) -> Result<Document> {
    let mut document = editable(tx, actor, id)?;
    document.visibility = checked(tx, document.organization, visibility)?;
    save(tx, actor, &mut document)?;
    let now = document.visibility.name();
    events::record(
        tx,
        actor,
        document.organization,
        Verb::VisibilityChanged,
        id,
        &document.title,
        Some(now),
    )?;
    Ok(document)
}

pub fn publish(tx: &mut WriteTx, actor: &Actor, id: Id<Document>) -> Result<Document> {
    move_to(tx, actor, id, Status::Published)
}

/// Makes a draft of it again: only its creator and the managers see it.
pub fn withdraw(tx: &mut WriteTx, actor: &Actor, id: Id<Document>) -> Result<Document> {
    move_to(tx, actor, id, Status::Draft)
}

/// Takes it out of the library's lists; who may see it still finds it in the archive.
pub fn archive(tx: &mut WriteTx, actor: &Actor, id: Id<Document>) -> Result<Document> {
    move_to(tx, actor, id, Status::Archived)
}

fn move_to(tx: &mut WriteTx, actor: &Actor, id: Id<Document>, status: Status) -> Result<Document> {
    let mut document = editable(tx, actor, id)?;
    let verb = match (document.status, status) {
        (before, after) if before == after => return Ok(document),
        (Status::Archived, Status::Published) => Verb::DocumentUnarchived,
        (_, Status::Published) => Verb::DocumentPublished,
        (_, Status::Draft) => Verb::DocumentWithdrawn,
        (_, Status::Archived) => Verb::DocumentArchived,
    };
    document.status = status;
    save(tx, actor, &mut document)?;
    events::record(tx, actor, document.organization, verb, id, &document.title, None)?;
    Ok(document)
}

/// Moves it to the trash, from where it can be restored for [`TRASH_KEPT`].
pub fn trash(tx: &mut WriteTx, actor: &Actor, id: Id<Document>) -> Result<Document> {
    let mut document = editable_even_in_trash(tx, actor, id)?;
    if document.trashed.is_none() {
        document.trashed = Some(Trashed { at: tx.now(), by: actor.user });
        save(tx, actor, &mut document)?;
        events::record(
            tx,
            actor,
            document.organization,
            Verb::DocumentTrashed,
            id,
            &document.title,
            None,
        )?;
    }
    Ok(document)
}

pub fn restore(tx: &mut WriteTx, actor: &Actor, id: Id<Document>) -> Result<Document> {
    let mut document = editable_even_in_trash(tx, actor, id)?;
    if document.trashed.take().is_some() {
        save(tx, actor, &mut document)?;
        events::record(
            tx,
            actor,
            document.organization,
            Verb::DocumentRestored,
            id,
            &document.title,
            None,
        )?;
    }
    Ok(document)
}

/// Deletes a document and its versions for good; the bytes go a while later, when nothing else
/// uses them.
///
/// # Errors
/// `Conflict` for one that is not in the trash: nothing is lost in a single step.
pub fn delete(tx: &mut WriteTx, actor: &Actor, id: Id<Document>) -> Result<()> {
    let document = editable_even_in_trash(tx, actor, id)?;
    if document.trashed.is_none() {
        return Err(Error::conflict("Move the document to the trash first."));
    }
    let mut blobs = BTreeSet::new();
    for version in versions::of_document(tx, id)? {
        tx.remove::<Version>(&version.id)?;
        blobs.insert(version.blob);
    }
    for blob in blobs {
        jobs::enqueue_after(tx, Task::RemoveBlob { blob }, BLOB_KEPT)?;
    }
    tx.remove::<Document>(&id)?;
    events::record(
        tx,
        actor,
        document.organization,
        Verb::DocumentDeleted,
        id,
        &document.title,
        None,
    )
}

/// Deletes what has been in the trash for [`TRASH_KEPT`], at most `limit` of each organization.
pub fn empty_trash(
    tx: &mut WriteTx,
    organization: Id<Organization>,
    limit: usize,
) -> Result<usize> {
    let before = tx.now() - TRASH_KEPT;
    let mut expired = Vec::new();
    for entry in tx.index(&BY_TRASHED).within(&organization).keys()?.take(limit) {
        let ((_, trashed_at), id) = entry?;
        if trashed_at > before {
            break;
        }
        expired.push(id);
    }
    let actor = Actor::system("The portal", Some(organization));
    for id in &expired {
        delete(tx, &actor, *id)?;
    }
    Ok(expired.len())
}

/// What the actor may restore, the latest first.
pub fn in_trash(
    tx: &ReadTx,
    actor: &Actor,
    organization: Id<Organization>,
    limit: usize,
) -> Result<Vec<Document>> {
    in_trash_after(tx, actor, organization, None, limit).map(|(documents, _)| documents)
}

/// Where a page of the trash ended.
pub type TrashPlace = (Timestamp, Id<Document>);

/// [`in_trash`] after `after`, and where to go on.
pub fn in_trash_after(
    tx: &ReadTx,
    actor: &Actor,
    organization: Id<Organization>,
    after: Option<TrashPlace>,
    limit: usize,
) -> Result<(Vec<Document>, Option<TrashPlace>)> {
    decide(actor, Action::Browse(organization))?;
    let mut documents: Vec<Document> = match (actor.role_in(organization), actor.user) {
        (Some(Role::Manager | Role::Admin), _) => {
            let mut all = tx.index(&BY_TRASHED).within(&organization).backward();
            if let Some((at, id)) = after {
                all = all.after(&(organization, at, id));
            }
            all.records()?.take(limit + 1).collect::<Result<_>>()?
        }
        (Some(Role::Editor), Some(user)) => {
            let mut own = tx.index(&OWN_TRASHED).within(&(organization, user)).backward();
            if let Some((at, id)) = after {
                own = own.after(&(organization, user, at, id));
            }
            own.records()?.take(limit + 1).collect::<Result<_>>()?
        }
        _ => Vec::new(),
    };
    let has_more = documents.len() > limit;
    documents.truncate(limit);
    let last = documents.last().filter(|_| has_more);
    let next = last.and_then(|last| last.trashed.map(|trashed| (trashed.at, last.id)));
    Ok((documents, next))
}

/// Where each document stands that the actor may read, newest first: the lists of all terms that
/// the actor holds, merged. Costs the same for a library of any size.
pub fn newest<'tx>(
    tx: &'tx ReadTx,
    actor: &Actor,
    organization: Id<Organization>,
    is_archive: bool,
    after: Option<(Timestamp, Id<Document>)>,
) -> Result<impl Iterator<Item = Result<(Timestamp, Id<Document>)>> + 'tx> {
    let mut lists = Vec::new();
    for term in actor.terms(organization) {
        let mut scan = tx.index(&BY_TERM).within(&(organization, term, is_archive)).backward();
        if let Some((created_at, id)) = after {
            scan = scan.after(&(organization, term, is_archive, created_at, id));
        }
        let list =
            scan.keys()?.map(|entry| entry.map(|((_, _, _, created_at), id)| (created_at, id)));
        lists.push(list.peekable());
    }
    Ok(std::iter::from_fn(move || {
        let faulty = lists.iter_mut().position(|list| matches!(list.peek(), Some(Err(_))));
        if let Some(faulty) = faulty {
            return lists[faulty].next();
        }
        let head = |list: &mut std::iter::Peekable<_>| -> Option<(Timestamp, Id<Document>)> {
            list.peek().and_then(|entry: &Result<_>| entry.as_ref().ok().copied())
        };
        let next = lists.iter_mut().filter_map(head).max()?;
        // A document that several terms show stands at the head of several lists.
        for list in &mut lists {
            if head(list) == Some(next) {
                list.next();
            }
        }
        Some(Ok(next))
    }))
}

/// Stores a changed document with a new revision and time.
pub(super) fn save(tx: &mut WriteTx, _actor: &Actor, document: &mut Document) -> Result<()> {
    document.revision += 1;
    document.updated_at = tx.now();
    tx.put(document)
}

pub(super) fn some_in_category(tx: &ReadTx, category: Id<Category>) -> Result<bool> {
    Ok(tx.index(&BY_CATEGORY).within(&category).keys()?.next().transpose()?.is_some())
}

/// The ids of documents in a category after `after`, at most `limit`.
pub fn in_category(
    tx: &ReadTx,
    category: Id<Category>,
    after: Option<Id<Document>>,
    limit: usize,
) -> Result<Vec<Id<Document>>> {
    let mut scan = tx.index(&BY_CATEGORY).within(&category);
    if let Some(after) = after {
        scan = scan.after(&(category, after));
    }
    scan.keys()?.take(limit).map(|entry| Ok(entry?.1)).collect()
}

/// The ids of documents that a user created after `after`, at most `limit`.
pub fn created_by(
    tx: &ReadTx,
    user: Id<User>,
    after: Option<Id<Document>>,
    limit: usize,
) -> Result<Vec<Id<Document>>> {
    let mut scan = tx.index(&BY_CREATOR).within(&user);
    if let Some(after) = after {
        scan = scan.after(&(user, after));
    }
    scan.keys()?.take(limit).map(|entry| Ok(entry?.1)).collect()
}

/// How many documents a user created, the trash included.
pub fn created_count(tx: &ReadTx, user: Id<User>) -> Result<u64> {
    tx.index(&BY_CREATOR).within(&user).count()
}

/// How many documents a group can see because it was chosen for them.
pub fn shown_to_group_count(
    tx: &ReadTx,
    organization: Id<Organization>,
    group: Id<Group>,
) -> Result<u64> {
    tx.index(&BY_TERM).within(&(organization, Term::Group(group))).count()
}

/// Puts up to `limit` documents of a category on another shelf. Returns how many; 0 when done.
pub fn recategorize(
    tx: &mut WriteTx,
    from: Id<Category>,
    to: Option<Id<Category>>,
    limit: usize,
) -> Result<usize> {
    let ids = in_category(tx, from, None, limit)?;
    for id in &ids {
        let Some(mut document) = tx.get::<Document>(id)? else { continue };
        document.category = to;
        document.revision += 1;
        tx.put(&document)?;
    }
    Ok(ids.len())
}

/// Gives up to `limit` documents of one person to another. Returns how many; 0 when done.
pub fn hand_over(tx: &mut WriteTx, from: Id<User>, to: Id<User>, limit: usize) -> Result<usize> {
    let ids = created_by(tx, from, None, limit)?;
    for id in &ids {
        let Some(mut document) = tx.get::<Document>(id)? else { continue };
        document.created_by = to;
        document.revision += 1;
        tx.put(&document)?;
    }
    Ok(ids.len())
}
