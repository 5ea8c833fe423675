//! Adding a link: a document that lives elsewhere.

use askama::Template;

use super::{DetailsFields, Status, VisibilityFields};
use crate::web::pages::{FormErrors, Page, filters};

/// `GET` and `POST /documents/link`: `url`, the details, `status`, the visibility.
#[derive(Clone, Debug, Template)]
#[template(path = "documents/link.html")]
pub struct LinkPage {
    pub page: Page,
    pub errors: FormErrors,
    pub url: String,
    pub details: DetailsFields,
    pub status: Status,
    pub visibility: VisibilityFields,
}
