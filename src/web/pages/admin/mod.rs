//! The administration, `/admin/`: everything that keeps an organization's portal in order.
//!
//! The navigation on the left shows how many jobs have failed, so every page carries a
//! [`Sidebar`].

pub mod backups;
pub mod categories;
pub mod dashboard;
pub mod documents;
pub mod events;
pub mod groups;
pub mod https;
pub mod jobs;
pub mod settings;
pub mod storage;
pub mod system;
pub mod users;

use crate::{
    app::App,
    domain::{
        access::Action,
        jobs::{State, count},
    },
    web::{auth::Member, fault::Result},
};

/// What the navigation of the administration shows: to managers less than to administrators.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sidebar {
    pub failed_jobs: u64,
    /// People, the audit log, settings.
    pub may_govern: bool,
    /// Jobs, backups, the storage, HTTPS, the system.
    pub may_operate: bool,
}

impl Sidebar {
    pub async fn of(app: &App, member: &Member) -> Result<Self> {
        let may_operate = member.may(Action::Operate);
        let failed_jobs = match may_operate {
            true => app.store.read(|tx| count(tx, State::Failed)).await?,
            false => 0,
        };
        let may_govern = member.may(Action::Govern(member.organization));
        Ok(Sidebar { failed_jobs, may_govern, may_operate })
    }

    /// Whether to show the entry for a place.
    pub fn shows(&self, key: &str) -> bool {
        match key {
            "dashboard" | "people" | "audit" | "settings" => self.may_govern,
            "jobs" | "backups" | "storage" | "https" | "system" => self.may_operate,
            _ => true,
        }
    }
}
