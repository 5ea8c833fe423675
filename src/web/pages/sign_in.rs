//! Signing in.

use actix_web::{HttpRequest, HttpResponse, ResponseError, http::header, web::Data};
use askama::Template;
use serde::Deserialize;

use super::{FormErrors, Go, Html, Page, Place, filters, is_own_path, page};
use crate::{
    app::App,
    domain::sessions,
    error::Error,
    web::{
        auth::{self, Member, Visitor},
        body::{Form, Query},
        client,
        fault::{Fault, Result},
    },
};

/// `GET` and `POST /sign-in`: `name` (username or email), `password`, `stay`, `next`.
///
/// Too many tries are an error without a field: the sentence says when to try again.
#[derive(Clone, Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    pub page: Page,
    pub errors: FormErrors,
    /// What was typed; the password is never sent back.
    pub name: String,
    pub stay: bool,
    /// Where to go afterwards: a path of ours, checked before it is followed.
    pub next: String,
}

#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    next: String,
}

pub async fn show(
    request: HttpRequest,
    visitor: Visitor,
    Query(wanted): Query<Wanted>,
) -> Result<HttpResponse> {
    if visitor.user.is_some() {
        return Ok(Go::to(safe_next(&wanted.next)).response());
    }
    let page = page(&request, &visitor, Place::Elsewhere).await?;
    let errors = FormErrors::none();
    let shown = SignInPage { page, errors, name: String::new(), stay: true, next: wanted.next };
    Html(shown).with_status(actix_web::http::StatusCode::OK)
}

#[derive(Deserialize)]
pub struct SignInForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    stay: Option<String>,
    #[serde(default)]
    next: String,
}

pub async fn submit(
    app: Data<App>,
    request: HttpRequest,
    visitor: Visitor,
    Form(form): Form<SignInForm>,
) -> Result<HttpResponse> {
    let credentials = client::credentials(&request, &app, form.name.clone(), form.password);
    match app.sign_in(credentials).await {
        Ok((_, value)) => {
            let mut cookie = auth::cookie(value, client::is_secure(&request, &app.config));
            if form.stay.is_none() {
                // Until the browser is closed.
                cookie.set_max_age(None);
            }
            let mut response = Go::to(safe_next(&form.next)).response();
            response.add_cookie(&cookie).map_err(|fault| anyhow::anyhow!(fault))?;
            Ok(response)
        }
        Err(Error::Internal(chain)) => Err(Error::Internal(chain).into()),
        Err(refused) => {
            let page = page(&request, &visitor, Place::Elsewhere).await?;
            let errors = FormErrors::of(&refused);
            let stay = form.stay.is_some();
            let shown = SignInPage { page, errors, name: form.name, stay, next: form.next };
            let retry_after_s = refused.retry_after_s();
            let mut response = Html(shown).with_status(Fault(refused).status_code())?;
            if let Some(seconds) = retry_after_s {
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            Ok(response)
        }
    }
}

pub async fn sign_out(app: Data<App>, member: Member, _form: Form<Empty>) -> Result<HttpResponse> {
    if let Some(session) = &member.session {
        let id = session.id;
        app.write_as(member.actor(), move |tx, actor| sessions::end(tx, actor.person()?, id))
            .await?;
    }
    let mut response = Go::to("/").saying("You are signed out.").response();
    response.add_cookie(&auth::removal_cookie()).map_err(|fault| anyhow::anyhow!(fault))?;
    Ok(response)
}

/// A form that is only a button.
#[derive(Deserialize)]
pub struct Empty {}

fn safe_next(next: &str) -> String {
    if is_own_path(next) && !next.starts_with("/sign-") { next.into() } else { "/".into() }
}
