//! The trash: what an actor can still take back, and emptying it.

use super::{App, Found, names_of, with_surroundings};
use crate::{
    domain::{
        access::Actor,
        documents::{self, TrashPlace},
    },
    error::Result,
};

/// Documents deleted in one transaction, so that nobody waits long for theirs.
const STEP: usize = 100;
/// Nobody empties more at once; what is left goes with the next time.
const STEPS_MAX: usize = 1_000;

/// A page of the trash.
#[derive(Clone, Debug, Default)]
pub struct TrashPage {
    /// Each with the name of who threw it away.
    pub documents: Vec<(Found, String)>,
    /// On all pages.
    pub total: u64,
    pub next: Option<TrashPlace>,
}

impl App {
    /// A page of what the actor may restore, the latest first.
    pub async fn in_trash(
        &self,
        actor: Actor,
        after: Option<TrashPlace>,
        limit: usize,
    ) -> Result<TrashPage> {
        let organization = actor.at_work()?;
        self.store
            .read(move |tx| {
                let (documents, next) =
                    documents::in_trash_after(tx, &actor, organization, after, limit)?;
                let by = |trashed: documents::Trashed| trashed.by;
                let people = documents.iter().filter_map(|document| document.trashed.and_then(by));
                let names = names_of(tx, people)?;
                let named = |document: documents::Document| {
                    let name = document.trashed.and_then(by).and_then(|id| names.get(&id).cloned());
                    Ok((with_surroundings(tx, document)?, name.unwrap_or_default()))
                };
                Ok(TrashPage {
                    documents: documents.into_iter().map(named).collect::<Result<_>>()?,
                    total: documents::in_trash_count(tx, &actor, organization)?,
                    next,
                })
            })
            .await
    }

    /// Deletes for good whatever the actor could restore. Returns how many documents that were.
    pub async fn empty_trash(&self, actor: Actor) -> Result<u64> {
        let organization = actor.at_work()?;
        let mut deleted = 0;
        for _ in 0..STEPS_MAX {
            let step = self.write_as(actor.clone(), move |tx, actor| {
                let documents = documents::in_trash(tx, actor, organization, STEP)?;
                for document in &documents {
                    documents::delete(tx, actor, document.id)?;
                }
                Ok(documents.len())
            });
            match step.await? {
                0 => break,
                count => deleted += count as u64,
            }
        }
        Ok(deleted)
    }
}
