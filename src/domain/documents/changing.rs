//! Changes to what is said of a document, who sees it, where it stands and whose it is.

use super::{
    Document, Kind, Status, Visibility,
    adding::{checked, link},
    editable,
    listing::{created_by, in_category},
    note,
};
use crate::{
    domain::{
        access::Actor,
        categories::{self, Category},
        events::Verb,
        text,
        users::User,
    },
    error::{Error, Result},
    id::Id,
    store::WriteTx,
    together::together,
};

const NO_DRAFT_IN_ARCHIVE: &str = "A draft cannot be archived: whoever may see the document would \
                                   find it there. Publish it first, or move it to the trash.";

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
    require_revision(&document, revision)?;
    let organization = document.organization;
    let (url, title, description, category, tags, kind) = together((
        edit.url.map(|url| moved(&document, &url)).transpose(),
        edit.title.map(|title| text::line("title", &title, 200)).transpose(),
        edit.description.map(|text| text::paragraph("description", &text, 10_000)).transpose(),
        edit.category.map(|name| categories::named(tx, actor, organization, &name)).transpose(),
        edit.tags.map(|tags| text::tags(&tags)).transpose(),
        edit.kind.map(|kind| of_kind(&document, kind)).transpose(),
    ))?;
    document.title = title.unwrap_or(document.title);
    document.description = description.unwrap_or(document.description);
    document.tags = tags.unwrap_or(document.tags);
    document.kind = kind.unwrap_or(document.kind);
    document.link = url.or(document.link);
    if let Some(category) = category {
        document.category = category.map(|category| category.id);
    }
    save(tx, &mut document)?;
    note(tx, actor, Verb::DocumentChanged, &document, None)?;
    Ok(document)
}

/// # Errors
/// `Conflict` when `revision` says that somebody has changed it since it was read.
fn require_revision(document: &Document, revision: Option<u64>) -> Result<()> {
    match revision {
        Some(revision) if revision != document.revision => Err(Error::conflict(
            "Somebody changed this document in the meantime. Load it again and repeat your change.",
        )),
        _ => Ok(()),
    }
}

fn of_kind(document: &Document, kind: Kind) -> Result<Kind> {
    match (kind == Kind::Link) == (document.kind == Kind::Link) {
        true => Ok(kind),
        false => Err(Error::invalid_field("kind", "A link stays a link, and a file a file.")),
    }
}

/// Where a link is to lead from now on.
fn moved(document: &Document, url: &str) -> Result<String> {
    match &document.link {
        Some(_) => link(url),
        None => Err(Error::invalid_field("url", "Only a link has an address.")),
    }
}

pub fn set_visibility(
    tx: &mut WriteTx,
    actor: &Actor,
    id: Id<Document>,
    visibility: Visibility,
) -> Result<Document> {
    tx.draw_on_reserve();
    let mut document = editable(tx, actor, id)?;
    document.visibility = checked(tx, document.organization, visibility)?;
    save(tx, &mut document)?;
    let now = document.visibility.name();
    note(tx, actor, Verb::VisibilityChanged, &document, Some(now))?;
    Ok(document)
}

pub fn publish(tx: &mut WriteTx, actor: &Actor, id: Id<Document>) -> Result<Document> {
    move_to(tx, actor, id, Status::Published)
}

/// Makes a draft of it again: only its creator and the managers see it.
pub fn withdraw(tx: &mut WriteTx, actor: &Actor, id: Id<Document>) -> Result<Document> {
    tx.draw_on_reserve();
    move_to(tx, actor, id, Status::Draft)
}

/// Takes it out of the library's lists; who may see it still finds it in the archive.
///
/// # Errors
/// `Conflict` for a draft: few may see it, and in the archive its readers would.
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
        (Status::Draft, Status::Archived) => return Err(Error::conflict(NO_DRAFT_IN_ARCHIVE)),
        (_, Status::Archived) => Verb::DocumentArchived,
    };
    document.status = status;
    save(tx, &mut document)?;
    note(tx, actor, verb, &document, None)?;
    Ok(document)
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
    tx.draw_on_reserve();
    let ids = created_by(tx, from, None, limit)?;
    for id in &ids {
        let Some(mut document) = tx.get::<Document>(id)? else { continue };
        document.created_by = to;
        document.revision += 1;
        tx.put(&document)?;
    }
    Ok(ids.len())
}

/// Stores a changed document with a new revision and time.
pub(in crate::domain) fn save(tx: &mut WriteTx, document: &mut Document) -> Result<()> {
    document.revision += 1;
    document.updated_at = tx.now();
    tx.put(document)
}
