//! The library as it opens: the newest documents, straight from the store in its own order.

use jiff::Timestamp;

use crate::{
    domain::{
        access::{Action, Actor, decide},
        documents::{self, Document},
        organizations::Organization,
    },
    error::Result,
    id::Id,
    store::ReadTx,
};

/// Where a page of the newest ended.
pub(super) type Place = (Timestamp, Id<Document>);

pub(super) struct Newest {
    pub documents: Vec<Document>,
    pub next: Option<Place>,
}

/// The newest documents that the actor may read: the lists of all of the actor's terms, each in the
/// order of time, merged.
pub(super) fn newest(
    tx: &ReadTx,
    actor: &Actor,
    organization: Id<Organization>,
    is_archive: bool,
    after: Option<Place>,
    limit: usize,
) -> Result<Newest> {
    let mut documents: Vec<Document> = Vec::with_capacity(limit);
    let mut merged = documents::newest(tx, actor, organization, is_archive, after)?;
    let mut last = None;
    while let Some((created_at, id)) = merged.next().transpose()? {
        if documents.len() == limit {
            return Ok(Newest { documents, next: last });
        }
        let Some(document) = tx.get::<Document>(&id)? else { continue };
        if decide(actor, Action::Read(&document)).is_ok() {
            documents.push(document);
            last = Some((created_at, id));
        }
    }
    Ok(Newest { documents, next: None })
}
