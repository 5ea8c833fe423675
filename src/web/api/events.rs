//! The audit log.

use actix_web::web::{Data, Json as Answer};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::parts::{self, Named};
use crate::{
    app::App,
    domain::{
        events::{self, Event, Filter, Verb},
        users::User,
    },
    id::Id,
    store::cursor,
    web::{auth::Member, body::Query, fault::Result},
};

#[derive(Deserialize, JsonSchema)]
pub struct EventsWanted {
    /// What was done.
    #[serde(default)]
    verb: Option<Verb>,
    /// Who did it.
    #[serde(default)]
    user: Option<Id<User>>,
    /// At this time or on this day, or later.
    #[serde(default)]
    from: Option<String>,
    /// Before this time, or on this day at the latest.
    #[serde(default)]
    to: Option<String>,
    /// Between 1 and 200; 50 when it is left out.
    #[serde(default)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default)]
    after: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub struct EventList {
    /// The latest first. A page may be short, or empty, where a filter passes over many.
    events: Vec<EventView>,
    /// What to send as `after` for the next page; `null` on the last one.
    next: Option<String>,
}

/// Names are those of the moment: they stay when the person or the thing is gone.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct EventView {
    id: Id<Event>,
    at: Timestamp,
    /// `id` is `null` where the portal or the command line did it.
    by: EventActor,
    /// The client's address.
    address: Option<String>,
    verb: Verb,
    subject: Named,
    detail: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub struct EventActor {
    id: Option<Uuid>,
    name: String,
}

pub async fn list(
    app: Data<App>,
    member: Member,
    Query(wanted): Query<EventsWanted>,
) -> Result<Answer<EventList>> {
    let (actor, organization) = (member.actor(), member.organization);
    let limit = parts::limit(wanted.limit)?;
    let filter = Filter {
        verb: wanted.verb,
        user: wanted.user,
        subject: None,
        from: parts::from_time("from", wanted.from.as_deref())?,
        until: parts::to_time("to", wanted.to.as_deref())?,
        after: parts::place(wanted.after.as_deref())?,
    };
    let (page, next) =
        app.store.read(move |tx| events::list(tx, &actor, organization, &filter, limit)).await?;
    let events = page.into_iter().map(EventView::of).collect();
    Ok(Answer(EventList { events, next: next.map(|place| cursor::encode(&place)) }))
}

impl EventView {
    fn of(event: Event) -> Self {
        EventView {
            id: event.id,
            at: event.at,
            by: EventActor { id: event.user.map(Id::uuid), name: event.actor_name },
            address: event.address,
            verb: event.verb,
            subject: Named::new(event.subject, event.subject_name),
            detail: event.detail,
        }
    }
}
