//! Who did what, and when.

use actix_web::{HttpRequest, web::Data};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use super::Sidebar;
use crate::{
    app::App,
    domain::{
        events::{self, Event, Filter, Verb},
        memberships,
    },
    id::Id,
    web::{
        auth::Member,
        body::Query,
        fault::Result,
        pages::{
            Choice, Html, Moment, Page, Pager, Place, documents::library::address, filters, format,
            page,
        },
    },
};

/// `GET /admin/audit` with `person`, `action`, `document`, `from`, `to`, `after`.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/events.html")]
pub struct EventsPage {
    pub page: Page,
    pub sidebar: Sidebar,
    /// The first option of each is any, with an empty value.
    pub people: Vec<Choice>,
    pub actions: Vec<Choice>,
    /// `2026-11-21`, or empty.
    pub from: String,
    pub to: String,
    /// The one document that is looked at: (id, title).
    pub document: Option<(String, String)>,
    pub is_filtered: bool,
    pub entries: Vec<EventRow>,
    pub pager: Pager,
}

#[derive(Clone, Debug)]
pub struct EventRow {
    pub at: Moment,
    /// `Ana María López`, `Somebody` for strangers, `The system`.
    pub who: String,
    /// Follows the name: `published`, `failed to sign in`.
    pub what: String,
    /// What it was done to.
    pub subject: String,
    pub subject_href: Option<String>,
    /// Where the request came from; empty for the system.
    pub address: String,
}

const LIMIT: usize = 50;

/// What stands behind the `?`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EventsAddress {
    person: String,
    action: String,
    document: String,
    from: String,
    to: String,
    after: String,
}

pub async fn show(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Query(wanted): Query<EventsAddress>,
) -> Result<Html<EventsPage>> {
    let (actor, organization, filter) = (member.actor(), member.organization, wanted.filter());
    let (found, next, members) = app
        .store
        .read(move |tx| {
            let (found, next) = events::list(tx, &actor, organization, &filter, LIMIT)?;
            Ok((found, next, memberships::members(tx, organization)?))
        })
        .await?;
    let document = found.iter().find(|event| event.subject.to_string() == wanted.document);
    let document = document.map(|event| (wanted.document.clone(), event.subject_name.clone()));
    let mut people = vec![Choice::new("", "Anybody", wanted.person.is_empty())];
    people.extend(members.into_iter().map(|(user, _)| {
        let id = user.id.to_string();
        let is_chosen = id == wanted.person;
        Choice::new(id, user.display_name(), is_chosen)
    }));
    people[1..].sort_by_cached_key(|choice| choice.label.to_lowercase());
    let now = app.clock.now();
    Ok(Html(EventsPage {
        page: page(&request, &member.visitor, Place::Audit).await?,
        sidebar: Sidebar::of(&app, &member).await?,
        people,
        actions: actions(&wanted.action),
        is_filtered: wanted.is_filtered(),
        document: document.or_else(|| wanted.unknown_document()),
        entries: found.into_iter().map(|event| row(event, now)).collect(),
        pager: Pager {
            first_href: (!wanted.after.is_empty()).then(|| wanted.href(String::new())),
            next_href: next.map(|next| wanted.href(next.to_string())),
        },
        from: wanted.from,
        to: wanted.to,
    }))
}

impl EventsAddress {
    fn filter(&self) -> Filter {
        let day = |text| address::date(text).and_then(address::start_of);
        let until = address::date(&self.to).and_then(|day| day.tomorrow().ok());
        Filter {
            verb: Verb::from_name(&self.action),
            user: self.person.parse().ok(),
            subject: self.document.parse().ok(),
            from: day(&self.from),
            until: until.and_then(address::start_of),
            after: self.after.parse().ok(),
        }
    }

    fn is_filtered(&self) -> bool {
        [&self.person, &self.action, &self.document, &self.from, &self.to]
            .iter()
            .any(|field| !field.is_empty())
    }

    fn unknown_document(&self) -> Option<(String, String)> {
        let id: Id<Event> = self.document.parse().ok()?;
        Some((id.to_string(), "one document, of which nothing is noted here".into()))
    }

    fn href(&self, after: String) -> String {
        let fields = [
            ("person", self.person.as_str()),
            ("action", &self.action),
            ("document", &self.document),
            ("from", &self.from),
            ("to", &self.to),
            ("after", &after),
        ];
        format::address("/admin/audit", &fields)
    }
}

/// Every verb under the words that the log uses; those that sound alike name their noun.
fn actions(chosen: &str) -> Vec<Choice> {
    let words = |verb: &Verb| {
        let words = verb.name().replace('_', " ");
        let mut letters = words.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string());
        format!("{}{}", first.unwrap_or_default(), letters.as_str())
    };
    let all =
        Verb::ALL.iter().map(|verb| Choice::new(verb.name(), words(verb), verb.name() == chosen));
    std::iter::once(Choice::new("", "Anything", chosen.is_empty())).chain(all).collect()
}

/// An event as a sentence.
pub fn row(event: Event, now: Timestamp) -> EventRow {
    // Whoever signs in does so as themselves: their name stands there already.
    if event.verb == Verb::SignedIn && event.user.is_some_and(|id| id.uuid() == event.subject) {
        return EventRow {
            at: Moment::new(event.at, now),
            who: event.actor_name,
            what: "signed in".into(),
            subject: String::new(),
            subject_href: None,
            address: event.address.unwrap_or_default(),
        };
    }
    let subject_href = subject_href(&event);
    let detail = event.detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
    EventRow {
        at: Moment::new(event.at, now),
        who: event.actor_name,
        what: event.verb.phrase().into(),
        subject: format!("{}{detail}", event.subject_name),
        subject_href,
        address: event.address.unwrap_or_default(),
    }
}

fn subject_href(event: &Event) -> Option<String> {
    let subject = event.subject;
    match event.verb {
        Verb::DocumentDeleted
        | Verb::CategoryDeleted
        | Verb::GroupDeleted
        | Verb::PersonDeleted => None,
        verb => match verb.name().split('_').next() {
            Some("document" | "version" | "visibility") => Some(format!("/documents/{subject}")),
            Some("group") => Some(format!("/admin/groups/{subject}")),
            Some("person" | "role" | "password" | "signed" | "sign" | "membership") => {
                Some(format!("/admin/people/{subject}"))
            }
            _ => None,
        },
    }
}
