//! The library as it opens: the newest documents, straight from the store in its own order.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;

use crate::{
    domain::{
        access::{Action, Actor, decide},
        documents::{self, Document},
        organizations::Organization,
    },
    error::{Error, Result},
    id::Id,
    store::{Key, ReadTx},
};

/// Where a page of the newest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    created_at: Timestamp,
    id: Id<Document>,
}

impl Place {
    pub fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode((self.created_at, self.id).to_bytes())
    }

    pub fn decode(text: &str) -> Result<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let place = bytes.and_then(|bytes| <(Timestamp, Id<Document>)>::from_bytes(&bytes));
        let (created_at, id) = place.ok_or_else(|| {
            Error::invalid_field("after", "This page cannot be continued. Start at the first page.")
        })?;
        Ok(Place { created_at, id })
    }
}

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
    let mut merged = documents::newest(
        tx,
        actor,
        organization,
        is_archive,
        after.map(|p| (p.created_at, p.id)),
    )?;
    let mut last = None;
    while let Some((created_at, id)) = merged.next().transpose()? {
        if documents.len() == limit {
            return Ok(Newest { documents, next: last });
        }
        let Some(document) = tx.get::<Document>(&id)? else { continue };
        if decide(actor, Action::Read(&document)).is_ok() {
            documents.push(document);
            last = Some(Place { created_at, id });
        }
    }
    Ok(Newest { documents, next: None })
}
