//! Who did what, and when.

use askama::Template;

use super::Sidebar;
use crate::web::pages::{Choice, Moment, Page, Pager, filters};

/// `GET /admin/audit` with `person`, `action`, `document`, `from`, `to`, `after`.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/audit.html")]
pub struct AuditPage {
    pub page: Page,
    pub sidebar: Sidebar,
    /// The first option of each is any, with an empty value.
    pub people: Vec<Choice>,
    pub actions: Vec<Choice>,
    /// `2026-11-21`, or empty.
    pub from: String,
    pub to: String,
    /// The one document that is looked at: (id, title).
    pub document: Option<(String, String)>,
    pub is_filtered: bool,
    pub entries: Vec<AuditRow>,
    pub pager: Pager,
}

#[derive(Clone, Debug)]
pub struct AuditRow {
    pub at: Moment,
    /// `Ana María López`, `Somebody` for strangers, `The system`.
    pub who: String,
    /// Follows the name: `published`, `failed to sign in`.
    pub what: String,
    /// What it was done to.
    pub subject: String,
    pub subject_href: Option<String>,
    /// Where the request came from; empty for the system.
    pub address: String,
}
