//! One's own account: profile, password, sessions, API tokens.

pub mod password;
pub mod profile;
pub mod sessions;
pub mod tokens;

mod device;

use askama::Template;

use super::{Choice, FormErrors, Moment, Page, filters};

/// `GET` and `POST /account`: `full_name`, `email`. The theme posts to `/account/appearance`:
/// `theme` = `auto`, `light` or `dark`, kept in a cookie.
#[derive(Clone, Debug, Template)]
#[template(path = "account/profile.html")]
pub struct ProfilePage {
    pub page: Page,
    pub errors: FormErrors,
    pub username: String,
    pub full_name: String,
    pub email: String,
    /// `Manager`.
    pub role: String,
    /// The names of the groups this person is in.
    pub groups: Vec<String>,
    pub member_since: Moment,
}

/// `GET` and `POST /account/password`: `current`, `password`. All other sessions end.
#[derive(Clone, Debug, Template)]
#[template(path = "account/password.html")]
pub struct PasswordPage {
    pub page: Page,
    pub errors: FormErrors,
    /// For the password manager, which stores the new one under it.
    pub username: String,
    /// An administrator set the password: this person has to choose a new one first.
    pub is_required: bool,
}

/// `GET /account/sessions`; posts to `/account/sessions/{id}/end` and
/// `/account/sessions/end-others`.
#[derive(Clone, Debug, Template)]
#[template(path = "account/sessions.html")]
pub struct SessionsPage {
    pub page: Page,
    /// The one of this request first.
    pub sessions: Vec<SessionRow>,
}

/// One place where this person is signed in.
#[derive(Clone, Debug)]
pub struct SessionRow {
    pub id: String,
    /// `Firefox on Windows`.
    pub device: String,
    pub address: String,
    pub signed_in: Moment,
    pub last_seen: Moment,
    pub is_this_one: bool,
}

/// `GET` and `POST /account/tokens`: `name`, `expires` (a value of `lifetimes`); ends one with
/// `POST /account/tokens/{id}/revoke`.
#[derive(Clone, Debug, Template)]
#[template(path = "account/tokens.html")]
pub struct TokensPage {
    pub page: Page,
    pub errors: FormErrors,
    pub name: String,
    pub lifetimes: Vec<Choice>,
    pub tokens: Vec<TokenRow>,
    /// The token that was just made: shown this once, never stored in the clear.
    pub created: Option<CreatedToken>,
}

#[derive(Clone, Debug)]
pub struct TokenRow {
    pub id: String,
    pub name: String,
    pub created: Moment,
    pub last_used: Option<Moment>,
    /// `None`: never.
    pub expires: Option<Moment>,
    pub is_expired: bool,
}

#[derive(Clone, Debug)]
pub struct CreatedToken {
    pub name: String,
    pub secret: String,
    /// The address of this portal, for the example: `https://docs.halden.example`.
    pub origin: String,
}
