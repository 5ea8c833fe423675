//! What an administrator can set while the portal runs.

use askama::Template;

use super::Sidebar;
use crate::web::pages::{FormErrors, Page, accent::Accent, filters};

/// `GET` and `POST /admin/settings`: `name`, `accent` (`#1d6b5c`) or `use_default_accent` = `1`,
/// `upload_limit_mb`, `session_days`, `cors_origins` (one in each line). The logo posts to
/// `/admin/settings/logo` (`multipart/form-data`, `file`) and `/admin/settings/logo/remove`.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/settings.html")]
pub struct SettingsPage {
    pub page: Page,
    pub sidebar: Sidebar,
    pub errors: FormErrors,
    pub name: String,
    pub accent: Accent,
    pub uses_default_accent: bool,
    /// As they were typed, so that a wrong one can be corrected.
    pub upload_limit_mb: String,
    pub session_days: String,
    pub cors_origins: String,
}
