//! The first run: naming the organization and its first administrator, or restoring a backup.

pub mod restore;

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Path},
};
use askama::Template;
use serde::Deserialize;

use crate::{
    app::{self, App},
    error::Error,
    web::{
        auth::{self, Visitor},
        body::Form,
        client,
        fault::Result,
        pages::{FormErrors, Go, Html, Page, Place, filters, page},
    },
};

/// `GET` and `POST /setup/{token}`: `organization`, `full_name`, `username`, `email`, `password`.
#[derive(Clone, Debug, Template)]
#[template(path = "setup/new.html")]
pub struct SetupPage {
    pub page: Page,
    pub errors: FormErrors,
    /// The one-time token of the address.
    pub token: String,
    pub organization: String,
    pub full_name: String,
    pub username: String,
    pub email: String,
}

/// The setup link is used up, too old or wrong. One page for all three: a stranger learns nothing.
#[derive(Clone, Debug, Template)]
#[template(path = "setup/expired.html")]
pub struct SetupExpiredPage {
    pub page: Page,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct SetupForm {
    organization: String,
    full_name: String,
    username: String,
    email: String,
    password: String,
}

pub async fn show(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    token: Path<String>,
) -> Result<HttpResponse> {
    if app.setup_link.check(&token).is_err() {
        return expired(&request, &visitor).await;
    }
    let form = SetupForm::default();
    let shown = setup_page(&request, &visitor, &token, form, FormErrors::none()).await?;
    Html(shown).with_status(StatusCode::OK)
}

/// Makes the portal, and signs its administrator in.
pub async fn submit(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    token: Path<String>,
    Form(form): Form<SetupForm>,
) -> Result<HttpResponse> {
    let wanted = app::SetupForm {
        organization: form.organization.clone(),
        username: form.username.clone(),
        email: form.email.clone(),
        full_name: form.full_name.clone(),
        password: form.password.clone(),
    };
    match app.set_up(&token, wanted).await {
        Ok((_, administrator)) => {
            let agent = client::user_agent(&request);
            let (_, value) = app.begin_session(administrator, visitor.address, agent).await?;
            let welcome = "Your portal is ready. Upload the first documents, or add people in the administration.";
            let mut response = Go::to("/documents").saying(welcome).response();
            let cookie = auth::cookie(value, client::is_secure(&request, &app.config));
            response.add_cookie(&cookie).map_err(|fault| anyhow::anyhow!(fault))?;
            Ok(response)
        }
        Err(Error::NotFound(_)) => expired(&request, &visitor).await,
        Err(error) => {
            let (errors, status) = FormErrors::refusing(error)?;
            let shown = setup_page(&request, &visitor, &token, form, errors).await?;
            Html(shown).with_status(status)
        }
    }
}

async fn setup_page(
    request: &HttpRequest,
    visitor: &Visitor,
    token: &str,
    form: SetupForm,
    errors: FormErrors,
) -> Result<SetupPage> {
    Ok(SetupPage {
        page: page(request, visitor, Place::Elsewhere).await?,
        errors,
        token: token.to_owned(),
        organization: form.organization,
        full_name: form.full_name,
        username: form.username,
        email: form.email,
    })
}

async fn expired(request: &HttpRequest, visitor: &Visitor) -> Result<HttpResponse> {
    let page = page(request, visitor, Place::Elsewhere).await?;
    Html(SetupExpiredPage { page }).with_status(StatusCode::NOT_FOUND)
}
