//! Where one is signed in, and ending that.

use actix_web::{
    HttpRequest,
    web::{Data, Path},
};
use jiff::Timestamp;

use super::{SessionRow, SessionsPage, device};
use crate::{
    app::App,
    domain::sessions::{self, Session},
    id::Id,
    web::{
        auth::Member,
        body::Form,
        fault::Result,
        pages::{Go, Html, Moment, Place, format, page, sign_in::Empty},
    },
};

pub async fn show(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
) -> Result<Html<SessionsPage>> {
    let user = member.user.id;
    let mut open = app.store.read(move |tx| sessions::of_user(tx, user)).await?;
    let own = own(&member);
    open.sort_by_key(|session| Some(session.id) != own);
    let now = app.clock.now();
    Ok(Html(SessionsPage {
        page: page(&request, &member.visitor, Place::Sessions).await?,
        sessions: open.into_iter().map(|session| row(session, own, now)).collect(),
    }))
}

pub async fn end(
    app: Data<App>,
    member: Member,
    id: Path<Id<Session>>,
    _form: Form<Empty>,
) -> Result<Go> {
    let id = *id;
    app.write_as(member.actor(), move |tx, actor| sessions::end(tx, actor.person()?, id)).await?;
    Ok(Go::to("/account/sessions").saying("The session has ended."))
}

pub async fn end_others(app: Data<App>, member: Member, _form: Form<Empty>) -> Result<Go> {
    let ended = app.write_as(member.actor(), sessions::end_others).await?;
    let ended = format::counted(ended as u64, "other session has", "other sessions have");
    Ok(Go::to("/account/sessions").saying(format!("{ended} ended.")))
}

fn own(member: &Member) -> Option<Id<Session>> {
    member.session.as_ref().map(|session| session.id)
}

fn row(session: Session, own: Option<Id<Session>>, now: Timestamp) -> SessionRow {
    let mut device = device::name(&session.user_agent);
    if session.secret.is_none() {
        device = format!("Program: {device}");
    }
    SessionRow {
        id: session.id.to_string(),
        device,
        address: session.address.unwrap_or_default(),
        signed_in: Moment::new(session.created_at, now),
        last_seen: Moment::new(session.seen_at, now),
        is_this_one: Some(session.id) == own,
    }
}
