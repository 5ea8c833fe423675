//! Changing what a document is called and where it belongs.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Path},
};
use askama::Template;

use super::{
    DetailsFields,
    form::{DocumentForm, kinds_of_files},
};
use crate::{
    app::App,
    domain::documents::{self, Document, DocumentEdit, Kind},
    error::Error,
    id::Id,
    web::{
        auth::Member,
        body::Form,
        fault::Result,
        pages::{Difference, FormErrors, Go, Html, Page, Place, filters, page},
    },
};

/// `GET` and `POST /documents/{id}/edit`: the details, and `url` for links.
#[derive(Clone, Debug, Template)]
#[template(path = "documents/edit.html")]
pub struct EditPage {
    pub page: Page,
    pub errors: FormErrors,
    pub id: String,
    /// The title as it is stored, for the heading.
    pub title: String,
    pub details: DetailsFields,
    /// `Some` for a link: where it leads.
    pub url: Option<String>,
    /// The state that was read, sent back as `etag`, so that two people do not overwrite each
    /// other without noticing.
    pub etag: String,
    /// What somebody else has stored meanwhile; `etag` is that of their state then.
    pub conflict: Vec<Difference>,
}

pub async fn show(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<Document>>,
) -> Result<HttpResponse> {
    let (actor, id) = (member.actor(), *id);
    let document = app.store.read(move |tx| documents::editable(tx, &actor, id)).await?;
    let category = app.reading(member.actor(), id).await?.found.category;
    let form = DocumentForm::about(&document, category.as_deref());
    let errors = FormErrors::none();
    let shown = edit_page(&app, &request, &member, &document, &form, errors, Vec::new()).await?;
    Html(shown).with_status(StatusCode::OK)
}

pub async fn submit(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<Document>>,
    Form(form): Form<DocumentForm>,
) -> Result<HttpResponse> {
    let (actor, id) = (member.actor(), *id);
    let document = app.store.read(move |tx| documents::editable(tx, &actor, id)).await?;
    match save(&app, &member, &document, &form).await {
        Ok(saved) => Ok(Go::to(format!("/documents/{id}"))
            .saying(format!("“{}” is saved.", saved.title))
            .response()),
        Err(Error::Conflict(_)) => ask_again(&app, &request, &member, id, form).await,
        Err(error) => {
            let (errors, status) = FormErrors::refusing(error)?;
            let none = Vec::new();
            Html(edit_page(&app, &request, &member, &document, &form, errors, none).await?)
                .with_status(status)
        }
    }
}

/// Somebody else was faster: the form again, with what they stored and with the state that it would
/// replace. Who saves then has seen both.
async fn ask_again(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    id: Id<Document>,
    mut form: DocumentForm,
) -> Result<HttpResponse> {
    let actor = member.actor();
    let document = app.store.read(move |tx| documents::editable(tx, &actor, id)).await?;
    let category = app.reading(member.actor(), id).await?.found.category;
    let stored = DocumentForm::about(&document, category.as_deref());
    let conflict = differences(&stored, &form);
    form.etag = stored.etag;
    let errors = FormErrors::of(&Error::conflict(
        "Somebody changed this document in the meantime. Nothing of yours is saved yet.",
    ));
    Html(edit_page(app, request, member, &document, &form, errors, conflict).await?)
        .with_status(StatusCode::CONFLICT)
}

fn differences(stored: &DocumentForm, own: &DocumentForm) -> Vec<Difference> {
    let kind = |form: &DocumentForm| {
        Kind::from_name(&form.kind).map(|kind| kind.label().to_owned()).unwrap_or_default()
    };
    let mut fields = vec![
        ("Title", stored.title.clone(), own.title.clone()),
        ("Description", stored.description.clone(), own.description.replace("\r\n", "\n")),
        ("Category", stored.category.clone(), own.category.clone()),
        ("Tags", stored.tags.clone(), own.tags.clone()),
        ("Address", stored.url.clone(), own.url.clone()),
    ];
    // The form of a link does not ask for it.
    if !own.kind.is_empty() {
        fields.push(("Kind", kind(stored), kind(own)));
    }
    Difference::among(fields)
}

async fn save(
    app: &App,
    member: &Member,
    document: &Document,
    form: &DocumentForm,
) -> crate::error::Result<Document> {
    let edit = DocumentEdit {
        title: Some(form.title.clone()),
        description: Some(form.description.clone()),
        category: Some(form.category.clone()),
        tags: Some(vec![form.tags.clone()]),
        kind: match form.kind.as_str() {
            "" => None,
            kind => Some(Kind::from_name(kind)?),
        },
        url: document.link.as_ref().map(|_| form.url.clone()),
    };
    let (actor, id) = (member.actor(), document.id);
    // A form that does not say what it has read would overwrite whatever there is.
    let revision = form.etag.parse().unwrap_or(0);
    app.write_as(actor, move |tx, actor| documents::edit(tx, actor, id, edit, Some(revision))).await
}

/// The form keeps the revision that was read first, also when it is shown again: whoever saves over
/// somebody else's change has seen that change before.
async fn edit_page(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    document: &Document,
    form: &DocumentForm,
    errors: FormErrors,
    conflict: Vec<Difference>,
) -> Result<EditPage> {
    let kinds = if document.link.is_some() { Vec::new() } else { kinds_of_files() };
    Ok(EditPage {
        page: page(request, &member.visitor, Place::Library).await?,
        errors,
        id: document.id.to_string(),
        title: document.title.clone(),
        details: form.details(app, member.actor(), &kinds).await?,
        url: document.link.as_ref().map(|_| form.url.clone()),
        etag: form.etag.clone(),
        conflict,
    })
}
