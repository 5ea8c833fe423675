//! Every document of the organization, to act on many at once.

pub mod bulk;
pub mod list;

use askama::Template;

use super::Sidebar;
use crate::web::pages::{
    Choice, ChoiceLink, Moment, Page, Pager,
    documents::{FileFace, Status, Visibility},
    filters,
};

/// `GET /admin/documents` with `q`, `status`, `visibility`, `category`, `after`.
///
/// The table posts to `/admin/documents/bulk`: `id` (repeated) and `act` = `category` (with
/// `category`: an id, or empty for none), `visibility` (answered with the visibility page),
/// `publish`, `archive` or `trash`.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/documents.html")]
pub struct DocumentsPage {
    pub page: Page,
    pub sidebar: Sidebar,
    pub query: String,
    /// `All`, `Published`, `Drafts`, `Archived`.
    pub statuses: Vec<ChoiceLink>,
    /// Filters; the first option of each is any, with an empty value.
    pub visibilities: Vec<Choice>,
    pub categories: Vec<Choice>,
    /// What documents can be moved to; the first option is none.
    pub targets: Vec<Choice>,
    pub documents: Vec<DocumentRow>,
    pub total: u64,
    pub pager: Pager,
}

#[derive(Clone, Debug)]
pub struct DocumentRow {
    pub id: String,
    pub title: String,
    pub face: FileFace,
    pub category: String,
    pub owner: String,
    pub size_bytes: Option<u64>,
    pub updated: Moment,
    pub status: Status,
    pub visibility: Visibility,
}
