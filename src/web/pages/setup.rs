//! The first run: naming the organization and its first administrator.

use askama::Template;

use super::{FormErrors, Page, filters};

/// `GET` and `POST /setup/{token}`: `organization`, `full_name`, `username`, `email`, `password`.
#[derive(Clone, Debug, Template)]
#[template(path = "setup/new.html")]
pub struct SetupPage {
    pub page: Page,
    pub errors: FormErrors,
    /// The one-time token of the address.
    pub token: String,
    pub organization: String,
    pub full_name: String,
    pub username: String,
    pub email: String,
}

/// The setup link is used up, too old or wrong. One page for all three: a stranger learns nothing.
#[derive(Clone, Debug, Template)]
#[template(path = "setup/expired.html")]
pub struct SetupExpiredPage {
    pub page: Page,
}
