//! Which documents there are, a page at a time.

use std::iter::{self, Peekable};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{BY_CATEGORY, BY_CREATOR, BY_TERM, Document};
use crate::{
    domain::{
        access::{Actor, Term},
        categories::Category,
        groups::Group,
        organizations::Organization,
        users::User,
        versions,
    },
    error::Result,
    hash::ContentHash,
    id::Id,
    store::ReadTx,
};

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
    Ok(iter::from_fn(move || {
        let faulty = lists.iter_mut().position(|list| matches!(list.peek(), Some(Err(_))));
        if let Some(faulty) = faulty {
            return lists[faulty].next();
        }
        let head = |list: &mut Peekable<_>| -> Option<(Timestamp, Id<Document>)> {
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

pub(in crate::domain) fn some_in_category(tx: &ReadTx, category: Id<Category>) -> Result<bool> {
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

/// What many documents may have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shared {
    Category(Id<Category>),
    /// The bytes of a version.
    Blob(ContentHash),
}

/// Up to `limit` documents that have this in common, and after what the next page begins, if there
/// may be one.
pub fn sharing(
    tx: &ReadTx,
    shared: Shared,
    after: Option<Uuid>,
    limit: usize,
) -> Result<(Vec<Id<Document>>, Option<Uuid>)> {
    let (documents, last) = match shared {
        Shared::Category(category) => {
            let documents = in_category(tx, category, after.map(Id::from_uuid), limit)?;
            let last = documents.last().map(|id| id.uuid());
            (documents, last)
        }
        Shared::Blob(blob) => {
            let versions = versions::of_blob(tx, blob, after.map(Id::from_uuid), limit)?;
            let last = versions.last().map(|version| version.id.uuid());
            (versions.into_iter().map(|version| version.document).collect(), last)
        }
    };
    let next = last.filter(|_| documents.len() == limit);
    Ok((documents, next))
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
