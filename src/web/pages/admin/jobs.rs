//! The work in the background: what runs, what waits, what failed and why.

use actix_web::{
    HttpRequest,
    web::{Data, Path},
};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use super::Sidebar;
use crate::{
    app::{App, Work},
    domain::{
        access::{Action, decide},
        jobs::{self, Job, State},
    },
    id::Id,
    store::cursor,
    web::{
        api::parts,
        auth::Member,
        body::{Form, Query},
        fault::Result,
        pages::{
            ChoiceLink, Go, Html, Moment, Page, Pager, Place, Tone, back, filters, format, page,
            sign_in::Empty,
        },
    },
};

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
    pub can_cancel: bool,
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
}

impl From<State> for JobState {
    fn from(state: State) -> Self {
        match state {
            State::Queued => JobState::Queued,
            State::Running => JobState::Running,
            State::Done => JobState::Done,
            State::Failed => JobState::Failed,
            State::Cancelled => JobState::Cancelled,
        }
    }
}

const LIMIT: usize = 50;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct JobsAddress {
    state: String,
    after: String,
}

pub async fn show(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Query(wanted): Query<JobsAddress>,
) -> Result<Html<JobsPage>> {
    let (jobs, next) = found(&app, &member, &wanted).await?;
    let actor = member.actor();
    let counts = app
        .store
        .read(move |tx| {
            decide(&actor, Action::Operate)?;
            jobs::counts(tx)
        })
        .await?;
    let count = |wanted| counts.iter().find(|(state, _)| *state == wanted).map_or(0, |one| one.1);
    let tab = |label: &str, state: Option<State>| {
        let key = state.map_or("", State::name);
        ChoiceLink {
            label: label.into(),
            href: wanted.href("/admin/jobs", key, ""),
            selected: wanted.state == key,
            count: state.map(count),
        }
    };
    Ok(Html(JobsPage {
        page: page(&request, &member.visitor, Place::Jobs).await?,
        sidebar: Sidebar::of(&app, &member).await?,
        states: vec![
            tab("All", None),
            tab("Running", Some(State::Running)),
            tab("Waiting", Some(State::Queued)),
            tab("Failed", Some(State::Failed)),
            tab("Done", Some(State::Done)),
            tab("Cancelled", Some(State::Cancelled)),
        ],
        jobs,
        rows_href: wanted.href("/admin/jobs/rows", &wanted.state, &wanted.after),
        can_retry_failed: count(State::Failed) > 0,
        pager: Pager {
            first_href: (!wanted.after.is_empty())
                .then(|| wanted.href("/admin/jobs", &wanted.state, "")),
            next_href: next.map(|next| wanted.href("/admin/jobs", &wanted.state, &next)),
        },
    }))
}

pub async fn rows(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    Query(wanted): Query<JobsAddress>,
) -> Result<Html<JobRowsFragment>> {
    let (jobs, _) = found(&app, &member, &wanted).await?;
    let page = page(&request, &member.visitor, Place::Jobs).await?;
    Ok(Html(JobRowsFragment { page, jobs }))
}

async fn found(
    app: &App,
    member: &Member,
    wanted: &JobsAddress,
) -> Result<(Vec<JobRow>, Option<String>)> {
    let (state, after) = (State::from_name(&wanted.state), parts::place(Some(&wanted.after))?);
    let (work, next) = app.work(member.actor(), state, after, LIMIT).await?;
    let now = app.clock.now();
    let rows = work.into_iter().map(|work| row(work, now)).collect();
    Ok((rows, next.map(|place| cursor::encode(&place))))
}

impl JobsAddress {
    fn href(&self, path: &str, state: &str, after: &str) -> String {
        format::address(path, &[("state", state), ("after", after)])
    }
}

pub fn row(work: Work, now: Timestamp) -> JobRow {
    let Work { job, subject, document } = work;
    let percent = job.progress.and_then(|progress| {
        let total = progress.total.filter(|total| *total > 0)?;
        Some((progress.done.min(total) * 100 / total) as u32)
    });
    let duration = job.started_at.zip(job.finished_at);
    let duration = duration.map(|(from, to)| to.duration_since(from).as_millis().max(0) as u64);
    let is_waiting = job.state == State::Queued && job.run_at > now;
    JobRow {
        can_cancel: job.can_be_cancelled(),
        id: job.id.to_string(),
        task: job.task.title().into(),
        subject,
        subject_href: document.map(|id| format!("/documents/{id}")),
        state: job.state.into(),
        percent,
        attempts: job.attempts,
        error: job.error,
        created: Moment::new(job.created_at, now),
        next_try: is_waiting.then(|| Moment::new(job.run_at, now)),
        duration_ms: duration.filter(|_| matches!(job.state, State::Done | State::Failed)),
    }
}

pub async fn retry(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<Job>>,
    _form: Form<Empty>,
) -> Result<Go> {
    let (actor, id) = (member.actor(), *id);
    app.write_as(actor, move |tx, actor| jobs::retry(tx, actor, id)).await?;
    Ok(Go::to(back(&request, "/admin/jobs")).saying("The job starts over."))
}

pub async fn cancel(
    app: Data<App>,
    request: HttpRequest,
    member: Member,
    id: Path<Id<Job>>,
    _form: Form<Empty>,
) -> Result<Go> {
    let (actor, id) = (member.actor(), *id);
    let to = Go::to(back(&request, "/admin/jobs"));
    // It may have begun since the page was made: that is no error to be shown as a whole page.
    match app.write_as(actor, move |tx, actor| jobs::cancel(tx, actor, id)).await {
        Ok(_) => Ok(to.saying("The job is cancelled.")),
        Err(crate::error::Error::Conflict(message)) => Ok(to.complaining(message)),
        Err(fault) => Err(fault.into()),
    }
}

pub async fn retry_failed(app: Data<App>, member: Member, _form: Form<Empty>) -> Result<Go> {
    let count = app.retry_failed(member.actor()).await?;
    let said = format!("{} again.", format::counted(count, "job starts", "jobs start"));
    Ok(Go::to("/admin/jobs").saying(said))
}
