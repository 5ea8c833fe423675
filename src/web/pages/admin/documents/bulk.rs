//! Acting on many documents at once.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use serde::Deserialize;

use crate::{
    app::{App, BulkChange},
    domain::{
        access::{Action, decide},
        categories,
        documents::Document,
    },
    error::{Error, Result as DomainResult},
    id::Id,
    web::{
        auth::Member,
        body::Form,
        fault::Result,
        pages::{
            FormErrors, Go, HiddenField, Html, Place, back,
            documents::{Status, form::DocumentForm, visibility::VisibilityPage},
            format, page,
        },
    },
};

/// What the table sends: the chosen documents, and the button that was pressed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct BulkForm {
    id: Vec<String>,
    act: String,
    /// An id; empty for none.
    category: String,
}

const PAGE: &str = "/admin/documents";

pub async fn submit(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Form(form): Form<BulkForm>,
) -> Result<HttpResponse> {
    decide(&member.actor(), Action::Curate(member.organization))?;
    let to = back(&request, PAGE);
    let ids = match chosen(&form.id) {
        Ok(ids) => ids,
        Err(error) => return Ok(Go::to(to).complaining(error.to_string()).response()),
    };
    let (change, verb) = match form.act.as_str() {
        "category" => (category(&app, &member, &form.category).await?, "moved"),
        "publish" => (BulkChange::Publish, "published"),
        "archive" => (BulkChange::Archive, "archived"),
        "trash" => (BulkChange::Trash, "moved to the trash"),
        "visibility" => {
            let asked = DocumentForm::default();
            return ask_visibility(&app, &request, &member, &form.id, &asked, Ok(())).await;
        }
        _ => return Err(Error::invalid("Choose what to do with the documents.").into()),
    };
    change_all(&app, &member, ids, change, verb, to).await
}

/// Takes a move to the trash back.
pub async fn restore(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Form(form): Form<BulkForm>,
) -> Result<HttpResponse> {
    decide(&member.actor(), Action::Curate(member.organization))?;
    let to = back(&request, PAGE);
    match chosen(&form.id) {
        Ok(ids) => change_all(&app, &member, ids, BulkChange::Restore, "restored", to).await,
        Err(error) => Ok(Go::to(to).complaining(error.to_string()).response()),
    }
}

/// The visibility page for several documents posts here.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct VisibilityForm {
    id: Vec<String>,
    visibility: String,
    groups: Vec<String>,
    people: Vec<String>,
}

pub async fn set_visibility(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Form(form): Form<VisibilityForm>,
) -> Result<HttpResponse> {
    decide(&member.actor(), Action::Curate(member.organization))?;
    let asked = DocumentForm {
        visibility: form.visibility,
        groups: form.groups,
        people: form.people,
        ..DocumentForm::default()
    };
    match asked.visibility() {
        Ok(visibility) => {
            let ids = chosen(&form.id)?;
            let change = BulkChange::Visibility(visibility);
            change_all(&app, &member, ids, change, "changed", PAGE.into()).await
        }
        Err(error) => ask_visibility(&app, &request, &member, &form.id, &asked, Err(error)).await,
    }
}

fn chosen(ids: &[String]) -> DomainResult<Vec<Id<Document>>> {
    if ids.is_empty() {
        return Err(Error::invalid("Choose at least one document first."));
    }
    let wrong = |_| Error::invalid("One of the documents does not exist.");
    ids.iter().map(|id| id.parse().map_err(wrong)).collect()
}

async fn category(app: &App, member: &Member, id: &str) -> DomainResult<BulkChange> {
    if id.is_empty() {
        return Ok(BulkChange::Category(String::new()));
    }
    let id = id.parse().map_err(|_| Error::not_found("category"))?;
    let organization = member.organization;
    let category = app.store.read(move |tx| categories::get(tx, organization, id)).await?;
    Ok(BulkChange::Category(category.name))
}

async fn change_all(
    app: &App,
    member: &Member,
    ids: Vec<Id<Document>>,
    change: BulkChange,
    verb: &str,
    to: String,
) -> Result<HttpResponse> {
    let can_be_undone = change == BulkChange::Trash;
    let outcomes = app.change_many(member.actor(), ids, change).await?;
    let done = outcomes.iter().filter(|(_, outcome)| outcome.is_ok());
    let done: Vec<String> = done.map(|(id, _)| id.to_string()).collect();
    let many = format::counted(done.len() as u64, "document is", "documents are");
    let said = format!("{many} {verb}.");
    let go = match outcomes.into_iter().find_map(|(_, outcome)| outcome.err()) {
        None => Go::to(to).saying(said),
        Some(Error::Internal(chain)) => return Err(chain.into()),
        Some(error) => Go::to(to).complaining(format!("{said} Some are not: {error}")),
    };
    if can_be_undone && !done.is_empty() {
        return Ok(go.with_undo_of("/admin/documents/restore", done).response());
    }
    Ok(go.response())
}

async fn ask_visibility(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    ids: &[String],
    form: &DocumentForm,
    outcome: DomainResult<()>,
) -> Result<HttpResponse> {
    let (errors, status): (FormErrors, StatusCode) = FormErrors::after(outcome)?;
    Html(VisibilityPage {
        page: page(request, &member.visitor, Place::Documents).await?,
        errors,
        action: "/admin/documents/visibility".into(),
        back_href: PAGE.into(),
        title: format::counted(ids.len() as u64, "document", "documents"),
        status: Status::Published,
        visibility: form.visibility_fields(app, member.actor()).await?,
        carried: ids.iter().map(|id| HiddenField::new("id", id.clone())).collect(),
        conflict: Vec::new(),
    })
    .with_status(status)
}
