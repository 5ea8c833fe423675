//! The first page of the administration: is everything all right, and what has happened?

use askama::Template;

use super::{Sidebar, audit::AuditRow, jobs::JobRow};
use crate::web::pages::{Moment, Page, Tone, filters};

/// `GET /admin/`.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/dashboard.html")]
pub struct DashboardPage {
    pub page: Page,
    pub sidebar: Sidebar,
    pub documents: u64,
    pub documents_new_this_month: u64,
    pub people: u64,
    pub people_active_this_week: u64,
    pub jobs_waiting: u64,
    pub jobs_failed: u64,
    pub storage: Storage,
    pub health: Vec<HealthCheck>,
    /// The latest that failed or are running.
    pub jobs: Vec<JobRow>,
    pub activity: Vec<AuditRow>,
    pub version: String,
    pub running_since: Moment,
}

/// Where the bytes are.
#[derive(Clone, Debug, Default)]
pub struct Storage {
    pub used_bytes: u64,
    /// What the file system still takes.
    pub free_bytes: u64,
    pub parts: Vec<StoragePart>,
}

impl Storage {
    pub fn total_bytes(&self) -> u64 {
        self.used_bytes.saturating_add(self.free_bytes).max(1)
    }

    /// From here on the meter warns: 75 % of the whole.
    pub fn high_bytes(&self) -> u64 {
        self.total_bytes() / 4 * 3
    }

    /// From here on it is serious: 90 %.
    pub fn critical_bytes(&self) -> u64 {
        self.total_bytes() / 10 * 9
    }
}

/// `Files`, `Search index`, `Records`.
#[derive(Clone, Debug)]
pub struct StoragePart {
    pub label: String,
    pub size_bytes: u64,
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub struct HealthCheck {
    /// `Search index`.
    pub name: String,
    pub tone: Tone,
    /// `Up to date`, or what is wrong and what to do.
    pub detail: String,
}
