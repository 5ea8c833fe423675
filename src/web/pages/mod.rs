//! The pages that people see.
//!
//! Each page is a file here and a template under `templates/`: the file holds the template struct
//! with plain data (strings, numbers, small view structs), the template turns it into HTML. Nothing
//! here asks the domain for anything. Every page struct has a field `page` of type [`Page`], which
//! the frame (`templates/layouts/page.html`) reads.
//!
//! No template may carry a script, a style or an event attribute inline: the content security
//! policy forbids it and `tests/it/gallery` checks it. Every page works without JavaScript.

// what all pages share
mod errors;
mod frame;
mod marks;
mod parts;

pub mod accent;
pub mod filters;
pub mod format;
pub mod prose;

// the pages themselves
pub mod account;
pub mod admin;
pub mod api_reference;
pub mod confirm;
pub mod documents;
pub mod failure;
pub mod landing;
pub mod logo;
mod seen;
pub mod setup;
pub mod sign_in;
pub mod trash;

pub use errors::FormErrors;
pub use frame::{
    Go, Html, THEME_COOKIE, back, error_page, is_own_path, once_at, page, pass_flash, take_once,
    to_sign_in,
};
pub use parts::{Choice, ChoiceLink, HiddenField, Marked, Moment, Pager, Span, Tone, role_label};
pub use seen::{Difference, Seen};

use accent::Accent;

/// The frame around every page: who we are, who is signed in, what to say first.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub organization: String,
    /// The organization's picture beside its name; a drawn letter stands in.
    pub logo_url: Option<String>,
    /// `None` is [`Accent::DEFAULT`], which needs no request of its own.
    pub accent: Option<Accent>,
    /// `None` for strangers: the frame then offers to sign in.
    pub person: Option<Person>,
    /// Goes into every form as `csrf`, and into the header `X-CSRF-Token` of script requests.
    pub csrf_token: String,
    /// Said once, after the act that led here.
    pub flash: Option<Flash>,
    pub theme: Theme,
    /// The entry of the navigation that is marked as current.
    pub place: Place,
    /// What the search box in the top bar shows.
    pub search: SearchBox,
}

impl Page {
    /// The address of the accent's style sheet, where one is needed.
    pub fn accent_sheet(&self) -> Option<String> {
        self.accent.filter(|accent| *accent != Accent::DEFAULT).map(super::assets::accent_sheet)
    }

    pub fn can_upload(&self) -> bool {
        self.person.as_ref().is_some_and(|person| person.can_upload)
    }

    pub fn can_administer(&self) -> bool {
        self.person.as_ref().is_some_and(|person| person.can_administer)
    }
}

/// Who is signed in.
#[derive(Clone, Debug)]
pub struct Person {
    pub name: String,
    pub email: String,
    pub can_upload: bool,
    /// Shows the way to the admin area.
    pub can_administer: bool,
}

/// A sentence after an act, with a way back where there is one.
#[derive(Clone, Debug)]
pub struct Flash {
    pub tone: Tone,
    pub text: String,
    pub undo: Option<Undo>,
}

/// A form with one button that takes the last act back.
#[derive(Clone, Debug)]
pub struct Undo {
    pub label: String,
    /// Where the form posts to.
    pub action: String,
    pub fields: Vec<HiddenField>,
}

/// Light or dark, from the cookie `theme`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the device says.
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    /// The value of the cookie, the form and `<html data-theme>`.
    pub fn key(self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    pub fn from_key(key: &str) -> Theme {
        match key {
            "light" => Theme::Light,
            "dark" => Theme::Dark,
            _ => Theme::Auto,
        }
    }
}

/// Where in the portal a page stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    #[default]
    Elsewhere,
    Library,
    Upload,
    Trash,
    Profile,
    Password,
    Sessions,
    Tokens,
    Dashboard,
    People,
    Groups,
    Categories,
    Documents,
    Jobs,
    Storage,
    Backups,
    Audit,
    Settings,
    Https,
    System,
    ApiReference,
}

impl Place {
    /// `page` for the entry that stands for this place, for `aria-current`.
    pub fn current(self, key: &str) -> &'static str {
        let own = match self {
            Place::Elsewhere => "",
            Place::Library => "library",
            Place::Upload => "upload",
            Place::Trash => "trash",
            Place::Profile => "profile",
            Place::Password => "password",
            Place::Sessions => "sessions",
            Place::Tokens => "tokens",
            Place::Dashboard => "dashboard",
            Place::People => "people",
            Place::Groups => "groups",
            Place::Categories => "categories",
            Place::Documents => "documents",
            Place::Jobs => "jobs",
            Place::Storage => "storage",
            Place::Backups => "backups",
            Place::Audit => "audit",
            Place::Settings => "settings",
            Place::Https => "https",
            Place::System => "system",
            Place::ApiReference => "api",
        };
        if own == key { "page" } else { "false" }
    }
}

/// The search box of the top bar.
#[derive(Clone, Debug, Default)]
pub struct SearchBox {
    pub text: String,
    /// The rest of the library's address (filters, sort, view), kept when a search is submitted.
    pub kept: Vec<HiddenField>,
}
