//! Changing one's own password.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use serde::Deserialize;

use super::PasswordPage;
use crate::{
    app::App,
    web::{
        auth::Member,
        body::Form,
        fault::Result,
        pages::{FormErrors, Go, Html, Place, page},
    },
};

#[derive(Deserialize)]
pub struct PasswordForm {
    #[serde(default)]
    current: String,
    #[serde(default)]
    password: String,
}

pub async fn show(request: HttpRequest, member: Member) -> Result<HttpResponse> {
    let shown = password_page(&request, &member, FormErrors::none()).await?;
    Html(shown).with_status(StatusCode::OK)
}

pub async fn submit(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Form(form): Form<PasswordForm>,
) -> Result<HttpResponse> {
    match app.change_own_password(member.actor(), form.current, form.password).await {
        Ok(()) => {
            let said = "Your password is changed. You are signed out everywhere else.";
            Ok(Go::to("/account/password").saying(said).response())
        }
        Err(error) => {
            let (errors, status) = FormErrors::refusing(error)?;
            let errors = errors.renamed("current_password", Some("current"));
            let shown = password_page(&request, &member, errors).await?;
            Html(shown).with_status(status)
        }
    }
}

async fn password_page(
    request: &HttpRequest,
    member: &Member,
    errors: FormErrors,
) -> Result<PasswordPage> {
    Ok(PasswordPage {
        page: page(request, &member.visitor, Place::Password).await?,
        errors,
        username: member.user.username.clone(),
        is_required: member.user.must_change_password,
    })
}
