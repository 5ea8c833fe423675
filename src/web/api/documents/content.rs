//! What is in a document: the file, images of it, its text.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Json as Answer, Path},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::view::{TextState, TextStateName};
use crate::{
    app::{self, App},
    domain::documents::{self, Document},
    id::Id,
    web::{
        auth::Visitor,
        content::{Caching, Disposition, deliver, deliver_image},
        fault::Result,
    },
};

/// The file, to be saved.
pub async fn download(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    id: Path<Id<Document>>,
) -> Result<HttpResponse> {
    send(&app, &request, &visitor, id.into_inner(), Disposition::Attachment).await
}

/// The file, to be shown where its type cannot do harm.
pub async fn inline(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    id: Path<Id<Document>>,
) -> Result<HttpResponse> {
    send(&app, &request, &visitor, id.into_inner(), Disposition::Inline).await
}

async fn send(
    app: &App,
    request: &HttpRequest,
    visitor: &Visitor,
    id: Id<Document>,
    disposition: Disposition,
) -> Result<HttpResponse> {
    let content = app.content(visitor.actor(), id, None).await?;
    deliver(app, request, visitor.actor(), content, disposition, Caching::Private).await
}

pub async fn thumbnail(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    id: Path<Id<Document>>,
) -> Result<HttpResponse> {
    let image = app.thumbnail(visitor.actor(), id.into_inner()).await?;
    Ok(deliver_image(&request, image, Caching::Private))
}

pub async fn page(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    place: Path<(Id<Document>, u32)>,
) -> Result<HttpResponse> {
    let (id, number) = place.into_inner();
    let image = app.page(visitor.actor(), id, number).await?;
    Ok(deliver_image(&request, image, Caching::Private))
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Text")]
pub struct TextView {
    #[serde(flatten)]
    state: TextState,
    /// Empty when there is none, or not yet.
    text: String,
}

pub async fn text(
    app: Data<App>,
    visitor: Visitor,
    id: Path<Id<Document>>,
) -> Result<Answer<TextView>> {
    let (actor, id) = (visitor.actor(), id.into_inner());
    let state = app
        .store
        .read(move |tx| {
            let document = documents::readable(tx, &actor, id)?;
            let found = app::with_surroundings(tx, document)?;
            Ok(TextState::of(found.blob.as_ref()))
        })
        .await?;
    let text = match state.state {
        TextStateName::Done => app.text(visitor.actor(), id).await?,
        _ => String::new(),
    };
    Ok(Answer(TextView { state, text }))
}
