//! Changing what a document is called and where it belongs.

use askama::Template;

use super::DetailsFields;
use crate::web::pages::{FormErrors, Page, filters};

/// `GET` and `POST /documents/{id}/edit`: the details, and `url` for links.
#[derive(Clone, Debug, Template)]
#[template(path = "documents/edit.html")]
pub struct EditPage {
    pub page: Page,
    pub errors: FormErrors,
    pub id: String,
    /// The title as it is stored, for the heading.
    pub title: String,
    pub details: DetailsFields,
    /// `Some` for a link: where it leads.
    pub url: Option<String>,
    /// The state that was read, sent back as `etag`, so that two people do not overwrite each
    /// other without noticing.
    pub etag: String,
}
