//! A new file for a document that is there already.

use actix_multipart::Multipart;
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};

use super::{
    show::document_page,
    upload::{is_from_script, stored},
};
use crate::{
    app::App,
    domain::{
        documents::{self, Document},
        versions::{self, Version},
    },
    id::Id,
    web::{
        auth::Member,
        body,
        fault::Result,
        pages::{FormErrors, Go, Html},
    },
};

/// `POST /documents/{id}/versions`: `multipart/form-data` with `csrf`, then `file`. The page's
/// script is answered as for an upload.
pub async fn submit(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<Document>>,
    multipart: Multipart,
) -> Result<HttpResponse> {
    let (actor, id) = (member.actor(), *id);
    // Nobody should send gigabytes only to hear that they may not.
    app.store.read(move |tx| documents::editable(tx, &actor, id)).await?;
    match add(&app, &request, &member, id, multipart).await {
        Ok((document, version)) => {
            let said = format!("Version {} is uploaded.", version.number);
            if is_from_script(&request) {
                return Ok(stored(&document, said));
            }
            Ok(Go::to(format!("/documents/{id}")).saying(said).response())
        }
        Err(error) if is_from_script(&request) => Err(error.into()),
        Err(error) => {
            let (errors, status) = FormErrors::refusing(error)?;
            let shown = document_page(&app, &request, &member.visitor, id, errors).await?;
            Html(shown).with_status(status)
        }
    }
}

async fn add(
    app: &App,
    request: &HttpRequest,
    member: &Member,
    id: Id<Document>,
    multipart: Multipart,
) -> crate::error::Result<(Document, Version)> {
    let mut received = body::receive(app, request, &member.visitor, multipart, &["file"]).await?;
    let file = received.one_file()?;
    let actor = member.actor();
    app.write_as(actor, move |tx, actor| versions::add(tx, actor, id, file)).await
}
