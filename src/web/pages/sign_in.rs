//! Signing in.

use askama::Template;

use super::{FormErrors, Page, filters};

/// `GET` and `POST /sign-in`: `name` (username or email), `password`, `stay`, `next`.
///
/// Too many tries are an error without a field: the sentence says when to try again.
#[derive(Clone, Debug, Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    pub page: Page,
    pub errors: FormErrors,
    /// What was typed; the password is never sent back.
    pub name: String,
    pub stay: bool,
    /// Where to go afterwards: a path of ours, checked before it is followed.
    pub next: String,
}
