//! One's own sessions.

use actix_web::{
    HttpResponse,
    web::{Data, Json as Answer, Path},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::parts::done;
use crate::{
    app::App,
    domain::sessions::{self, Session},
    id::Id,
    web::{auth::Member, body::NoBody, fault::Result},
};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub struct SessionView {
    id: Id<Session>,
    created_at: Timestamp,
    /// When it was last used, to within five minutes.
    seen_at: Timestamp,
    expires_at: Timestamp,
    /// The client's address when it signed in.
    address: Option<String>,
    user_agent: String,
    /// Held by a browser's cookie; a program's token otherwise.
    is_browser: bool,
    /// The one that asks.
    is_current: bool,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SessionList")]
pub struct SessionList {
    sessions: Vec<SessionView>,
}

pub async fn list(app: Data<App>, member: Member) -> Result<Answer<SessionList>> {
    let user = member.user.id;
    let current = member.session.as_ref().map(|session| session.id);
    let sessions = app.store.read(move |tx| sessions::of_user(tx, user)).await?;
    let view = |session: Session| SessionView {
        id: session.id,
        created_at: session.created_at,
        seen_at: session.seen_at,
        expires_at: session.expires_at,
        address: session.address,
        user_agent: session.user_agent,
        is_browser: session.secret.is_some(),
        is_current: Some(session.id) == current,
    };
    Ok(Answer(SessionList { sessions: sessions.into_iter().map(view).collect() }))
}

pub async fn end(
    app: Data<App>,
    member: Member,
    id: Path<Id<Session>>,
    _: NoBody,
) -> Result<HttpResponse> {
    let id = id.into_inner();
    app.write_as(member.actor(), move |tx, actor| sessions::end(tx, actor.person()?, id)).await?;
    Ok(done())
}

pub async fn end_others(app: Data<App>, member: Member, _: NoBody) -> Result<HttpResponse> {
    app.write_as(member.actor(), sessions::end_others).await?;
    Ok(done())
}
