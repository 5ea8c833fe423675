//! The same change to many documents. Each is a transaction of its own, so that one refusal does not
//! stop the others; the store commits them together all the same.

use actix_web::web::{Data, Json as Answer};
use futures_util::{StreamExt, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{add::visibility, change::VisibilityForm};
use crate::{
    app::App,
    domain::{
        access::Actor,
        documents::{self, Document, DocumentEdit, Visibility},
    },
    error::{Error, Result as AppResult},
    id::Id,
    store::WriteTx,
    web::{
        auth::Member,
        body::Json,
        fault::{Result, status_of},
    },
};

const DOCUMENTS_MAX: usize = 500;
/// How many wait for the store at once.
const TOGETHER: usize = 100;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkForm {
    /// Ids of at most 500 documents.
    documents: Vec<Id<Document>>,
    change: BulkChange,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BulkChange {
    /// Puts them into the category with this name, made when it is new; `null` for none.
    Category(Option<String>),
    /// Decides who sees them.
    Visibility(VisibilityForm),
    Publish,
    Withdraw,
    Archive,
    Trash,
    Restore,
}

#[derive(Serialize, JsonSchema)]
pub struct BulkAnswer {
    /// In the order of the request.
    results: Vec<BulkResult>,
    done: usize,
    failed: usize,
}

#[derive(Serialize, JsonSchema)]
pub struct BulkResult {
    id: Id<Document>,
    /// What the change of this document alone would have answered.
    status: u16,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

pub async fn bulk(
    app: Data<App>,
    member: Member,
    Json(form): Json<BulkForm>,
) -> Result<Answer<BulkAnswer>> {
    if form.documents.len() > DOCUMENTS_MAX {
        let message = format!("Choose at most {DOCUMENTS_MAX} documents at once.");
        return Err(Error::invalid_field("documents", message).into());
    }
    let change = Change::of(form.change)?;
    let changes_access = !matches!(change, Change::Category(_));
    let actor = member.actor();
    let results =
        stream::iter(form.documents)
            .map(|id| {
                let (store, actor, change) = (app.store.clone(), actor.clone(), change.clone());
                async move {
                    BulkResult::of(id, store.write(move |tx| change.apply(tx, &actor, id)).await)
                }
            })
            .buffered(TOGETHER)
            .collect::<Vec<_>>()
            .await;
    if changes_access {}
    let failed = results.iter().filter(|result| result.detail.is_some()).count();
    Ok(Answer(BulkAnswer { done: results.len() - failed, failed, results }))
}

/// A [`BulkChange`] that makes sense.
#[derive(Clone)]
enum Change {
    Category(String),
    Visibility(Visibility),
    Step(fn(&mut WriteTx, &Actor, Id<Document>) -> AppResult<Document>),
}

impl Change {
    fn of(change: BulkChange) -> AppResult<Self> {
        Ok(match change {
            BulkChange::Category(name) => Change::Category(name.unwrap_or_default()),
            BulkChange::Visibility(form) => {
                Change::Visibility(visibility(&form.visibility, form.groups, form.people)?)
            }
            BulkChange::Publish => Change::Step(documents::publish),
            BulkChange::Withdraw => Change::Step(documents::withdraw),
            BulkChange::Archive => Change::Step(documents::archive),
            BulkChange::Trash => Change::Step(documents::trash),
            BulkChange::Restore => Change::Step(documents::restore),
        })
    }

    fn apply(self, tx: &mut WriteTx, actor: &Actor, id: Id<Document>) -> AppResult<()> {
        match self {
            Change::Category(name) => {
                let edit = DocumentEdit { category: Some(name), ..DocumentEdit::default() };
                documents::edit(tx, actor, id, edit, None)?;
            }
            Change::Visibility(visibility) => {
                documents::set_visibility(tx, actor, id, visibility)?;
            }
            Change::Step(step) => {
                step(tx, actor, id)?;
            }
        }
        Ok(())
    }
}

impl BulkResult {
    fn of(id: Id<Document>, outcome: AppResult<()>) -> Self {
        let Err(error) = outcome else { return BulkResult { id, status: 200, detail: None } };
        if let Error::Internal(chain) = &error {
            tracing::error!(document = %id, "a bulk change failed: {chain:#}");
        }
        let detail = Some(error.to_string());
        BulkResult { id, status: status_of(&error).as_u16(), detail }
    }
}
