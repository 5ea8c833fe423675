//! Signing in and out, for programs.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Json as Answer},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::done;
use crate::{
    app::App,
    domain::sessions,
    error::Error,
    web::{
        auth::Member,
        body::{NoBody, OpenJson},
        client,
        fault::Result,
    },
};

/// Who signs in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginForm {
    /// A username or an e-mail address.
    #[serde(alias = "email")]
    username: String,
    password: String,
}

/// What to send as `Authorization: Bearer …` from now on.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Token")]
pub struct TokenView {
    access_token: String,
    /// Always `bearer`.
    token_type: &'static str,
    /// Seconds.
    expires_in: i64,
}

pub async fn login(
    app: Data<App>,
    request: HttpRequest,
    OpenJson(form): OpenJson<LoginForm>,
) -> Result<Answer<TokenView>> {
    let credentials = client::credentials(&request, &app, form.username, form.password);
    let token = app.sign_in_for_token(credentials).await?;
    Ok(Answer(TokenView {
        access_token: token.text,
        token_type: "bearer",
        expires_in: token.lifetime.as_secs(),
    }))
}

pub async fn logout(app: Data<App>, member: Member, _: NoBody) -> Result<HttpResponse> {
    let Some(session) = &member.session else {
        let message = "An API token has no session to end. Revoke the token instead.";
        return Err(Error::conflict(message).into());
    };
    let id = session.id;
    app.write_as(member.actor(), move |tx, actor| sessions::end(tx, actor.person()?, id)).await?;
    Ok(done())
}
