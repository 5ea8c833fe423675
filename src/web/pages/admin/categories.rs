//! Categories with how much is in each. One in use is renamed or merged, never lost.

use askama::Template;

use super::Sidebar;
use crate::web::pages::{FormErrors, Page, filters};

/// `GET` and `POST /admin/categories` (`name`: a new one). Acts post to
/// `/admin/categories/{id}/rename` (`name`), `/merge` (`into`: an id) and `/delete`.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/categories.html")]
pub struct CategoriesPage {
    pub page: Page,
    pub sidebar: Sidebar,
    pub errors: FormErrors,
    /// What was typed for the new one.
    pub name: String,
    pub categories: Vec<CategoryRow>,
}

#[derive(Clone, Debug)]
pub struct CategoryRow {
    pub id: String,
    pub name: String,
    pub documents: u64,
    /// The library with this filter.
    pub href: String,
}
