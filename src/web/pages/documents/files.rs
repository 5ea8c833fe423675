//! What a document consists of, for browsers: the file to save, the file to show, its pictures.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};

use crate::{
    app::App,
    domain::{documents::Document, versions::Version},
    id::Id,
    web::{
        auth::Visitor,
        content::{Caching, Disposition, deliver, deliver_image},
        fault::Result,
    },
};

/// `GET /documents/{id}/download`.
pub async fn download(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    id: Path<Id<Document>>,
) -> Result<HttpResponse> {
    let content = app.content(visitor.actor(), *id, None).await?;
    let actor = visitor.actor();
    deliver(&app, &request, actor, content, Disposition::Attachment, Caching::Private).await
}

/// `GET /documents/{id}/versions/{version}/download`.
pub async fn download_version(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    path: Path<(Id<Document>, Id<Version>)>,
) -> Result<HttpResponse> {
    let (id, version) = path.into_inner();
    let content = app.content(visitor.actor(), id, Some(version)).await?;
    let actor = visitor.actor();
    deliver(&app, &request, actor, content, Disposition::Attachment, Caching::Private).await
}

/// `GET /documents/{id}/content`: shown in the document's page.
pub async fn content(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    id: Path<Id<Document>>,
) -> Result<HttpResponse> {
    let content = app.content(visitor.actor(), *id, None).await?;
    let actor = visitor.actor();
    deliver(&app, &request, actor, content, Disposition::Inline, Caching::Private).await
}

/// `GET /documents/{id}/thumbnail`.
pub async fn thumbnail(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    id: Path<Id<Document>>,
) -> Result<HttpResponse> {
    let image = app.thumbnail(visitor.actor(), *id).await?;
    Ok(deliver_image(&request, image, Caching::Private))
}

/// `GET /documents/{id}/pages/{page}`: pages count from 1.
pub async fn page_image(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    path: Path<(Id<Document>, u32)>,
) -> Result<HttpResponse> {
    let (id, page) = path.into_inner();
    let image = app.page(visitor.actor(), id, page).await?;
    Ok(deliver_image(&request, image, Caching::Private))
}
