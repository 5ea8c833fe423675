//! Deciding who sees one document, or the documents chosen in the administration.

use askama::Template;

use super::{Status, VisibilityFields};
use crate::web::pages::{FormErrors, HiddenField, Page, filters};

/// `GET` and `POST /documents/{id}/visibility`; with `id` repeated as a hidden field it also serves
/// the bulk action of `/admin/documents`.
#[derive(Clone, Debug, Template)]
#[template(path = "documents/visibility.html")]
pub struct VisibilityPage {
    pub page: Page,
    pub errors: FormErrors,
    /// Where the form posts to.
    pub action: String,
    /// Where "Cancel" leads.
    pub back_href: String,
    /// The document's title, or `12 documents`.
    pub title: String,
    /// A draft is seen by its makers alone, whatever is chosen here: the page says so.
    pub status: Status,
    pub visibility: VisibilityFields,
    pub carried: Vec<HiddenField>,
}
