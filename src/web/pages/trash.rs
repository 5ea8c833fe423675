//! What was thrown away and can still be taken back.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    Go, Html, Moment, Page, Pager, Place,
    confirm::{Confirmation, Question},
    documents::{FileFace, card},
    filters, format, page,
};
use crate::{
    app::{App, Found},
    domain::documents::TRASH_KEPT,
    store::cursor,
    web::{
        api::parts,
        auth::Member,
        body::{Form, Query},
        fault::Result,
    },
};

/// `GET /trash` with `after`, of what this person may change; posts to `/documents/{id}/restore`, `/documents/{id}/delete` and `/trash/empty`.
#[derive(Clone, Debug, Template)]
#[template(path = "trash.html")]
pub struct TrashPage {
    pub page: Page,
    pub documents: Vec<TrashedDocument>,
    /// On all pages.
    pub total: u64,
    /// How long documents stay.
    pub days: u64,
    pub pager: Pager,
}

#[derive(Clone, Debug)]
pub struct TrashedDocument {
    pub id: String,
    pub title: String,
    pub face: FileFace,
    pub thumbnail_url: Option<String>,
    pub size_bytes: Option<u64>,
    pub trashed_by: String,
    pub trashed_at: Moment,
    /// When it is deleted for good.
    pub gone: Moment,
}

#[derive(Deserialize)]
pub struct Wanted {
    /// The cursor of the page before.
    #[serde(default)]
    after: String,
}

const LIMIT: usize = 50;

pub async fn show(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Query(wanted): Query<Wanted>,
) -> Result<Html<TrashPage>> {
    let after = Some(wanted.after.as_str()).filter(|after| !after.is_empty());
    let found = app.in_trash(member.actor(), parts::place(after)?, LIMIT).await?;
    let now = app.clock.now();
    let next = found.next.map(|place| cursor::encode(&place));
    Ok(Html(TrashPage {
        page: page(&request, &member.visitor, Place::Trash).await?,
        total: found.total,
        days: TRASH_KEPT.as_hours() as u64 / 24,
        documents: found.documents.into_iter().map(|(found, by)| trashed(found, by, now)).collect(),
        pager: Pager {
            first_href: after.map(|_| "/trash".into()),
            next_href: next.map(|next| format::address("/trash", &[("after", &next)])),
        },
    }))
}

fn trashed(found: Found, by: String, now: Timestamp) -> TrashedDocument {
    let document = found.document;
    let at = document.trashed.map_or(now, |trashed| trashed.at);
    TrashedDocument {
        face: card::face(&document),
        thumbnail_url: card::thumbnail_url(&document, found.blob.as_ref()),
        size_bytes: document.current.as_ref().map(|file| file.size_bytes),
        trashed_by: by,
        trashed_at: Moment::new(at, now),
        gone: Moment::new(at + TRASH_KEPT, now),
        id: document.id.to_string(),
        title: document.title,
    }
}

pub async fn empty(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Form(asked): Form<Confirmation>,
) -> Result<HttpResponse> {
    if !asked.is_confirmed() {
        return Question {
            question: "Empty the trash?".into(),
            detail: "All documents in it and all their versions are deleted for good. This cannot be undone.".into(),
            button: "Empty the trash".into(),
            action: "/trash/empty".into(),
            back_href: "/trash".into(),
            ..Question::default()
        }
        .ask(&request, &member.visitor, Place::Trash)
        .await;
    }
    let deleted = app.empty_trash(member.actor()).await?;
    let deleted = format::counted(deleted, "document is", "documents are");
    Ok(Go::to("/trash").saying(format!("{deleted} deleted for good.")).response())
}
