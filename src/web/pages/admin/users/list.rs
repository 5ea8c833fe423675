//! The handler of the list of people.

use actix_web::{HttpRequest, web::Data};
use jiff::Timestamp;
use serde::Deserialize;

use super::{UserRow, UsersPage};
use crate::{
    app::{App, FindUsers, UserSummary},
    domain::access::Role,
    web::{
        auth::Member,
        body::Query,
        fault::Result,
        pages::{
            Choice, ChoiceLink, Html, Moment, Pager, Place, admin::Sidebar, format, page,
            role_label,
        },
    },
};

const LIMIT: usize = 50;

/// What stands behind the `?`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct UsersAddress {
    q: String,
    role: String,
    state: String,
    /// How many stand on the pages before.
    after: String,
}

pub async fn show(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Query(wanted): Query<UsersAddress>,
) -> Result<Html<UsersPage>> {
    let skip: usize = wanted.after.parse().unwrap_or(0);
    let role = Role::from_name(&wanted.role).ok();
    let is_disabled = match wanted.state.as_str() {
        "active" => Some(false),
        "disabled" => Some(true),
        _ => None,
    };
    let text = wanted.q.clone();
    let find = FindUsers { text, role, is_disabled, skip, limit: LIMIT };
    let found = app.users(member.actor(), find).await?;
    let tab = |label: &str, state: &str, count| ChoiceLink {
        label: label.into(),
        href: wanted.href(state, 0),
        selected: wanted.state == state,
        count: Some(count),
    };
    let mut roles = vec![Choice::new("", "Any role", role.is_none())];
    roles.extend(Role::ALL.map(|one| Choice::new(one.name(), role_label(one), Some(one) == role)));
    let has_more = (skip + found.users.len()) < found.total as usize;
    let now = app.clock.now();
    Ok(Html(UsersPage {
        page: page(&request, &member.visitor, Place::People).await?,
        sidebar: Sidebar::of(&app, &member).await?,
        states: vec![
            tab("All", "", found.everybody),
            tab("Active", "active", found.everybody - found.disabled),
            tab("Disabled", "disabled", found.disabled),
        ],
        roles,
        users: found.users.into_iter().map(|user| row(user, now)).collect(),
        total: found.total,
        pager: Pager {
            first_href: (skip > 0).then(|| wanted.href(&wanted.state, 0)),
            next_href: has_more.then(|| wanted.href(&wanted.state, skip + LIMIT)),
        },
        query: wanted.q,
    }))
}

impl UsersAddress {
    fn href(&self, state: &str, skip: usize) -> String {
        let after = if skip == 0 { String::new() } else { skip.to_string() };
        let fields =
            [("q", self.q.as_str()), ("role", &self.role), ("state", state), ("after", &after)];
        format::address("/admin/people", &fields)
    }
}

fn row(found: UserSummary, now: Timestamp) -> UserRow {
    let UserSummary { user, role, documents, seen_at } = found;
    UserRow {
        id: user.id.to_string(),
        name: user.display_name().to_owned(),
        role: role.map(role_label).unwrap_or_default().into(),
        is_instance_admin: user.is_admin,
        is_disabled: user.is_disabled,
        last_seen: seen_at.map(|at| Moment::new(at, now)),
        documents,
        username: user.username,
        email: user.email,
    }
}
