//! One document: showing it, changing what is said about it and who sees it.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Data, Path},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    add::visibility,
    view::{DocumentView, VisibilityName},
};
use crate::{
    app::App,
    domain::{
        access::{Action, Actor, decide},
        documents::{self, Document, DocumentEdit, Kind},
        groups::Group,
        users::User,
    },
    error::Result as AppResult,
    id::Id,
    store::ReadTx,
    web::{
        api::parts::{IfMatch, present, tagged},
        auth::Visitor,
        body::Json,
        fault::Result,
    },
};

pub async fn show(
    app: Data<App>,
    visitor: Visitor,
    id: Path<Id<Document>>,
) -> Result<HttpResponse> {
    let (actor, id) = (visitor.actor(), id.into_inner());
    let view = app
        .store
        .read(move |tx| {
            let document = documents::readable(tx, &actor, id)?;
            DocumentView::of(tx, &actor, document)
        })
        .await?;
    Ok(tagged(StatusCode::OK, view.revision(), &view))
}

/// What to change; a field that is left out stays as it is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentChange {
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String")]
    title: Option<String>,
    /// `null` empties it.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    description: Option<Option<String>>,
    /// The name of a category, made when it is new; `null` for none.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    category: Option<Option<String>>,
    /// All tags; `null` removes them.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<Vec<String>>")]
    tags: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Kind")]
    kind: Option<Kind>,
    /// Where a link leads.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String")]
    url: Option<String>,
}

/// Does not wait for the search index, which follows within moments: nothing that anybody may not
/// see can show because of it.
pub async fn edit(
    app: Data<App>,
    visitor: Visitor,
    id: Path<Id<Document>>,
    if_match: IfMatch,
    Json(change): Json<DocumentChange>,
) -> Result<HttpResponse> {
    let (actor, id) = (visitor.actor(), id.into_inner());
    let edit = DocumentEdit {
        title: change.title,
        description: change.description.map(Option::unwrap_or_default),
        category: change.category.map(Option::unwrap_or_default),
        tags: change.tags.map(Option::unwrap_or_default),
        kind: change.kind,
        url: change.url,
    };
    let view = app
        .write_as(actor, move |tx, actor| {
            require_edit(tx, actor, id, &if_match)?;
            let document = documents::edit(tx, actor, id, edit, None)?;
            DocumentView::of(tx, actor, document)
        })
        .await?;
    Ok(tagged(StatusCode::OK, view.revision(), &view))
}

/// # Errors
/// As [`decide`] first, so that nobody learns a revision who may not change the document; then
/// `Stale` when the client has seen another one.
pub(super) fn require_edit(
    tx: &ReadTx,
    actor: &Actor,
    id: Id<Document>,
    if_match: &IfMatch,
) -> AppResult<()> {
    let document = documents::readable(tx, actor, id)?;
    decide(actor, Action::Edit(&document))?;
    if_match.check(document.revision)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VisibilityForm {
    #[schemars(with = "VisibilityName")]
    pub(super) visibility: String,
    /// Who sees a restricted document.
    #[serde(default)]
    pub(super) groups: Vec<Id<Group>>,
    /// As `groups`.
    #[serde(default)]
    pub(super) people: Vec<Id<User>>,
}

pub async fn set_visibility(
    app: Data<App>,
    visitor: Visitor,
    id: Path<Id<Document>>,
    if_match: IfMatch,
    Json(form): Json<VisibilityForm>,
) -> Result<HttpResponse> {
    let (actor, id) = (visitor.actor(), id.into_inner());
    let visibility = visibility(&form.visibility, form.groups, form.people)?;
    let view = app
        .write_as(actor, move |tx, actor| {
            require_edit(tx, actor, id, &if_match)?;
            let document = documents::set_visibility(tx, actor, id, visibility)?;
            DocumentView::of(tx, actor, document)
        })
        .await?;
    Ok(tagged(StatusCode::OK, view.revision(), &view))
}
