//! What strangers see at `/`.

use askama::Template;

use super::{Page, filters};

/// `GET /` for those who are not signed in.
#[derive(Clone, Debug, Template)]
#[template(path = "landing.html")]
pub struct LandingPage {
    pub page: Page,
    /// No administrator exists yet: the page says where the setup link is printed.
    pub needs_setup: bool,
}
