//! The people of the organization and their accounts.

pub mod account;
pub mod list;

mod form;

use askama::Template;

use super::Sidebar;
use crate::web::pages::{
    Choice, ChoiceLink, Difference, FormErrors, Moment, Page, Pager, Seen, filters,
};

/// `GET /admin/people` with `q`, `role`, `state`, `after`.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/users/index.html")]
pub struct UsersPage {
    pub page: Page,
    pub sidebar: Sidebar,
    pub query: String,
    /// `All`, `Active`, `Disabled`.
    pub states: Vec<ChoiceLink>,
    /// The first option is any role, with an empty value.
    pub roles: Vec<Choice>,
    pub users: Vec<UserRow>,
    pub total: u64,
    pub pager: Pager,
}

#[derive(Clone, Debug)]
pub struct UserRow {
    pub id: String,
    pub name: String,
    pub username: String,
    pub email: String,
    pub role: String,
    pub is_instance_admin: bool,
    pub is_disabled: bool,
    /// `None`: never signed in.
    pub last_seen: Option<Moment>,
    pub documents: u64,
}

/// `GET` and `POST /admin/people/new`: the account's fields and `password`.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/users/new.html")]
pub struct NewUserPage {
    pub page: Page,
    pub sidebar: Sidebar,
    pub errors: FormErrors,
    pub account: AccountFields,
}

/// `username`, `email`, `full_name`, `role`, repeated `groups`, and `is_admin` = `1`.
#[derive(Clone, Debug, Default)]
pub struct AccountFields {
    pub username: String,
    pub email: String,
    pub full_name: String,
    pub roles: Vec<Choice>,
    pub groups: Vec<Choice>,
    pub seen: Seen,
    pub is_instance_admin: bool,
    /// Whether the one who looks may make somebody an instance administrator.
    pub may_set_instance_admin: bool,
}

/// `GET` and `POST /admin/people/{id}`. Acts post to `/admin/people/{id}/password`, `/sign-out`,
/// `/disable`, `/enable` and `/delete` (`heir`: the id of who gets the documents).
#[derive(Clone, Debug, Template)]
#[template(path = "admin/users/show.html")]
pub struct UserPage {
    pub page: Page,
    pub sidebar: Sidebar,
    pub errors: FormErrors,
    pub id: String,
    /// As it is stored, for the heading.
    pub name: String,
    pub account: AccountFields,
    /// What somebody else has stored meanwhile; `account.seen` is the mark of their state then.
    pub conflict: Vec<Difference>,
    pub is_disabled: bool,
    pub is_oneself: bool,
    /// The last administrator can neither be disabled, demoted nor deleted: the page says so.
    pub is_last_administrator: bool,
    pub documents: u64,
    pub sessions: u64,
    pub tokens: u64,
    pub created: Moment,
    pub last_seen: Option<Moment>,
    /// The password that was just set: shown this once.
    pub new_password: Option<String>,
    /// Who can take over the documents.
    pub heirs: Vec<Choice>,
}
