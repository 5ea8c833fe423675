//! What was thrown away and can still be taken back.

use askama::Template;

use super::{Moment, Page, Pager, documents::FileFace, filters};

/// `GET /trash`; posts to `/documents/{id}/restore`, `/documents/{id}/delete` and `/trash/empty`.
#[derive(Clone, Debug, Template)]
#[template(path = "trash.html")]
pub struct TrashPage {
    pub page: Page,
    pub documents: Vec<TrashedDocument>,
    pub total: u64,
    /// How long documents stay.
    pub days: u64,
    /// Everything may be deleted for good at once.
    pub can_empty: bool,
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
    pub can_restore: bool,
    pub can_delete: bool,
}
