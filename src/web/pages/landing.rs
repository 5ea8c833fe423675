//! What strangers see at `/`.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use askama::Template;

use super::{Go, Html, Page, Place, filters, page};
use crate::{
    app::App,
    domain::users,
    web::{auth::Visitor, fault::Result},
};

/// `GET /` for those who are not signed in.
#[derive(Clone, Debug, Template)]
#[template(path = "landing.html")]
pub struct LandingPage {
    pub page: Page,
    /// No administrator exists yet: the page says where the setup link is printed.
    pub needs_setup: bool,
}

/// The library for those who are signed in, a word of welcome for others.
pub async fn show(app: Data<App>, request: HttpRequest, visitor: Visitor) -> Result<HttpResponse> {
    if visitor.user.is_some() {
        return Ok(Go::to("/documents").response());
    }
    let needs_setup = !app.store.read(users::has_administrator).await?;
    let page = page(&request, &visitor, Place::Elsewhere).await?;
    Html(LandingPage { page, needs_setup }).with_status(StatusCode::OK)
}
