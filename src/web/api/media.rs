//! Files that the whole world may read: for other websites, previews in social networks, and whoever
//! has the address.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Path},
};

use crate::{
    app::App,
    domain::{
        access::Actor,
        documents::{Document, Status},
    },
    error::{Error, Result as AppResult},
    id::Id,
    web::{
        content::{Caching, Disposition, deliver},
        fault::Result,
    },
};

/// Answers everybody alike, as a stranger: caches on the way keep what they see. The id decides; the
/// name is there for people, and for clients that look at the end of an address.
pub async fn serve(
    app: Data<App>,
    request: HttpRequest,
    place: Path<(String, String)>,
) -> Result<HttpResponse> {
    let content = public_content(&app, &place.0).await?;
    let stranger = Actor::stranger();
    let mut response =
        deliver(&app, &request, stranger, content, Disposition::Inline, Caching::Public).await?;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, header::HeaderValue::from_static("*"));
    Ok(response)
}

async fn public_content(app: &App, id: &str) -> AppResult<crate::app::Content> {
    let nothing = || Error::NotFound("There is nothing at this address.".into());
    let id: Id<Document> = id.parse().map_err(|_| nothing())?;
    match app.content(Actor::stranger(), id, None).await {
        Ok(content) if content.document.status == Status::Published => Ok(content),
        Err(Error::Internal(chain)) => Err(Error::Internal(chain)),
        _ => Err(nothing()),
    }
}
