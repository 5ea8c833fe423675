//! The work in the background: what runs, what waits, what failed and why.

use askama::Template;

use super::Sidebar;
use crate::web::pages::{ChoiceLink, Moment, Page, Pager, Tone, filters};

/// `GET /admin/jobs` with `state`, `after`. Acts post to `/admin/jobs/{id}/retry`, `/cancel`, and
/// `/admin/jobs/retry-failed`.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/jobs/index.html")]
pub struct JobsPage {
    pub page: Page,
    pub sidebar: Sidebar,
    /// `All`, `Running`, `Waiting`, `Failed`, `Done`, with counts.
    pub states: Vec<ChoiceLink>,
    pub jobs: Vec<JobRow>,
    /// The address of the rows alone, with the same filter: `/admin/jobs/rows?state=failed`.
    pub rows_href: String,
    pub can_retry_failed: bool,
    pub pager: Pager,
}

/// `GET /admin/jobs/rows`: the table, asked for as long as something runs.
#[derive(Clone, Debug, Template)]
#[template(path = "admin/jobs/rows.html")]
pub struct JobRowsFragment {
    /// For the token in the forms.
    pub page: Page,
    pub jobs: Vec<JobRow>,
}

#[derive(Clone, Debug)]
pub struct JobRow {
    pub id: String,
    /// `Read the text`.
    pub task: String,
    /// What it works on: `Annual report 2025`.
    pub subject: String,
    pub subject_href: Option<String>,
    pub state: JobState,
    /// How far it is, in percent, where it is long.
    pub percent: Option<u32>,
    pub attempts: u32,
    /// Why the last attempt failed.
    pub error: Option<String>,
    pub created: Moment,
    /// When it is tried again.
    pub next_try: Option<Moment>,
    pub duration_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    Queued,
    Running,
    Done,
    Failed,
    Cancelled,
}

impl JobState {
    pub fn label(self) -> &'static str {
        match self {
            JobState::Queued => "Waiting",
            JobState::Running => "Running",
            JobState::Done => "Done",
            JobState::Failed => "Failed",
            JobState::Cancelled => "Cancelled",
        }
    }

    pub fn tone(self) -> Tone {
        match self {
            JobState::Queued | JobState::Cancelled => Tone::Plain,
            JobState::Running => Tone::Accent,
            JobState::Done => Tone::Good,
            JobState::Failed => Tone::Bad,
        }
    }

    /// The page keeps looking while there are such jobs.
    pub fn is_pending(self) -> bool {
        matches!(self, JobState::Queued | JobState::Running)
    }

    pub fn can_retry(self) -> bool {
        matches!(self, JobState::Failed | JobState::Cancelled)
    }

    pub fn can_cancel(self) -> bool {
        self.is_pending()
    }
}
