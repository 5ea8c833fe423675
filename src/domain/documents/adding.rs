//! New documents: with a file, or a link.

use super::{Document, Kind, Status, Visibility, note};
use crate::{
    domain::{
        access::{Action, Actor, decide},
        categories,
        events::Verb,
        groups, memberships,
        organizations::Organization,
        text,
        versions::{self, NewFile},
    },
    error::{Error, Result},
    id::Id,
    store::{ReadTx, WriteTx},
    together::together,
};

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
    note(tx, actor, Verb::DocumentAdded, &document, None)?;
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
    if new.title.trim().is_empty() {
        new.title = url.trim().chars().take(200).collect();
    }
    new.kind = Kind::Link;
    let (url, mut document) = together((link(url), draft(tx, actor, organization, new)))?;
    document.link = Some(url);
    tx.put(&document)?;
    note(tx, actor, Verb::DocumentAdded, &document, None)?;
    Ok(document)
}

fn draft(
    tx: &mut WriteTx,
    actor: &Actor,
    organization: Id<Organization>,
    new: NewDocument,
) -> Result<Document> {
    decide(actor, Action::Upload(organization))?;
    let (title, description, category, tags, visibility) = together((
        text::line("title", &new.title, 200),
        text::paragraph("description", &new.description, 10_000),
        categories::named(tx, actor, organization, &new.category),
        text::tags(&new.tags),
        checked(tx, organization, new.visibility),
    ))?;
    Ok(Document {
        id: tx.new_id(),
        organization,
        title,
        description,
        category: category.map(|category| category.id),
        tags,
        kind: new.kind,
        status: new.status,
        visibility,
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
pub(super) fn link(url: &str) -> Result<String> {
    let url = text::line("url", url, 2_000)?;
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !url.contains(char::is_whitespace) => Ok(url),
        _ => Err(Error::invalid_field("url", "A link begins with https:// or http://.")),
    }
}

/// Sees to it that a restricted document names only groups and members of its organization.
pub(super) fn checked(
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
        if groups::find(tx, organization, *group)?.is_none() {
            let message = "One of the groups does not exist any more.";
            return Err(Error::invalid_field("groups", message));
        }
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
