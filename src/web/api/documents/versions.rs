//! The files that a document has had.

use actix_multipart::Multipart;
use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Json as Answer, Path},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{add::only_known_fields, change::require_edit, view::DocumentView};
use crate::{
    app::{self, App},
    domain::{
        documents::{self, Document},
        versions::{self, Version},
    },
    error::Result as AppResult,
    id::Id,
    web::{
        api::parts::{IfMatch, Named, tagged},
        auth::Visitor,
        body::{self, NoBody},
        fault::Result,
    },
};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Version")]
pub struct VersionView {
    id: Id<Version>,
    /// 1 for the first upload.
    number: u32,
    filename: String,
    media_type: String,
    size_bytes: u64,
    created_at: Timestamp,
    /// `null` for readers from outside of the organization.
    created_by: Option<Named>,
    /// The one that is shown and downloaded.
    is_current: bool,
}

#[derive(Serialize, JsonSchema)]
pub struct VersionList {
    /// The latest first; readers from outside of the organization see only the current one.
    versions: Vec<VersionView>,
}

pub async fn list_versions(
    app: Data<App>,
    visitor: Visitor,
    id: Path<Id<Document>>,
) -> Result<Answer<VersionList>> {
    let (actor, id) = (visitor.actor(), id.into_inner());
    let versions = app
        .store
        .read(move |tx| {
            let document = documents::readable(tx, &actor, id)?;
            let versions = versions::list(tx, &actor, &document)?;
            let names = app::names_of(tx, versions.iter().map(|version| version.created_by))?;
            let is_insider = actor.role_in(document.organization).is_some();
            let current = document.current.map(|file| file.version);
            let view = |version: Version| VersionView {
                created_by: names
                    .get(&version.created_by)
                    .filter(|_| is_insider)
                    .map(|name| Named::new(version.created_by.uuid(), name)),
                is_current: current == Some(version.id),
                id: version.id,
                number: version.number,
                filename: version.filename,
                media_type: version.media_type,
                size_bytes: version.size_bytes,
                created_at: version.created_at,
            };
            AppResult::Ok(versions.into_iter().map(view).collect())
        })
        .await?;
    Ok(Answer(VersionList { versions }))
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "described here, read field by field")]
pub struct VersionUpload {
    #[schemars(extend("format" = "binary"))]
    file: String,
}

pub async fn add_version(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    id: Path<Id<Document>>,
    if_match: IfMatch,
    multipart: Multipart,
) -> Result<HttpResponse> {
    let (actor, id) = (visitor.actor(), id.into_inner());
    // Before a byte is received.
    let asking = actor.clone();
    app.store.read(move |tx| documents::editable(tx, &asking, id)).await?;
    let mut received = body::receive(&app, &request, &visitor, multipart, &["file"]).await?;
    only_known_fields(&received, &[])?;
    let file = received.one_file()?;
    let view = app
        .write_as(actor, move |tx, actor| {
            require_edit(tx, actor, id, &if_match)?;
            let (document, _) = versions::add(tx, actor, id, file)?;
            DocumentView::of(tx, actor, document)
        })
        .await?;
    Ok(tagged(StatusCode::CREATED, view.revision(), &view))
}

pub async fn make_current(
    app: Data<App>,
    visitor: Visitor,
    ids: Path<(Id<Document>, Id<Version>)>,
    if_match: IfMatch,
    _: NoBody,
) -> Result<HttpResponse> {
    let (actor, (id, version)) = (visitor.actor(), ids.into_inner());
    let view = app
        .write_as(actor, move |tx, actor| {
            require_edit(tx, actor, id, &if_match)?;
            let document = versions::make_current(tx, actor, id, version)?;
            DocumentView::of(tx, actor, document)
        })
        .await?;
    Ok(tagged(StatusCode::OK, view.revision(), &view))
}
