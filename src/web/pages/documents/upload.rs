//! Adding files. The form works as it is (many files, one set of details); the page's script sends
//! each file by itself, with progress, cancel and retry.

use actix_multipart::Multipart;
use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::Data,
};
use askama::Template;
use serde::Serialize;

use super::{
    DetailsFields, Status, VisibilityFields,
    form::{DocumentForm, kinds_of_files},
};
use crate::{
    app::App,
    domain::{
        access::{Action, decide},
        documents::{self, Document},
        versions::NewFile,
    },
    error::Error,
    web::{
        auth::Member,
        body::{self, Received},
        fault::Result,
        pages::{FormErrors, Go, Html, Page, Place, filters, format, page},
    },
};

/// `GET /documents/upload`; posts `multipart/form-data` to the same address: `csrf` first, `file`
/// (repeated), the details, `status`, the visibility. Without the script the files come before the
/// details, because that is how people fill it in: spool them, then read on.
///
/// The script posts one file at a time, as the last part, to the same address with `Accept:
/// application/json` and the header `X-CSRF-Token`; it expects `201` with `{"title", "url", "message"}`, or a
/// problem with `detail`.
#[derive(Clone, Debug, Template)]
#[template(path = "documents/upload.html")]
pub struct UploadPage {
    pub page: Page,
    pub errors: FormErrors,
    pub limits: UploadLimits,
    pub details: DetailsFields,
    pub status: Status,
    pub visibility: VisibilityFields,
    /// What happened to each file, after a submission without the script of which some failed.
    pub outcomes: Vec<UploadOutcome>,
}

/// What the script must know before it sends anything.
#[derive(Clone, Debug, Default)]
pub struct UploadLimits {
    pub file_size_bytes_max: u64,
    /// How many files one form may carry.
    pub files_max: usize,
}

/// What became of one file.
#[derive(Clone, Debug)]
pub struct UploadOutcome {
    pub filename: String,
    /// The new document's page; `None` when it failed.
    pub href: Option<String>,
    /// What went wrong and what to do; empty on success.
    pub message: String,
}

/// What the script hears of a file that is stored.
#[derive(Serialize)]
pub struct Stored {
    pub title: String,
    pub url: String,
    /// What the next page says, as it would without the script.
    pub message: String,
}

pub async fn show(app: Data<App>, request: HttpRequest, member: Member) -> Result<HttpResponse> {
    decide(&member.actor(), Action::Upload(member.organization))?;
    let form = DocumentForm::default();
    let shown = upload_page(&app, &request, &member, &form, FormErrors::none(), Vec::new()).await?;
    Html(shown).with_status(StatusCode::OK)
}

/// One file from the script, or all of them at once without it.
pub async fn submit(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    multipart: Multipart,
) -> Result<HttpResponse> {
    // Nobody should send gigabytes only to hear that they may not.
    decide(&member.actor(), Action::Upload(member.organization))?;
    if is_from_script(&request) {
        let mut received =
            body::receive(&app, &request, &member.visitor, multipart, &["file"]).await?;
        let file = received.one_file()?;
        let form = DocumentForm::of(&received);
        let document = add(&app, &member, &form, file).await?;
        return Ok(stored(&document, is_in_the_library(&document)));
    }
    let received =
        body::receive_each(&app, &request, &member.visitor, multipart, &["file"]).await?;
    submit_all(&app, &request, &member, received).await
}

async fn submit_all(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    received: Received,
) -> Result<HttpResponse> {
    let mut form = DocumentForm::of(&received);
    let count = received.files.len() + received.refused.len();
    if count == 0 {
        let error = Error::invalid_field("file", "Choose at least one file.");
        let (errors, status) = FormErrors::refusing(error)?;
        let shown = upload_page(app, request, member, &form, errors, Vec::new()).await?;
        return Html(shown).with_status(status);
    }
    if count > 1 {
        // A title for several would tell none of them apart.
        form.title.clear();
    }
    let mut added: Vec<Document> = Vec::new();
    let mut outcomes = Vec::with_capacity(count);
    let mut failure = None;
    for (filename, error) in received.refused {
        outcomes.push(UploadOutcome { filename, href: None, message: error.to_string() });
        failure = Some(error);
    }
    for file in received.files {
        let filename = file.filename.clone();
        match add(app, member, &form, file).await {
            Ok(document) => {
                let href = Some(format!("/documents/{}", document.id));
                outcomes.push(UploadOutcome { filename, href, message: String::new() });
                added.push(document);
            }
            Err(error @ (Error::Invalid { .. } | Error::Conflict(_) | Error::Taken { .. })) => {
                outcomes.push(UploadOutcome { filename, href: None, message: error.to_string() });
                failure = Some(error);
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    if let Some(error) = failure {
        // What is wrong with a file stands beside its name already.
        let is_of_file = !matches!(&error, Error::Invalid { field: Some(it), .. } if *it != "file");
        let (errors, status) = FormErrors::refusing(error)?;
        let errors = if is_of_file { FormErrors::none() } else { errors };
        let shown = upload_page(app, request, member, &form, errors, outcomes).await?;
        return Html(shown).with_status(status);
    }
    Ok(match added.as_slice() {
        [one] => Go::to(format!("/documents/{}", one.id)).saying(is_in_the_library(one)),
        many => Go::to("/documents")
            .saying(format!("{} documents are in the library.", format::number(many.len() as u64))),
    }
    .response())
}

async fn add(
    app: &App,
    member: &Member,
    form: &DocumentForm,
    file: NewFile,
) -> crate::error::Result<Document> {
    let new = form.new_document()?;
    let (actor, organization) = (member.actor(), member.organization);
    app.write_as(actor, move |tx, actor| documents::add_file(tx, actor, organization, new, file))
        .await
}

/// True for the page's script, which wants to hear and not to be sent somewhere.
pub fn is_from_script(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.starts_with("application/json"))
}

/// Tells the script where the document is, and what to say there.
pub fn stored(document: &Document, message: String) -> HttpResponse {
    let url = format!("/documents/{}", document.id);
    HttpResponse::Created().json(Stored { title: document.title.clone(), url, message })
}

fn is_in_the_library(document: &Document) -> String {
    format!("“{}” is in the library.", document.title)
}

fn limits(app: &App) -> UploadLimits {
    UploadLimits {
        file_size_bytes_max: app.settings().upload_bytes_max,
        files_max: body::FILES_MAX,
    }
}

async fn upload_page(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    form: &DocumentForm,
    errors: FormErrors,
    outcomes: Vec<UploadOutcome>,
) -> Result<UploadPage> {
    Ok(UploadPage {
        page: page(request, &member.visitor, Place::Upload).await?,
        errors,
        limits: limits(app),
        details: form.details(app, member.actor(), &kinds_of_files()).await?,
        status: form.chosen_status(),
        visibility: form.visibility_fields(app, member.actor()).await?,
        outcomes,
    })
}
