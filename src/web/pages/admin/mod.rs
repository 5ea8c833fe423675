//! The administration, `/admin/`: everything that keeps an organization's portal in order.
//!
//! The navigation on the left shows how many jobs have failed, so every page carries a
//! [`Sidebar`].

pub mod audit;
pub mod categories;
pub mod dashboard;
pub mod documents;
pub mod groups;
pub mod jobs;
pub mod people;
pub mod settings;

/// What the navigation of the administration shows beside its entries.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sidebar {
    pub failed_jobs: u64,
}
