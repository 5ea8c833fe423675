//! Deciding who sees one document, or the documents chosen in the administration.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Path},
};
use askama::Template;

use super::{
    Status, Visibility, VisibilityFields,
    form::{DocumentForm, seen},
};
use crate::{
    app::App,
    domain::documents::{self, Document},
    error::Error,
    id::Id,
    web::{
        auth::Member,
        body::Form,
        fault::Result,
        pages::{
            Choice, Difference, FormErrors, Go, HiddenField, Html, Page, Place, filters, page,
        },
    },
};

/// `GET` and `POST /documents/{id}/visibility`; with `id` repeated as a hidden field it also serves
/// the bulk action of `/admin/documents`.
#[derive(Clone, Debug, Template)]
#[template(path = "documents/visibility.html")]
pub struct VisibilityPage {
    pub page: Page,
    pub errors: FormErrors,
    /// Where the form posts to.
    pub action: String,
    /// Where "Cancel" leads.
    pub back_href: String,
    /// The document's title, or `12 documents`.
    pub title: String,
    /// A draft is seen by its makers alone, whatever is chosen here: the page says so.
    pub status: Status,
    pub visibility: VisibilityFields,
    pub carried: Vec<HiddenField>,
    /// What somebody else has stored meanwhile; what is carried is the mark of their state then.
    pub conflict: Vec<Difference>,
}

pub async fn show(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<Document>>,
) -> Result<HttpResponse> {
    let document = editable(&app, &member, *id).await?;
    let form = DocumentForm::about(&document, None);
    let (errors, none) = (FormErrors::none(), Vec::new());
    let shown = visibility_page(&app, &request, &member, &document, &form, errors, none).await?;
    Html(shown).with_status(StatusCode::OK)
}

pub async fn submit(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<Document>>,
    Form(form): Form<DocumentForm>,
) -> Result<HttpResponse> {
    let document = editable(&app, &member, *id).await?;
    match save(&app, &member, *id, &form).await {
        Ok(saved) => {
            Ok(Go::to(format!("/documents/{id}")).saying(said_of(&saved, &member)).response())
        }
        Err(error @ Error::Conflict(_)) => {
            ask_again(&app, &request, &member, *id, form, error).await
        }
        Err(error) => {
            let (errors, status) = FormErrors::refusing(error)?;
            let none = Vec::new();
            Html(visibility_page(&app, &request, &member, &document, &form, errors, none).await?)
                .with_status(status)
        }
    }
}

/// Somebody else was faster: the form again, with what they stored.
async fn ask_again(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    id: Id<Document>,
    mut form: DocumentForm,
    error: Error,
) -> Result<HttpResponse> {
    let document = editable(app, member, id).await?;
    let stored = DocumentForm::about(&document, None);
    let conflict = differences(
        &stored.visibility_fields(app, member.actor()).await?,
        &form.visibility_fields(app, member.actor()).await?,
    );
    form.seen = stored.seen;
    let (errors, status) = FormErrors::refusing(error)?;
    Html(visibility_page(app, request, member, &document, &form, errors, conflict).await?)
        .with_status(status)
}

fn differences(stored: &VisibilityFields, own: &VisibilityFields) -> Vec<Difference> {
    // The lists are sent along when they do not count, too.
    let listed = |fields: &VisibilityFields, all: &[Choice]| match fields.chosen {
        Visibility::Restricted => Choice::chosen(all),
        Visibility::Organization | Visibility::Public => String::new(),
    };
    let seen_by = |fields: &VisibilityFields| fields.chosen.label().to_owned();
    Difference::among([
        ("Who can see it", seen_by(stored), seen_by(own)),
        ("Groups", listed(stored, &stored.groups), listed(own, &own.groups)),
        ("People", listed(stored, &stored.people), listed(own, &own.people)),
    ])
}

/// Who sees it from now on.
fn said_of(document: &Document, member: &Member) -> String {
    let title = &document.title;
    match &document.visibility {
        documents::Visibility::Organization => {
            format!("“{title}” can be seen by everyone in the organization.")
        }
        documents::Visibility::Public => {
            format!("“{title}” can be seen by anyone who has the address.")
        }
        documents::Visibility::Restricted { groups, people }
            if groups.is_empty() && people.is_empty() =>
        {
            match document.created_by == member.user.id {
                true => "Only you, managers and administrators can see it now.".into(),
                false => {
                    "Only the person who added it, managers and administrators can see it now."
                        .into()
                }
            }
        }
        documents::Visibility::Restricted { .. } => {
            format!("“{title}” can be seen only by the groups and people you chose.")
        }
    }
}

async fn editable(app: &App, member: &Member, id: Id<Document>) -> crate::error::Result<Document> {
    let actor = member.actor();
    app.store.read(move |tx| documents::editable(tx, &actor, id)).await
}

async fn save(
    app: &App,
    member: &Member,
    id: Id<Document>,
    form: &DocumentForm,
) -> crate::error::Result<Document> {
    let visibility = form.visibility()?;
    let shown = form.seen.clone();
    app.write_as(member.actor(), move |tx, actor| {
        shown.require(&seen(&documents::editable(tx, actor, id)?.visibility))?;
        documents::set_visibility(tx, actor, id, visibility)
    })
    .await
}

async fn visibility_page(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    document: &Document,
    form: &DocumentForm,
    errors: FormErrors,
    conflict: Vec<Difference>,
) -> Result<VisibilityPage> {
    let id = document.id;
    Ok(VisibilityPage {
        page: page(request, &member.visitor, Place::Library).await?,
        errors,
        action: format!("/documents/{id}/visibility"),
        back_href: format!("/documents/{id}"),
        title: document.title.clone(),
        status: document.status.into(),
        visibility: form.visibility_fields(app, member.actor()).await?,
        carried: vec![HiddenField::new("seen", form.seen.to_string())],
        conflict,
    })
}
