//! Adding a link: a document that lives elsewhere.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use askama::Template;

use super::{DetailsFields, Status, VisibilityFields, form::DocumentForm};
use crate::{
    app::App,
    domain::{
        access::{Action, decide},
        documents::{self, Document},
    },
    web::{
        auth::Member,
        body::Form,
        fault::Result,
        pages::{FormErrors, Go, Html, Page, Place, filters, page},
    },
};

/// `GET` and `POST /documents/link`: `url`, the details, `status`, the visibility.
#[derive(Clone, Debug, Template)]
#[template(path = "documents/link.html")]
pub struct LinkPage {
    pub page: Page,
    pub errors: FormErrors,
    pub url: String,
    pub details: DetailsFields,
    pub status: Status,
    pub visibility: VisibilityFields,
}

pub async fn show(app: Data<App>, request: HttpRequest, member: Member) -> Result<HttpResponse> {
    decide(&member.actor(), Action::Upload(member.organization))?;
    let form = DocumentForm::default();
    let shown = link_page(&app, &request, &member, &form, FormErrors::none()).await?;
    Html(shown).with_status(StatusCode::OK)
}

pub async fn submit(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Form(form): Form<DocumentForm>,
) -> Result<HttpResponse> {
    match add(&app, &member, &form).await {
        Ok(document) => {
            let to = format!("/documents/{}", document.id);
            Ok(Go::to(to).saying(format!("“{}” is in the library.", document.title)).response())
        }
        Err(error) => {
            let (errors, status) = FormErrors::refusing(error)?;
            Html(link_page(&app, &request, &member, &form, errors).await?).with_status(status)
        }
    }
}

async fn add(app: &App, member: &Member, form: &DocumentForm) -> crate::error::Result<Document> {
    let new = form.new_document()?;
    let (actor, organization, url) = (member.actor(), member.organization, form.url.clone());
    app.write_as(actor, move |tx, actor| documents::add_link(tx, actor, organization, new, &url))
        .await
}

async fn link_page(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    form: &DocumentForm,
    errors: FormErrors,
) -> Result<LinkPage> {
    Ok(LinkPage {
        page: page(request, &member.visitor, Place::Upload).await?,
        errors,
        url: form.url.clone(),
        details: form.details(app, member.actor(), &[]).await?,
        status: form.chosen_status(),
        visibility: form.visibility_fields(app, member.actor()).await?,
    })
}
