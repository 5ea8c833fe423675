//! The same change to many documents. Each is a transaction of its own, so that one refusal does not
//! stop the others; the store commits them together all the same.

use futures_util::{StreamExt, stream};

use super::App;
use crate::{
    domain::{
        access::Actor,
        documents::{self, Document, DocumentEdit, Visibility},
    },
    error::{Error, Result},
    id::Id,
    store::WriteTx,
};

/// What is done to each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BulkChange {
    /// Puts it into the category with this name, made when it is new; empty for none.
    Category(String),
    Visibility(Visibility),
    Publish,
    Withdraw,
    Archive,
    Trash,
    Restore,
}

/// How many documents one request may change.
pub const BULK_MAX: usize = 500;
/// How many wait for the store at once.
const TOGETHER: usize = 100;

impl App {
    /// What became of each, in the order of `documents`. When this returns, lists and counts know.
    ///
    /// # Errors
    /// `Invalid` for more than [`BULK_MAX`].
    pub async fn change_many(
        &self,
        actor: Actor,
        documents: Vec<Id<Document>>,
        change: BulkChange,
    ) -> Result<Vec<(Id<Document>, Result<()>)>> {
        if documents.len() > BULK_MAX {
            let message = format!("Choose at most {BULK_MAX} documents at once.");
            return Err(Error::invalid_field("documents", message));
        }
        let outcomes = stream::iter(documents)
            .map(|id| {
                let change = change.clone();
                let done =
                    self.write_as(actor.clone(), move |tx, actor| change.apply(tx, actor, id));
                async move { (id, done.await) }
            })
            .buffered(TOGETHER)
            .collect()
            .await;
        Ok(outcomes)
    }
}

impl BulkChange {
    fn apply(self, tx: &mut WriteTx, actor: &Actor, id: Id<Document>) -> Result<()> {
        match self {
            BulkChange::Category(name) => {
                let edit = DocumentEdit { category: Some(name), ..DocumentEdit::default() };
                documents::edit(tx, actor, id, edit, None)
            }
            BulkChange::Visibility(visibility) => {
                documents::set_visibility(tx, actor, id, visibility)
            }
            BulkChange::Publish => documents::publish(tx, actor, id),
            BulkChange::Withdraw => documents::withdraw(tx, actor, id),
            BulkChange::Archive => documents::archive(tx, actor, id),
            BulkChange::Trash => documents::trash(tx, actor, id),
            BulkChange::Restore => documents::restore(tx, actor, id),
        }
        .map(|_| ())
    }
}
