//! The life of a document: published, archived, trashed, restored, gone. And what happened to it.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Data, Json as Answer, Path},
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{change::require_edit, view::DocumentView};
use crate::{
    app::{self, App},
    domain::{
        access::{Action, Actor, decide},
        documents::{self, Document},
        events::{self, Event, Verb},
    },
    error::Result as AppResult,
    id::Id,
    store::{WriteTx, cursor},
    web::{
        api::parts::{self, IfMatch, Named, done, tagged},
        auth::{Member, Visitor},
        body::{NoBody, Query},
        fault::Result,
    },
};

macro_rules! steps {
    ($($name:ident $verb:path;)*) => {$(
        pub async fn $name(
            app: Data<App>,
            visitor: Visitor,
            id: Path<Id<Document>>,
            if_match: IfMatch,
            _: NoBody,
        ) -> Result<HttpResponse> {
            let view = step(&app, &visitor, id.into_inner(), if_match, $verb).await?;
            Ok(tagged(StatusCode::OK, view.revision(), &view))
        }
    )*};
}

steps! {
    publish documents::publish;
    withdraw documents::withdraw;
    archive documents::archive;
    trash documents::trash;
    restore documents::restore;
}

type Step = fn(&mut WriteTx, &Actor, Id<Document>) -> AppResult<Document>;

async fn step(
    app: &App,
    visitor: &Visitor,
    id: Id<Document>,
    if_match: IfMatch,
    step: Step,
) -> Result<DocumentView> {
    let actor = visitor.actor();
    let view = app
        .write_as(actor, move |tx, actor| {
            require_edit(tx, actor, id, &if_match)?;
            let document = step(tx, actor, id)?;
            DocumentView::of(tx, actor, document)
        })
        .await?;
    Ok(view)
}

/// `DELETE`: the same as [`trash`], and nothing to answer with.
pub async fn trash_with_delete(
    app: Data<App>,
    visitor: Visitor,
    id: Path<Id<Document>>,
    if_match: IfMatch,
    _: NoBody,
) -> Result<HttpResponse> {
    step(&app, &visitor, id.into_inner(), if_match, documents::trash).await?;
    Ok(done())
}

pub async fn delete_for_good(
    app: Data<App>,
    visitor: Visitor,
    id: Path<Id<Document>>,
    if_match: IfMatch,
    _: NoBody,
) -> Result<HttpResponse> {
    let (actor, id) = (visitor.actor(), id.into_inner());
    app.write_as(actor, move |tx, actor| {
        require_edit(tx, actor, id, &if_match)?;
        documents::delete(tx, actor, id)
    })
    .await?;
    Ok(done())
}

#[derive(Deserialize, JsonSchema)]
pub struct TrashWanted {
    /// Between 1 and 200; 50 when it is left out.
    #[serde(default)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default)]
    after: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub struct TrashList {
    /// What you may restore, the latest first.
    documents: Vec<DocumentView>,
    /// What to send as `after` for the next page; `null` on the last one.
    next: Option<String>,
}

pub async fn list_trash(
    app: Data<App>,
    member: Member,
    Query(wanted): Query<TrashWanted>,
) -> Result<Answer<TrashList>> {
    let (actor, organization) = (member.actor(), member.organization);
    let limit = parts::limit(wanted.limit)?;
    let after = parts::place(wanted.after.as_deref())?;
    let list = app
        .store
        .read(move |tx| {
            let (trashed, next) =
                documents::in_trash_after(tx, &actor, organization, after, limit)?;
            let view = |document| {
                let found = app::with_surroundings(tx, document)?;
                Ok(DocumentView::in_list(&actor, found, tx.now()))
            };
            Ok(TrashList {
                documents: trashed.into_iter().map(view).collect::<AppResult<_>>()?,
                next: next.map(|place| cursor::encode(&place)),
            })
        })
        .await?;
    Ok(Answer(list))
}

#[derive(Deserialize, JsonSchema)]
pub struct ActivityWanted {
    /// Between 1 and 200; 50 when it is left out.
    #[serde(default)]
    limit: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
pub struct ActivityList {
    /// The latest first. Who downloaded it is told to those who may edit it.
    activity: Vec<ActivityView>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Activity")]
pub struct ActivityView {
    id: Id<Event>,
    at: Timestamp,
    /// The name is that of the moment; `null` where the portal itself did it.
    by: Option<Named>,
    verb: Verb,
    detail: Option<String>,
}

/// For members alone, however public the document; and who downloaded it, for those who may edit it.
pub async fn activity(
    app: Data<App>,
    member: Member,
    id: Path<Id<Document>>,
    Query(wanted): Query<ActivityWanted>,
) -> Result<Answer<ActivityList>> {
    let (actor, id) = (member.actor(), id.into_inner());
    let limit = parts::limit(wanted.limit)?;
    let events = app
        .store
        .read(move |tx| {
            let document = documents::readable(tx, &actor, id)?;
            decide(&actor, Action::Browse(document.organization))?;
            events::of_document(tx, &actor, &document, limit)
        })
        .await?;
    let view = |event: Event| ActivityView {
        id: event.id,
        at: event.at,
        by: event.user.map(|user| Named::new(user.uuid(), event.actor_name)),
        verb: event.verb,
        detail: event.detail,
    };
    Ok(Answer(ActivityList { activity: events.into_iter().map(view).collect() }))
}
