//! The same change to many documents, each with an outcome of its own.

use actix_web::web::{Data, Json as Answer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{add::visibility, change::VisibilityForm};
use crate::{
    app::{self, App},
    domain::documents::Document,
    error::{Error, Result as AppResult},
    id::Id,
    web::{
        auth::Member,
        body::Json,
        fault::{Result, status_of},
    },
};

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
    let change = form.change.meant()?;
    let outcomes = app.change_many(member.actor(), form.documents, change).await?;
    let results: Vec<BulkResult> =
        outcomes.into_iter().map(|(id, outcome)| BulkResult::of(id, outcome)).collect();
    let failed = results.iter().filter(|result| result.detail.is_some()).count();
    Ok(Answer(BulkAnswer { done: results.len() - failed, failed, results }))
}

impl BulkChange {
    /// # Errors
    /// `Invalid` for a visibility that makes no sense.
    fn meant(self) -> AppResult<app::BulkChange> {
        Ok(match self {
            BulkChange::Category(name) => app::BulkChange::Category(name.unwrap_or_default()),
            BulkChange::Visibility(form) => {
                app::BulkChange::Visibility(visibility(&form.visibility, form.groups, form.people)?)
            }
            BulkChange::Publish => app::BulkChange::Publish,
            BulkChange::Withdraw => app::BulkChange::Withdraw,
            BulkChange::Archive => app::BulkChange::Archive,
            BulkChange::Trash => app::BulkChange::Trash,
            BulkChange::Restore => app::BulkChange::Restore,
        })
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
