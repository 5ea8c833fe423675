//! Groups: names for sets of people, to share documents with.

use askama::Template;

use super::Sidebar;
use crate::web::pages::{Choice, FormErrors, Page, filters};

/// `GET` and `POST /admin/groups`: `name`, `description` make a new one.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/groups/index.html")]
pub struct GroupsPage {
    pub page: Page,
    pub sidebar: Sidebar,
    pub errors: FormErrors,
    /// What was typed for the new group.
    pub name: String,
    pub description: String,
    pub groups: Vec<GroupRow>,
}

#[derive(Clone, Debug)]
pub struct GroupRow {
    pub id: String,
    pub name: String,
    pub description: String,
    pub members: u64,
    pub documents: u64,
}

/// `GET` and `POST /admin/groups/{id}`: `name`, `description`. The members post to
/// `/admin/groups/{id}/members` (`people`, repeated: all who are in afterwards), and
/// `/admin/groups/{id}/delete` deletes it.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/groups/show.html")]
pub struct GroupPage {
    pub page: Page,
    pub sidebar: Sidebar,
    pub errors: FormErrors,
    pub id: String,
    /// As it is stored, for the heading.
    pub title: String,
    pub name: String,
    pub description: String,
    /// Everybody; the members are selected and come first.
    pub people: Vec<Choice>,
    pub members: u64,
    /// Documents that are shared with this group.
    pub documents: u64,
}
