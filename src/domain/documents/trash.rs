//! The trash: what was deleted, until it is gone for good.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{
    BY_TRASHED, Document, OWN_TRASHED, Trashed, changing::save, editable_even_in_trash, note,
};
use crate::{
    domain::{
        access::{Action, Actor, Role, decide},
        blobs::BLOB_KEPT,
        events::Verb,
        jobs::{self, Task},
        organizations::Organization,
        versions::{self, Version},
    },
    error::{Error, Result},
    id::Id,
    store::{ReadTx, WriteTx},
};

/// How long a document stays in the trash.
pub const TRASH_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Moves it to the trash, from where it can be restored for [`TRASH_KEPT`].
pub fn trash(tx: &mut WriteTx, actor: &Actor, id: Id<Document>) -> Result<Document> {
    tx.draw_on_reserve();
    let mut document = editable_even_in_trash(tx, actor, id)?;
    if document.trashed.is_none() {
        document.trashed = Some(Trashed { at: tx.now(), by: actor.user });
        save(tx, &mut document)?;
        note(tx, actor, Verb::DocumentTrashed, &document, None)?;
    }
    Ok(document)
}

pub fn restore(tx: &mut WriteTx, actor: &Actor, id: Id<Document>) -> Result<Document> {
    let mut document = editable_even_in_trash(tx, actor, id)?;
    if document.trashed.take().is_some() {
        save(tx, &mut document)?;
        note(tx, actor, Verb::DocumentRestored, &document, None)?;
    }
    Ok(document)
}

/// Deletes a document and its versions for good; the bytes go a while later, when nothing else
/// uses them.
///
/// # Errors
/// `Conflict` for one that is not in the trash: nothing is lost in a single step.
pub fn delete(tx: &mut WriteTx, actor: &Actor, id: Id<Document>) -> Result<()> {
    tx.draw_on_reserve();
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
    note(tx, actor, Verb::DocumentDeleted, &document, None)
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

/// How many documents the actor may restore.
pub fn in_trash_count(tx: &ReadTx, actor: &Actor, organization: Id<Organization>) -> Result<u64> {
    decide(actor, Action::Browse(organization))?;
    match (actor.role_in(organization), actor.user) {
        (Some(Role::Manager | Role::Admin), _) => {
            tx.index(&BY_TRASHED).within(&organization).count()
        }
        (Some(Role::Editor), Some(user)) => {
            tx.index(&OWN_TRASHED).within(&(organization, user)).count()
        }
        _ => Ok(0),
    }
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
