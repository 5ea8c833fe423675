//! One's own API tokens.

use actix_web::{
    HttpResponse,
    web::{Data, Json as Answer, Path},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::{created, done};
use crate::{
    app::App,
    domain::tokens::{self, ApiToken},
    id::Id,
    web::{
        auth::Member,
        body::{Json, NoBody},
        fault::Result,
    },
};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ApiToken")]
pub struct ApiTokenView {
    id: Id<ApiToken>,
    name: String,
    created_at: Timestamp,
    used_at: Option<Timestamp>,
    /// `null`: never.
    expires_at: Option<Timestamp>,
    /// What to send as `Authorization: Bearer …`. Only in the answer that made the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl ApiTokenView {
    fn of(token: ApiToken, revealed: Option<String>) -> Self {
        ApiTokenView {
            id: token.id,
            name: token.name,
            created_at: token.created_at,
            used_at: token.used_at,
            expires_at: token.expires_at,
            token: revealed,
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub struct ApiTokenList {
    tokens: Vec<ApiTokenView>,
}

pub async fn list(app: Data<App>, member: Member) -> Result<Answer<ApiTokenList>> {
    let user = member.user.id;
    let tokens = app.store.read(move |tx| tokens::of_user(tx, user)).await?;
    let tokens = tokens.into_iter().map(|token| ApiTokenView::of(token, None)).collect();
    Ok(Answer(ApiTokenList { tokens }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiToken {
    /// What it is for.
    name: String,
    /// Never, when it is left out.
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

pub async fn create(
    app: Data<App>,
    member: Member,
    Json(new): Json<NewApiToken>,
) -> Result<HttpResponse> {
    let actor = member.actor();
    let (token, revealed) = app
        .write_as(actor, move |tx, actor| tokens::create(tx, actor, &new.name, new.expires_at))
        .await?;
    let location = format!("/api/users/me/tokens/{}", token.id);
    Ok(created(location, &ApiTokenView::of(token, Some(revealed))))
}

pub async fn revoke(
    app: Data<App>,
    member: Member,
    id: Path<Id<ApiToken>>,
    _: NoBody,
) -> Result<HttpResponse> {
    let (actor, id) = (member.actor(), id.into_inner());
    app.write_as(actor, move |tx, actor| tokens::revoke(tx, actor, id)).await?;
    Ok(done())
}
