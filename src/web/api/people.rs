//! The people of an organization, by name, for those who decide who sees a document of theirs.

use actix_web::web::{Data, Json as Answer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts;
use crate::{
    app::App,
    domain::{
        access::{Action, Role, decide},
        memberships, text,
        users::User,
    },
    id::Id,
    store::cursor,
    web::{auth::Member, body::Query, fault::Result},
};

#[derive(Deserialize, JsonSchema)]
pub struct PeopleWanted {
    /// A part of the name or the username.
    #[serde(default)]
    q: String,
    /// Between 1 and 200; 50 when it is left out.
    #[serde(default)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default)]
    after: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Person")]
pub struct PersonView {
    id: Id<User>,
    username: String,
    /// The full name, or the username.
    name: String,
}

impl PersonView {
    pub fn of(user: User) -> Self {
        PersonView { id: user.id, name: user.display_name().into(), username: user.username }
    }
}

#[derive(Serialize, JsonSchema)]
pub struct PeopleList {
    people: Vec<PersonView>,
    /// What to send as `after` for the next page; `null` on the last one.
    next: Option<String>,
}

pub async fn list(
    app: Data<App>,
    member: Member,
    Query(wanted): Query<PeopleWanted>,
) -> Result<Answer<PeopleList>> {
    let (actor, organization) = (member.actor(), member.organization);
    let limit = parts::limit(wanted.limit)?;
    let after = parts::place(wanted.after.as_deref())?;
    let part = text::fold(wanted.q.trim());
    let admits = move |user: &User, _: Role| {
        let names = [&user.username, &user.full_name];
        !user.is_disabled && names.iter().any(|name| text::fold(name).contains(&part))
    };
    let (page, next) = app
        .store
        .read(move |tx| {
            decide(&actor, Action::Upload(organization))?;
            memberships::page(tx, organization, after, limit, admits)
        })
        .await?;
    let people = page.into_iter().map(|(user, _)| PersonView::of(user)).collect();
    Ok(Answer(PeopleList { people, next: next.map(|place| cursor::encode(&place)) }))
}
